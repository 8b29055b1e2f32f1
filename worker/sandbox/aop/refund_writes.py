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
from worker.sandbox.order import CANCEL, NOT_SHIPPED, RECEIVED, SUCCESS, Order
from worker.sandbox.refund import CLOSED, LACKING, UNWANTED, WAIT_SEND, Refund
from worker.sandbox.refunding import ask, send_back, withdraw
from worker.sandbox.sandbox import Sandbox

REASONS = {20006: UNWANTED, 20021: LACKING, 20045: "质量问题", 20092: "其他"}
BEFORE_SHIPPING = "refundWaitSellerSend"
GOODS_STATUSES = (
    BEFORE_SHIPPING,
    "refundWaitBuyerReceive",
    "refundBuyerReceived",
    "aftersaleBuyerNotReceived",
    "aftersaleBuyerReceived",
)
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
    places = _places(order, named) if named else [place for place in range(len(order.lines)) if _is_free(order, place)]
    goods_fen, postage_fen = _limits(order, places)
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
    if dispute not in ("refund", "returnRefund"):
        raise BusinessRefusal("4002", "disputeRequest: expected refund or returnRefund")
    if not SHORTEST <= len(form.text("description")) <= LONGEST or len(form.list("vouchers")) > MAX_VOUCHERS:
        raise BusinessRefusal(
            "4003", f"description {SHORTEST} to {LONGEST} characters, {MAX_VOUCHERS} vouchers at most"
        )
    reason = REASONS.get(form.integer("applyReasonId", 0))
    if reason is None:
        raise BusinessRefusal("4004", "applyReasonId is not one of the order's reasons")
    places = _places(order, form.list("orderEntryIds"))
    payment, carriage = form.integer("applyPayment", 0), form.integer("applyCarriage", 0)
    try:
        _check_state(order, places, word, dispute)
        _check_counts(order, form)
        _check_amounts(order, places, word, (payment, carriage))
    except BusinessRefusal as refusal:
        sandbox.refuse("1688.refund.create", order.order_id, refusal.code)
        raise
    number = hashlib.sha256(f"{sandbox.config.seed}:{order.order_id}:{len(order.refunds)}".encode()).hexdigest()
    refund = Refund(
        refund_id=f"TQ{int(number[:14], 16) % 10**17 + 10**17}",
        line=places[0],
        more_lines=tuple(places[1:]),
        amount_fen=payment + carriage,
        carriage_fen=carriage,
        applied_ms=sandbox.now_ms(),
        dispute="refund" if dispute == "refund" else "returnRefund",
        reason=reason,
        before_shipping=word == BEFORE_SHIPPING,
        after_sale=order.status == SUCCESS,
    )
    ask(sandbox, order, refund)
    return {"refundId": refund.refund_id, "innerReasonId": form.integer("applyReasonId", 0), "innerPostFee": carriage}


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
    known = {str(line.line_id): place for place, line in enumerate(order.lines)}
    wanted = [digits("orderEntryIds", value) for value in ids]
    if not wanted or not set(wanted) <= known.keys() or len(set(wanted)) < len(wanted):
        raise BusinessRefusal("4001", "orderEntryIds: expected different lines of the order")
    return [known[one] for one in wanted]


def _is_free(order: Order, place: int) -> bool:
    """Nothing of the line was asked back so far, or what was is closed."""
    refund = order.refund_of(place)
    return order.lines[place].status != CANCEL and (refund is None or refund.status == CLOSED)


def _check_state(order: Order, places: list[int], word: str, dispute: str) -> None:
    lines = [order.lines[place] for place in places]
    fits = {
        BEFORE_SHIPPING: all(line.logistics_status == NOT_SHIPPED for line in lines),
        "refundWaitBuyerReceive": all(line.logistics_status != NOT_SHIPPED for line in lines),
        "refundBuyerReceived": all(line.logistics_status == RECEIVED for line in lines),
    }
    after_sale = word.startswith("aftersale")
    wrong = (
        not order.paid
        or order.status == CANCEL
        or after_sale != (order.status == SUCCESS)
        or not fits.get(word, True)
        or not all(_is_free(order, place) for place in places)
        or (word == BEFORE_SHIPPING and dispute == "returnRefund")
    )
    if wrong:
        raise BusinessRefusal(WRONG_STATE, "not allowed in this state, or asked for already")


def _check_counts(order: Order, form: Form) -> None:
    pieces = {str(line.line_id): line.goods.quantity for line in order.lines}
    for row in form.list("orderEntryCountList"):
        given = as_object("orderEntryCountList", row)
        if not 1 <= whole("count", given.get("count")) <= pieces.get(digits("id", given.get("id")), 0):
            raise BusinessRefusal(WRONG_COUNT, "orderEntryCountList: more pieces than were bought")


def _check_amounts(order: Order, places: list[int], word: str, asked: tuple[int, int]) -> None:
    """Documented: before shipping it has to be exactly what was paid for the lines."""
    payment, carriage = asked
    goods_fen, postage_fen = _limits(order, places)
    too_much = not 0 < payment <= goods_fen or not 0 <= carriage <= postage_fen
    if too_much or (word == BEFORE_SHIPPING and payment != goods_fen):
        raise BusinessRefusal(WRONG_AMOUNT, f"applyPayment up to {goods_fen}, applyCarriage up to {postage_fen}")


def _limits(order: Order, places: list[int]) -> tuple[int, int]:
    """Goods and postage: the postage goes with the last lines that are left."""
    left = {place for place in range(len(order.lines)) if _is_free(order, place)}
    given_back = sum(refund.carriage_fen for refund in order.refunds if refund.status != CLOSED)
    postage_fen = order.shipping_fen - given_back if left <= set(places) else 0
    return sum(order.lines[place].amount_fen for place in places), max(0, postage_fen)


ACTIONS: Mapping[str, Action] = {
    "1688.refund.reasons": reasons,
    "1688.refund.max_fee": max_fee,
    "1688.refund.upload_voucher": upload_voucher,
    "1688.refund.create": create,
    "1688.refund.cancel": cancel,
    "1688.refund.return_goods": return_goods,
}
