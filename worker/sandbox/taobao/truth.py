"""The truth about a purchase order, for whoever compares a model with it. Units as in `worker.sandbox.truth`."""

from __future__ import annotations

import msgspec

from worker.sandbox.taobao.order import TaobaoOrder


class TrueSubOrder(msgspec.Struct, frozen=True):
    """One line."""

    line_id: str
    product_id: str
    sku_id: str
    name: str
    quantity: int
    amount_fen: int
    status: str


class TrueTaobaoParcel(msgspec.Struct, frozen=True):
    """One parcel, known by its number."""

    waybill: str
    carrier_name: str
    line_ids: list[str]
    shipped_at: int


class TrueTaobaoRefund(msgspec.Struct, frozen=True):
    """One after-sales case; status as the upstream's number."""

    refund_id: str
    line_id: str
    amount_fen: int
    status: int
    applied_at: int


class TrueTaobaoOrder(msgspec.Struct, frozen=True):
    """One purchase order."""

    order_id: str
    sales_id: str
    number: int
    status: str
    total_fen: int
    goods_fen: int
    postage_fen: int
    taken_fen: int
    price_changes: int
    lines: list[TrueSubOrder]
    parcels: list[TrueTaobaoParcel]
    refunds: list[TrueTaobaoRefund]
    created_at: int
    modified_at: int
    paid_at: int | None
    closed_at: int | None


def tell_truth(order: TaobaoOrder, taken_fen: int) -> TrueTaobaoOrder:
    """The order as it is."""
    return TrueTaobaoOrder(
        order_id=order.order_id,
        sales_id=str(order.sales_id),
        number=order.life.number,
        status=order.status,
        total_fen=order.total_fen,
        goods_fen=order.goods_fen,
        postage_fen=order.postage_fen,
        taken_fen=taken_fen,
        price_changes=order.price_changes,
        lines=[
            TrueSubOrder(
                line_id=str(sub.sub_id),
                product_id=str(sub.goods.product_id),
                sku_id=str(sub.goods.sku_id),
                name=sub.goods.name,
                quantity=sub.goods.quantity,
                amount_fen=sub.amount_fen,
                status=sub.status,
            )
            for sub in order.subs
        ],
        parcels=_parcels(order),
        refunds=[
            TrueTaobaoRefund(
                refund_id=str(refund.refund_id),
                line_id=str(order.subs[refund.place].sub_id),
                amount_fen=refund.fee_fen,
                status=refund.status,
                applied_at=refund.created_ms,
            )
            for refund in order.refunds
        ],
        created_at=order.created_ms,
        modified_at=order.modified_ms,
        paid_at=order.paid_ms,
        closed_at=order.closed_ms,
    )


def _parcels(order: TaobaoOrder) -> list[TrueTaobaoParcel]:
    lines: dict[str, list[str]] = {}
    parcels = {}
    for sub in order.subs:
        for parcel in sub.parcels:
            parcels[parcel.waybill] = parcel
            lines.setdefault(parcel.waybill, []).append(str(sub.sub_id))
    return [
        TrueTaobaoParcel(waybill, parcel.carrier.name, lines[waybill], parcel.sent_ms)
        for waybill, parcel in sorted(parcels.items())
    ]
