"""Watches dead letters that nobody looks at: their age as metrics, one alert per cause that leaks slowly."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from sqlalchemy.ext.asyncio import AsyncEngine

from worker.domain.alerts import AlertKind
from worker.domain.clock import SECOND, Clock, Millis, to_datetime
from worker.domain.dead_letters import DAY, LeakLimits, LetterGroup, leaks
from worker.operations.dead_letters import metrics
from worker.storage import alert_store, read_dead_letters
from worker.storage.engine import transaction
from worker.storage.wakeup import Work, notify

EVERY_S = 30.0
MAX_GROUPS = 1_000
MAX_LABELS = 20
MAX_LEAK_ALERTS = 100
"""Causes that get an alert of their own; beyond them something is wrong that a hundred alerts say well enough."""


class DeadLetterWatch:
    """Looks at all dead letters now and then. Several processes may do so: an open cause is one alert."""

    def __init__(
        self,
        engine: AsyncEngine,
        clock: Clock,
        limits: LeakLimits,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._limits = limits
        self._sleep = sleep

    async def run(self, progress: Callable[[], None] = lambda: None) -> None:
        """Look until cancelled."""
        while True:
            await self.look_once()
            progress()
            await self._sleep(EVERY_S)

    async def look_once(self) -> int:
        """Measure, open and resolve; return how many causes leak."""
        now = self._clock.now_ms()
        since = to_datetime(now - self._limits.window_days * DAY)
        async with transaction(self._engine) as connection:
            groups = await read_dead_letters.standing(connection, since, MAX_GROUPS)
            found = list(leaks(groups, now, self._limits))[:MAX_LEAK_ALERTS]
            await alert_store.open_alerts(connection, found, {}, {})
            causes = [alert.cause for alert in found]
            await alert_store.resolve_others(connection, AlertKind.DEAD_LETTERS_LEAK, causes)
        async with transaction(self._engine) as connection:
            # Letters can come while we look: their alert is locked first, and what is under it looked at after that.
            settled = await alert_store.lock_open(connection, AlertKind.DEAD_LETTERS)
            if settled:
                await alert_store.resolve_settled_letters(connection, settled)
            await notify(connection, Work.ALERTS)
        _measure(groups, now)
        return len(found)


def _measure(groups: Sequence[LetterGroup], now: Millis) -> None:
    waiting = [group for group in groups if group.waiting]
    metrics.OPEN.clear()
    for group in waiting[:MAX_LABELS]:
        metrics.OPEN.labels(group.fingerprint).set(group.waiting)
    metrics.OPEN.labels("other").set(sum(group.waiting for group in waiting[MAX_LABELS:]))
    metrics.GROUPS.set(len(waiting))
    oldest = min((group.oldest_waiting_at for group in waiting if group.oldest_waiting_at is not None), default=now)
    metrics.OLDEST.set(max(0, now - oldest) / SECOND)
