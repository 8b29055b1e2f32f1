"""The floor of the reconcile benchmark: asyncpg alone, the same rows, the same batches, nothing decided on the way.

The rows are computed beforehand with the worker's own pure functions; only writing them is timed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import asyncpg
from sqlalchemy.dialects import postgresql

from worker.broker.envelope import fact_event
from worker.domain.evidence import Evidence
from worker.domain.facts import Fact
from worker.domain.identity import OrderKey, Platform
from worker.domain.policy import Policy
from worker.domain.reducer import DEFAULT_SKEW, Order, apply
from worker.reconcile.outcome import Writes, settle_batch
from worker.reconcile.records import read_batch
from worker.storage.batch_store import FACT_COLUMNS, OUTBOX_COLUMNS, LockedOrder
from worker.storage.order_rows import LINE_COLUMNS, ORDER_COLUMNS, PARCEL_COLUMNS
from worker.storage.tables import metadata

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]  # untyped in SQLAlchemy
_KEY = ("account", "platform", "order_id")
_FOLLOW_UP = ("order_ref", "account", "effect", "purpose", "wanted_after", "due_at")


class _Record:
    """What a Kafka record looks like to the reader."""

    def __init__(self, fact: Fact, offset: int) -> None:
        event = fact_event(fact)
        self.topic, self.partition, self.offset = event.topic, 0, offset
        self.key: bytes | None = event.key.encode()
        self.value: bytes | None = event.value
        self.headers: Iterable[tuple[str, bytes]] = [(name, value.encode()) for name, value in event.headers.items()]


class Planned:
    """The rows of one batch; `created` are the orders that it sees first."""

    def __init__(self, writes: Writes, created: list[tuple[int, OrderKey]]) -> None:
        self.writes = writes
        self.created = created


def plan_batches(stream: Sequence[Fact], size: int) -> list[Planned]:
    """Return what the worker would write, batch by batch."""
    refs: dict[OrderKey, int] = {}
    known: dict[OrderKey, Order] = {}
    sequences: dict[OrderKey, int] = {}
    planned = []
    for start in range(0, len(stream), size):
        part = stream[start : start + size]
        created = []
        for fact in part:
            if fact.key not in refs:
                refs[fact.key] = len(refs) + 1
                created.append((refs[fact.key], fact.key))
        locked = {
            key: LockedOrder(refs[key], key, sequences.get(key, 0), known[key].evidence if key in known else Evidence())
            for key in {fact.key for fact in part}
        }
        batch = read_batch(_Record(fact, start + number) for number, fact in enumerate(part))
        writes = settle_batch(batch, locked, set(), lambda _account: Policy(), DEFAULT_SKEW)
        for fact in part:
            known[fact.key] = apply(known.get(fact.key, Order.new(fact.key)), fact, fact.derive_id()).order
        for row in writes.outbox:
            key = OrderKey(*_split(row[1]))
            sequences[key] = max(sequences.get(key, 0), row[2])
        planned.append(Planned(writes, created))
    return planned


async def write_batches(connection: asyncpg.Connection, batches: Sequence[Planned]) -> None:
    """Write the batches, a transaction each."""
    for batch in batches:
        writes = batch.writes
        async with connection.transaction():
            created = [(ref, key.account, key.platform.value, key.order_id) for ref, key in batch.created]
            await _insert(connection, "orders", ("id", *_KEY), created, "OVERRIDING SYSTEM VALUE")
            await _insert(connection, "facts", FACT_COLUMNS, writes.facts)
            await _update_orders(connection, writes.orders)
            for name, columns, children in (
                ("order_lines", LINE_COLUMNS, writes.lines),
                ("parcels", PARCEL_COLUMNS, writes.parcels),
            ):
                await connection.execute(f"DELETE FROM {name} WHERE order_ref = ANY($1::bigint[])", children.refs)  # noqa: S608
                await _insert(connection, name, columns, children.rows)
            rows = [(ref, account, "refresh", "sync", at, at) for ref, account, at in writes.refreshes]
            tail = "ON CONFLICT (order_ref, effect, purpose) DO UPDATE SET wanted_after = excluded.wanted_after"
            await _insert(connection, "follow_ups", _FOLLOW_UP, rows, tail=tail)
            await _insert(connection, "outbox", OUTBOX_COLUMNS, writes.outbox)


async def _insert(
    connection: asyncpg.Connection,
    name: str,
    columns: Sequence[str],
    rows: Sequence[Any],
    how: str = "",
    tail: str = "",
) -> None:
    if rows:
        types = ", ".join(f"${number}::{_array(name, column)}" for number, column in enumerate(columns, start=1))
        names = ", ".join(f'"{column}"' for column in columns)
        values = ", ".join(
            f't."{column}"::{_type(name, column)}' if _is_json(name, column) else f't."{column}"' for column in columns
        )
        sql = f"INSERT INTO {name} ({names}) {how} SELECT {values} FROM unnest({types}) AS t({names}) {tail}"  # noqa: S608
        await connection.execute(sql, *map(list, zip(*rows, strict=True)))


async def _update_orders(connection: asyncpg.Connection, rows: Sequence[Any]) -> None:
    types = ", ".join(f"${number}::{_array('orders', column)}" for number, column in enumerate(ORDER_COLUMNS, start=1))
    names = ", ".join(ORDER_COLUMNS)
    sets = ", ".join(
        f"{column} = n.{column}" + ("::json" if column == "evidence" else "") for column in ORDER_COLUMNS[1:]
    )
    sql = f"UPDATE orders o SET {sets}, updated_at = now() FROM unnest({types}) AS n({names}) WHERE o.id = n.id"  # noqa: S608
    await connection.execute(sql, *map(list, zip(*rows, strict=True)))


def _type(table: str, column: str) -> str:
    return str(metadata.tables[table].c[column].type.compile(dialect=_DIALECT))


def _is_json(table: str, column: str) -> bool:
    return _type(table, column) in {"JSON", "JSONB"}


def _array(table: str, column: str) -> str:
    return "text[]" if _is_json(table, column) else f"{_type(table, column)}[]"


def _split(key: str) -> tuple[str, Any, str]:
    account, platform, order_id = key.split("/")
    return account, Platform(platform), order_id
