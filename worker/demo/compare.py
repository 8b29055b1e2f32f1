"""Holds the model in Postgres against the marketplace's truth, field by field."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterator, Mapping
from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.domain.clock import Millis, from_datetime

_ORDERS = text(
    "SELECT id, order_id, status_word, unconfirmed, paid, total_minor, shipping_minor, discount_minor, refunded_minor,"
    " close_reason, created_at, modified_at, paid_at, shipped_at, completed_at FROM orders"
)
_LINES = text("SELECT * FROM order_lines ORDER BY order_ref, line_id")
_PARCELS = text("SELECT * FROM parcels ORDER BY order_ref, parcel_id")
_REFUNDS = text("SELECT * FROM refunds ORDER BY order_ref, refund_id")


class Difference(msgspec.Struct, frozen=True):
    """One field in which the model and the truth are not the same."""

    order_id: str
    field: str
    model: object
    truth: object


class Comparison(msgspec.Struct):
    """What the comparison found."""

    orders: int = 0
    converged: int = 0
    differences: list[Difference] = []


async def compare(connection: AsyncConnection, truth: AsyncIterable[dict[str, Any]]) -> Comparison:
    """Compare every order of the truth with the model."""
    model = await _model(connection)
    found = Comparison()
    async for order in truth:
        found.orders += 1
        differences = list(_differences(order, model.get(order["order_id"])))
        found.differences += differences
        found.converged += not differences
    return found


async def _model(connection: AsyncConnection) -> dict[str, dict[str, Any]]:
    orders = {row["id"]: dict(row) for row in (await connection.execute(_ORDERS)).mappings()}
    for name, statement in (("lines", _LINES), ("parcels", _PARCELS), ("refunds", _REFUNDS)):
        for order in orders.values():
            order[name] = []
        for row in (await connection.execute(statement)).mappings():
            orders[row["order_ref"]][name].append(dict(row))
    return {order["order_id"]: order for order in orders.values()}


def _differences(truth: Mapping[str, Any], model: Mapping[str, Any] | None) -> Iterator[Difference]:
    order_id = truth["order_id"]
    if model is None:
        yield Difference(order_id, "order", "missing", "present")
        return
    for field, ours, theirs in _fields(truth, model):
        if ours != theirs:
            yield Difference(order_id, field, ours, theirs)


def _fields(truth: Mapping[str, Any], model: Mapping[str, Any]) -> Iterator[tuple[str, object, object]]:
    yield "unconfirmed", model["unconfirmed"], False
    yield "status", model["status_word"], truth["status"]
    yield "total", model["total_minor"], truth["total_fen"]
    yield "shipping", model["shipping_minor"], truth["shipping_fen"]
    yield "discount", model["discount_minor"] or 0, truth["discount_fen"]
    yield "refunded", model["refunded_minor"] or 0, truth["refunded_fen"]
    yield "paid", model["paid"], truth["paid"]
    yield "close_reason", model["close_reason"], truth["close_reason"]
    for field in ("created_at", "modified_at", "paid_at", "shipped_at", "completed_at"):
        yield field, _ms(model[field]), truth[field]
    yield "lines", [_line(row) for row in model["lines"]], sorted(_true_line(line) for line in truth["lines"])
    yield "parcels", [_parcel(row) for row in model["parcels"]], sorted(_true_parcel(p) for p in truth["parcels"])
    yield "refunds", [_refund(row) for row in model["refunds"]], sorted(_true_refund(r) for r in truth["refunds"])


def _line(row: Mapping[str, Any]) -> tuple[object, ...]:
    return (
        row["line_id"],
        row["name"],
        row["quantity"],
        row["amount_minor"],
        row["status_word"],
        row["logistics_status"],
    )


def _true_line(line: Mapping[str, Any]) -> tuple[object, ...]:
    return (
        line["line_id"],
        line["name"],
        str(line["quantity"]),
        line["amount_fen"],
        line["status"],
        line["logistics_status"],
    )


def _parcel(row: Mapping[str, Any]) -> tuple[object, ...]:
    return (row["parcel_id"], row["waybill"], row["carrier"], sorted(row["line_ids"]))


def _true_parcel(parcel: Mapping[str, Any]) -> tuple[object, ...]:
    return (parcel["parcel_id"], parcel["waybill"], parcel["carrier_name"], sorted(parcel["line_ids"]))


def _refund(row: Mapping[str, Any]) -> tuple[object, ...]:
    return (row["refund_id"], (row["status_word"] or "").lower().replace("_", ""), sorted(row["line_ids"]))


def _true_refund(refund: Mapping[str, Any]) -> tuple[object, ...]:
    return (refund["refund_id"], refund["status"].lower().replace("_", ""), sorted(refund["line_ids"]))


def _ms(at: Any) -> Millis | None:
    return None if at is None else from_datetime(at)
