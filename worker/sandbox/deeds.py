"""Carrying out one step of a life: the order changes, and the platform has something to tell (or nothing)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from worker.sandbox import messages
from worker.sandbox.messages import Notice, refund_notice, status_notice
from worker.sandbox.order import CANCEL, CONFIRMED, SHIPPED, Order
from worker.sandbox.refund import CLOSED, Refund
from worker.sandbox.script import (
    ApplyRefund,
    ChangePrice,
    Close,
    Confirm,
    ConfirmPart,
    Deed,
    Receive,
    ReplaceWaybill,
    SettleRefund,
    Ship,
    Sign,
    Succeed,
)

Shown = Callable[[Order], dict[str, Any]]
"""The order as a full TradeInfo."""


def perform(order: Order, deed: Deed, now_ms: int, shown: Shown) -> list[Notice]:
    """Change the order as the deed says and return what is to be told, in order."""
    if isinstance(deed, ChangePrice):
        order.reprice(deed, now_ms)
        return [messages.price_notice(order, shown(order))]
    if isinstance(deed, Close):
        return [close(order, deed, now_ms)]
    if isinstance(deed, ApplyRefund | SettleRefund):
        return _refund(order, deed, now_ms)
    if isinstance(deed, Ship | ReplaceWaybill):
        return _dispatch(order, deed, now_ms)
    return _take_in(order, deed, now_ms)


def close(order: Order, deed: Close, now_ms: int, said: str | None = None) -> Notice:
    """Close an unpaid order; `BOPS` is upstream's word for its own back office. `said`: the reason that was given."""
    reason, operate_type = {
        "buyer": ("buyerCancel", "CLOSE_TRADE_BY_BUYER"),
        "seller": ("sellerGoodsLack", "CLOSE_TRADE_BY_SELLER"),
        "platform": ("BUYER_NO_PAY", "CLOSE_TRADE_BY_BOPS"),
    }[deed.by]
    order.close(said or reason, operate_type, now_ms)
    return status_notice(order, messages.CLOSED[deed.by], now_ms)


def settle_refund(order: Order, refund: Refund, now_ms: int, *, granted: bool, action: str = "") -> list[Notice]:
    """The seller pays back, or the refund is closed: by the buyer, unless `action` says otherwise."""
    was_open = not order.ended
    order.settle_refund(refund, now_ms, granted=granted, action=action)
    told = [step_notice(order, refund, now_ms)]
    if was_open and order.status == CANCEL:  # documented upstream: also sent when a refund closes the trade
        told.append(status_notice(order, messages.CLOSED["seller"], now_ms))
    return told


def step_notice(order: Order, refund: Refund, now_ms: int) -> Notice:
    """Tell of a refund's latest step."""
    step = refund.operations[-1]
    return refund_notice(order, refund, step.action, step.by, now_ms)


def confirmed(order: Order, now_ms: int) -> Notice:
    """A receipt was confirmed, of a part or of all: told alike."""
    return status_notice(order, messages.CONFIRMED, now_ms, messages.CONFIRM_WORD)


def _dispatch(order: Order, deed: Ship | ReplaceWaybill, now_ms: int) -> list[Notice]:
    if isinstance(deed, Ship):
        left = len(order.parcels)
        order.ship(deed, now_ms)
        if len(order.parcels) == left and not deed.last:
            return []
        closed = _closed_by_shipping(order, deed, now_ms)
        return [*closed, status_notice(order, messages.SHIPPED if deed.last else messages.PART_SHIPPED, now_ms)]
    parcel = order.parcel(deed.parcel)
    if parcel is None:
        return []
    old = (parcel.carrier_code, parcel.waybill)
    order.replace_waybill(deed, now_ms)
    return [messages.waybill_notice(order, parcel, old, now_ms)]


def _take_in(order: Order, deed: Sign | Receive | ConfirmPart | Confirm | Succeed, now_ms: int) -> list[Notice]:
    """Signing is not told here: where traces are pushed, the courier tells of them."""
    match deed:
        case Sign():
            parcel = order.parcel(deed.parcel)
            if parcel is None or parcel.signed:
                return []
            order.sign(parcel, now_ms)
            return []
        case Receive():
            order.receive(now_ms)
            return []
        case Succeed():
            order.succeed(now_ms)
            return [status_notice(order, messages.SUCCEEDED, now_ms)]
        case ConfirmPart():
            parcel = order.parcel(deed.parcel)
            if parcel is None:
                return []
            parcel.signed_ms = now_ms if parcel.signed_ms is None else parcel.signed_ms
            there = [line for line in order.lines if line.line_id in parcel.line_ids and line.status != CONFIRMED]
            order.confirm_lines([line for line in there if line.logistics_status == SHIPPED], now_ms)
        case Confirm():
            order.confirm(now_ms)
    return [confirmed(order, now_ms)]


def _closed_by_shipping(order: Order, ship: Ship, now_ms: int) -> list[Notice]:
    """Documented upstream: shipping what is asked back without return closes the refund (`SELLER_SEND_GOODS_CLOSE`)."""
    asked = [
        refund
        for refund in order.refunds
        if refund.open and refund.before_shipping and not set(refund.lines).isdisjoint(ship.lines)
    ]
    told: list[Notice] = []
    for refund in asked:
        told += settle_refund(order, refund, now_ms, granted=False, action="SELLER_SEND_GOODS_CLOSE")
    return told


def _refund(order: Order, deed: ApplyRefund | SettleRefund, now_ms: int) -> list[Notice]:
    """What the script wants to ask back may have been asked back by a call already: then it does not."""
    if isinstance(deed, ApplyRefund):
        earlier = order.refund_of(deed.line)
        if earlier is not None and earlier.status != CLOSED:
            return []
        amount_fen = max(1, round(order.refundable_fen(deed.line) * deed.share))
        refund = order.apply_refund(deed.refund_id, deed.line, amount_fen, now_ms, deed.reason)
        return [step_notice(order, refund, now_ms)]
    asked = next((refund for refund in order.refunds if refund.refund_id == deed.refund_id and refund.open), None)
    return [] if asked is None else settle_refund(order, asked, now_ms, granted=deed.granted)
