"""One order with everything that hangs on it, for the read API."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import RowMapping, Select, Table, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.domain.identity import OrderKey
from worker.storage.read_store import SUMMARY
from worker.storage.tables import facts, follow_up_attempts, follow_ups, order_lines, orders, parcels, refunds

MAX_ATTEMPTS_SHOWN = 20
"""The latest attempts of a follow-up; one that cannot reach the marketplace is attempted again and again."""

_FACT = [facts.c[name] for name in (
    "id", "fact_id", "kind", "source", "provider_time", "observed_at", "recorded_at", "outcome", "content", "topic",
    "partition", "offset", "deliveries",
)]  # fmt: skip
_ATTEMPT = [follow_up_attempts.c[name] for name in (
    "id", "follow_up_id", "operation", "amount_minor", "sent_at", "finished_at", "outcome",
)]  # fmt: skip


class OrderDetail(msgspec.Struct, frozen=True):
    """The rows of one order. `timeline` is newest last; `earlier`: the order has facts before the first of them."""

    order: RowMapping
    lines: Sequence[RowMapping]
    parcels: Sequence[RowMapping]
    refunds: Sequence[RowMapping]
    follow_ups: Sequence[RowMapping]
    attempts: Sequence[RowMapping]
    timeline: Sequence[RowMapping]
    earlier: bool


async def get_order(
    connection: AsyncConnection, key: OrderKey, *, timeline_limit: int, timeline_before: int | None = None
) -> OrderDetail | None:
    """Return the order, None if there is none. `timeline_before`: only facts recorded before the one of this row id.

    Wants a connection of `reading(engine, one_snapshot=True)`, or the parts may tell of different instants.
    """
    by_key = select(*SUMMARY).where(
        orders.c.account == key.account, orders.c.platform == key.platform.value, orders.c.order_id == key.order_id
    )
    order = (await connection.execute(by_key)).mappings().one_or_none()
    if order is None:
        return None
    ref: int = order["id"]
    told = await _rows(connection, _timeline(ref, timeline_before, timeline_limit + 1))
    # Lines, parcels and refunds come whole: they fitted into one answer of the marketplace.
    return OrderDetail(
        order=order,
        lines=await _rows(connection, _of_order(order_lines, ref).order_by(order_lines.c.position)),
        parcels=await _rows(connection, _of_order(parcels, ref).order_by(parcels.c.parcel_id)),
        refunds=await _rows(connection, _of_order(refunds, ref).order_by(refunds.c.refund_id)),
        follow_ups=await _rows(connection, _of_order(follow_ups, ref).order_by(follow_ups.c.id)),
        attempts=await _rows(connection, _attempts(ref)),
        timeline=told[:timeline_limit][::-1],
        earlier=len(told) > timeline_limit,
    )


async def _rows(connection: AsyncConnection, query: Select[*tuple[object, ...]]) -> Sequence[RowMapping]:
    return (await connection.execute(query)).mappings().all()


def _of_order(table: Table, ref: int) -> Select[*tuple[object, ...]]:
    return select(table).where(table.c.order_ref == ref)


def _timeline(ref: int, before: int | None, limit: int) -> Select[*tuple[object, ...]]:
    query = select(*_FACT).where(facts.c.order_ref == ref).order_by(facts.c.id.desc()).limit(limit)
    return query if before is None else query.where(facts.c.id < before)


def _attempts(ref: int) -> Select[*tuple[object, ...]]:
    """Return the latest attempts of each follow-up, oldest first, with how many there are in all."""
    of_one = follow_up_attempts.c.follow_up_id
    numbered = (
        select(
            *_ATTEMPT,
            func.row_number().over(partition_by=of_one, order_by=follow_up_attempts.c.id.desc()).label("from_last"),
            func.count().over(partition_by=of_one).label("in_all"),
        )
        .join(follow_ups, follow_ups.c.id == of_one)
        .where(follow_ups.c.order_ref == ref)
        .subquery()
    )
    return select(numbered).where(numbered.c.from_last <= MAX_ATTEMPTS_SHOWN).order_by(numbered.c.id)
