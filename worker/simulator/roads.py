"""The network between machines and the marketplace, both ways: slow, lossy, and sometimes showing the past."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import httpx2 as httpx

from worker.domain.clock import Millis
from worker.http_server import AsgiApp
from worker.sandbox import Sandbox
from worker.simulator.dice import Dice
from worker.simulator.machines import Fleet, Machine
from worker.simulator.trace import Trace

TRAVEL_S = (0.005, 0.1)
SLOW_S = (1.0, 30.0)
LIST = "/order/page"
MAX_REMEMBERED = 3
_ORDER_ID = re.compile(r"(?<!\d)33\d{17}(?!\d)")
"""As the sandbox makes them."""


async def call_app(
    app: AsgiApp, method: str, url: httpx.URL, headers: list[tuple[bytes, bytes]], body: bytes
) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Call an ASGI application once; return status, headers and body."""
    scope: MutableMapping[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": url.path,
        "raw_path": url.raw_path,
        "query_string": url.query,
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in headers],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 80),
    }
    status, answer_headers, parts = 500, [], bytearray()
    sent = False

    async def receive() -> MutableMapping[str, Any]:
        nonlocal sent
        if sent:
            return {"type": "http.disconnect"}
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        nonlocal status, answer_headers
        if message["type"] == "http.response.start":
            status, answer_headers = message["status"], list(message.get("headers", ()))
        else:
            parts.extend(message.get("body", b""))

    await app(scope, receive, send)
    return status, answer_headers, bytes(parts)


@dataclass(slots=True)
class Way:
    """A request on its way."""

    travel_s: float
    given_up: bool = False
    """Its caller no longer waits: the connection is cut."""


class RoadToMarketplace(httpx.AsyncBaseTransport):
    """Carries one machine's calls. The marketplace works on a call whatever becomes of the caller."""

    def __init__(self, fleet: Fleet, machine: Machine, marketplace: AsgiApp, views: Sequence[View]) -> None:
        self._fleet = fleet
        self._machine = machine
        self._marketplace = marketplace
        self._views = views

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Carry one call there and its answer back."""
        dice = self._fleet.postgres.dice
        name = request.url.path
        if not self._machine.alive or dice.falls("no connection"):
            await self._travel()
            raise httpx.ConnectError("no connection")
        if dice.falls("crash before call"):
            await self._machine.die(f"before {name}")
        body = await request.aread()
        way = Way(self._travel_s())
        carried = self._carried(way, request, body)
        answering = self._fleet.loop.create_task(carried, context=self._fleet.world.copy())
        try:
            status, headers, content = await asyncio.shield(answering)
        except ConnectionResetError as error:
            raise httpx.ReadError("the connection was cut") from error
        except asyncio.CancelledError:
            way.given_up = True
            raise
        self._fleet.trace.note("call", self._machine.name, f"{request.method} {name} {status}")
        if dice.falls("crash after call"):
            await self._machine.die(f"after {name}")
        if dice.falls("answer lost"):
            raise httpx.ReadError("the answer was lost")
        for view in self._views:
            content = view.seen_through(name, str(request.url.query) + repr(body), content)
        await self._travel()
        return httpx.Response(status, headers=headers, content=content, request=request)

    async def _carried(
        self, way: Way, request: httpx.Request, body: bytes
    ) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        """What has left arrives, also from a machine that stands still; from one that gave up only if it is quick."""
        await asyncio.sleep(way.travel_s)
        if way.given_up and way.travel_s > TRAVEL_S[1]:
            return 0, [], b""  # the connection was cut: nobody hears of it
        return await call_app(self._marketplace, request.method, request.url, request.headers.raw, body)

    def _travel_s(self) -> float:
        dice = self._fleet.postgres.dice
        slow = dice.falls("slow network")
        return dice.between("travel", *(SLOW_S if slow else TRAVEL_S))

    async def _travel(self) -> None:
        await asyncio.sleep(self._travel_s())


class View(Protocol):
    """What stands between the marketplace's truth and what it shows."""

    def seen_through(self, name: str, question: str, content: bytes) -> bytes:
        """Return the answer to a call as the caller sees it."""
        ...


@dataclass(frozen=True, slots=True)
class Shown:
    """An answer of the past (`as_of`) that was given at an instant; Unix ms."""

    order_id: str
    at: Millis
    as_of: Millis


class Past:
    """Replicas that lag: an answer about an order may be the one that was given some time ago."""

    def __init__(self, operation: str, trace: Trace, dice: Dice, now_ms: Callable[[], Millis]) -> None:
        self._operation = operation
        self._trace = trace
        self._dice = dice
        self._now_ms = now_ms
        self._remembered: dict[str, list[tuple[Millis, bytes]]] = {}
        self.shown: list[Shown] = []

    def seen_through(self, name: str, question: str, content: bytes) -> bytes:
        """Return the present answer, or one of the past."""
        if self._operation not in name or not _is_success(content):
            return content
        found = _ORDER_ID.search(question)
        order_id = found[0] if found else question
        told = self._remembered.setdefault(order_id, [])
        if told and self._dice.falls("stale read"):
            as_of, old = self._dice.stream("past").choice(told)
            if old != content:
                self._trace.note("stale answer", "-", name)
                self.shown.append(Shown(order_id, self._now_ms(), as_of))
            return old
        told.append((self._now_ms(), content))
        del told[:-MAX_REMEMBERED]
        return content


class Lag:
    """Lists that show a change only after a while."""

    def __init__(self, sandbox: Sandbox, seconds: float) -> None:
        self._sandbox = sandbox
        self._lag_ms = int(seconds * 1_000)

    def seen_through(self, name: str, _question: str, content: bytes) -> bytes:
        """Leave rows out that changed just now."""
        if not self._lag_ms or LIST not in name or not _is_success(content):
            return content
        answer = json.loads(content)
        answer["data"]["data"] = [row for row in answer["data"]["data"] if self._shows(row)]
        return json.dumps(answer, ensure_ascii=False).encode()

    def _shows(self, row: dict[str, Any]) -> bool:
        order = self._sandbox.world.orders.get(str(row["baseInfo"]["idOfStr"]))
        return order is None or order.modified_ms <= self._sandbox.now_ms() - self._lag_ms


def _is_success(content: bytes) -> bool:
    try:
        answer = json.loads(content)
        return answer.get("code") == 200 or answer.get("success") in (True, "true")  # noqa: PLR2004 - the envelope's code
    except (ValueError, AttributeError):
        return False


@dataclass(frozen=True, slots=True)
class Accepted:
    """A callback that a machine answered with 200."""

    body: bytes
    at: float
    machine: str


class RoadToWorkers(httpx.AsyncBaseTransport):
    """Carries the marketplace's callbacks to some machine that listens, as a load balancer does."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self.accepted: list[Accepted] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Carry one callback; its answer may get lost after the work is done."""
        fleet, dice = self._fleet, self._fleet.postgres.dice
        await asyncio.sleep(dice.between("travel", *TRAVEL_S))
        listening = [machine for machine in fleet.alive if machine.app is not None]
        if not listening or dice.falls("callback not connected"):
            raise httpx.ConnectError("no worker listens")
        machine = dice.stream("balancer").choice(listening)
        body = await request.aread()
        work = machine.task(self._handled(machine, request, body))
        done: asyncio.Future[httpx.Response] = fleet.loop.create_future()
        work.add_done_callback(lambda task: _pass_on(task, done))
        response = await done
        if dice.falls("callback answer lost"):
            raise httpx.ReadError("the answer was lost")
        return response

    async def _handled(self, machine: Machine, request: httpx.Request, body: bytes) -> httpx.Response:
        app = machine.app
        if app is None:
            raise httpx.ConnectError("the worker stopped listening")
        status, headers, content = await call_app(app, request.method, request.url, request.headers.raw, body)
        if status == httpx.codes.OK:
            self.accepted.append(Accepted(body, self._fleet.loop.time(), machine.name))
        self._fleet.trace.note(f"callback {status}", machine.name)
        return httpx.Response(status, headers=headers, content=content)


def _pass_on(task: asyncio.Task[httpx.Response], done: asyncio.Future[httpx.Response]) -> None:
    if done.done():
        return
    if task.cancelled():
        done.set_exception(httpx.ReadError("the worker died"))
    elif (error := task.exception()) is not None:
        done.set_exception(error if isinstance(error, httpx.HTTPError) else httpx.ReadError(str(error)))
    else:
        done.set_result(task.result())
