"""From rows to what the read API says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import RowMapping

from worker.domain.money import CNY
from worker.operations.api import models
from worker.storage.read_order import OrderDetail

_AMOUNTS = ("total", "shipping", "products", "discount", "refunded")


def order_summary(row: RowMapping) -> models.OrderSummary:
    """Return an order's row as shown in a list."""
    return models.OrderSummary(**_head(row))


def order(detail: OrderDetail) -> models.Order:
    """Return an order with everything that hangs on it."""
    # Both platforms settle in yuan; a line or a refund can be known before the order's own amounts.
    currency = detail.order["currency"] or CNY
    timeline = models.Timeline(
        facts=[_fact(row) for row in detail.timeline],
        earlier=str(detail.timeline[0]["id"]) if detail.earlier else None,
    )
    return models.Order(
        **_head(detail.order),
        lines=[_line(row, currency) for row in detail.lines],
        parcels=[models.Parcel(**row) for row in detail.parcels],
        refunds=[models.Refund(**row, amount=_money(row["amount_minor"], currency)) for row in detail.refunds],
        follow_ups=[_follow_up(row, detail.attempts, currency) for row in detail.follow_ups],
        timeline=timeline,
    )


def _money(minor: int | None, currency: str) -> models.Money | None:
    return None if minor is None else models.Money(minor=minor, currency=currency)


def _head(row: RowMapping) -> dict[str, Any]:
    currency = row["currency"] or CNY
    amounts = models.Amounts(**{name: _money(row[f"{name}_minor"], currency) for name in _AMOUNTS})
    return {**row, "amounts": amounts}


def _line(row: RowMapping, currency: str) -> models.Line:
    return models.Line(**row, price=_money(row["price_minor"], currency), amount=_money(row["amount_minor"], currency))


def _follow_up(row: RowMapping, attempts: Sequence[RowMapping], currency: str) -> models.FollowUp:
    made = [attempt for attempt in attempts if attempt["follow_up_id"] == row["id"]]
    return models.FollowUp(
        **{**row, "id": str(row["id"]), "attempts": [_attempt(attempt, currency) for attempt in made]},
        amount=_money(row["amount_minor"], currency),
        attempts_in_all=made[0]["in_all"] if made else 0,
    )


def _attempt(row: RowMapping, currency: str) -> models.Attempt:
    return models.Attempt(**row, amount=_money(row["amount_minor"], currency))


def _fact(row: RowMapping) -> models.Fact:
    record = models.Record(topic=row["topic"], partition=row["partition"], offset=row["offset"])
    return models.Fact(**{**row, "id": str(row["id"])}, record=record)
