"""One call of one operation: looked up in the catalogue, paced, signed, sent, judged.

Safe reads are tried again within bounds. An effect leaves once, and what is not a definite answer is ambiguous.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol
from urllib.parse import quote

import msgspec

from worker.catalogue.operation import Dialect, EffectClass, Form, Kind, Operation
from worker.catalogue.tables import find
from worker.domain.clock import SECOND, Clock, Millis
from worker.marketplaces.breaker import Breaker
from worker.marketplaces.http import RETRYABLE, HttpCore, retried_reads
from worker.marketplaces.limits import Limiter
from worker.marketplaces.port import (
    AmbiguousError,
    Credential,
    MarketplaceError,
    NotSentError,
    RejectedError,
    RetryableError,
    ThrottledError,
    UnauthorisedError,
    UnsupportedError,
)

LEAVES_WITHIN_S = 15.0
"""An effect that waited longer than this for its turn does not leave: the worker was held up, its claim may have ended
meanwhile. Longer than any turn takes (`worker.storage.rate_store`), far shorter than a lease."""
_WHOLE_ADDRESSES = frozenset({Kind.OBJECT, Kind.JSON_TEXT})
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


class Request(msgspec.Struct, frozen=True):
    """What leaves: everything but the host."""

    method: str
    path: str
    headers: dict[str, str] = {}
    params: dict[str, str] = {}
    content: bytes | None = None


class Routes(msgspec.Struct, frozen=True):
    """Which paths an account calls: its dialect, the version it prefers, and those that only it knows."""

    dialect: Dialect
    version: str
    paths: dict[str, str] = {}

    def path(self, operation: Operation) -> str | None:
        """Return the operation's path, None if nobody knows it."""
        return self.paths.get(operation.name) or operation.path(self.version)


class Answer(msgspec.Struct, frozen=True):
    """The data of a read, and the instant just before the answered question left."""

    data: Any
    asked_at: Millis


class Wire(Protocol):
    """One dialect: how a question becomes a request, and an answer the data inside its envelope."""

    def request(self, operation: Operation, path: str, question: Mapping[str, Any]) -> Request:
        """Return the signed request."""
        ...

    def open(self, operation: Operation, status: int, answer: Any) -> Any:
        """Return the data. Raises one of the MarketplaceErrors for what is no success."""
        ...

    async def renew(self) -> bool:
        """Get new credentials after a refusal; False if there is nothing to renew. Raises RetryableError: not now."""
        ...

    def credentials(self) -> tuple[Credential, ...]:
        """Return the tokens whose end is known."""
        ...

    async def extend(self) -> None:
        """Let the token that renews others live longer. Raises MarketplaceError, OSError."""
        ...


class Caller:
    """Calls the operations of one account."""

    def __init__(
        self,
        http: HttpCore,
        wire: Wire,
        clock: Clock,
        *,
        routes: Routes,
        limiter: Limiter,
        breaker: Breaker,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._monotonic = monotonic
        self._http = http
        self._wire = wire
        self._clock = clock
        self._routes = routes
        self._limiter = limiter
        self._breaker = breaker

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    def credentials(self) -> tuple[Credential, ...]:
        """Return the tokens whose end is known."""
        return self._wire.credentials()

    async def extend_credentials(self) -> None:
        """Let the token that renews others live longer. Raises MarketplaceError, OSError."""
        await self._wire.extend()

    def supports(self, name: str) -> bool:
        """Tell whether the operation exists here and its path is known or configured."""
        try:
            return self._routes.path(find(self._routes.dialect, name)) is not None
        except KeyError:
            return False

    async def read(self, name: str, question: Mapping[str, Any]) -> Any:
        """Ask a safe read and return its data; tried again within bounds. Raises MarketplaceError."""
        return (await self.ask(name, question)).data

    async def ask(self, name: str, question: Mapping[str, Any]) -> Answer:
        """Ask like `read`, and say when the answered question was asked: an answer is true of that instant at most."""
        operation = self._operation(name)
        if operation.effect is not EffectClass.SAFE_READ:
            raise ValueError(f"{name} has an effect: it is never called as a read")
        path = self._filled_path(operation, question)
        return await retried_reads()(RETRYABLE, self._read_once, operation, path, question)

    async def effect(self, name: str, question: Mapping[str, Any]) -> Any:
        """Call an effect once and return its data.

        Raises:
            NotSentError: it certainly did not happen. UnsupportedError: nor could it.
            RejectedError, UnauthorisedError: the marketplace said no before it did anything.
            AmbiguousError: everything else; it may have happened.
        """
        operation = self._operation(name)
        try:
            path = self._filled_path(operation, question)
        except RejectedError as error:  # by us: the question is incomplete
            raise NotSentError(str(error)) from error
        began, began_ms = self._monotonic(), self._clock.now_ms()
        try:
            self._breaker.before_call()
            await self._limiter.acquire()
        except (RetryableError, ThrottledError) as error:  # the circuit is open, or no slot: nothing has left
            raise NotSentError(f"{name}: {error}") from error
        # By the clock that says more: one stands still while a machine sleeps.
        if max(self._monotonic() - began, (self._clock.now_ms() - began_ms) / SECOND) > LEAVES_WITHIN_S:
            raise NotSentError(f"{name}: held up while it waited for its turn")
        try:
            return await self._send(operation, path, question, effect=True)
        except UnauthorisedError:
            with contextlib.suppress(RetryableError):
                await self._wire.renew()  # for the calls that come; this one is not sent again
            raise
        except (NotSentError, RejectedError):
            raise
        except MarketplaceError as error:
            raise AmbiguousError(f"{name}: {type(error).__name__}: {error}", code=error.code) from error

    async def _read_once(self, operation: Operation, path: str, question: Mapping[str, Any]) -> Answer:
        try:
            answer = await self._paced(operation, path, question)
        except UnauthorisedError:
            if not await self._wire.renew():
                raise
            answer = await self._paced(operation, path, question)
        await self._limiter.eased()
        return answer

    async def _paced(self, operation: Operation, path: str, question: Mapping[str, Any]) -> Answer:
        self._breaker.before_call()
        await self._limiter.acquire()
        asked_at = self._clock.now_ms()
        try:
            return Answer(await self._send(operation, path, question, effect=False), asked_at)
        except NotSentError as error:
            raise RetryableError(str(error)) from error

    async def _send(self, operation: Operation, path: str, question: Mapping[str, Any], *, effect: bool) -> Any:
        request = self._wire.request(operation, path, question)
        try:
            status, answer = await self._http.exchange(request, effect=effect, operation=operation)
            data = self._opened(operation, status, answer)
        except ThrottledError:
            await self._limiter.throttled()
            raise
        except NotSentError:
            self._breaker.failed(None)
            raise
        except RetryableError:
            self._breaker.failed(_subject(operation, question))
            raise
        except MarketplaceError:
            self._breaker.succeeded()  # it answered
            raise
        self._breaker.succeeded()
        return data

    def _opened(self, operation: Operation, status: int, answer: Any) -> Any:
        try:
            return self._wire.open(operation, status, answer)
        except MarketplaceError as error:
            if not any(field.personal and field.kind in _WHOLE_ADDRESSES for field in operation.request):
                raise
            # What the marketplace says may repeat the address that it was told.
            said = f"{operation.name}: code {error.code or 'unknown'}; its text is left out, it may be personal"
            failure = type(error)(said, code=error.code)
        raise failure  # outside of the handler: no context that still has the text

    def _operation(self, name: str) -> Operation:
        try:
            return find(self._routes.dialect, name)
        except KeyError as error:
            raise UnsupportedError(f"the API of {self._routes.dialect} has no operation {name}") from error

    def _filled_path(self, operation: Operation, question: Mapping[str, Any]) -> str:
        """Return the path to call. Raises UnsupportedError without one, RejectedError if the question is incomplete."""
        path = self._routes.path(operation)
        if path is None:
            raise UnsupportedError(
                f"nobody knows the path of {operation.name} ({operation.menu!r} in the manual's menu); "
                f'give it in the account: paths = {{"{operation.name}" = "/..."}}'
            )
        wanted = [field.path for field in operation.request if field.required and "." not in field.path]
        missing = [name for name in wanted if "[]" not in name and question.get(name) is None]
        if missing:
            raise RejectedError(f"{operation.name} was not sent: {', '.join(missing)} is required")
        return filled_path(operation, path, question)


def filled_path(operation: Operation, path: str, question: Mapping[str, Any]) -> str:
    """Return the path with the parameters that travel in it."""
    if operation.form is not Form.PATH:
        return path
    return _PLACEHOLDER.sub(lambda found: quote(str(question[found[1]]), safe=""), path)


def _subject(operation: Operation, question: Mapping[str, Any]) -> str:
    """Return what a call is about: the order or refund that it names, else the operation itself."""
    ids = (field.path for field in operation.request if field.kind in (Kind.ID_TEXT, Kind.ID_NUMBER))
    return next((str(question[name]) for name in ids if question.get(name) is not None), operation.name)
