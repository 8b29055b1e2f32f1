"""One batch, one transaction: facts in, orders, timeline, ledger, outbox and alerts written together or not at all."""

from __future__ import annotations

import time
import traceback
from collections.abc import Sequence

import msgspec
import structlog
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from worker.broker.consumer import StopConsumingError
from worker.broker.envelope import read_headers
from worker.domain.alerts import Alert, AlertKind, Severity
from worker.domain.clock import SECOND, Clock, Millis
from worker.reconcile import metrics
from worker.reconcile.outcome import PolicyOf, UnwritableError, Writes, settle_batch
from worker.reconcile.records import MAX_DETAIL_CHARS, DeadLetter, ReadBatch, Record, Reread, read_batch
from worker.storage import alert_store, batch_store, dead_letter_store, follow_up_wants
from worker.storage.engine import transaction
from worker.storage.order_rows import json_text, plain
from worker.storage.wakeup import Work, notify

MAX_STATEMENTS = 21
"""Statements of one batch, whatever its size (tests count them)."""
STOPPED_CAUSE = AlertKind.CONSUMPTION_STOPPED.value
_REFUSALS = (DBAPIError, UnwritableError, msgspec.MsgspecError)
"""What speaks against single records of a batch: Postgres, our own code, evidence that cannot be read back."""
_log = structlog.get_logger()


class _LimitReachedError(Exception):
    """Too many records in a row failed. Raised inside of the transaction, so that nothing of the batch stays."""

    def __init__(self, failed: int, reason: str) -> None:
        super().__init__(reason)
        self.failed = failed
        self.reason = reason


class Reconciler:
    """Handles batches of one consumer."""

    def __init__(
        self,
        engine: AsyncEngine,
        policy_of: PolicyOf,
        clock: Clock,
        *,
        skew: Millis,
        dead_letter_limit: int,
        reread: Reread | None = None,
    ) -> None:
        self._engine = engine
        self._policy_of = policy_of
        self._clock = clock
        self._skew = skew
        self._dead_letter_limit = dead_letter_limit
        self._reread = reread
        self._failed_in_a_row = 0

    async def begin(self) -> None:
        """End the alert of an earlier stop: somebody has started consumption again."""
        async with transaction(self._engine) as connection:
            if await alert_store.resolve_cause(connection, STOPPED_CAUSE):
                await notify(connection, Work.ALERTS)

    async def handle(self, records: Sequence[Record]) -> None:
        """Store one batch. Raises on a passing failure (the batch comes again) and StopConsumingError at the limit."""
        try:
            await self._handle(records)
        except _LimitReachedError as reached:
            await self._open_stopped_alert(reached)
            raise StopConsumingError(f"{reached.failed} records in a row failed: {reached.reason}") from reached

    async def _handle(self, records: Sequence[Record]) -> None:
        started = time.perf_counter()
        try:
            await self._store(read_batch(records, self._reread))
        except _REFUSALS as error:
            metrics.BATCH_FAILURES.labels(type(error).__name__).inc()
            if not _is_about_the_data(error):
                raise
            await self._store_one_by_one(records)
        metrics.BATCH_RECORDS.observe(len(records))
        metrics.BATCH_SECONDS.observe(time.perf_counter() - started)
        metrics.LAST_COMMIT.set(self._clock.now_ms() / SECOND)

    async def _store_one_by_one(self, records: Sequence[Record]) -> None:
        """Find the record whose data Postgres, or our own code, refuses, and set only that one aside."""
        for record in records:
            try:
                await self._store(read_batch([record], self._reread))
            except _REFUSALS as error:
                if not _is_about_the_data(error):
                    raise
                refused = _refused(record, error)
                replays = [refused.ticket] if refused.ticket else []
                await self._store(ReadBatch(dead=[refused], replays=replays))

    async def _store(self, batch: ReadBatch) -> None:
        async with transaction(self._engine) as connection:
            keys = {delivered.fact.key for delivered in batch.delivered.values()}
            locked = await batch_store.lock_orders(connection, keys) if keys else {}
            known = await batch_store.known_facts(connection, batch.delivered) if keys else set()
            writes = settle_batch(batch, locked, known, self._policy_of, self._skew)
            failed_in_a_row = self._count_failures(writes)
            if failed_in_a_row > self._dead_letter_limit:
                reason = next((letter.reason for letter in writes.dead if letter.by_us), "unknown")
                raise _LimitReachedError(failed_in_a_row, reason)
            await _write(connection, writes)
        self._failed_in_a_row = failed_in_a_row
        self._measure(writes)

    def _count_failures(self, writes: Writes) -> int:
        """Count what failed in a row. Replays speak neither way: they fail as before, or were mended one by one."""
        failed = sum(letter.by_us and letter.ticket is None for letter in writes.dead)
        return failed + (0 if writes.fresh else self._failed_in_a_row)

    async def _open_stopped_alert(self, reached: _LimitReachedError) -> None:
        alert = Alert(
            STOPPED_CAUSE,
            AlertKind.CONSUMPTION_STOPPED,
            Severity.CRITICAL,
            f"Reconcile stopped: {reached.failed} records in a row failed in our own code. Kafka keeps all of them.",
            details={"reason": reached.reason, "failed": reached.failed},
        )
        async with transaction(self._engine) as connection:
            await alert_store.open_alerts(connection, [alert], {}, {})
            await notify(connection, Work.ALERTS)

    def _measure(self, writes: Writes) -> None:
        for (account, aspect), count in writes.drift.items():
            metrics.DRIFT.labels(account, aspect).inc(count)
        for (kind, outcome), count in writes.counts.items():
            metrics.FACTS.labels(kind, outcome).inc(count)
        for letter in writes.dead:
            metrics.DEAD_LETTERS.labels(letter.reason.partition(":")[0]).inc()
        if writes.oldest is not None:
            metrics.FRESHNESS.set((self._clock.now_ms() - writes.oldest) / SECOND)


async def _write(connection: AsyncConnection, writes: Writes) -> None:
    await batch_store.insert_facts(connection, writes.facts)
    await batch_store.count_duplicates(connection, writes.repeats)
    await batch_store.update_orders(connection, writes.orders)
    await batch_store.replace_lines(connection, writes.lines)
    await batch_store.replace_parcels(connection, writes.parcels)
    await batch_store.replace_refunds(connection, writes.refunds)
    await follow_up_wants.lock_effects(connection, list(writes.refs.values()))
    await follow_up_wants.settle(connection, writes.settlements)
    wanted = [(row[0], row[2], row[3]) for row in writes.effects]
    await follow_up_wants.cancel_unwanted(connection, writes.effect_refs, wanted)
    await follow_up_wants.want_effects(connection, writes.effects)
    await follow_up_wants.want_refreshes(connection, writes.refreshes)
    await follow_up_wants.want_searches(connection, writes.searches)
    await batch_store.insert_outbox(connection, writes.outbox)
    await _set_aside(connection, writes)
    await _write_alerts(connection, writes)
    await notify(connection, Work.OUTBOX, Work.FOLLOW_UPS, Work.ALERTS)


async def _set_aside(connection: AsyncConnection, writes: Writes) -> None:
    """Set aside what failed for the first time; tell the letters that were replayed what came of it."""
    again = {letter.ticket: letter for letter in writes.dead if letter.ticket is not None}
    ends = [(ticket, _failure(again[ticket]) if ticket in again else None) for ticket in dict.fromkeys(writes.replays)]
    lost = await dead_letter_store.settle_replays(connection, ends) if ends else set()
    first = [letter for letter in writes.dead if letter.ticket is None or letter.ticket.letter_id in lost]
    await batch_store.insert_dead_letters(connection, [_dead_letter_row(letter) for letter in first])


def _failure(letter: DeadLetter) -> dead_letter_store.Failure:
    return dead_letter_store.Failure(letter.fingerprint, plain(letter.reason) or "", plain(letter.detail) or "")


async def _write_alerts(connection: AsyncConnection, writes: Writes) -> None:
    opened = list(writes.alerts)
    times: dict[str, int] = {}
    for letter in writes.dead:
        cause = f"{AlertKind.DEAD_LETTERS}:{letter.fingerprint}"
        times[cause] = times.get(cause, 0) + 1
        title = f"Messages are set aside as dead letters: {letter.reason[:200]}"
        details = {"fingerprint": letter.fingerprint, "reason": letter.reason[:300]}
        opened.append(Alert(cause, AlertKind.DEAD_LETTERS, Severity.WARNING, title, details=details))
    await alert_store.open_alerts(connection, opened, writes.refs, times)
    causes = [plain(alert.cause) or "" for alert in writes.alerts]
    await alert_store.resolve_conditions(connection, writes.condition_refs, causes, writes.final_refs)


def _dead_letter_row(letter: DeadLetter) -> tuple[object, ...]:
    record = letter.record
    return (
        letter.fingerprint,
        plain(letter.reason),
        plain(letter.detail),
        record.topic,
        record.partition,
        record.offset,
        plain(record.key.decode("utf-8", "replace")) if record.key else None,
        json_text(read_headers(record.headers)),
        record.value or b"",
    )


def _refused(record: Record, error: Exception) -> DeadLetter:
    if isinstance(error, DBAPIError):
        return DeadLetter(f"storage: {type(error.orig).__name__}", str(error.orig)[:2000], record, by_us=True)
    detail = "".join(traceback.format_exception(error))[-MAX_DETAIL_CHARS:]
    return DeadLetter(f"write: {error}"[:300], detail, record, by_us=True)


def _is_about_the_data(error: Exception) -> bool:
    """Tell whether the values themselves were refused, so that trying the same batch again cannot help.

    SQLSTATE class 22 (data exception) and 23 (integrity), the driver refusing to encode a value, or our own code
    failing on it.
    """
    if not isinstance(error, DBAPIError):
        return True
    if error.connection_invalidated:
        return False
    state = str(getattr(error.orig, "sqlstate", None) or "")
    return isinstance(error, IntegrityError) or state[:2] in {"22", "23"} or "DataError" in type(error.orig).__name__
