"""What changes an order: creating it, cancelling it, confirming its receipt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from worker.sandbox.aop.cargo import check_address, read_cargo
from worker.sandbox.aop.form import Form, digits
from worker.sandbox.aop.gateway import Action
from worker.sandbox.aop.orders import on_1688, order_of
from worker.sandbox.aop.preview import TRADE_TYPES
from worker.sandbox.aop.refusals import BusinessRefusal
from worker.sandbox.order import Order
from worker.sandbox.ordering import FullError, Group, lives_of, make_orders
from worker.sandbox.receipts import TEXTS, ReceiptRefusedError
from worker.sandbox.sandbox import Sandbox

CANCEL_REASONS = ("buyerCancel", "sellerGoodsLack", "other")
TOO_FAST, WRONG_STATUS = "CLOSE_ORDER_TOO_FAST", "ORDER_STATUS_ERROR"


def create(sandbox: Sandbox, form: Form) -> dict[str, Any]:
    """`createCrossOrder` and `fastCreateOrder`: one order per warehouse of the seller; amounts are fen.

    `orderId` and `totalSuccessAmount` are empty when several orders were made (documented).
    """
    check_address(form)
    groups = read_cargo(sandbox, form, form.text("flow"))
    trade_type = form.text("tradeType")
    if trade_type not in ("", *TRADE_TYPES):
        raise BusinessRefusal("400", f"not support tradeType:【{trade_type}】")
    own_id = form.text("outOrderId")
    known = sandbox.open_platform.creations.get(own_id, []) if sandbox.config.aop.out_order_id_unique else []
    orders = [sandbox.world.orders[order_id] for order_id in known] or _make(sandbox, groups, own_id)
    answer = _created(orders)
    return answer | {"success": False} if sandbox.config.aop.create_says_false else answer


def _make(sandbox: Sandbox, groups: list[Group], own_id: str) -> list[Order]:
    platform = sandbox.open_platform
    try:
        orders = make_orders(sandbox, lives_of(sandbox, groups), own_id or None)
    except FullError as error:
        raise BusinessRefusal("500", str(error)) from error
    if own_id:
        platform.out_order_ids |= {order.order_id: own_id for order in orders}
        platform.creations.setdefault(own_id, []).extend(order.order_id for order in orders)
    return orders


def _created(orders: list[Order]) -> dict[str, Any]:
    rows = [
        {
            "orderId": order.order_id,
            "orderAmmount": order.total_fen,  # their spelling
            "postFee": order.shipping_fen,
            "success": True,
            "resultCode": "200",
            "message": None,
            "payChannel": "alipay",
        }
        for order in orders
    ]
    alone = orders[0] if len(orders) == 1 else None
    return {
        "orderId": alone.order_id if alone else "",
        "totalSuccessAmount": alone.total_fen if alone else None,
        "postFee": sum(order.shipping_fen for order in orders),
        "accountPeriod": None,
        "failedOfferList": [],
        "orderList": rows,
    }


def cancel(sandbox: Sandbox, form: Form) -> dict[str, Any]:
    """`trade.cancel`: only what nobody has paid, and not in the first seconds."""
    on_1688(form)
    order = order_of(sandbox, form.id("tradeID"))
    if form.text("cancelReason") not in CANCEL_REASONS:
        raise BusinessRefusal("400", f"cancelReason: expected one of {', '.join(CANCEL_REASONS)}")
    if not order.payable or order.settling:
        sandbox.refuse("1688.order.cancel", order.order_id, WRONG_STATUS)
        raise BusinessRefusal(WRONG_STATUS, f"the order is {order.status}")
    if sandbox.now_ms() - order.created_ms < sandbox.config.scaled_ms(sandbox.config.aop.cancel_after_s):
        sandbox.refuse("1688.order.cancel", order.order_id, TOO_FAST)
        raise BusinessRefusal(TOO_FAST, "the order was created a moment ago")
    sandbox.world.cancel(order, form.text("cancelReason"))
    return {"errorCode": None, "errorMessage": None}


def confirm_receipt(sandbox: Sandbox, form: Form) -> dict[str, Any]:
    """`trade.receivegoods.confirm`: of the lines named. It gives the money away."""
    order = order_of(sandbox, form.id("orderId"))
    lines = [digits("orderEntryIds", value) for value in form.list("orderEntryIds")]
    try:
        sandbox.world.confirm_receipt(order, lines)
    except ReceiptRefusedError as refusal:
        sandbox.refuse("1688.order.confirm_receipt", order.order_id, refusal.code)
        raise BusinessRefusal(refusal.code, TEXTS[refusal.code]) from refusal
    return {"errorCode": None, "errorInfo": None}


ACTIONS: Mapping[str, Action] = {
    "1688.order.create": create,
    "1688.order.fast_create": create,
    "1688.order.cancel": cancel,
    "1688.order.confirm_receipt": confirm_receipt,
}
