"""Asking for money back: reasons, the largest amount, vouchers, the request, its end. All amounts are fen.

Which of the documented codes 5001 to 5013 and 4xxx stands for what is partly inferred.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from worker.sandbox.aop.form import Form, as_object, digits, whole
from worker.sandbox.aop.gateway import Action
from worker.sandbox.aop.orders import order_of
from worker.sandbox.aop.refund_reads import refund_of
from worker.sandbox.aop.refusals import BusinessRefusal
from worker.sandbox.order import Order
from worker.sandbox.refund import WAIT_SEND
from worker.sandbox.refund_rules import (
    BEFORE_SHIPPING,
    DISPUTES,
    GOODS_STATUSES,
    REASONS,
    Asked,
    fits,
    free_places,
    limits,
    places_of,
    refund_for,
    within_limits,
)
from worker.sandbox.refunding import ask, send_back, withdraw
from worker.sandbox.sandbox import Sandbox

SHORTEST, LONGEST = 2, 150
MAX_VOUCHERS, MAX_BACK_VOUCHERS, MAX_VOUCHER = 5, 10, 1_048_576
WRONG_STATE, WRONG_AMOUNT, WRONG_COUNT = "5010", "5011", "5013"


def reasons(sandbox: Sandbox, form: Form) -> dict[str, Any]:
    """`getRefundReasonList`."""
    order = order_of(sandbox, form.id("orderId"))
    _places(order, form.list("orderEntryIds"))
    _check_word(form.text("goodsStatus"))
    rows = [
        {"id": number, "name": name, "needVoucher": number == 20045, "noRefundCarriage": False, "tip": None}  # noqa: PLR2004
        for number, name in REASONS.items()
    ]
    return {"reasons": rows}


def max_fee(sandbox: Sandbox, form: Form) -> dict[str, Any]:
    """`getMaxRefundFee`: of the lines named, or of all."""
    given = form.object("input")
    order = order_of(sandbox, digits("orderId", given.get("orderId")))
    _check_word(str(given.get("goodsStatus") or ""))
    rows = given.get("refundGoodsCountList")
    named = [as_object("refundGoodsCountList", row).get("id") for row in rows] if isinstance(rows, list) else []
    places = _places(order, named) if named else free_places(order)
    goods_fen, postage_fen = limits(order, places)
    return {
        "maxGoodsFee": goods_fen,
        "maxPostFee": postage_fen,
        "maxRefundFee": goods_fen + postage_fen,
        "maxSubstituteFetchFee": 0,
    }


def upload_voucher(sandbox: Sandbox, form: Form) -> dict[str, Any]:
    """`uploadRefundVoucher`: a file part, which is not signed, or base64 text, which is (two official SDKs)."""
    image = form.files.get("imageData", b"")
    if not image:
        try:
            image = base64.b64decode(form.text("imageData"), validate=True)
        except ValueError as error:
            raise BusinessRefusal("4001", "imageData is not base64") from error
    if not 0 < len(image) < MAX_VOUCHER:
        raise BusinessRefusal("4001", "the image is empty or 1 MB and more")
    name = f"/img/ibank/{hashlib.sha256(image).hexdigest()[:24]}.jpg"
    sandbox.open_platform.vouchers[name] = image
    return {"imageDomain": "https://cbu01.alicdn.com", "imageRelativeUrl": name}


def create(sandbox: Sandbox, form: Form) -> dict[str, Any]:
    """`createRefund`."""
    order = order_of(sandbox, form.id("orderId"))
    word, dispute = form.text("goodsStatus"), form.text("disputeRequest")
    _check_word(word)
    if dispute not in DISPUTES:
        raise BusinessRefusal("4002", f"disputeRequest: expected {' or '.join(DISPUTES)}")
    if not SHORTEST <= len(form.text("description")) <= LONGEST or len(form.list("vouchers")) > MAX_VOUCHERS:
        raise BusinessRefusal(
            "4003", f"description {SHORTEST} to {LONGEST} characters, {MAX_VOUCHERS} vouchers at most"
        )
    reason = REASONS.get(form.integer("applyReasonId", 0))
    if reason is None:
        raise BusinessRefusal("4004", "applyReasonId is not one of the order's reasons")
    places = _places(order, form.list("orderEntryIds"))
    asked = Asked(places, word, dispute, reason, form.integer("applyPayment", 0), form.integer("applyCarriage", 0))
    try:
        _check_state(order, asked)
        _check_counts(order, form)
        _check_amounts(order, asked)
    except BusinessRefusal as refusal:
        sandbox.refuse("1688.refund.create", order.order_id, refusal.code)
        raise
    refund = refund_for(sandbox, order, asked)
    ask(sandbox, order, refund)
    reason_id = form.integer("applyReasonId", 0)
    return {"refundId": refund.refund_id, "innerReasonId": reason_id, "innerPostFee": asked.carriage_fen}


def cancel(sandbox: Sandbox, form: Form) -> dict[str, Any]:
    """`cancelRefund`."""
    order, refund = refund_of(sandbox, form.text("refundId"))
    if not refund.open:
        raise BusinessRefusal(WRONG_STATE, f"the refund is {refund.status}")
    withdraw(sandbox, order, refund)
    return {"refundId": refund.refund_id}


def return_goods(sandbox: Sandbox, form: Form) -> dict[str, Any]:
    """`returnGoods`: once the seller has agreed to take them back."""
    order, refund = refund_of(sandbox, form.text("refundId"))
    if len(form.list("vouchers")) > MAX_BACK_VOUCHERS:
        raise BusinessRefusal("4008", f"{MAX_BACK_VOUCHERS} vouchers at most")
    if refund.status != WAIT_SEND:
        raise BusinessRefusal("5001", f"the refund is {refund.status}")
    send_back(sandbox, order, refund, form.text("freightBill"))
    return {"errorCode": None, "errorInfo": None}


def _check_word(word: str) -> None:
    if word not in GOODS_STATUSES:
        raise BusinessRefusal("4005", f"goodsStatus: expected one of {', '.join(GOODS_STATUSES)}")


def _places(order: Order, ids: list[Any]) -> list[int]:
    places = places_of(order, [digits("orderEntryIds", value) for value in ids])
    if places is None:
        raise BusinessRefusal("4001", "orderEntryIds: expected different lines of the order")
    return places


def _check_state(order: Order, asked: Asked) -> None:
    if not fits(order, asked):
        raise BusinessRefusal(WRONG_STATE, "not allowed in this state, or asked for already")


def _check_counts(order: Order, form: Form) -> None:
    pieces = {str(line.line_id): line.goods.quantity for line in order.lines}
    for row in form.list("orderEntryCountList"):
        given = as_object("orderEntryCountList", row)
        if not 1 <= whole("count", given.get("count")) <= pieces.get(digits("id", given.get("id")), 0):
            raise BusinessRefusal(WRONG_COUNT, "orderEntryCountList: more pieces than were bought")


def _check_amounts(order: Order, asked: Asked) -> None:
    """Documented: before shipping it has to be exactly what was paid for the lines."""
    goods_fen, postage_fen = limits(order, asked.places)
    in_part = asked.goods_status == BEFORE_SHIPPING and asked.payment_fen != goods_fen
    if in_part or not within_limits(order, asked):
        raise BusinessRefusal(WRONG_AMOUNT, f"applyPayment up to {goods_fen}, applyCarriage up to {postage_fen}")


ACTIONS: Mapping[str, Action] = {
    "1688.refund.reasons": reasons,
    "1688.refund.max_fee": max_fee,
    "1688.refund.upload_voucher": upload_voucher,
    "1688.refund.create": create,
    "1688.refund.cancel": cancel,
    "1688.refund.return_goods": return_goods,
}
