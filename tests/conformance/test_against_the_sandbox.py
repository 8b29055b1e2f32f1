"""The suite against the twin: every operation that it serves is reached, and nothing documented is contradicted."""

from __future__ import annotations

import pytest

from tests.conformance.stage import account, asked, finding, lived_in
from tests.sandbox.stage import Stage
from worker.catalogue.operation import Dialect, EffectClass
from worker.catalogue.tables import find, operations_of
from worker.conformance.findings import FieldState, Report, State
from worker.conformance.table import markdown
from worker.sandbox.actions import ACTIONS
from worker.sandbox.aop.actions import ACTIONS as OPEN_PLATFORM

SERVED = {
    Dialect.PANDAPON: {name for dialect, name in ACTIONS if dialect is Dialect.PANDAPON},
    Dialect.XPORT: {name for dialect, name in ACTIONS if dialect is Dialect.XPORT},
    Dialect.ALIBABA1688: set(OPEN_PLATFORM),
}

ADDRESS = "http://127.0.0.1:1"


async def run(stage: Stage, dialect: Dialect, *, effects: bool) -> Report:
    paths: dict[str, dict[str, str]] = (await stage.client.get("/_sandbox/paths")).json()
    hints = {"code": stage.sandbox.open_platform.tokens.issue_code("https://example.org/back")} if effects else {}
    one = account(dialect, ADDRESS)
    return await asked(one, paths=paths.get(dialect.value), stage=stage, effects=effects, invent=True, hints=hints)


@pytest.fixture(params=list(Dialect), ids=lambda dialect: str(dialect.value))
def dialect(request: pytest.FixtureRequest) -> Dialect:
    found: Dialect = request.param
    return found


@pytest.fixture
def stage(dialect: Dialect) -> Stage:
    return lived_in(dialect)


async def test_every_operation_that_is_served_is_reached_and_nothing_documented_is_contradicted(
    stage: Stage, dialect: Dialect
) -> None:
    report = await run(stage, dialect, effects=True)
    reached = {one.operation for one in report.findings if one.reached}
    assert SERVED[dialect] - reached == set(), markdown(report)
    assert report.contradicted == []
    assert SERVED[dialect] == {one.name for one in operations_of(dialect)}, "the twin serves the whole catalogue"
    assert report.unknown_path_refused is True


async def test_every_operation_that_is_reached_refuses_a_wrong_signature(stage: Stage, dialect: Dialect) -> None:
    report = await run(stage, dialect, effects=True)
    assert not [one.operation for one in report.findings if one.reached and one.wrong_signature_refused is not True]
    assert not [one.operation for one in report.findings if one.reached and one.signature_accepted is not True]


async def test_read_only_calls_nothing_that_has_an_effect(stage: Stage, dialect: Dialect) -> None:
    report = await run(stage, dialect, effects=False)
    called = {call.operation for call in stage.sandbox.traffic.log}
    effects = {one.name for one in operations_of(dialect) if one.effect is not EffectClass.SAFE_READ}
    assert not called & effects
    assert {one.operation for one in report.findings if one.effect and one.state is not State.NOT_ASKED} == set()
    assert not stage.sandbox.world.double_payments
    reads = SERVED[dialect] - effects
    assert {one.operation for one in report.findings if one.reached} <= reads
    assert len({one.operation for one in report.findings if one.reached}) > len(reads) // 2


async def test_orders_in_every_status_show_every_field_of_the_detail() -> None:
    for dialect in (Dialect.PANDAPON, Dialect.ALIBABA1688):
        stage = lived_in(dialect)
        detail = finding(await run(stage, dialect, effects=False), "1688.order.detail")
        assert {field.path for field in detail.fields if field.state is not FieldState.FOUND} <= {
            f"{prefix}{name}"
            for prefix in ("", "result.")
            for name in (
                "baseInfo.closeReason",
                "baseInfo.refundId",
                "baseInfo.refundStatus",
                "productItems[].refundId",
            )
        }


def test_what_the_twin_serves_is_in_the_catalogue() -> None:
    for dialect, names in SERVED.items():
        for name in names:
            assert find(dialect, name).name == name
