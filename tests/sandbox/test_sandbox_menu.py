"""The whole menu of PandaPon and Xport: no operation is without an action, and none acts without what it needs."""

from __future__ import annotations

from typing import Any

import httpx2
import msgspec
import pytest

from tests.sandbox.stage import Stage, envelope
from worker.catalogue.operation import Auth, Dialect, Kind, Mark, Operation
from worker.catalogue.tables import operations_of
from worker.sandbox import sign
from worker.sandbox.actions import ACTIONS
from worker.sandbox.menu import paths_of, unpublished_path

MENU = (*operations_of(Dialect.PANDAPON), *operations_of(Dialect.XPORT))
REQUIRED = [
    pytest.param(operation, field.path, id=f"{operation.dialect}-{operation.name}-{field.path}")
    for operation in MENU
    for field in operation.request
    if field.required and "." not in field.path and "[" not in field.path
]
VALUES: dict[Kind, Any] = {
    Kind.TEXT: "text",
    Kind.ID_TEXT: "7",
    Kind.ID_NUMBER: 7,
    Kind.INTEGER: 7,
    Kind.DECIMAL: 7,
    Kind.BOOLEAN: True,
    Kind.FEN: 7,
    Kind.YUAN: "7.00",
    Kind.TIME: "20260101120000000+0800",
    Kind.OBJECT: {},
    Kind.LIST: [],
    Kind.JSON_TEXT: "[]",
    Kind.BASE64: "AAAA",
}
WRONG = {Kind.OBJECT: [], Kind.LIST: {}, Kind.JSON_TEXT: [], Kind.INTEGER: "seven", Kind.FEN: 7.5}


@pytest.fixture(scope="module")
def stage() -> Stage:
    stage = Stage(orders=2, taobao_orders=1)
    stage.begin()
    return stage


async def call(stage: Stage, operation: Operation, values: dict[str, Any], path: str | None = None) -> dict[str, Any]:
    """Call an operation as the catalogue says; what stands in the path goes there."""
    road = path or paths_of(operation)[0]
    inside = {name: value for name, value in values.items() if f"{{{name}}}" not in road}
    for name in values.keys() - inside.keys():
        road = road.replace(f"{{{name}}}", str(values[name]))
    config, stamp = stage.sandbox.config, str(stage.clock.ms)
    query: dict[str, str] = {}
    if operation.auth is Auth.QUERY:
        query = {"timestamp": stamp, "sign": sign(config.access_key, stamp, "", config.access_secret)}
    request: dict[str, Any] = {"params": query, "headers": stage.headers()}
    if operation.method == "GET":
        request["params"] = query | {name: str(value) for name, value in inside.items()}
    else:
        request["content"] = msgspec.json.encode(inside)
    answer: httpx2.Response = await stage.client.request(operation.method, road, **request)
    return envelope(answer)


def sample(operation: Operation) -> dict[str, Any]:
    """Something of the right kind for every required field."""
    return {field.path: VALUES[field.kind] for field in operation.request if field.required and "." not in field.path}


def test_every_operation_of_the_two_menus_has_an_action_and_every_action_an_operation() -> None:
    assert {(operation.dialect, operation.name) for operation in MENU} == ACTIONS.keys()
    assert len(MENU) >= 87


@pytest.mark.parametrize(("operation", "name"), REQUIRED)
async def test_a_required_field_that_is_missing_is_named(stage: Stage, operation: Operation, name: str) -> None:
    if any(f"{{{name}}}" in path for path in operation.paths.values()):
        return  # without it there is no path
    values = sample(operation)
    del values[name]
    answer = await call(stage, operation, values)
    assert (answer["code"], answer["msg"]) == (40000, f"bad parameter: {name}: missing")


@pytest.mark.parametrize(("operation", "name"), REQUIRED)
async def test_a_required_field_of_the_wrong_kind_is_named(stage: Stage, operation: Operation, name: str) -> None:
    kind = next(field.kind for field in operation.request if field.path == name)
    if kind not in WRONG or operation.method == "GET":  # in a query everything is text
        return
    answer = await call(stage, operation, sample(operation) | {name: WRONG[kind]})
    assert (answer["code"], answer["msg"]) == (40000, f"bad parameter: {name}: expected {kind.value}")


@pytest.mark.parametrize("operation", MENU, ids=lambda one: f"{one.dialect}-{one.name}")
async def test_a_call_about_nothing_that_exists_is_answered_in_an_envelope_and_changes_no_book(
    stage: Stage, operation: Operation
) -> None:
    for path in paths_of(operation):
        answer = await call(stage, operation, sample(operation), path)
        assert answer["code"] != 404
    books = stage.sandbox.ledgers.books
    assert [name for name, rows in books.items() if rows and name != "refusals"] == []


@pytest.mark.parametrize("operation", MENU, ids=lambda one: f"{one.dialect}-{one.name}")
async def test_nobody_gets_in_with_a_wrong_signature(stage: Stage, operation: Operation) -> None:
    road = paths_of(operation)[0].replace("{refundId}", "7")
    params = {"timestamp": str(stage.clock.ms), "sign": "0" * 32} if operation.auth is Auth.QUERY else {}
    answer = await stage.client.request(
        operation.method, road, params=params, headers=stage.headers(signature="0" * 32), content=b"{}"
    )
    assert envelope(answer)["code"] == 40102


def test_a_made_up_path_says_so_and_stands_for_an_operation_that_nobody_has_published() -> None:
    for operation in MENU:
        made_up = unpublished_path(operation) in paths_of(operation)
        assert made_up == (operation.mark is Mark.UNKNOWN)
        assert unpublished_path(operation).startswith("/unpublished/")
