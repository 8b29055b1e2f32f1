"""The poller of a list by modification time: what no callback told, the list tells.

Windows overlap and end at a fixed instant. Pages are read from the last to the first: a row that changes meanwhile
leaves the window and moves the rows behind it towards pages that are still to be read, so none is skipped. Rows are
hints; the detail is read by the follow-ups where a row is news.

The first time, the stream's past is read by a second cursor, slice by slice, between the polls of the newest changes: a
large past delays nothing, and a restart goes on where it stopped.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable

import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from worker.broker.durable import DurablePublisher
from worker.domain.clock import MINUTE, SECOND, Clock, Millis, from_datetime, to_datetime
from worker.intake.metrics import BACKFILL_LEFT, POLL_PROGRESS, POLLED_PAGES, POLLED_ROWS
from worker.intake.poll_watch import PollWatch
from worker.intake.polling import Turn, keep_polling, only_poller, publish
from worker.marketplaces.port import ListPage, Marketplace, Stream, UnreadableError
from worker.storage import cursor_store
from worker.storage.engine import transaction

MAX_PAGES_PER_WINDOW = 200
"""A fuller window is halved: what a crash makes us read again is bounded, and so is the drift of the pages."""
SHORTEST_WINDOW: Millis = MINUTE
MAX_PAGES = 2_000
"""Of the shortest window: more is no list but a mistake in its count, and nothing of it is believed."""
TOLD_AFTER = 3
"""So often in a row a list may be unreadable before people are told: it may be a page of the gateway's for a moment."""
_log = structlog.get_logger()


class PollPlan(msgspec.Struct, frozen=True):
    """How a list of an account is polled. `window_s` is the longest window read in one go."""

    account: str
    stream: Stream
    interval_s: float
    overlap_s: float
    backfill_s: float
    window_s: float = 86_400.0


class StreamPoller:
    """Polls one list of one account."""

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
        self._turn = Turn()
        self.account = plan.account
        self.stream = plan.stream
        self.interval_s = plan.interval_s
        self.is_behind = False
        self._progress: Callable[[], None] = lambda: None
        self._unreadable = 0

    async def run(self, progress: Callable[[], None] = lambda: None) -> None:
        """Poll until cancelled. Each page is progress: a full window takes longer than a loop may stand still."""
        self._progress = progress
        watch = PollWatch(self.account, self.stream, self._engine, self._clock)
        await keep_polling(self, progress, watch, sleep=self._sleep, jitter=self._jitter)

    async def poll_once(self, *, yields: bool = False) -> int | None:
        """Read what is new, and one slice of the past; return the number of rows, None if another process polls."""
        async with only_poller(self._engine, self.account, self.stream, self._turn, yields=yields) as ours:
            if not ours:
                self.is_behind = False
                return None
            try:
                found = await self._read_news(self._clock.now_ms())
                found += await self._read_past()
            except UnreadableError as error:
                await self._tell(error)
                raise
            self._unreadable = 0
            return found

    async def _tell(self, error: UnreadableError) -> None:
        """Set a dead letter aside for a list that stays unreadable. Its cursor stays too: nothing is skipped."""
        if self._unreadable + 1 == TOLD_AFTER:
            row = (f"{self.stream} cannot be read: {error}"[:300], f"{self.stream} of {self.account}".encode())
            await publish(self._publisher, self.account, (), (row,), self._clock.now_ms(), what="whole list")
        self._unreadable += 1

    async def _read_news(self, now: Millis) -> int:
        overlap = int(self._plan.overlap_s * SECOND)
        async with self._engine.connect() as connection:
            position = await cursor_store.read_cursor(connection, self.account, self.stream)
        if position is None:
            # In one step, before anything is read: the past ends where the news begin, whatever fails in between.
            position = to_datetime(now)
            async with transaction(self._engine) as connection:
                first = to_datetime(now - int(self._plan.backfill_s * SECOND))
                await cursor_store.plan_backfill(connection, self.account, self.stream, first, position)
                await cursor_store.move_cursor(connection, self.account, self.stream, position)
        # A clock that was put back leaves a position in the future: a window must not end before it begins.
        reached = min(from_datetime(position), now)
        since = reached - overlap
        found = 0
        while True:
            rows, until = await self._read_window(since, now)
            found += rows
            # A window that was halved may end inside the overlap: failures after it must not take the cursor back.
            reached = max(reached, until)
            async with transaction(self._engine) as connection:
                await cursor_store.move_cursor(connection, self.account, self.stream, to_datetime(reached))
            POLL_PROGRESS.labels(self.account, self.stream).set(reached / SECOND)
            if until >= now:
                return found
            since = until

    async def _read_past(self) -> int:
        async with self._engine.connect() as connection:
            backfill = await cursor_store.read_backfill(connection, self.account, self.stream)
        if backfill is None or backfill.position >= backfill.target:
            self.is_behind = False
            return 0
        target = from_datetime(backfill.target)
        found, until = await self._read_window(from_datetime(backfill.position), target)
        async with transaction(self._engine) as connection:
            await cursor_store.move_backfill(connection, self.account, self.stream, to_datetime(until), found)
        self.is_behind = until < target
        left_s = (target - until) / SECOND
        BACKFILL_LEFT.labels(self.account, self.stream).set(left_s)
        _log.info(
            "backfill", account=self.account, stream=self.stream, rows=backfill.rows + found, days_left=left_s / 86_400
        )
        return found

    async def _read_window(self, since: Millis, until: Millis) -> tuple[int, Millis]:
        """Read a window that begins at `since`; return its rows and where it ended."""
        until = min(until, since + int(self._plan.window_s * SECOND))
        first = await self._page(since, until, 1)
        while first.total_pages > MAX_PAGES_PER_WINDOW and until - since > SHORTEST_WINDOW:
            until = since + max(SHORTEST_WINDOW, (until - since) // 2)
            first = await self._page(since, until, 1)
        if first.total_pages > MAX_PAGES:
            raise UnreadableError(f"{first.total_pages} pages in {(until - since) // SECOND} s; at most {MAX_PAGES}")
        if first.total_pages > MAX_PAGES_PER_WINDOW:
            _log.warning("more pages than a window should have", stream=self.stream, pages=first.total_pages)
        found = 0
        for number in range(first.total_pages, 1, -1):
            found += await self._publish(await self._page(since, until, number))
        if first.total_pages > 1:
            first = await self._page(since, until, 1)
        return found + await self._publish(first), until

    async def _page(self, since: Millis, until: Millis, number: int) -> ListPage:
        page = await self._marketplace.list_modified(self.stream, since, until, number)
        self._progress()
        return page

    async def _publish(self, page: ListPage) -> int:
        await publish(self._publisher, self.account, page.facts, page.unreadable, self._clock.now_ms())
        POLLED_PAGES.labels(self.account, self.stream).inc()
        POLLED_ROWS.labels(self.account, self.stream).inc(len(page.facts))
        return len(page.facts)
