"""The callback endpoint: `POST /callbacks/{account}/{token}`. 200 means durable; the whole takes 900 ms at most.

A bare ASGI function: it is the one path where the sender's patience (1000 ms) is the limit.
"""

from __future__ import annotations

import asyncio
import hashlib
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, MutableMapping
from functools import cache
from typing import Any

import msgspec
import structlog
from prometheus_client import Counter

from worker.broker.durable import DurablePublisher, NotDurableError
from worker.broker.envelope import Event, Unrecognised, fact_event, unrecognised_event
from worker.domain.clock import Clock
from worker.domain.facts import Fact
from worker.intake.doors import Door, Refusal
from worker.intake.metrics import CALLBACK_SECONDS, CALLBACKS
from worker.marketplaces.events import MalformedError, NotUnderstoodError
from worker.marketplaces.pandapon.callbacks import parse

Scope = MutableMapping[str, Any]
Receive = Callable[[], Coroutine[Any, Any, MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Parser = Callable[[str, bytes, int], Iterable[Fact]]

PREFIX = "/callbacks/"
_MAX_LENGTH_DIGITS = 15
_log = structlog.get_logger()


class Limits(msgspec.Struct, frozen=True):
    """The callback endpoint's own limits. `body_timeout_s` is for the whole body."""

    max_bytes: int
    body_timeout_s: float


class _RefusedError(Exception):
    """Ends the request with a status and a sentence for the sender."""

    def __init__(self, status: int, outcome: str, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.outcome = outcome
        self.text = text


_OK = 200
_TAKEN_START: MutableMapping[str, Any] = {
    "type": "http.response.start",
    "status": _OK,
    "headers": [(b"content-length", b"0")],
}
_TAKEN_BODY: MutableMapping[str, Any] = {"type": "http.response.body", "body": b""}
_REFUSALS = {
    Refusal.NO_SUCH_ADDRESS: (404, "there is no such callback address"),
    Refusal.FOREIGN_NETWORK: (403, "callbacks are not accepted from this network"),
    Refusal.BAD_SIGNATURE: (401, "the signature does not match"),
}


class CallbackApp:
    """Takes callbacks in for all accounts."""

    def __init__(
        self,
        doors: Mapping[str, Door],
        publisher: DurablePublisher,
        clock: Clock,
        limits: Limits,
        *,
        monotonic: Callable[[], float],
        parsers: Mapping[str, Parser] | None = None,
    ) -> None:
        self._doors = doors
        self._publisher = publisher
        self._clock = clock
        self._limits = limits
        self._monotonic = monotonic
        self._parsers = dict(parsers or {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request below `/callbacks/`."""
        started = self._monotonic()
        account = "unknown"
        try:
            door, token = self._door(scope["path"])
            account = door.account
            outcome = await self._handle(door, token, scope, receive)
            status, text = 200, ""
        except _RefusedError as refused:
            status, outcome, text = refused.status, refused.outcome, refused.text
        _counter(account, outcome).inc()
        CALLBACK_SECONDS.observe(self._monotonic() - started)
        await _answer(send, status, text)

    def _door(self, path: str) -> tuple[Door, str | None]:
        account, _, token = path.removeprefix(PREFIX).partition("/")
        door = self._doors.get(account)
        if door is None:
            raise _refused(Refusal.NO_SUCH_ADDRESS)
        return door, token or None

    async def _handle(self, door: Door, token: str | None, scope: Scope, receive: Receive) -> str:
        client = scope.get("client")
        refusal = door.check_address(token, client[0] if client else None)
        if refusal is not None:
            raise _refused(refusal)
        method = scope["method"]
        if method in {"GET", "HEAD"}:
            return "verified"  # the platform checks a new address with a plain call that wants 200
        if method != "POST":
            raise _RefusedError(405, "wrong_method", "send callbacks with POST")
        headers = dict(scope["headers"])
        body = await self._body(headers, receive)
        refusal = door.check_signature(headers, body, self._clock.now_ms())
        if refusal is not None:
            raise _refused(refusal)
        if not body:
            return "verified"
        return await self._accept(door.account, body)

    async def _body(self, headers: Mapping[bytes, bytes], receive: Receive) -> bytes:
        declared = headers.get(b"content-length", b"")
        if declared.isdigit() and (len(declared) > _MAX_LENGTH_DIGITS or int(declared) > self._limits.max_bytes):
            raise self._too_large()
        message = at_once(receive)
        if message is not None and message["type"] == "http.request" and not message.get("more_body", False):
            whole: bytes = message.get("body", b"")
            if len(whole) > self._limits.max_bytes:
                raise self._too_large()
            return whole
        try:
            async with asyncio.timeout(self._limits.body_timeout_s):
                return await self._in_parts(message, receive)
        except TimeoutError as error:
            raise _RefusedError(408, "too_slow", "the body did not arrive in time") from error

    async def _in_parts(self, message: MutableMapping[str, Any] | None, receive: Receive) -> bytes:
        parts = bytearray()
        while True:
            if message is None:
                message = await receive()
            if message["type"] == "http.disconnect":
                raise _RefusedError(400, "disconnected", "the sender went away")
            parts += message.get("body", b"")
            if len(parts) > self._limits.max_bytes:
                raise self._too_large()
            if not message.get("more_body", False):
                return bytes(parts)
            message = None

    def _too_large(self) -> _RefusedError:
        return _RefusedError(413, "too_large", f"the body is larger than {self._limits.max_bytes} bytes")

    async def _accept(self, account: str, body: bytes) -> str:
        received_at = self._clock.now_ms()
        events: list[Event]
        try:
            events = [fact_event(fact) for fact in self._parsers.get(account, parse)(account, body, received_at)]
            outcome = "accepted"
        except MalformedError as error:
            raise _RefusedError(400, "not_json", "the body is not JSON") from error
        except NotUnderstoodError as error:
            events = [self._set_aside(account, body, received_at, error)]
            outcome = "not_understood"
        except Exception as error:  # noqa: BLE001 - a bug of ours must not lose what the sender sends only five times
            where = "".join(traceback.format_tb(error.__traceback__)[-3:])  # without its text, which may quote the body
            _log.error("callback parser failed", account=account, error=type(error).__name__, where=where)
            events = [self._set_aside(account, body, received_at, error)]
            outcome = "not_understood"
        try:
            await self._publish(events)
        except NotDurableError as error:
            _log.error("callback could not be made durable", account=account, reason=str(error))
            raise _RefusedError(503, "not_durable", "cannot take the message now; send it again later") from error
        return outcome

    async def _publish(self, events: list[Event]) -> None:
        """Publish all events of a message at once: one after another, many of them would outlast the sender."""
        if len(events) == 1:
            await self._publisher.publish(events[0])
            return
        ends = await asyncio.gather(*(self._publisher.publish(event) for event in events), return_exceptions=True)
        for end in ends:
            if isinstance(end, BaseException):
                raise end

    def _set_aside(self, account: str, body: bytes, received_at: int, error: Exception) -> Event:
        reason = str(error) if isinstance(error, NotUnderstoodError) else f"{type(error).__name__} in the parser"
        event_id = hashlib.sha256(account.encode() + b"\0" + body).hexdigest()[:32]
        return unrecognised_event(Unrecognised(account, reason, body, received_at), event_id)


def at_once(receive: Receive) -> MutableMapping[str, Any] | None:
    """Return the next ASGI message if it is there already, None if it has to be waited for.

    Most bodies have arrived whole by now, and need no timer. Where `receive` would wait it is closed, which is what
    a cancellation does to it, and may be called again.
    """
    waiting = receive()
    try:
        waiting.send(None)
    except StopIteration as finished:
        found: MutableMapping[str, Any] = finished.value
        return found
    waiting.close()
    return None


@cache
def _counter(account: str, outcome: str) -> Counter:
    """Return the labelled counter; looking it up anew costs more than counting. Accounts and outcomes are few."""
    return CALLBACKS.labels(account, outcome)


def _refused(refusal: Refusal) -> _RefusedError:
    status, text = _REFUSALS[refusal]
    return _RefusedError(status, refusal.value, text)


async def _answer(send: Send, status: int, text: str) -> None:
    if status == _OK:
        await send(_TAKEN_START)
        await send(_TAKEN_BODY)
        return
    body = msgspec.json.encode({"error": text})
    headers = [(b"content-length", str(len(body)).encode()), (b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
