"""Waking loops when there is work, by Postgres notifications; a loop's own time-out is the net underneath."""

from __future__ import annotations

import asyncio
import contextlib
from enum import StrEnum
from typing import Any

import asyncpg
import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

CHANNEL = "ordersync"
_NOTIFY = text(f"SELECT pg_notify('{CHANNEL}', :topics)")
_RECONNECT_S = 2.0
_log = structlog.get_logger()


class Work(StrEnum):
    """What a loop can wait for."""

    OUTBOX = "outbox"
    FOLLOW_UPS = "follow_ups"
    ALERTS = "alerts"
    SPOOL = "spool"
    REPLAYS = "replays"


async def notify(connection: AsyncConnection, *work: Work) -> None:
    """Wake the loops that wait for `work` once this transaction commits."""
    await connection.execute(_NOTIFY, {"topics": ",".join(work)})


class Wakeups:
    """One listening connection per process; one event per kind of work."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._events = {work: asyncio.Event() for work in Work}
        self._closed = asyncio.Event()

    async def wait(self, work: Work, seconds: float) -> None:
        """Return when there may be `work`, or after `seconds`."""
        event = self._events[work]
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(event.wait(), seconds)
        event.clear()

    def wake(self, *work: Work) -> None:
        """Wake the loops of this process."""
        for kind in work or tuple(Work):
            self._events[kind].set()

    async def run(self) -> None:
        """Listen until cancelled, reconnecting after errors; who may have missed a notification meanwhile is woken."""
        while True:
            try:
                await self._listen()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
                _log.warning("wakeup listener lost its connection", error=type(error).__name__)
            await asyncio.sleep(_RECONNECT_S)

    async def _listen(self) -> None:
        connection: Any = await asyncpg.connect(self._dsn, timeout=5)
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        try:
            await connection.add_listener(CHANNEL, self._on_notify)
            self.wake()
            await lost.wait()
        finally:
            connection.terminate()

    def _on_notify(self, _connection: object, _pid: int, _channel: str, payload: str) -> None:
        for name in payload.split(","):
            with contextlib.suppress(ValueError):
                self._events[Work(name)].set()
