"""The HTTP core: one request with limits, and safe reads tried again a bounded number of times with jitter."""

from __future__ import annotations

import asyncio
import functools
import ssl
from typing import Any, Protocol

import httpx2 as httpx
import stamina
from msgspec.structs import replace

from worker.catalogue.operation import Operation
from worker.marketplaces.port import (
    MarketplaceError,
    NotSentError,
    RetryableError,
    ThrottledError,
    UnauthorisedError,
    UnreadableError,
)
from worker.marketplaces.recording import Exchange, Recorder
from worker.marketplaces.values import decode_json

MAX_ANSWER_BYTES = 8 * 1024 * 1024
CONNECT_TIMEOUT_S = 3.0
READ_ATTEMPTS = 3
READ_BUDGET_S = 20.0
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500
_REDIRECTS = range(300, 400)
_UNAUTHORISED = frozenset({401, 403})


class Request(Protocol):
    """What leaves: everything but the host (`worker.marketplaces.caller.Request`)."""

    @property
    def method(self) -> str: ...  # noqa: D102
    @property
    def path(self) -> str: ...  # noqa: D102
    @property
    def headers(self) -> dict[str, str]: ...  # noqa: D102
    @property
    def params(self) -> dict[str, str]: ...  # noqa: D102
    @property
    def content(self) -> bytes | None: ...  # noqa: D102


class HttpCore:
    """Connections to one account's API.

    Redirects are not followed and the environment's proxies are not used: either could repeat a request on its own.
    `transport` stands in for the network; `recorder` gets every exchange, answered or not.
    """

    def __init__(
        self,
        base_url: str,
        *,
        timeout_s: float,
        max_connections: int = 16,
        transport: httpx.AsyncBaseTransport | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        self._timeout_s = timeout_s
        self._recorder = recorder
        timeout = httpx.Timeout(timeout_s, connect=CONNECT_TIMEOUT_S)
        limits = httpx.Limits(max_connections=max_connections, max_keepalive_connections=max_connections)
        self._reads = httpx.AsyncClient(
            base_url=base_url,
            timeout=timeout,
            limits=limits,
            verify=certificates(),
            trust_env=False,
            follow_redirects=False,
            transport=transport,
        )
        # An effect gets a connection of its own: a kept one may turn out closed after the request was written.
        self._effects = httpx.AsyncClient(
            base_url=base_url,
            timeout=timeout,
            limits=httpx.Limits(max_connections=max_connections, max_keepalive_connections=0),
            verify=certificates(),
            trust_env=False,
            follow_redirects=False,
            transport=transport,
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._reads.aclose()
        await self._effects.aclose()

    async def exchange(self, request: Request, *, effect: bool, operation: Operation | None = None) -> tuple[int, Any]:
        """Send once; return the HTTP status and the decoded JSON, that of a refusal (4xx) included.

        Raises:
            NotSentError: no connection was made.
            ThrottledError, RetryableError, UnauthorisedError, UnreadableError: no JSON came back, or none in time.
        """
        recorder = self._recorder
        if recorder is None:
            status, _, body = await self._send(request, effect=effect)
            return status, _judged(status, body)
        exchange = Exchange(
            operation=operation,
            effect=effect,
            method=request.method,
            path=request.path,
            headers=request.headers,
            params=request.params,
            content=request.content,
            asked_at=recorder.now_ms(),
            took_ms=0,
        )
        try:
            status, headers, body = await self._send(request, effect=effect)
            exchange = replace(exchange, status=status, answer_headers=headers, answer=body)
            return status, _judged(status, body)
        except BaseException as error:
            exchange = replace(exchange, error=f"{type(error).__name__}: {error}")
            raise
        finally:
            recorder.keep(replace(exchange, took_ms=recorder.now_ms() - exchange.asked_at))

    async def _send(self, request: Request, *, effect: bool) -> tuple[int, dict[str, str], bytes]:
        client = self._effects if effect else self._reads
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                client.stream(
                    request.method,
                    request.path,
                    headers=request.headers,
                    content=request.content,
                    params=request.params or None,
                ) as response,
            ):
                return response.status_code, dict(response.headers), await _body(response)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise NotSentError(f"no connection: {type(error).__name__}") from error
        except (httpx.HTTPError, TimeoutError) as error:
            raise RetryableError(f"no answer: {type(error).__name__}") from error


@functools.cache
def certificates() -> ssl.SSLContext:
    """Return whom we trust: read once, since it takes some 50 ms for each client."""
    return httpx.create_ssl_context(trust_env=False)


def retried_reads() -> stamina.AsyncRetryingCaller:
    """Return the caller that tries a safe read again, within bounds, with growing pauses and jitter."""
    return stamina.AsyncRetryingCaller(attempts=READ_ATTEMPTS, timeout=READ_BUDGET_S, wait_initial=0.2, wait_max=3.0)


RETRYABLE: tuple[type[MarketplaceError], ...] = (RetryableError, ThrottledError)


async def _body(response: httpx.Response) -> bytes:
    parts = bytearray()
    async for chunk in response.aiter_bytes():
        parts += chunk
        if len(parts) > MAX_ANSWER_BYTES:
            raise UnreadableError(f"the answer is larger than {MAX_ANSWER_BYTES} bytes")
    return bytes(parts)


def _judged(status: int, body: bytes) -> Any:
    if status == _TOO_MANY_REQUESTS:
        raise ThrottledError("HTTP 429")
    if status >= _SERVER_ERROR:
        raise RetryableError(f"HTTP {status}")
    if status in _REDIRECTS:
        raise UnreadableError(f"HTTP {status}: redirects are not followed")
    try:
        return decode_json(body)
    except ValueError as error:
        if status in _UNAUTHORISED:
            raise UnauthorisedError(f"HTTP {status}") from error
        raise UnreadableError(f"HTTP {status} with a body that is not JSON") from error
