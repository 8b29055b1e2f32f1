"""Carrying out one step of a life: the order changes, and the platform has something to tell (or nothing)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from worker.sandbox import messages
from worker.sandbox.messages import Notice, refund_notice, status_notice
from worker.sandbox.order import CANCEL, Order
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
        return [_dispatch(order, deed, now_ms)]
    return _take_in(order, deed, now_ms)


def close(order: Order, deed: Close, now_ms: int) -> Notice:
    """Close an unpaid order; `BOPS` is upstream's word for its own back office."""
    reason, operate_type = {
        "buyer": ("buyerCancel", "CLOSE_TRADE_BY_BUYER"),
        "seller": ("sellerGoodsLack", "CLOSE_TRADE_BY_SELLER"),
        "platform": ("BUYER_NO_PAY", "CLOSE_TRADE_BY_BOPS"),
    }[deed.by]
    order.close(reason, operate_type, now_ms)
    return status_notice(order, messages.CLOSED[deed.by], now_ms)


def _dispatch(order: Order, deed: Ship | ReplaceWaybill, now_ms: int) -> Notice:
    if isinstance(deed, Ship):
        order.ship(deed, now_ms)
        return status_notice(order, messages.SHIPPED if deed.last else messages.PART_SHIPPED, now_ms)
    parcel = order.parcels[deed.parcel]
    old = (parcel.carrier_code, parcel.waybill)
    order.replace_waybill(deed, now_ms)
    return messages.waybill_notice(order, old, deed, now_ms)


def _take_in(order: Order, deed: Receive | ConfirmPart | Confirm | Succeed, now_ms: int) -> list[Notice]:
    """Confirming a part is told like confirming all; signing for the goods is not told at all."""
    match deed:
        case Receive():
            order.receive(now_ms)
            return []
        case Succeed():
            order.succeed(now_ms)
            return [status_notice(order, messages.SUCCEEDED, now_ms)]
        case ConfirmPart():
            order.confirm_part(deed.parcel, now_ms)
        case Confirm():
            order.confirm(now_ms)
    return [status_notice(order, messages.CONFIRMED, now_ms, messages.CONFIRM_WORD)]


def _refund(order: Order, deed: ApplyRefund | SettleRefund, now_ms: int) -> list[Notice]:
    if isinstance(deed, ApplyRefund):
        order.apply_refund(deed.refund_id, deed.line, now_ms)
        return [refund_notice(order, "BUYER_APPLY_REFUND", "buyer", now_ms)]
    order.settle_refund(now_ms, granted=deed.granted)
    action, operator = ("SELLER_AGREE_REFUND", "seller") if deed.granted else ("BUYER_CANCEL_REFUND_CLOSE", "buyer")
    told = [refund_notice(order, action, operator, now_ms)]
    if order.status == CANCEL:  # documented upstream: also sent when a refund closes the trade
        told.append(status_notice(order, messages.CLOSED["seller"], now_ms))
    return told
