"""Reading refunds: the buyer's list, those of an order, one of them, its history. All amounts are fen (documented)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from worker.sandbox.aop.form import Form
from worker.sandbox.aop.gateway import Action
from worker.sandbox.aop.refusals import BusinessRefusal
from worker.sandbox.order import Order
from worker.sandbox.refund import GRANTED, WAIT_MODIFY, Refund
from worker.sandbox.refund_rules import find_refund
from worker.sandbox.sandbox import Sandbox
from worker.sandbox.timetext import stamp

OLDEST_MS = 730 * 86_400_000
"""Documented: the list reaches back so far; told by time stamps, unscaled."""
IN_SALE, AFTER_SALE = 1, 2
ROLES = {"buyer": 1, "seller": 2, "system": 3}
MOST = 100
_FAR = 2**62
_ACTIVE, _SUCCESSFUL = 1, 3
"""`queryType` of the refunds of one order."""


def listed(sandbox: Sandbox, form: Form) -> dict[str, Any]:
    """`queryOrderRefundList`: pages from 0, as the sample has it; for main accounts only."""
    if not sandbox.open_platform.main_account:
        raise BusinessRefusal("500_2", "must be the buyer's main account")
    number, size = form.integer("currentPageNum", 0), form.integer("pageSize", 20)
    if number < 0 or not 1 <= size <= MOST:
        raise BusinessRefusal("400", f"currentPageNum from 0, pageSize from 1 to {MOST}")
    applied = (form.moment("applyStartTime", 0), form.moment("applyEndTime", _FAR))
    if applied[0] and applied[0] < sandbox.now_ms() - OLDEST_MS:
        raise BusinessRefusal("APPLY_TIME_ERROR", "only the last 730 days")
    modified = (form.moment("modifyStartTime", 0), form.moment("modifyEndTime", _FAR))
    words = [str(word) for word in form.list("refundStatusSet")]
    kind = form.integer("dipsuteType", 0)  # their spelling
    found = [
        (order, refund)
        for order, refund in refunds(sandbox)
        if form.text("orderId") in ("", order.order_id)
        and form.text("sellerMemberId") in ("", order.life.seller.member_id)
        and applied[0] <= refund.applied_ms <= applied[1]
        and modified[0] <= refund.changed_ms <= modified[1]
        and (not words or refund.status in words)
        and kind in (0, AFTER_SALE if refund.after_sale else IN_SALE)
    ]
    found.sort(key=lambda pair: (pair[1].changed_ms, pair[1].refund_id), reverse=True)
    rows = [model(order, refund) for order, refund in found[number * size : (number + 1) * size]]
    return {"opOrderRefundModels": rows, "totalCount": len(found), "currentPageNum": number}


def of_order(sandbox: Sandbox, form: Form) -> dict[str, Any]:
    """`OpQueryBatchRefundByOrderIdAndStatus`: in sale only."""
    order = sandbox.world.orders.get(form.id("orderId"))
    if order is None:
        raise BusinessRefusal("order.find.error", "the order was not found")
    kind = form.integer("queryType", _ACTIVE)
    if kind not in (_ACTIVE, _SUCCESSFUL):
        raise BusinessRefusal("400", "queryType: expected 1 or 3")
    rows = [
        model(order, refund)
        for refund in order.refunds
        if not refund.after_sale and (refund.status == GRANTED if kind == _SUCCESSFUL else refund.open)
    ]
    return {"opOrderRefundModels": rows}


def detail(sandbox: Sandbox, form: Form) -> dict[str, Any]:
    """`OpQueryOrderRefund`."""
    order, refund = refund_of(sandbox, form.text("refundId"))
    shown = model(order, refund)
    if form.flag("needOrderRefundOperation"):
        shown["refundOperationList"] = history(order, refund)
    return {"opOrderRefundModelDetail": shown}


def operations(sandbox: Sandbox, form: Form) -> dict[str, Any]:
    """`OpQueryOrderRefundOperationList`: pages from 1 (inferred)."""
    order, refund = refund_of(sandbox, form.text("refundId"))
    number, size = form.integer("pageNo", 1), form.integer("pageSize", 20)
    if number < 1 or not 1 <= size <= MOST:
        raise BusinessRefusal("400", f"pageNo from 1, pageSize from 1 to {MOST}")
    rows = history(order, refund)
    return {"opOrderRefundOperationModels": rows[(number - 1) * size : number * size], "totalCount": len(rows)}


def refunds(sandbox: Sandbox) -> Iterator[tuple[Order, Refund]]:
    """Every refund of the world with its order."""
    for order in sandbox.world.orders.values():
        for refund in order.refunds:
            yield order, refund


def refund_of(sandbox: Sandbox, refund_id: str) -> tuple[Order, Refund]:
    """A refund and its order. Raises BusinessRefusal where there is none."""
    found = find_refund(sandbox, refund_id)
    if found is None:
        raise BusinessRefusal("500", f"003: refund {refund_id} does not exist")
    return found


def model(order: Order, refund: Refund) -> dict[str, Any]:
    """`OpOrderRefundModel`."""
    lines = [order.lines[place] for place in refund.lines]
    zone = order.life.offset_h
    done = refund.status == GRANTED
    asked_fen, carriage_fen = refund.amount_fen - refund.carriage_fen, refund.carriage_fen
    rejections = [step for step in refund.operations if step.after == WAIT_MODIFY]
    return {
        "id": int("".join(character for character in refund.refund_id if character.isdigit()) or 0),
        "refundId": refund.refund_id,
        "orderId": order.life.order_id,
        "orderEntryIdList": [line.line_id for line in lines],
        "orderEntryCountMap": {str(line.line_id): line.goods.quantity for line in lines},
        "status": refund.status,
        "applyPayment": asked_fen,
        "applyCarriage": carriage_fen,
        "refundPayment": asked_fen if done else 0,
        "refundCarriage": carriage_fen if done else 0,
        "canRefundPayment": refund.amount_fen,
        "frozenFund": refund.amount_fen if refund.open else 0,
        "disputeType": AFTER_SALE if refund.after_sale else IN_SALE,
        "goodsStatus": 1 if refund.before_shipping else 2,
        "onlyRefund": refund.dispute == "refund",
        "refundGoods": refund.dispute == "returnRefund",
        "applyReason": refund.reason,
        "rejectReason": "不同意" if rejections else None,
        "rejectTimes": len(rejections),
        "freightBill": refund.freight_bill,
        "gmtApply": stamp(refund.applied_ms, zone),
        "gmtCompleted": None if refund.settled_ms is None else stamp(refund.settled_ms, zone),
        "gmtModified": stamp(refund.changed_ms, zone),
        "buyerMemberId": order.life.buyer.member_id,
        "sellerMemberId": order.life.seller.member_id,
    }


def history(order: Order, refund: Refund) -> list[dict[str, Any]]:
    """What was done about a refund, oldest first. The numbers of the kinds are invented, those of the roles not."""
    kinds = sorted({step.action for step in refund.operations})
    return [
        {
            "refundId": refund.refund_id,
            "beforeOperateStatus": step.before,
            "afterOperateStatus": step.after,
            "operateTypeInt": kinds.index(step.action) + 1,
            "operatorRoleId": ROLES[step.by],
            "gmtCreate": stamp(step.at, order.life.offset_h),
        }
        for step in refund.operations
    ]


ACTIONS: Mapping[str, Action] = {
    "1688.refund.list": listed,
    "1688.refund.by_order": of_order,
    "1688.refund.detail": detail,
    "1688.refund.operations": operations,
}
