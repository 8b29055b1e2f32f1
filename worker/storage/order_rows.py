"""How an order's view becomes rows. Pure: no statement is sent from here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec

from worker.domain.clock import Millis, to_datetime
from worker.domain.facts import Amounts
from worker.domain.reducer import Order

_JSON = msgspec.json.Encoder()
_ESCAPED_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")
"""The escape of U+0000 in JSON text, after an even number of backslashes: else it spells a backslash and `u0000`."""

ORDER_COLUMNS = (
    "id", "status", "status_word", "unconfirmed", "paid", "currency", "total_minor", "shipping_minor", "products_minor",
    "discount_minor", "refunded_minor", "close_reason", "created_at", "paid_at", "shipped_at", "received_at",
    "completed_at", "modified_at", "asked_at", "bookings", "sequence", "evidence",
)  # fmt: skip
LINE_COLUMNS = (
    "order_ref", "line_id", "position", "product_id", "sku_id", "name", "image_url", "quantity", "price_minor",
    "amount_minor", "status_word", "logistics_status", "refund_id", "refund_word",
)  # fmt: skip
PARCEL_COLUMNS = (
    "order_ref", "parcel_id", "waybill", "carrier", "status_word", "line_ids", "shipped_at", "tracked", "moved_at",
    "signed",
)  # fmt: skip
REFUND_COLUMNS = ("order_ref", "refund_id", "status", "status_word", "amount_minor", "line_ids", "confirmed")


def json_text(value: object) -> str:
    """Return `value` as JSON text for a json column; U+0000 is dropped because Postgres cannot store it."""
    written = _JSON.encode(value).decode()
    return _ESCAPED_NUL.sub(r"\1", written) if "\\u0000" in written else written


def plain(value: str | None) -> str | None:
    """Return a marketplace's text as Postgres can store it (without U+0000)."""
    return value.replace("\x00", "") if value else value


def order_row(order_ref: int, order: Order, sequence: int) -> tuple[Any, ...]:
    """Return the values of `ORDER_COLUMNS`."""
    view, evidence = order.view, order.evidence
    life = view.lifecycle
    amounts = view.amounts or Amounts(total=0)
    known = view.amounts is not None
    return (
        order_ref,
        view.status.value,
        plain(view.word),
        view.unconfirmed,
        view.is_paid,
        amounts.currency if known else None,
        amounts.total if known else None,
        amounts.shipping,
        amounts.products,
        amounts.discount,
        amounts.refunded,
        plain(life.close_reason) if life else None,
        instant(life.created_at if life else None),
        instant(life.paid_at if life else None),
        instant(life.shipped_at if life else None),
        instant(life.received_at if life else None),
        instant(life.completed_at if life else None),
        instant(life.modified_at if life else None),
        instant(evidence.lifecycle.version.asked_at if evidence.lifecycle else None),
        json_text([plain(number) for number in view.bookings]),
        sequence,
        json_text(evidence),
    )


def line_rows(order_ref: int, order: Order) -> Iterator[tuple[Any, ...]]:
    """Yield the values of `LINE_COLUMNS`, in the marketplace's order."""
    lines = {plain(line.line_id): line for line in order.view.lines}
    for position, (line_id, line) in enumerate(lines.items()):
        yield (
            order_ref,
            line_id,
            position,
            plain(line.product_id),
            plain(line.sku_id),
            plain(line.name),
            plain(line.image_url),
            plain(line.quantity),
            line.price,
            line.amount,
            plain(line.status_word),
            line.logistics_status,
            plain(line.refund_id),
            plain(line.refund_word),
        )


def parcel_rows(order_ref: int, order: Order) -> Iterator[tuple[Any, ...]]:
    """Yield the values of `PARCEL_COLUMNS`."""
    parcels = {plain(parcel.parcel_id): parcel for parcel in order.view.parcels}
    for parcel_id, parcel in parcels.items():
        yield (
            order_ref,
            parcel_id,
            plain(parcel.waybill),
            plain(parcel.carrier),
            plain(parcel.status_word),
            json_text(parcel.line_ids),
            instant(parcel.shipped_at),
            plain(parcel.tracked) if isinstance(parcel.tracked, str) else None,
            instant(parcel.moved_at if isinstance(parcel.moved_at, int) else None),
            parcel.is_signed,
        )


def refund_rows(order_ref: int, order: Order) -> Iterator[tuple[Any, ...]]:
    """Yield the values of `REFUND_COLUMNS`."""
    refunds = {plain(refund.refund_id): refund for refund in order.view.refunds}
    for refund_id, refund in refunds.items():
        yield (
            order_ref,
            refund_id,
            refund.status.value,
            plain(refund.word),
            refund.amount,
            json_text(refund.line_ids),
            refund.confirmed,
        )


def instant(at: Millis | None) -> datetime | None:
    """Return a marketplace's time for a column; None where no calendar has it (the evidence keeps it as it came)."""
    if at is None:
        return None
    try:
        return to_datetime(at)
    except (ValueError, OverflowError):
        return None
