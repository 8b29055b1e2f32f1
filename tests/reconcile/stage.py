"""Reconcile without Kafka: records made by hand, facts of any order, and what a fold of the facts would store."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.domain.examples import SKEW
from tests.storage.database import rows
from worker.broker.envelope import Event, fact_event
from worker.domain.clock import Millis
from worker.domain.facts import Fact
from worker.domain.identity import OrderKey, Platform
from worker.domain.policy import Policy
from worker.domain.reducer import Order, apply
from worker.reconcile.reconciler import Reconciler
from worker.storage.order_rows import (
    LINE_COLUMNS,
    ORDER_COLUMNS,
    PARCEL_COLUMNS,
    REFUND_COLUMNS,
    line_rows,
    order_row,
    parcel_rows,
    refund_rows,
)

PAYING = Policy(auto_pay=True, auto_pay_limit=50_000, price_tolerance=Decimal("0.02"))
CHILDREN = (
    ("order_lines", LINE_COLUMNS, line_rows, "position"),
    ("parcels", PARCEL_COLUMNS, parcel_rows, "parcel_id"),
    ("refunds", REFUND_COLUMNS, refund_rows, "refund_id"),
)
_JSON_COLUMNS = {"evidence", "line_ids", "bookings"}


@dataclass
class FixedClock:
    """A clock that stands until a test moves it."""

    at: int

    def now_ms(self) -> int:
        return self.at


@dataclass
class StoredRecord:
    """A Kafka record as reconcile sees it."""

    value: bytes | None
    headers: Iterable[tuple[str, bytes]]
    offset: int = 0
    topic: str = "orders.status.v1"
    partition: int = 0
    key: bytes | None = None


@dataclass
class Topic:
    """Numbers the records it is given, like one partition."""

    name: str = "orders.status.v1"
    partition: int = 0
    written: list[StoredRecord] = field(default_factory=list)

    def take(self, *facts: Fact) -> list[StoredRecord]:
        return [self.put(fact_event(fact)) for fact in facts]

    def put(self, event: Event) -> StoredRecord:
        headers = [(name, value.encode()) for name, value in event.headers.items()]
        return self.raw(event.value, headers, event.key.encode())

    def raw(
        self, value: bytes | None, headers: Iterable[tuple[str, Any]] = (), key: bytes | None = None
    ) -> StoredRecord:
        """Anything at all, as it may lie in a topic."""
        record = StoredRecord(value, headers, len(self.written), self.name, self.partition, key)
        self.written.append(record)
        return record


def order(number: int | str, platform: Platform = Platform.ALIBABA_1688) -> OrderKey:
    return OrderKey("main", platform, f"{number}")


def of(key: OrderKey, *facts: Fact) -> list[Fact]:
    """The same facts, told of another order."""
    return [msgspec.structs.replace(fact, key=key) for fact in facts]


def make_reconciler(
    engine: AsyncEngine, *, policy: Policy = PAYING, limit: int = 100, skew: Millis = SKEW
) -> Reconciler:
    return Reconciler(engine, lambda _: policy, FixedClock(0), skew=skew, dead_letter_limit=limit)


def folded(key: OrderKey, facts: Iterable[Fact]) -> Order:
    """The order after these facts, by the reducer alone."""
    known = Order.new(key)
    for fact in facts:
        known = apply(known, fact, fact.derive_id(), SKEW).order
    return known


async def stored(engine: AsyncEngine, key: OrderKey) -> dict[str, Any]:
    """The rows of one order, its children included, in the columns that its evidence decides."""
    where = "account = :account AND platform = :platform AND order_id = :order_id"
    names = {"account": key.account, "platform": key.platform.value, "order_id": key.order_id}
    columns = [name for name in ORDER_COLUMNS if name not in {"id", "sequence"}]
    found: dict[str, Any] = {
        "order": await rows(engine, f"SELECT {', '.join(columns)} FROM orders WHERE {where}", **names)  # noqa: S608 - our own names
    }
    for table, child_columns, _, by in CHILDREN:
        listed = ", ".join(child_columns[1:])
        query = f"SELECT {listed} FROM {table} WHERE order_ref = (SELECT id FROM orders WHERE {where}) ORDER BY {by}"  # noqa: S608 - our own names
        found[table] = await rows(engine, query, **names)
    return found


def expected(known: Order) -> dict[str, Any]:
    """The rows that this order should have."""
    whole = dict(zip(ORDER_COLUMNS, order_row(0, known, 0), strict=True))
    found: dict[str, Any] = {"order": [_decoded({k: v for k, v in whole.items() if k not in {"id", "sequence"}})]}
    for table, columns, make, by in CHILDREN:
        children = [_decoded(dict(zip(columns[1:], row[1:], strict=True))) for row in make(0, known)]
        found[table] = sorted(children, key=lambda child, by=by: child[by])  # type: ignore[misc]  # mypy sees no default
    return found


def _decoded(row: dict[str, Any]) -> dict[str, Any]:
    return {name: msgspec.json.decode(held) if name in _JSON_COLUMNS else held for name, held in row.items()}


def chunks(records: Sequence[StoredRecord], size: int) -> list[list[StoredRecord]]:
    return [list(records[start : start + size]) for start in range(0, len(records), size)]
