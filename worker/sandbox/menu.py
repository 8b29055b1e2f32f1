"""The PandaPon and Xport operations as routes, driven by the catalogue: one action per operation, each under its paths.

An operation whose path nobody knows is served under a path that is made up here and says so: `/unpublished/…`. A client
reaches it only if its configuration names that path, as with the real one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from worker.catalogue.operation import Auth, Dialect, EffectClass, Form, Kind, Operation
from worker.catalogue.tables import operations_of
from worker.sandbox.codes import Refused
from worker.sandbox.gateway import MAX_BODY, Gateway, read_body
from worker.sandbox.parameters import Parameters, check_fields
from worker.sandbox.sandbox import Sandbox
from worker.sandbox.signing import check_call, check_query

Action = Callable[[Sandbox, Parameters], Any]
"""Does what one operation does and returns the data of its envelope.

Raises:
    Refused: the call ends with a code other than 200.
"""

MAX_PICTURE_BODY = 6_291_456
OTHER_VERSION = {"/alibaba/": "/v2/alibaba/", "/v2/alibaba/": "/alibaba/"}
"""Which of the v1 and v2 paths exist on the real host is only partly documented; the twin answers both alike."""


def paths_of(operation: Operation) -> tuple[str, ...]:
    """Every path at which the twin serves an operation."""
    known = tuple(operation.paths.values())
    if not known:
        return (unpublished_path(operation),)
    twins = (
        new + path.removeprefix(old) for path in known for old, new in OTHER_VERSION.items() if path.startswith(old)
    )
    return tuple(dict.fromkeys((*known, *twins)))


def unpublished_path(operation: Operation) -> str:
    """The made-up path of an operation whose real one nobody knows."""
    return f"/unpublished/{operation.dialect.value}/{operation.name.replace('.', '/')}"


def menu_routes(sandbox: Sandbox, actions: Mapping[tuple[Dialect, str], Action]) -> list[Route]:
    """Routes for all operations of the two dialects that have an action."""
    gateway = Gateway(sandbox)
    served = (*operations_of(Dialect.PANDAPON), *operations_of(Dialect.XPORT))
    return [
        Route(
            path, _endpoint(gateway, operation, actions[operation.dialect, operation.name]), methods=[operation.method]
        )
        for operation in served
        if (operation.dialect, operation.name) in actions
        for path in paths_of(operation)
    ]


def _endpoint(gateway: Gateway, operation: Operation, action: Action) -> Callable[[Request], Any]:
    sandbox = gateway.sandbox

    def check(request: Request) -> None:
        if operation.auth is Auth.QUERY:
            check_query(request.query_params, request.headers, sandbox.config, sandbox.now_ms())
        else:
            check_call(request.headers, sandbox.config, sandbox.now_ms())

    async def read(request: Request) -> Parameters:
        values = await _values(operation, request)
        check_fields(operation, values)
        return Parameters(values, str(request.base_url))

    async def answer(request: Request) -> Response:
        return await gateway.serve(
            request,
            operation.name,
            read,
            lambda call: action(sandbox, call),
            check=check,
            effect=operation.effect is not EffectClass.SAFE_READ,
        )

    return answer


def _most_bytes(operation: Operation) -> int:
    """Pictures travel as base64 in the body."""
    return MAX_PICTURE_BODY if any(field.kind is Kind.BASE64 for field in operation.request) else MAX_BODY


async def _values(operation: Operation, request: Request) -> dict[str, Any]:
    values: dict[str, Any] = dict(request.path_params)
    if operation.method == "GET" or operation.form in (Form.QUERY, Form.PATH):
        return values | dict(request.query_params)
    try:
        body = msgspec.json.decode(await read_body(request, _most_bytes(operation)))
    except msgspec.DecodeError as error:
        raise Refused(40001, str(error)) from error
    if not isinstance(body, dict):
        raise Refused(40001)
    return values | body
