"""Paying: the agreement, the payment that it allows, and links for people. All amounts are fen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from worker.sandbox.aop.form import Form, digits, whole
from worker.sandbox.aop.gateway import Action, HangUpError
from worker.sandbox.aop.orders import order_of
from worker.sandbox.aop.platform import PayWay
from worker.sandbox.aop.refusals import BusinessRefusal
from worker.sandbox.order import Order
from worker.sandbox.sandbox import Sandbox
from worker.sandbox.timetext import plain

MAX_LINKED = 100
CHANNELS = ("alipay", "shegou")
"""Documented for the payment. `kjpayV2` is another contract and not to be had here."""
CASHIER = "https://trade.1688.com/order/cashier.htm?orderId="
MANY_AT_ALIPAY = "https://mapi.alipay.com/gateway.do?service=trade_batch_pay&orders="
MAIN_ACCOUNT_ONLY = ("500_2", "must be the buyer's main account")


def agreement(sandbox: Sandbox, _form: Form) -> dict[str, Any]:
    """`protocolPay.isopen`: texts "true" and "false"; only both together are an agreement."""
    signed = "true" if sandbox.open_platform.agreement else "false"
    ready = {"payChannel": "ALIPAY", "bindingStatus": "true", "signedStatus": signed, "signUrl": None}
    unused = {"payChannel": "SHEGOU", "bindingStatus": "false", "signedStatus": "false", "signUrl": None}
    return {
        "paymentAgreements": [
            unused | {"agreementNo": None},
            ready | {"agreementNo": "20265000000000000001" if signed == "true" else None},
        ]
    }


def prepare(sandbox: Sandbox, form: Form) -> dict[str, Any]:
    """`protocolPay.preparePay`: takes the order's whole amount at once, at most three times asked.

    A wrong `payAmount` is refused (inferred); without one the platform computes it (field).
    """
    platform = sandbox.open_platform
    param = form.object("tradeWithholdPreparePayParam")
    order = order_of(sandbox, digits("orderId", param.get("orderId")))
    channel = str(param.get("payChannel") or "alipay").lower()
    request_id = str(param.get("opRequestId") or "")
    if sandbox.config.aop.request_id_counts and request_id in platform.paid_requests:
        return {"payChannel": channel, "paySuccess": platform.paid_requests[request_id]}
    platform.pay_tries[order.order_id] += 1
    _check(sandbox, order, channel, param.get("payAmount"))
    way = platform.pay_script.popleft() if platform.pay_script else PayWay.TAKEN
    if way in (PayWay.TAKEN, PayWay.FALSE_BUT_TAKEN, PayWay.TIMED_OUT_BUT_TAKEN):
        sandbox.world.pay(order, "agreement")
    if way in (PayWay.TIMED_OUT, PayWay.TIMED_OUT_BUT_TAKEN):
        raise HangUpError
    said = way is PayWay.TAKEN
    if request_id:
        platform.paid_requests[request_id] = said
    return {"payChannel": channel, "paySuccess": said}


def _check(sandbox: Sandbox, order: Order, channel: str, amount: Any) -> None:
    """Refuse what cannot be paid so. The codes are invented: those of this operation are not documented."""
    if not sandbox.open_platform.agreement:
        raise BusinessRefusal("PROTOCOL_NOT_SIGNED", "the buyer has no payment agreement")
    if channel not in CHANNELS:
        raise BusinessRefusal("PARAM_ILLEGAL", f"payChannel {channel} is not supported")
    if sandbox.open_platform.pay_tries[order.order_id] > sandbox.config.aop.pay_tries:
        raise BusinessRefusal("PAY_TIMES_EXCEEDED", f"at most {sandbox.config.aop.pay_tries} tries")
    if not order.payable:
        raise BusinessRefusal("ORDER_STATUS_ERROR", f"the order is {order.status}")
    if amount is not None and whole("payAmount", amount) != order.total_fen:
        raise BusinessRefusal("PAY_AMOUNT_ERROR", "payAmount is not the order's amount")


def link(sandbox: Sandbox, form: Form) -> dict[str, Any]:
    """`alipay.url.get`: a link for those that can be paid, a list of the others; it moves no money by itself."""
    ids = [digits("orderIdList", value) for value in form.list("orderIdList")]
    if not 1 <= len(ids) <= MAX_LINKED:
        raise BusinessRefusal("400", f"orderIdList: expected 1 to {MAX_LINKED} orders")
    orders = [sandbox.world.orders.get(order_id) for order_id in ids]
    payable = [order for order in orders if order is not None and order.payable]
    failed = [order_id for order_id, order in zip(ids, orders, strict=True) if order not in payable]
    if not payable:
        raise BusinessRefusal("PRODUCT_TRADE_STAT_ERROR", "no order can be paid")
    for order in payable:
        sandbox.world.give_pay_url(order)
    good = [order.order_id for order in payable]
    url = CASHIER + good[0] if len(good) == 1 else MANY_AT_ALIPAY + ";".join(good)
    return {"payUrl": url, "payFailureOrderList": [int(one) for one in failed], "errorCode": None, "erroMsg": None}


def ways(sandbox: Sandbox, form: Form) -> dict[str, Any]:
    """`payWay.query`: the channels of an order and what is to be paid. For main accounts only."""
    if not sandbox.open_platform.main_account:
        raise BusinessRefusal(*MAIN_ACCOUNT_ONLY)
    order = order_of(sandbox, form.id("orderId"))
    if not order.payable:
        raise BusinessRefusal("ORDER_STATUS_ERROR", f"the order is {order.status}")
    ends = order.created_ms + sandbox.config.scaled_ms(sandbox.config.pay_timeout_s)
    shown = {
        "orderId": order.life.order_id,
        "payFee": order.total_fen,
        "timeout": plain(ends),
        "channels": [{"code": 1, "name": "支付宝"}, {"code": 15, "name": "银行卡"}],
    }
    return {"resultList": shown, "errorCode": None, "errorMsg": None}


ACTIONS: Mapping[str, Action] = {
    "1688.payment.agreement": agreement,
    "1688.payment.prepare": prepare,
    "1688.payment.url": link,
    "1688.payment.ways": ways,
}
