"""What stands at the other end of the client."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import msgspec

from tests.marketplaces.examples import RECEIVED_AT
from worker.catalogue.operation import Dialect
from worker.domain.clock import Millis, SystemClock
from worker.marketplaces.breaker import Breaker
from worker.marketplaces.caller import Caller, Routes
from worker.marketplaces.http import HttpCore
from worker.marketplaces.images import ImageFetcher
from worker.marketplaces.limits import NoLimit
from worker.marketplaces.pandapon.client import PandaPonClient
from worker.marketplaces.pandapon.wire import Credentials, PandaPonWire
from worker.marketplaces.paylinks import PayLinks

ACCESS_KEY = "5a4db0c0ffee4000a000000000000001"
SECRET = "sandbox-secret"
USER_ID = "2100000000001"
NONCE = "n" * 32
PAY_HOSTS = ("1688.com", "alipay.com", "cashier.example.com")

Message = MutableMapping[str, Any]
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    peer: tuple[str, int]


@dataclass(frozen=True)
class Answer:
    """What to answer."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


def envelope(data: Any = None, *, code: Any = 200, msg: str | None = "成功") -> Answer:
    """An answer in the documented envelope."""
    return Answer(
        body=msgspec.json.encode({"requestId": "r", "code": code, "developId": "1", "msg": msg, "data": data})
    )


class Scripted:
    """An ASGI application: the answers in turn, the last one again and again."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[Asked] = []
        self._answers: list[Answer] = []

    def reset(self) -> None:
        self.asked, self._answers = [], []

    def says(self, *answers: Answer) -> None:
        self._answers = list(answers)

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        peer = tuple(scope["client"])
        self.asked.append(Asked(scope["method"], scope["path"], scope["query_string"].decode(), headers, body, peer))
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        given = [(name.encode(), value.encode()) for name, value in answer.headers]
        await send({"type": "http.response.start", "status": answer.status, "headers": given})
        await send({"type": "http.response.body", "body": answer.body})


class FixedClock:
    """Stands still, or runs with the wall clock when asked to."""

    def __init__(self, now: Millis | None = None) -> None:
        self.now = now

    def now_ms(self) -> Millis:
        return SystemClock().now_ms() if self.now is None else self.now


@asynccontextmanager
async def client(
    url: str,
    *,
    secret: str = SECRET,
    user_id: str = USER_ID,
    now: Millis | None = None,
    timeout_s: float = 5.0,
    seconds: bool = False,
    paths: dict[str, str] | None = None,
) -> AsyncIterator[PandaPonClient]:
    """A client with the sandbox's keys."""
    clock = FixedClock(now)
    wire = PandaPonWire(
        Credentials(ACCESS_KEY, secret, user_id), clock, timestamp_in_seconds=seconds, nonce=lambda: NONCE
    )
    caller = Caller(
        HttpCore(url, timeout_s=timeout_s),
        wire,
        clock,
        routes=Routes(Dialect.PANDAPON, "v1", paths or {}),
        limiter=NoLimit(),
        breaker=Breaker(time.monotonic, threshold=1_000_000),
    )
    here = (urlsplit(url).netloc,)
    made = PandaPonClient("main", caller, ImageFetcher((), here), PayLinks(PAY_HOSTS, here))
    try:
        yield made
    finally:
        await made.close()


@asynccontextmanager
async def at(
    scripted: Scripted,
    dialect: Dialect = Dialect.PANDAPON,
    *,
    version: str = "v1",
    paths: dict[str, str] | None = None,
    refund_list: bool = False,
    pay_batch_size: int = 1,
    definite_refusals: bool = True,
) -> AsyncIterator[PandaPonClient]:
    """A client of the scripted server that speaks the dialect and knows these paths beside the catalogue's."""
    wire = PandaPonWire(Credentials(ACCESS_KEY, SECRET, USER_ID), FixedClock(RECEIVED_AT), nonce=lambda: NONCE)
    caller = Caller(
        HttpCore(scripted.url, timeout_s=5.0),
        wire,
        FixedClock(RECEIVED_AT),
        routes=Routes(dialect, version, paths or {}),
        limiter=NoLimit(),
        breaker=Breaker(time.monotonic),
    )
    here = (scripted.url.removeprefix("http://"),)
    made = PandaPonClient(
        "main",
        caller,
        ImageFetcher((), here),
        PayLinks(PAY_HOSTS, here),
        dialect=dialect,
        refund_list=refund_list,
        pay_batch_size=pay_batch_size,
        definite_refusals=definite_refusals,
    )
    try:
        yield made
    finally:
        await made.close()


@asynccontextmanager
async def talking(talk: Talk) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A raw TCP server: its address, and the first bytes of every connection that was made to it."""
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            heard.append(await reader.readuntil(b"\r\n\r\n"))
            await talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client went away: that is its right
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", heard
