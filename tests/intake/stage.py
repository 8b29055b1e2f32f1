"""The callback endpoint without a socket: requests as ASGI messages, and a publisher that does as it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlsplit

import msgspec
from prometheus_client import REGISTRY

from worker.broker.durable import DurablePublisher, NotDurableError
from worker.broker.envelope import Event, Unrecognised, read_fact
from worker.domain.clock import Millis
from worker.domain.facts import Fact
from worker.intake.callbacks import CallbackApp, Limits
from worker.intake.doors import Door, DoorKind
from worker.marketplaces.pandapon.callbacks import parse

NOW: Millis = 1_767_233_100_040
TOKEN = "a-token-that-nobody-guesses"
ACCESS_KEY = "58c0201dfdf148eca63cbf6bb5e7cf03"
SECRET = "test-secret"
MAX_BYTES = 4_096
BODY_TIMEOUT_S = 0.1
LOOPBACK = ("127.0.0.1", 50_000)

ORDER_ID = "3300000000000000001"
PAID = (
    b'{"messageType":"1688_ORDER_BUYER_VIEW_ORDER_PAY","messagePlatform":1,"timestamp":"1767233100000",'
    b'"messageBody":{"orderId":3300000000000000001,"currentStatus":"waitsellersend"}}'
)
Message = MutableMapping[str, Any]


class Clock:
    """Stands still until a test moves it."""

    def __init__(self, now: Millis = NOW) -> None:
        self.now = now

    def now_ms(self) -> Millis:
        return self.now


@dataclass
class Kept:
    """Stands for a publisher: keeps what it is given, or fails."""

    events: list[Event] = field(default_factory=list)
    fails_with: Exception | None = None

    async def publish(self, event: Event) -> None:
        if self.fails_with is not None:
            raise self.fails_with
        self.events.append(event)

    @property
    def facts(self) -> list[Fact]:
        found = [read_fact(event.headers, event.value) for event in self.events]
        return [one[1] for one in found if not isinstance(one, Unrecognised)]

    @property
    def unrecognised(self) -> list[Unrecognised]:
        found = [read_fact(event.headers, event.value) for event in self.events]
        return [one for one in found if isinstance(one, Unrecognised)]


NOT_DURABLE = NotDurableError("neither Kafka nor the spool took the event")
DOORS = {
    "main": Door("main", DoorKind.TOKEN, token=TOKEN),
    "signed": Door("signed", DoorKind.SIGNATURE, access_key=ACCESS_KEY, access_secret=SECRET),
    "open": Door("open", DoorKind.NONE),
    "fenced": Door("fenced", DoorKind.TOKEN, token=TOKEN, networks=("203.0.113.0/24", "2001:db8::/32")),
}


def make_app(publisher: Kept | DurablePublisher, *, clock: Clock | None = None, parser: Any = parse) -> CallbackApp:
    limits = Limits(max_bytes=MAX_BYTES, body_timeout_s=BODY_TIMEOUT_S)
    given = cast("DurablePublisher", publisher)
    return CallbackApp(
        DOORS, given, clock or Clock(), limits, monotonic=lambda: 0.0, parsers=dict.fromkeys(DOORS, parser)
    )


@dataclass(frozen=True)
class Reply:
    status: int
    body: bytes
    headers: Mapping[bytes, bytes]

    @property
    def error(self) -> str:
        return str(msgspec.json.decode(self.body)["error"]) if self.body else ""


def parts(*chunks: bytes, last: bool = True) -> list[Message]:
    """A body in pieces; without its last one the sender has not finished."""
    whole = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    if last:
        whole[-1]["more_body"] = False
    return list(whole)


async def call(
    app: CallbackApp,
    path: str = f"/callbacks/main/{TOKEN}",
    body: bytes | Iterable[Message] = PAID,
    *,
    method: str = "POST",
    headers: Mapping[str, str] | None = None,
    peer: tuple[str, int] | None = LOOPBACK,
) -> Reply:
    """Send one request; a body that is not finished is waited for in vain."""
    waiting = parts(body) if isinstance(body, bytes) else list(body)
    sent: list[Message] = []

    async def receive() -> Message:
        if waiting:
            return waiting.pop(0)
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    given = [(name.lower().encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]
    scope: Message = {"type": "http", "method": method, "path": path, "headers": given, "client": peer}
    await app(scope, receive, send)
    start, end = sent
    return Reply(start["status"], end["body"], dict(start["headers"]))


def counted(account: str, outcome: str) -> float:
    labels = {"account": account, "outcome": outcome}
    return REGISTRY.get_sample_value("ordersync_callbacks_total", labels) or 0.0


class Freezer:
    """A way to a server that can stop passing anything on, as a network does: nothing is closed, nothing answers."""

    def __init__(self) -> None:
        self._open = True
        self._ways: list[asyncio.Event] = []

    def freeze(self) -> None:
        """Pass nothing on any more."""
        self._open = False
        for way in self._ways:
            way.clear()

    def thaw(self) -> None:
        """Pass on what was held up, and everything that comes."""
        self._open = True
        for way in self._ways:
            way.set()

    def strand(self) -> None:
        """Pass nothing on any more for the connections that are there; new ones work."""
        for way in self._ways:
            way.clear()
        self._ways = []

    def way(self) -> asyncio.Event:
        """Set while a new connection may pass on what it gets."""
        made = asyncio.Event()
        if self._open:
            made.set()
        self._ways.append(made)
        return made


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: asyncio.Event) -> None:
    try:
        while chunk := await reader.read(65_536):
            await way.wait()
            writer.write(chunk)
            await writer.drain()
    except ConnectionError:
        pass  # one side is gone; the other one is told
    finally:
        writer.close()


@asynccontextmanager
async def frozen_way(dsn: str) -> AsyncIterator[tuple[str, Freezer]]:
    """The same database by another port, behind a freezer."""
    address = urlsplit(dsn)
    freezer = Freezer()
    pumps: set[asyncio.Task[None]] = set()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        way = freezer.way()
        there, back = await asyncio.open_connection(address.hostname, address.port)
        for one in (pump(reader, back, way), pump(there, writer, way)):
            task = asyncio.create_task(one)
            pumps.add(task)
            task.add_done_callback(pumps.discard)

    server = await asyncio.start_server(connect, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield dsn.replace(f":{address.port}/", f":{port}/"), freezer
    finally:
        server.close()
        for task in list(pumps):
            task.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
        await server.wait_closed()
