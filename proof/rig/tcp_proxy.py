"""A TCP proxy that fails on demand: cut, delayed, silent, or silent in one direction only.

What it holds back it passes on later, as TCP does after a network comes back: to whoever has not given up by then.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from enum import StrEnum
from types import TracebackType
from typing import Self

CHUNK_BYTES = 65_536
CONNECT_WITHIN_S = 5.0
_BROKEN = (OSError, RuntimeError, ValueError)
"""What a connection that is gone raises; uvloop says RuntimeError, and ValueError of its socket."""


class Link(StrEnum):
    """What the network between the two sides is like."""

    PASS = "pass"  # noqa: S105 - not a password
    CUT = "cut"
    """Connections are reset, new ones as well."""
    DELAY = "delay"
    """Every piece takes `delay_s` longer, in both directions."""
    BLACK_HOLE = "black_hole"
    """Connections stay open, nothing arrives, not even their end."""
    HALF_OPEN = "half_open"
    """What clients send arrives; what is answered does not. A call takes effect, and nobody hears of it."""


class TcpProxy:
    """Listens on a port of 127.0.0.1 from `start` on and passes on to `target`, a port of 127.0.0.1.

    `target` may be set later and may change; while it is None, connections are reset.
    """

    def __init__(self, name: str, target: int | None = None) -> None:
        self.name = name
        self.target = target
        self.link = Link.PASS
        self.connections = 0
        """How many were opened so far."""
        self._delay_s = 0.0
        self._changed = asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=CHUNK_BYTES)

    async def stop(self) -> None:
        """Reset every connection and listen no more."""
        if self._server is not None:
            self._server.close()
        self.set(Link.CUT)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def port(self) -> int:
        """Where clients connect."""
        assert self._server is not None, "started"
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def set(self, link: Link, delay_s: float = 0.0) -> None:
        """Let the network be like this from now on, for open connections as well."""
        self.link, self._delay_s = link, delay_s
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
        if link is Link.CUT:
            for writer in list(self._writers):
                _reset(writer)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "asyncio.start_server makes one"
        self._tasks.add(task)
        self._writers.add(writer)
        self.connections += 1
        try:
            await self._connect(reader, writer)
        except (OSError, TimeoutError):
            _reset(writer)
        finally:
            self._writers.discard(writer)
            self._tasks.discard(task)
            writer.close()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._passable(towards_client=False)
        if self.target is None or self.link is Link.CUT:
            raise ConnectionResetError
        async with asyncio.timeout(CONNECT_WITHIN_S):
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target, limit=CHUNK_BYTES)
        self._writers.add(far_writer)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(reader, far_writer, towards_client=False))
                both.create_task(self._pump(far_reader, writer, towards_client=True))
        except* _BROKEN:  # one side was reset: the other has to hear of it
            _reset(writer)
            _reset(far_writer)
        finally:
            self._writers.discard(far_writer)
            far_writer.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, towards_client: bool) -> None:
        while True:
            piece = await reader.read(CHUNK_BYTES)
            await self._passable(towards_client=towards_client)
            if not piece:
                with contextlib.suppress(*_BROKEN):  # it has hung up as well
                    writer.write_eof()
                return
            writer.write(piece)
            await writer.drain()

    async def _passable(self, *, towards_client: bool) -> None:
        """Return once a piece that goes this way would arrive."""
        if self.link is Link.DELAY:
            await asyncio.sleep(self._delay_s)
        while self.link is Link.BLACK_HOLE or (self.link is Link.HALF_OPEN and towards_client):
            await self._changed.wait()


def _reset(writer: asyncio.StreamWriter) -> None:
    """End a connection as a broken network does: with a reset instead of an orderly end."""
    raw = writer.get_extra_info("socket")
    if raw is not None:
        with contextlib.suppress(*_BROKEN):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    writer.transport.abort()
