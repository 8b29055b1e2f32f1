"""The truth about an order, for whoever compares a model with it.

Plain units everywhere: fen, Unix milliseconds, ids as text.
"""

from __future__ import annotations

import msgspec

from worker.sandbox.order import Order
from worker.sandbox.tradeinfo import ITEM_REFUND_WORDS


class TrueLine(msgspec.Struct, frozen=True):
    """One line."""

    line_id: str
    product_id: str
    sku_id: str
    name: str
    quantity: int
    price_fen: int
    discount_fen: int
    """Signed; negative makes the line cheaper."""
    amount_fen: int
    status: str
    logistics_status: int
    refund_id: str | None
    refund_status: str | None
    """In the line's own spelling (WAIT_SELLER_AGREE …)."""


class TrueParcel(msgspec.Struct, frozen=True):
    """One parcel; `parcel_id` is logisticsItems[].id, `logistics_code` the id that waybill changes name."""

    parcel_id: str
    logistics_code: str
    waybill: str
    carrier_code: str
    carrier_name: str
    line_ids: list[str]
    signed: bool
    shipped_at: int


class TrueRefund(msgspec.Struct, frozen=True):
    """One refund; status in the order's spelling (waitselleragree, refundsuccess, refundclose)."""

    refund_id: str
    line_id: str
    line_ids: list[str]
    """All lines that it is about; `line_id` is the first."""
    amount_fen: int
    status: str
    applied_at: int
    settled_at: int | None


class TrueOrder(msgspec.Struct, frozen=True):
    """One order."""

    order_id: str
    number: int
    status: str
    total_fen: int
    goods_fen: int
    shipping_fen: int
    discount_fen: int
    refunded_fen: int
    paid: bool
    """Shown as paid (money that is still settling is in `taken_fen` only)."""
    taken_fen: int
    agreement: bool
    close_reason: str | None
    price_changes: int
    lines: list[TrueLine]
    parcels: list[TrueParcel]
    refunds: list[TrueRefund]
    created_at: int
    modified_at: int
    paid_at: int | None
    shipped_at: int | None
    """When the last parcel left."""
    received_at: int | None
    confirmed_at: int | None
    completed_at: int | None


def tell_truth(order: Order, taken_fen: int) -> TrueOrder:
    """The order as it is."""
    return TrueOrder(
        order_id=order.order_id,
        number=order.life.number,
        status=order.status,
        total_fen=order.total_fen,
        goods_fen=order.goods_fen,
        shipping_fen=order.shipping_fen,
        discount_fen=sum(line.discount_fen for line in order.lines),
        refunded_fen=order.refunded_fen,
        paid=order.paid,
        taken_fen=taken_fen,
        agreement=order.life.agreement,
        close_reason=order.close_reason,
        price_changes=order.price_changes,
        lines=_lines(order),
        parcels=_parcels(order),
        refunds=_refunds(order),
        created_at=order.created_ms,
        modified_at=order.modified_ms,
        paid_at=order.paid_ms,
        shipped_at=order.all_delivered_ms,
        received_at=order.received_ms,
        confirmed_at=order.confirmed_ms,
        completed_at=order.completed_ms,
    )


def _lines(order: Order) -> list[TrueLine]:
    refunds = {place: refund for refund in order.refunds for place in refund.lines}
    return [
        TrueLine(
            line_id=str(line.line_id),
            product_id=str(line.goods.product_id),
            sku_id=str(line.goods.sku_id),
            name=line.goods.name,
            quantity=line.goods.quantity,
            price_fen=line.goods.price_fen,
            discount_fen=line.discount_fen,
            amount_fen=line.amount_fen,
            status=line.status,
            logistics_status=line.logistics_status,
            refund_id=refunds[place].refund_id if place in refunds else None,
            refund_status=ITEM_REFUND_WORDS[refunds[place].status] if place in refunds else None,
        )
        for place, line in enumerate(order.lines)
    ]


def _parcels(order: Order) -> list[TrueParcel]:
    return [
        TrueParcel(
            parcel_id=str(parcel.ship.parcel_id),
            logistics_code=parcel.ship.logistics_code,
            waybill=parcel.waybill,
            carrier_code=parcel.carrier_code,
            carrier_name=parcel.carrier_name,
            line_ids=[str(line_id) for line_id in parcel.line_ids],
            signed=parcel.signed,
            shipped_at=parcel.shipped_ms,
        )
        for parcel in order.parcels
    ]


def _refunds(order: Order) -> list[TrueRefund]:
    return [
        TrueRefund(
            refund_id=refund.refund_id,
            line_id=str(order.lines[refund.line].line_id),
            line_ids=[str(order.lines[place].line_id) for place in refund.lines],
            amount_fen=refund.amount_fen,
            status=refund.status,
            applied_at=refund.applied_ms,
            settled_at=refund.settled_ms,
        )
        for refund in order.refunds
    ]
