"""A sandbox on a port: the ASGI server, the agenda's runner and the callback sender, started and stopped together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from worker.sandbox.agenda import keep
from worker.sandbox.app import create_app
from worker.sandbox.config import SandboxConfig
from worker.sandbox.port import Port
from worker.sandbox.sandbox import Sandbox
from worker.sandbox.sender import Sender, new_client, verify_url


def wall_clock_ms() -> int:
    """Unix milliseconds of now."""
    return time.time_ns() // 1_000_000


class SandboxServer:
    """`async with SandboxServer(config) as server: server.url`."""

    def __init__(self, config: SandboxConfig, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.sandbox = Sandbox(config, wall_clock_ms)
        self._port = Port(create_app(self.sandbox), host, port)
        self._client = new_client(config)
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def url(self) -> str:
        """Where it listens, once started."""
        return self._port.url

    async def start(self) -> None:
        """Listen, and let lives begin if the configuration says so.

        Raises:
            OSError: the port is taken.
        """
        sandbox = self.sandbox
        sandbox.hang_up = self._port.hang_up
        sandbox.verify = lambda url: verify_url(self._client, url, sandbox.config.callback_timeout_s)
        sender = Sender(sandbox.config, sandbox.outbox, sandbox.now_ms, self._client)
        self._tasks = [
            await self._port.open(),
            asyncio.create_task(keep(sandbox.agenda, sandbox.now_ms), name="sandbox-agenda"),
            asyncio.create_task(sender.work(), name="sandbox-sender"),
        ]
        if sandbox.config.autostart:
            sandbox.start()

    async def failed(self) -> None:
        """Return, or raise what happened, as soon as one of the parts has ended."""
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    async def stop(self) -> None:
        """Stop everything; raises what a part had died of."""
        self._port.close()
        for task in self._tasks[1:]:
            task.cancel()
        ends = await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()
        self._tasks = []
        for end in ends:
            if isinstance(end, BaseException) and not isinstance(end, asyncio.CancelledError):
                raise end

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


async def run(
    config: SandboxConfig,
    ready: Callable[[str], None],
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    stop: asyncio.Event | None = None,
) -> None:
    """Serve until `stop` is set, a part fails or the caller is cancelled; `ready` gets the URL.

    Signals are the caller's business.
    """
    async with SandboxServer(config, host=host, port=port) as server:
        ready(server.url)
        waits = [asyncio.create_task(server.failed()), asyncio.create_task((stop or asyncio.Event()).wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
