"""The HTTP core: one request with limits, and safe reads tried again a bounded number of times with jitter."""

from __future__ import annotations

import asyncio
import functools
import ssl
from collections.abc import Mapping
from typing import Any

import httpx2 as httpx
import stamina

from worker.marketplaces.port import (
    MarketplaceError,
    NotSentError,
    RetryableError,
    ThrottledError,
    UnauthorisedError,
    UnreadableError,
)
from worker.marketplaces.values import decode_json

MAX_ANSWER_BYTES = 8 * 1024 * 1024
CONNECT_TIMEOUT_S = 3.0
READ_ATTEMPTS = 3
READ_BUDGET_S = 20.0
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500
_REDIRECTS = range(300, 400)
_UNAUTHORISED = frozenset({401, 403})


class HttpCore:
    """Connections to one account's API.

    Redirects are not followed and the environment's proxies are not used: either could repeat a request on its own.
    """

    def __init__(self, base_url: str, *, timeout_s: float, max_connections: int = 16) -> None:
        self._timeout_s = timeout_s
        timeout = httpx.Timeout(timeout_s, connect=CONNECT_TIMEOUT_S)
        limits = httpx.Limits(max_connections=max_connections, max_keepalive_connections=max_connections)
        self._reads = httpx.AsyncClient(
            base_url=base_url,
            timeout=timeout,
            limits=limits,
            verify=_certificates(),
            trust_env=False,
            follow_redirects=False,
        )
        # An effect gets a connection of its own: a kept one may turn out closed after the request was written.
        self._effects = httpx.AsyncClient(
            base_url=base_url,
            timeout=timeout,
            limits=httpx.Limits(max_connections=max_connections, max_keepalive_connections=0),
            verify=_certificates(),
            trust_env=False,
            follow_redirects=False,
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._reads.aclose()
        await self._effects.aclose()

    async def read(self, method: str, path: str, *, headers: Mapping[str, str], body: bytes | None) -> Any:
        """Send a safe read once. Raises RetryableError, ThrottledError or UnreadableError."""
        try:
            return await self._exchange(self._reads, method, path, headers, body, None)
        except NotSentError as error:
            raise RetryableError(str(error)) from error

    async def effect(self, method: str, path: str, *, headers: Mapping[str, str], params: Mapping[str, str]) -> Any:
        """Send an effect once. NotSentError: it certainly did not happen; any other MarketplaceError: it may have."""
        return await self._exchange(self._effects, method, path, headers, None, params)

    async def _exchange(
        self,
        client: httpx.AsyncClient,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None,
        params: Mapping[str, str] | None,
    ) -> Any:
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                client.stream(method, path, headers=dict(headers), content=body, params=params) as response,
            ):
                return await _decoded(response)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise NotSentError(f"no connection: {type(error).__name__}") from error
        except (httpx.HTTPError, TimeoutError) as error:
            raise RetryableError(f"no answer: {type(error).__name__}") from error


@functools.cache
def _certificates() -> ssl.SSLContext:
    """Return whom we trust: read once, since it takes some 50 ms for each client."""
    return httpx.create_ssl_context(trust_env=False)


def retried_reads() -> stamina.AsyncRetryingCaller:
    """Return the caller that tries a safe read again, within bounds, with growing pauses and jitter."""
    return stamina.AsyncRetryingCaller(attempts=READ_ATTEMPTS, timeout=READ_BUDGET_S, wait_initial=0.2, wait_max=3.0)


RETRYABLE: tuple[type[MarketplaceError], ...] = (RetryableError, ThrottledError)


async def _decoded(response: httpx.Response) -> Any:
    parts = bytearray()
    async for chunk in response.aiter_bytes():
        parts += chunk
        if len(parts) > MAX_ANSWER_BYTES:
            raise UnreadableError(f"the answer is larger than {MAX_ANSWER_BYTES} bytes")
    status = response.status_code
    if status == _TOO_MANY_REQUESTS:
        raise ThrottledError("HTTP 429")
    if status >= _SERVER_ERROR:
        raise RetryableError(f"HTTP {status}")
    if status in _REDIRECTS:
        raise UnreadableError(f"HTTP {status}: redirects are not followed")
    try:
        return decode_json(bytes(parts))
    except ValueError as error:
        if status in _UNAUTHORISED:
            raise UnauthorisedError(f"HTTP {status}") from error
        raise UnreadableError(f"HTTP {status} with a body that is not JSON") from error
