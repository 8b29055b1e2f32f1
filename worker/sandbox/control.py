"""`/_sandbox/*`: what tests and the demo see and steer.

No authentication, so loopback only unless configured otherwise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from itertools import islice
from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from worker.catalogue.tables import OPERATIONS
from worker.sandbox.codes import Refused
from worker.sandbox.courier import encoder
from worker.sandbox.gateway import read_body
from worker.sandbox.life import Size
from worker.sandbox.menu import unpublished_path
from worker.sandbox.sandbox import Sandbox
from worker.sandbox.taobao import truth as taobao_truth
from worker.sandbox.truth import tell_truth

LOOPBACK = {"127.0.0.1", "::1"}
MAX_ROWS = 1_000

Handler = Callable[[Sandbox, Request], Awaitable[Response]]


class MoreOrders(msgspec.Struct, frozen=True):
    """Body of `POST /_sandbox/orders`; with `lines`, orders of that size in up to so many `parcels`."""

    count: int
    platform: Literal["1688", "taobao"] = "1688"
    lines: int | None = None
    parcels: int = 1


class Throttle(msgspec.Struct, frozen=True):
    """Body of `POST /_sandbox/throttle`: every call is refused as too fast for so many real seconds."""

    seconds: float


class CallbackUrl(msgspec.Struct, frozen=True):
    """Body of `POST /_sandbox/callback-url`; null turns callbacks off, `verify` asks the URL for HTTP 200 first."""

    url: str | None
    verify: bool = False


def control_routes(sandbox: Sandbox) -> list[Route]:
    """The control endpoints; a caller's mistake gets HTTP 4xx with `{"error": text}`."""
    handlers: tuple[tuple[str, str, Handler], ...] = (
        ("GET", "/_sandbox/stats", _stats),
        ("GET", "/_sandbox/truth", _truth),
        ("GET", "/_sandbox/taobao/truth", _taobao_truth),
        ("GET", "/_sandbox/ledger", _ledger),
        ("GET", "/_sandbox/ledgers/{name}", _book),
        ("GET", "/_sandbox/orders/{order_id}", _one_order),
        ("GET", "/_sandbox/prices", _prices),
        ("POST", "/_sandbox/orders", _more_orders),
        ("POST", "/_sandbox/start", _start),
        ("POST", "/_sandbox/callback-url", _callback_url),
        ("GET", "/_sandbox/calls", _calls),
        ("GET", "/_sandbox/paths", _paths),
        ("POST", "/_sandbox/throttle", _throttle),
    )
    return guarded_routes(sandbox, handlers)


def guarded_routes(sandbox: Sandbox, handlers: Iterable[tuple[str, str, Handler]]) -> list[Route]:
    """Routes (method, path, handler) with the control endpoints' manners."""
    return [Route(path, _guarded(sandbox, handler), methods=[method]) for method, path, handler in handlers]


def _guarded(sandbox: Sandbox, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        host = request.client.host if request.client else ""
        if not sandbox.config.open_control and host not in LOOPBACK:
            return _json({"error": "control endpoints answer loopback only"}, 403)
        try:
            return await handler(sandbox, request)
        except (msgspec.DecodeError, ValueError) as error:
            return _json({"error": str(error)}, 400)
        except Refused as refusal:
            return _json({"error": refusal.text}, 400)

    return answer


def _json(body: object, status: int = 200) -> Response:
    return Response(encoder.encode(body), status, media_type="application/json")


async def _stats(sandbox: Sandbox, _request: Request) -> Response:
    return _json(sandbox.stats())


async def _truth(sandbox: Sandbox, request: Request) -> Response:
    """Orders by number; `after` is the `next` of the page before."""
    after = int(request.query_params.get("after", -1))
    limit = int(request.query_params.get("limit", MAX_ROWS))
    if not 1 <= limit <= MAX_ROWS:
        raise ValueError(f"limit: expected 1 to {MAX_ROWS}, got {limit}")
    world = sandbox.world
    rest = sorted(
        (order for order in world.orders.values() if order.life.number > after), key=lambda order: order.life.number
    )
    page = [tell_truth(order, world.taken_fen(order)) for order in rest[:limit]]
    return _json({"orders": page, "next": page[-1].number if len(rest) > limit else None})


async def _taobao_truth(sandbox: Sandbox, request: Request) -> Response:
    """Purchase orders by number, as `_truth`."""
    after = int(request.query_params.get("after", -1))
    limit = int(request.query_params.get("limit", MAX_ROWS))
    if not 1 <= limit <= MAX_ROWS:
        raise ValueError(f"limit: expected 1 to {MAX_ROWS}, got {limit}")
    rest = sorted(
        (order for order in sandbox.taobao.orders.values() if order.life.number > after),
        key=lambda order: order.life.number,
    )
    taken = Counter[str]()
    for row in sandbox.ledgers.payments:
        taken[row.order_id] += row.amount_fen
    page = [taobao_truth.tell_truth(order, taken[order.order_id]) for order in rest[:limit]]
    return _json({"orders": page, "next": page[-1].number if len(rest) > limit else None})


async def _ledger(sandbox: Sandbox, request: Request) -> Response:
    """Payments in the order in which they were taken; `after` counts rows already seen."""
    after = int(request.query_params.get("after", 0))
    rows = list(islice(sandbox.world.ledger, max(0, after), None))
    return _json({"payments": rows})


async def _book(sandbox: Sandbox, request: Request) -> Response:
    """One book of effects, oldest row first; `after` counts rows already seen."""
    books, name = sandbox.ledgers.books, request.path_params["name"]
    if name not in books:
        return _json({"error": f"no such ledger; there are {', '.join(books)}"}, 404)
    after = max(0, int(request.query_params.get("after", 0)))
    rows = books[name][after : after + MAX_ROWS]
    return _json({"rows": rows, "next": after + len(rows)})


async def _one_order(sandbox: Sandbox, request: Request) -> Response:
    order = sandbox.world.orders.get(request.path_params["order_id"])
    if order is None:
        return _json({"error": "order not found"}, 404)
    return _json({"truth": tell_truth(order, sandbox.world.taken_fen(order)), "trade_info": sandbox.world.shown(order)})


async def _prices(sandbox: Sandbox, _request: Request) -> Response:
    """Per order every total that it had: since when, and how much."""
    return _json({"prices": sandbox.prices})


async def _more_orders(sandbox: Sandbox, request: Request) -> Response:
    more = msgspec.json.decode(await read_body(request), type=MoreOrders)
    if more.platform == "taobao":
        sandbox.taobao.add_orders(more.count)
        return _json({"taobao_planned": sandbox.taobao.planned})
    size = None if more.lines is None else Size(more.lines, more.parcels)
    sandbox.world.add_orders(more.count, size)
    return _json({"orders_planned": sandbox.world.planned})


async def _start(sandbox: Sandbox, _request: Request) -> Response:
    sandbox.start()
    return _json({"started": True, "orders_planned": sandbox.world.planned})


async def _callback_url(sandbox: Sandbox, request: Request) -> Response:
    wanted = msgspec.json.decode(await read_body(request), type=CallbackUrl)
    verified = None
    if wanted.verify and wanted.url is not None and sandbox.verify is not None:
        verified = await sandbox.verify(wanted.url)
        if not verified:
            return _json({"error": "the URL did not answer the verification with HTTP 200; not saved"}, 422)
    sandbox.outbox.url = wanted.url
    return _json({"callback_url": wanted.url, "verified": verified})


async def _calls(sandbox: Sandbox, request: Request) -> Response:
    """The log of calls, oldest first; `after` counts rows already seen."""
    after = int(request.query_params.get("after", 0))
    rows = list(islice(sandbox.traffic.log, max(0, after), max(0, after) + MAX_ROWS))
    return _json({"calls": rows, "next": after + len(rows)})


async def _paths(sandbox: Sandbox, _request: Request) -> Response:  # noqa: ARG001 - all handlers look alike
    """The paths that the twin made up, for operations whose real ones nobody knows: dialect → name → path."""
    found: dict[str, dict[str, str]] = {}
    for operation in OPERATIONS:
        if not operation.paths:
            found.setdefault(operation.dialect.value, {})[operation.name] = unpublished_path(operation)
    return _json(found)


async def _throttle(sandbox: Sandbox, request: Request) -> Response:
    wanted = msgspec.json.decode(await read_body(request), type=Throttle)
    sandbox.traffic.close_for(wanted.seconds)
    return _json({"seconds": wanted.seconds})
