"""The poller of the order list: what no callback told, the list tells. One per account, however many processes run.

Windows of modification time overlap and end at a fixed instant. Pages are read from the last to the first: an order
that changes meanwhile leaves the window and moves the rows behind it towards pages that are still to be read, so none
is skipped. Rows are hints; the detail is read by the follow-ups where a row is news.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Awaitable, Callable

import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from worker.broker.durable import DurablePublisher, NotDurableError
from worker.broker.envelope import Unrecognised, fact_event, unrecognised_event
from worker.domain.clock import SECOND, Clock, Millis, from_datetime, to_datetime
from worker.intake.metrics import POLL_FAILURES, POLL_PROGRESS, POLLED_PAGES, POLLED_ROWS
from worker.marketplaces.port import ListPage, Marketplace, MarketplaceError, ThrottledError
from worker.storage import cursor_store
from worker.storage.engine import transaction

STREAM = "orders"
THROTTLED_FACTOR = 4.0
FAILURE_FACTOR_MAX = 8.0
_log = structlog.get_logger()


class PollPlan(msgspec.Struct, frozen=True):
    """How an account's list is polled."""

    account: str
    interval_s: float
    overlap_s: float
    backfill_s: float


class OrderPoller:
    """Polls one account's order list by modification time."""

    def __init__(
        self,
        plan: PollPlan,
        marketplace: Marketplace,
        publisher: DurablePublisher,
        engine: AsyncEngine,
        clock: Clock,
        *,
        sleep: Callable[[float], Awaitable[None]],
        jitter: random.Random,
    ) -> None:
        self._plan = plan
        self._marketplace = marketplace
        self._publisher = publisher
        self._engine = engine
        self._clock = clock
        self._sleep = sleep
        self._jitter = jitter

    async def run(self, progress: Callable[[], None] = lambda: None) -> None:
        """Poll until cancelled; failures widen the pause, they never end the loop."""
        factor = 1.0
        while True:
            try:
                await self.poll_once()
                factor = 1.0
            except ThrottledError as error:
                factor = THROTTLED_FACTOR
                self._failed(error)
            except (MarketplaceError, NotDurableError, OSError) as error:
                factor = min(FAILURE_FACTOR_MAX, factor * 2)
                self._failed(error)
            progress()
            await self._sleep(self._plan.interval_s * factor * self._jitter.uniform(0.9, 1.1))

    async def poll_once(self) -> int | None:
        """Read one window; return the number of rows, None if another process polls this account."""
        account = self._plan.account
        async with self._engine.connect() as lock:
            await lock.execution_options(isolation_level="AUTOCOMMIT")
            if not await cursor_store.try_lock(lock, account, STREAM):
                return None
            try:
                now = self._clock.now_ms()
                found = await self._read_window(await self._window_start(now), now)
                async with transaction(self._engine) as connection:
                    await cursor_store.move_cursor(connection, account, STREAM, to_datetime(now))
                POLL_PROGRESS.labels(account, STREAM).set(now / SECOND)
                return found
            finally:
                await cursor_store.unlock(lock, account, STREAM)

    async def _window_start(self, now: Millis) -> Millis:
        async with self._engine.connect() as connection:
            position = await cursor_store.read_cursor(connection, self._plan.account, STREAM)
        if position is None:
            return now - int(self._plan.backfill_s * SECOND)
        # A clock that was put back leaves a position in the future: a window must not end before it begins.
        return min(from_datetime(position), now) - int(self._plan.overlap_s * SECOND)

    async def _read_window(self, since: Millis, until: Millis) -> int:
        first = await self._marketplace.list_modified(since, until, 1)
        found = 0
        for number in range(first.total_pages, 1, -1):
            found += await self._publish(await self._marketplace.list_modified(since, until, number))
        if first.total_pages > 1:
            first = await self._marketplace.list_modified(since, until, 1)
        return found + await self._publish(first)

    async def _publish(self, page: ListPage) -> int:
        account = self._plan.account
        for fact in page.facts:
            await self._publisher.publish(fact_event(fact))
        for reason, row in page.unreadable:
            event_id = hashlib.sha256(account.encode() + b"\0" + row).hexdigest()[:32]
            message = Unrecognised(account, f"list row: {reason}", row, self._clock.now_ms())
            await self._publisher.publish(unrecognised_event(message, event_id))
        POLLED_PAGES.labels(account, STREAM).inc()
        POLLED_ROWS.labels(account, STREAM).inc(len(page.facts))
        return len(page.facts)

    def _failed(self, error: Exception) -> None:
        POLL_FAILURES.labels(self._plan.account, STREAM, type(error).__name__).inc()
        _log.warning("poll failed", account=self._plan.account, error=type(error).__name__, reason=str(error)[:300])
