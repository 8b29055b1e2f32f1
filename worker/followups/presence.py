"""How a worker shows that it lives: a lock on a connection of its own, which the database drops when it dies."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

import asyncpg
import structlog

from worker.storage.follow_up_claims import HOLDERS_CLASS

RECONNECT_S = 2.0
_log = structlog.get_logger()


class Presence:
    """Holds the lock of one process. Without it (the database is away) claims are bounded by their lease alone."""

    def __init__(self, dsn: str, numbers: random.Random) -> None:
        self._dsn = dsn
        self._numbers = numbers
        self.holder: int | None = None
        """The number to claim under, None while the lock is not held."""

    async def run(self, progress: Callable[[], None] = lambda: None) -> None:
        """Hold the lock until cancelled; a lost connection is replaced, under another number."""
        while True:
            try:
                await self._hold(progress)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
                _log.warning("the lock that shows this worker's life was lost", error=type(error).__name__)
            finally:
                self.holder = None
            await asyncio.sleep(RECONNECT_S)

    async def _hold(self, progress: Callable[[], None]) -> None:
        settings = {"application_name": "ordersync-presence"}
        connection: Any = await asyncpg.connect(self._dsn, timeout=5, command_timeout=5, server_settings=settings)
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        try:
            number = self._numbers.randrange(1, 2**31)
            if not await connection.fetchval("SELECT pg_try_advisory_lock($1::int, $2::int)", HOLDERS_CLASS, number):
                return  # somebody has this number: the next one
            self.holder = number
            progress()
            await lost.wait()
        finally:
            connection.terminate()
