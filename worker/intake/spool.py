"""The spool: keeps events while Kafka is away, and drains them in order of arrival once it is back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from worker.broker.envelope import Event
from worker.broker.producer import KafkaLink, KafkaUnavailableError
from worker.intake.metrics import SPOOL_DRAINED, SPOOL_WAITING, SPOOLED
from worker.storage import spool_store
from worker.storage.engine import transaction
from worker.storage.wakeup import Wakeups, Work

DRAIN_BATCH = 500
WRITE_BATCH = 500
MAX_WAITING = 5_000
MAX_EVENTS = 1_000_000
"""In the table: a day of a busy account, a few gigabytes. Beyond it the senders are told to come again."""
READERS_SHARE = 0.5
"""What can be read again may fill the spool only so far: callbacks come five times, a list can be read for ever."""
WRITE_TIMEOUT_S = 5.0
"""Longer than any sender waits. It ends a write on a connection that the network has lost: nobody else says so."""
DRAIN_TIMEOUT_S = 10.0
_log = structlog.get_logger()


class SpoolFullError(RuntimeError):
    """More events wait, for Postgres or for Kafka, than may: the senders must come again."""


class _Waiting(msgspec.Struct, frozen=True):
    """An event on its way into the table. `most`: so many may be there before it."""

    event: Event
    kept: asyncio.Future[None]
    most: int


class PostgresSpool:
    """Implements `worker.broker.durable.Spool`.

    Events that come while a write is under way go into the next one together: when Kafka goes away under load, a commit
    for each of them would outlast the senders' patience. One writer also keeps the order of arrival.
    """

    def __init__(self, engine: AsyncEngine, *, max_events: int = MAX_EVENTS) -> None:
        self._engine = engine
        self.max_events = max_events
        self._waiting: list[_Waiting] = []
        self._writer: asyncio.Task[None] | None = None

    async def put(self, event: Event, most: int | None = None) -> None:
        """Keep the event; returns after commit. Raises SpoolFullError, or whatever the database fails with.

        `most`: refuse it if so many are in the table, instead of `max_events`.
        Cancelled, the event may be kept all the same: twice is harmless, never is not.
        """
        if len(self._waiting) >= MAX_WAITING:
            raise SpoolFullError(f"{MAX_WAITING} events wait for the spool")
        kept: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        kept.add_done_callback(_look_at)
        self._waiting.append(_Waiting(event, kept, self.max_events if most is None else most))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write(), name="spool-writer")
        await asyncio.shield(kept)

    async def _write(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:WRITE_BATCH], self._waiting[WRITE_BATCH:]
            try:
                taken = await self._keep(batch)
            except Exception as error:  # noqa: BLE001 - every waiter is told what its event failed with
                for one in batch:
                    one.kept.set_exception(error)
            else:
                SPOOLED.inc(sum(taken))
                for one, was_taken in zip(batch, taken, strict=True):
                    if was_taken:
                        one.kept.set_result(None)
                    else:
                        one.kept.set_exception(SpoolFullError(f"{one.most} events are in the spool"))

    async def _keep(self, batch: list[_Waiting]) -> list[bool]:
        """Write what there is room for; return which."""
        async with asyncio.timeout(WRITE_TIMEOUT_S), transaction(self._engine) as connection:
            held = await spool_store.span(connection)
            taken = []
            for one in batch:
                taken.append(held < one.most)
                held += taken[-1]
            events = [one.event for one, was_taken in zip(batch, taken, strict=True) if was_taken]
            rows = [(event.topic, event.key, event.headers, event.value) for event in events]
            if rows:
                await spool_store.put(connection, rows)
        return taken


def _look_at(kept: asyncio.Future[None]) -> None:
    """Look at the outcome, so that one nobody waits for any more is not reported as forgotten."""
    if not kept.cancelled():
        kept.exception()


class ReadersSpool:
    """The spool for what can be read again: full earlier than for callbacks. Implements the same `Spool`."""

    def __init__(self, spool: PostgresSpool) -> None:
        self._spool = spool

    async def put(self, event: Event) -> None:
        """Keep the event, as `PostgresSpool.put` does."""
        await self._spool.put(event, int(self._spool.max_events * READERS_SHARE))


class SpoolDrain:
    """Moves spooled events to Kafka. Only one process drains at a time; what Kafka confirmed is deleted."""

    def __init__(self, engine: AsyncEngine, kafka: KafkaLink, wakeups: Wakeups, *, idle_s: float) -> None:
        self._engine = engine
        self._kafka = kafka
        self._wakeups = wakeups
        self._idle_s = idle_s

    async def run(self, progress: Callable[[], None] = lambda: None) -> None:
        """Drain until cancelled."""
        while True:
            try:
                moved = await self.drain_once()
            except KafkaUnavailableError as error:
                _log.warning("spool waits for kafka", reason=str(error))
                moved = 0
            progress()
            if moved < DRAIN_BATCH:
                await self._wakeups.wait(Work.SPOOL, self._idle_s)

    async def drain_once(self) -> int:
        """Move one batch; return how many events moved. Raises KafkaUnavailableError, then nothing is deleted."""
        async with transaction(self._engine) as connection:
            rows = await spool_store.take_oldest(connection, DRAIN_BATCH)
            if rows:
                events = [Event(row.topic, row.key, row.headers, row.value) for row in rows]
                await self._kafka.send_all(events, DRAIN_TIMEOUT_S)
                await spool_store.delete(connection, [row.id for row in rows])
                SPOOL_DRAINED.inc(len(rows))
            SPOOL_WAITING.set(await spool_store.count(connection))
        return len(rows)
