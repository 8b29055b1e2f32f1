"""What outlives an executor: calls whose worker died become unknown, and unknowns are read until they are settled."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from worker.followups.metrics import EXPIRED
from worker.followups.notices import unknown_alert
from worker.storage import alert_store, follow_up_claims
from worker.storage.engine import transaction
from worker.storage.wakeup import Work, notify

READ_BATCH = 100
_log = structlog.get_logger()


class Recovery:
    """Runs in every process that executes follow-ups; several of them do no harm."""

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        first_pause_s: float,
        interval_s: float,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._engine = engine
        self._first_pause_s = first_pause_s
        self._interval_s = interval_s
        self._sleep = sleep

    async def run(self, progress: Callable[[], None] = lambda: None) -> None:
        """Recover until cancelled."""
        while True:
            await self.recover_once()
            progress()
            await self._sleep(self._interval_s)

    async def recover_once(self) -> int:
        """Expire dead calls and plan reads of unknowns; return how many calls expired."""
        async with transaction(self._engine) as connection:
            expired = await follow_up_claims.expire_sending(connection)
            alerts = [unknown_alert(key, amount, "the worker died during the call") for key, _, amount in expired]
            await alert_store.open_alerts(connection, alerts, {key: ref for key, ref, _ in expired}, {})
            planned = await follow_up_claims.read_unknowns(
                connection, first_pause_s=self._first_pause_s, limit=READ_BATCH
            )
            if expired or planned:
                await notify(connection, Work.FOLLOW_UPS, Work.ALERTS)
        for key, _, _ in expired:
            EXPIRED.inc()
            _log.error("a call's worker died before recording the answer; it is unknown", order=str(key))
        return len(expired)
