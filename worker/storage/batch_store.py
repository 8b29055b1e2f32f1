"""What reconcile reads and writes for one batch: a fixed number of statements, however large the batch is."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.domain.evidence import Evidence
from worker.domain.identity import OrderKey, Platform
from worker.domain.plans import NO_PLAN, StandingPlan
from worker.domain.policy import FULL_PAYMENT
from worker.storage.bulk import as_params, insert_rows, replace_children, rows_source
from worker.storage.order_rows import LINE_COLUMNS, ORDER_COLUMNS, PARCEL_COLUMNS, REFUND_COLUMNS
from worker.storage.plan_rows import JOIN_PLANS, PLAN_OUTPUTS, plan_of
from worker.storage.tables import dead_letters, facts, order_lines, orders, outbox, parcels, refunds

FACT_COLUMNS = (
    "fact_id", "order_ref", "kind", "source", "provider_time", "observed_at", "outcome", "content", "topic",
    "partition", "offset",
)  # fmt: skip
OUTBOX_COLUMNS = ("order_ref", "key", "sequence", "type", "payload")
DEAD_LETTER_COLUMNS = (
    "fingerprint", "reason", "detail", "topic", "partition", "offset", "key", "headers", "value",
)  # fmt: skip
_KEY_COLUMNS = ("account", "platform", "order_id")

_CREATE_ORDERS = insert_rows(orders, _KEY_COLUMNS, tail="ON CONFLICT DO NOTHING")
# json as text: the driver would decode it, and we decode it typed. Not FOR UPDATE: that would wait for whoever inserts
# a follow-up of the order, and the keys of an order never change.
_LOCK_ORDERS = text(
    f"""
    SELECT o.id, o.account, o.platform, o.order_id, o.sequence, CAST(o.evidence AS text) AS evidence, {PLAN_OUTPUTS},
        (SELECT f.approved_minor FROM follow_ups f WHERE f.order_ref = o.id AND f.effect = 'pay'
            AND f.purpose = '{FULL_PAYMENT}') AS approved
    FROM orders o JOIN ({rows_source(orders, _KEY_COLUMNS)}) AS k
        ON (k.account, k.platform, k.order_id) = (o.account, o.platform, o.order_id)
    {JOIN_PLANS}
    ORDER BY o.account, o.platform, o.order_id FOR NO KEY UPDATE OF o
    """  # noqa: S608 - names are ours
)
_KNOWN_FACTS = text("SELECT fact_id FROM facts WHERE fact_id = ANY(CAST(:fact_ids AS text[]))")
_INSERT_FACTS = insert_rows(facts, FACT_COLUMNS)
_COUNT_DUPLICATES = text(
    """
    UPDATE facts SET deliveries = facts.deliveries + d.times
    FROM unnest(CAST(:fact_ids AS text[]), CAST(:times AS int[])) AS d(fact_id, times)
    WHERE facts.fact_id = d.fact_id
    """
)
_UPDATE_ORDERS = text(
    f"""
    UPDATE orders o SET {", ".join(f"{name} = n.{name}" for name in ORDER_COLUMNS[1:])}, updated_at = clock_timestamp()
    FROM ({rows_source(orders, ORDER_COLUMNS)}) AS n WHERE o.id = n.id
    """  # noqa: S608 - names are ours
)
_LINES = replace_children(order_lines, LINE_COLUMNS, "line_id")
_PARCELS = replace_children(parcels, PARCEL_COLUMNS, "parcel_id")
_REFUNDS = replace_children(refunds, REFUND_COLUMNS, "refund_id")
_INSERT_OUTBOX = insert_rows(outbox, OUTBOX_COLUMNS)
_INSERT_DEAD_LETTERS = insert_rows(
    dead_letters, DEAD_LETTER_COLUMNS, tail='ON CONFLICT (topic, "partition", "offset") DO NOTHING'
)
_EVIDENCE = msgspec.json.Decoder(Evidence)


class LockedOrder(msgspec.Struct, frozen=True):
    """An order's row as it stands under our lock. `approved`: persons approved a payment (minor units) up to this."""

    ref: int
    key: OrderKey
    sequence: int
    evidence: Evidence
    plan: StandingPlan = NO_PLAN
    approved: int | None = None


class ChildRows(msgspec.Struct):
    """The children of the orders whose children changed: `refs` names those orders, even where no child is left."""

    refs: list[int] = []
    rows: list[tuple[Any, ...]] = []


async def lock_orders(connection: AsyncConnection, keys: Collection[OrderKey]) -> dict[OrderKey, LockedOrder]:
    """Create the orders that are missing, lock all of them in key order (so that two batches cannot deadlock)."""
    rows = [(key.account, key.platform.value, key.order_id) for key in sorted(keys)]
    params = as_params(_KEY_COLUMNS, rows)
    await connection.execute(_CREATE_ORDERS, params)
    locked = {}
    for row in await connection.execute(_LOCK_ORDERS, params):
        key = OrderKey(row.account, Platform(row.platform), row.order_id)
        evidence = _EVIDENCE.decode(row.evidence)
        locked[key] = LockedOrder(row.id, key, row.sequence, evidence, plan_of(row), row.approved)
    return locked


async def known_facts(connection: AsyncConnection, fact_ids: Collection[str]) -> set[str]:
    """Return which of these facts are recorded already. Exact only while the facts' orders are locked."""
    return set((await connection.execute(_KNOWN_FACTS, {"fact_ids": list(fact_ids)})).scalars())


async def insert_facts(connection: AsyncConnection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Record facts with their outcome: the order's timeline."""
    if rows:
        await connection.execute(_INSERT_FACTS, as_params(FACT_COLUMNS, rows))


async def count_duplicates(connection: AsyncConnection, times: dict[str, int]) -> None:
    """Count further deliveries of recorded facts."""
    if times:
        await connection.execute(_COUNT_DUPLICATES, {"fact_ids": list(times), "times": list(times.values())})


async def update_orders(connection: AsyncConnection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Write the orders as they are now."""
    if rows:
        await connection.execute(_UPDATE_ORDERS, as_params(ORDER_COLUMNS, rows))


async def replace_lines(connection: AsyncConnection, children: ChildRows) -> None:
    """Make the lines of the touched orders exactly these."""
    if children.refs:
        await connection.execute(_LINES, as_params(LINE_COLUMNS, children.rows) | {"refs": children.refs})


async def replace_parcels(connection: AsyncConnection, children: ChildRows) -> None:
    """Make the parcels of the touched orders exactly these."""
    if children.refs:
        await connection.execute(_PARCELS, as_params(PARCEL_COLUMNS, children.rows) | {"refs": children.refs})


async def replace_refunds(connection: AsyncConnection, children: ChildRows) -> None:
    """Make the refunds of the touched orders exactly these."""
    if children.refs:
        await connection.execute(_REFUNDS, as_params(REFUND_COLUMNS, children.rows) | {"refs": children.refs})


async def insert_outbox(connection: AsyncConnection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Write the changes to be published, each with its order's next sequence number."""
    if rows:
        await connection.execute(_INSERT_OUTBOX, as_params(OUTBOX_COLUMNS, rows))


async def insert_dead_letters(connection: AsyncConnection, rows: Iterable[tuple[Any, ...]]) -> None:
    """Set records aside; a redelivered one is already there."""
    params = as_params(DEAD_LETTER_COLUMNS, list(rows))
    if params["topic"]:
        await connection.execute(_INSERT_DEAD_LETTERS, params)
