"""Pushes that did not reach us: the marketplace keeps them for days; they are published first and confirmed then."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable

from sqlalchemy.ext.asyncio import AsyncEngine

from worker.broker.durable import DurablePublisher
from worker.domain.clock import SECOND, Clock, to_datetime
from worker.intake.metrics import POLL_PROGRESS, POLLED_ROWS
from worker.intake.poll_watch import PollWatch
from worker.intake.polling import Turn, keep_polling, only_poller, publish
from worker.marketplaces.port import Marketplace, Stream
from worker.storage import cursor_store
from worker.storage.engine import transaction

MAX_ROUNDS = 25
"""Pages taken in one go; the rest follows after a short pause."""


class MessagePoller:
    """Empties the queue of failed pushes. A crash between publishing and confirming only repeats what is known."""

    stream = Stream.FAILED_MESSAGES

    def __init__(
        self,
        account: str,
        interval_s: float,
        marketplace: Marketplace,
        publisher: DurablePublisher,
        engine: AsyncEngine,
        clock: Clock,
        *,
        sleep: Callable[[float], Awaitable[None]],
        jitter: random.Random,
    ) -> None:
        self.account = account
        self.interval_s = interval_s
        self.is_behind = False
        self._marketplace = marketplace
        self._publisher = publisher
        self._engine = engine
        self._clock = clock
        self._sleep = sleep
        self._jitter = jitter
        self._turn = Turn()

    async def run(self, progress: Callable[[], None] = lambda: None) -> None:
        """Poll until cancelled."""
        watch = PollWatch(self.account, self.stream, self._engine, self._clock)
        await keep_polling(self, progress, watch, sleep=self._sleep, jitter=self._jitter)

    async def poll_once(self, *, yields: bool = False) -> int | None:
        """Take what is there; return the number of messages, None if another process does."""
        async with only_poller(self._engine, self.account, self.stream, self._turn, yields=yields) as ours:
            self.is_behind = False
            if not ours:
                return None
            found = 0
            confirmed: set[str] = set()
            for _ in range(MAX_ROUNDS):
                page = await self._marketplace.failed_messages()
                fresh = tuple(one for one in page.message_ids if one not in confirmed)
                now = self._clock.now_ms()
                await publish(self._publisher, self.account, page.facts, page.unreadable, now, what="failed push")
                if not fresh:
                    break  # empty, or it shows again what was confirmed: it is slow to see that
                await self._marketplace.confirm_messages(fresh)
                confirmed.update(fresh)
                found += len(fresh)
            else:
                self.is_behind = True
            now = self._clock.now_ms()
            async with transaction(self._engine) as connection:  # tells the other processes that this one polls
                await cursor_store.move_cursor(connection, self.account, self.stream, to_datetime(now))
            POLL_PROGRESS.labels(self.account, self.stream).set(now / SECOND)
            POLLED_ROWS.labels(self.account, self.stream).inc(found)
            return found
