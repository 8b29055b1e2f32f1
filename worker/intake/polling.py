"""What all pollers share: one per account and stream, a loop that failures slow down and never end, durable facts."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Protocol

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from worker.broker.durable import DurablePublisher, NotDurableError
from worker.broker.envelope import Unrecognised, fact_event, unrecognised_event
from worker.domain.clock import Millis
from worker.domain.facts import Fact
from worker.intake.metrics import POLL_FAILURES
from worker.intake.poll_watch import PollWatch
from worker.marketplaces.port import MarketplaceError, Stream, ThrottledError
from worker.storage import cursor_store

THROTTLED_FACTOR = 4.0
FAILURE_FACTOR_MAX = 8.0
BACKFILL_PAUSE_S = 1.0
"""Between two slices of a backfill, in which the newest changes are read as well."""
PUBLISHED_AT_ONCE = 50
_log = structlog.get_logger()


class Poller(Protocol):
    """Polls one stream of one account."""

    @property
    def account(self) -> str: ...  # noqa: D102
    @property
    def stream(self) -> Stream: ...  # noqa: D102
    @property
    def interval_s(self) -> float: ...  # noqa: D102

    @property
    def is_behind(self) -> bool:
        """Tell whether there is more to read at once, not only after the interval."""
        ...

    async def poll_once(self, *, yields: bool = False) -> int | None:
        """Read what there is; return the number of rows, None if another process polls this stream.

        `yields`: it is also left to another process that has polled it since this poller last looked.
        """
        ...


async def keep_polling(
    poller: Poller,
    progress: Callable[[], None],
    watch: PollWatch,
    *,
    sleep: Callable[[float], Awaitable[None]],
    jitter: random.Random,
) -> None:
    """Poll until cancelled; failures widen the pause, they never end the loop.

    Of several processes the one that polls a stream goes on doing so: the others find that it was polled while they
    paused, and take over when that ends.
    """
    factor = 1.0
    while True:
        try:
            if await poller.poll_once(yields=True) is not None:
                await watch.succeeded()
            factor = 1.0
        except ThrottledError as error:
            factor = THROTTLED_FACTOR
            await _failed(poller, watch, error)
        except (MarketplaceError, NotDurableError, OSError) as error:
            factor = min(FAILURE_FACTOR_MAX, factor * 2)
            await _failed(poller, watch, error)
        progress()
        pause = min(BACKFILL_PAUSE_S, poller.interval_s) if poller.is_behind and factor == 1.0 else poller.interval_s
        await sleep(pause * factor * jitter.uniform(0.9, 1.1))


class Turn:
    """What one poller knows of who polls its stream: when the cursor was last moved, as far as it has seen."""

    def __init__(self) -> None:
        self._seen: datetime | None = None

    def is_anothers(self, polled_at: datetime | None) -> bool:
        """Tell whether somebody else has polled since the last look, which this one becomes."""
        before, self._seen = self._seen, polled_at
        return before is not None and polled_at != before

    def was_ours(self, polled_at: datetime | None) -> None:
        """Remember where our own poll left the cursor."""
        self._seen = polled_at


@asynccontextmanager
async def only_poller(
    engine: AsyncEngine, account: str, stream: str, turn: Turn | None = None, *, yields: bool = False
) -> AsyncIterator[bool]:
    """Hold the stream's lock for the block; False if another process holds it, or (`yields`) if it is its turn."""
    async with engine.connect() as lock:
        await lock.execution_options(isolation_level="AUTOCOMMIT")
        locked = await cursor_store.try_lock(lock, account, stream)
        turn = turn or Turn()
        try:
            ours = locked
            if locked and turn.is_anothers(await cursor_store.polled_at(lock, account, stream)) and yields:
                ours = False
            yield ours
            if ours:
                turn.was_ours(await cursor_store.polled_at(lock, account, stream))
        except BaseException:
            turn.was_ours(None)  # how far our own poll came is not known, and must not look like another's
            raise
        finally:
            if locked:
                await cursor_store.unlock(lock, account, stream)


async def publish(
    publisher: DurablePublisher,
    account: str,
    facts: Iterable[Fact],
    unreadable: Iterable[tuple[str, bytes]],
    now: Millis,
    *,
    what: str = "list row",
) -> None:
    """Make rows durable, the unreadable ones as dead letters. Raises NotDurableError; then the rows are read again.

    `what`: what each of the unreadable ones is, for people.
    """
    events = [fact_event(fact) for fact in facts]
    for reason, row in unreadable:
        event_id = hashlib.sha256(account.encode() + b"\0" + row).hexdigest()[:32]
        events.append(unrecognised_event(Unrecognised(account, f"{what}: {reason}", row, now), event_id))
    for first in range(0, len(events), PUBLISHED_AT_ONCE):
        part = events[first : first + PUBLISHED_AT_ONCE]
        ends = await asyncio.gather(*(publisher.publish(event) for event in part), return_exceptions=True)
        for end in ends:
            if isinstance(end, BaseException):
                raise end


async def _failed(poller: Poller, watch: PollWatch, error: Exception) -> None:
    POLL_FAILURES.labels(poller.account, poller.stream, type(error).__name__).inc()
    _log.warning(
        "poll failed",
        account=poller.account,
        stream=poller.stream,
        error=type(error).__name__,
        reason=str(error)[:300],
    )
    await watch.failed(error)
