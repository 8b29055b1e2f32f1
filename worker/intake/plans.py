"""Plans of other systems, off `orders.plans.v1`: each applied once, and what is no plan set aside where people see it.

A record's key is `account/platform/order_id`, its value the plan's JSON document (as for `PUT /api/v1/plans/...`,
without the reason). CloudEvents' headers are welcome: by `ce_source` and `ce_id` a plan that is sent twice is known.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Protocol

import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from worker.broker.envelope import read_headers, read_ticket
from worker.domain.alerts import Alert, AlertKind, Severity
from worker.domain.dead_letters import Ticket
from worker.domain.identity import OrderKey, Platform, valid_order_id
from worker.domain.plans import Plan, PlanError, read_plan
from worker.intake import metrics
from worker.storage import alert_store, batch_store, dead_letter_store, plan_store
from worker.storage.engine import transaction
from worker.storage.order_rows import json_text, plain
from worker.storage.wakeup import Work, notify

PLAN_TYPE = "ordersync.plan.v1"
MAX_SOURCE_CHARS = 80
MAX_REASON_CHARS = 300
_FINGERPRINT_CHARS = 16
_log = structlog.get_logger()


class Record(Protocol):
    """What we use of a Kafka record."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None

    @property
    def headers(self) -> Iterable[tuple[str, bytes | None]]:
        """Return names and values; a value can be missing."""
        ...


class PlanRecord(msgspec.Struct, frozen=True):
    """A record, read. `event` is its identity: a redelivery has the same."""

    key: OrderKey
    plan: Plan
    requested_by: str
    event: str
    replay: Ticket | None = None


class PlanIntake:
    """Takes the records of one consumer, one transaction each: plans are few, and each locks its own order's plan."""

    def __init__(self, engine: AsyncEngine, accounts: Collection[str]) -> None:
        self._engine = engine
        self._accounts = frozenset(accounts)

    async def handle(self, records: Sequence[Record]) -> None:
        """Store a batch. Raises what the database fails with: the batch comes again, and what is stored is known."""
        for record in records:
            try:
                found = read_record(record, self._accounts)
            except PlanError as error:
                await self._set_aside(record, error)
            else:
                await self._take(found)

    async def _take(self, found: PlanRecord) -> None:
        async with transaction(self._engine) as connection:
            done = await plan_store.put(
                connection,
                found.key,
                found.plan,
                requested_by=found.requested_by,
                reason="sent by another system",
                event=found.event,
            )
            if found.replay is not None:
                await dead_letter_store.settle_replays(connection, [(found.replay, None)])
        metrics.PLANS.labels("taken" if done.changed else "unchanged").inc()
        _log.info("plan", order=str(found.key), version=done.version, changed=done.changed)

    async def _set_aside(self, record: Record, error: PlanError) -> None:
        """Keep the record as a dead letter, and say so: nothing is lost, and nothing of it is planned."""
        reason = f"plan: {error}"[:MAX_REASON_CHARS]
        async with transaction(self._engine) as connection:
            await _set_aside(connection, record, reason)
        metrics.PLANS.labels("dead_letter").inc()
        _log.warning("plan set aside", topic=record.topic, partition=record.partition, offset=record.offset)


def read_record(record: Record, accounts: Collection[str]) -> PlanRecord:
    """Return the plan of a record. Raises PlanError, whose text repeats nothing of the plan."""
    headers = read_headers(record.headers)
    if headers.get("ce_type", PLAN_TYPE) != PLAN_TYPE:
        raise PlanError([f"ce_type: expected {PLAN_TYPE}, or no such header"])
    key = _read_key(record.key, accounts)
    if record.value is None:
        raise PlanError(["(whole): expected a JSON object; to plan nothing any more, send {}"])
    try:
        document: Any = msgspec.json.decode(record.value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise PlanError(["(whole): expected JSON in UTF-8"]) from None
    plan = read_plan(document)
    return PlanRecord(key, plan, _requested_by(headers), _identity(record, headers), read_ticket(headers))


def _read_key(raw: bytes | None, accounts: Collection[str]) -> OrderKey:
    expected = PlanError(["(key): expected account/platform/order_id, such as main/1688/123456789"])
    try:
        account, platform, order_id = (raw or b"").decode().split("/")
        key = OrderKey(account, Platform(platform), order_id)
    except (UnicodeDecodeError, ValueError):
        raise expected from None
    if not valid_order_id(order_id):
        raise expected
    if account not in accounts:
        raise PlanError([f"(key): there is no such account here; expected one of {', '.join(sorted(accounts))}"])
    return key


def _requested_by(headers: Mapping[str, str]) -> str:
    source = "".join(char for char in headers.get("ce_source", "") if char.isascii() and char.isprintable())
    return f"kafka:{source[:MAX_SOURCE_CHARS]}" if source else "kafka"


def _identity(record: Record, headers: Mapping[str, str]) -> str:
    """Return what a redelivery shares: the sender's own id, else the record's place; and the content.

    A sender that uses an id twice for different plans means both.
    """
    if headers.get("ce_id"):
        named = f"{headers.get('ce_source', '')}\n{headers['ce_id']}"
    else:
        named = f"{record.topic}\n{record.partition}\n{record.offset}\n{record.timestamp}"
    content = hashlib.sha256(record.value or b"").hexdigest()
    return hashlib.sha256(f"{named}\n{content}".encode("utf-8", "surrogatepass")).hexdigest()


async def _set_aside(connection: AsyncConnection, record: Record, reason: str) -> None:
    stable = "".join("#" if char.isdigit() else char for char in reason)
    fingerprint = hashlib.sha256(stable.encode()).hexdigest()[:_FINGERPRINT_CHARS]
    headers = read_headers(record.headers)
    replay = read_ticket(headers)
    if replay is not None:
        failure = dead_letter_store.Failure(fingerprint, reason, reason)
        if not await dead_letter_store.settle_replays(connection, [(replay, failure)]):
            return  # the letter that it was is open again
    row = (
        fingerprint,
        plain(reason),
        plain(reason),
        record.topic,
        record.partition,
        record.offset,
        plain(record.key.decode("utf-8", "replace")) if record.key else None,
        json_text(headers),
        record.value or b"",
    )
    await batch_store.insert_dead_letters(connection, [row])
    alert = Alert(
        f"{AlertKind.DEAD_LETTERS}:{fingerprint}",
        AlertKind.DEAD_LETTERS,
        Severity.WARNING,
        f"Messages are set aside as dead letters: {reason[:200]}",
        details={"fingerprint": fingerprint, "reason": reason},
    )
    await alert_store.open_alerts(connection, [alert], {}, {})
    await notify(connection, Work.ALERTS)
