"""The sweep: every order that is not over is read again every so often, whether or not anything was heard of it.

It only plans: the reads go through the ledger like all others, with its pauses after failures, its bounds and its
alerts. What such a read changes is drift: something that neither a callback nor a list told.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sqlalchemy.ext.asyncio import AsyncEngine

from worker.domain.clock import Clock, from_datetime
from worker.domain.identity import Platform
from worker.followups.metrics import SWEEP_OLDEST, SWEPT
from worker.storage import sweep_store
from worker.storage.engine import transaction
from worker.storage.wakeup import Work, notify

MOST_AT_ONCE = 100
"""Reads planned per round: after an outage the sweep catches up in steps, and fresh news go between them."""


class Sweep:
    """Plans the reads of one account. Several processes may: an order's read is planned once."""

    def __init__(
        self,
        account: str,
        platforms: frozenset[Platform],
        engine: AsyncEngine,
        clock: Clock,
        *,
        every_s: float,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._account = account
        self._platforms = sorted(platform.value for platform in platforms)
        self._engine = engine
        self._clock = clock
        self._every_s = every_s
        self._sleep = sleep

    async def run(self, progress: Callable[[], None] = lambda: None) -> None:
        """Plan until cancelled."""
        while True:
            planned = await self.plan()
            progress()
            await self._sleep(self._every_s / (20 if planned == MOST_AT_ONCE else 4))

    async def plan(self) -> int:
        """Plan what is due now; return how many reads."""
        async with transaction(self._engine) as connection:
            planned = await sweep_store.plan_reads(
                connection, self._account, self._platforms, every_s=self._every_s, limit=MOST_AT_ONCE
            )
            if planned:
                await notify(connection, Work.FOLLOW_UPS)
            oldest = await sweep_store.oldest_read(connection, self._account, self._platforms)
        SWEPT.labels(self._account).inc(planned)
        age_s = 0.0 if oldest is None else (self._clock.now_ms() - from_datetime(oldest)) / 1_000
        SWEEP_OLDEST.labels(self._account).set(age_s)
        return planned
