"""A load generator in one process: kept connections, one request under way on each, prepared bytes, answers checked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from typing import cast

FIRE_WITHIN_S = 60.0


class _Connection(asyncio.Protocol):
    """Sends the next request when the answer to the last one is whole."""

    def __init__(self, requests: Iterator[bytes], done: asyncio.Future[None], answers: dict[int, int]) -> None:
        self._requests = requests
        self._done = done
        self._answers = answers
        self._pending = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one by behaviour only
        self._next()

    def data_received(self, data: bytes) -> None:
        """Answers here have an empty or a short body with a length; one is whole when its last byte is there."""
        self._pending += data
        head, separator, rest = self._pending.partition(b"\r\n\r\n")
        if not separator or len(rest) < _length(head):
            return
        status = int(head[9:12])
        self._answers[status] = self._answers.get(status, 0) + 1
        self._pending = b""
        self._next()

    def connection_lost(self, error: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(error or ConnectionError("the server closed the connection"))

    def _next(self) -> None:
        request = next(self._requests, None)
        assert self._transport is not None
        if request is not None:
            self._transport.write(request)
        elif not self._done.done():
            self._done.set_result(None)
            self._transport.close()


def _length(head: bytes) -> int:
    at = head.find(b"content-length:")
    return int(head[at + 15 : head.find(b"\r", at) if b"\r" in head[at:] else None]) if at >= 0 else 0


def request(path: str, body: bytes) -> bytes:
    """Return the bytes of one POST."""
    head = (
        f"POST {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def fire(port: int, requests: Sequence[bytes], connections: int) -> tuple[float, dict[int, int]]:
    """Send all requests over so many connections; return (requests per second, answers by status)."""
    loop = asyncio.get_running_loop()
    waiting = iter(requests)
    answers: dict[int, int] = {}
    ends = [loop.create_future() for _ in range(connections)]
    started = time.perf_counter()
    for end in ends:
        await loop.create_connection(lambda end=end: _Connection(waiting, end, answers), "127.0.0.1", port)  # type: ignore[misc]  # a default argument binds the loop's variable
    async with asyncio.timeout(FIRE_WITHIN_S):
        await asyncio.gather(*ends)
    return len(requests) / (time.perf_counter() - started), answers
