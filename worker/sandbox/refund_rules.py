"""What may be asked back of an order, whichever API it is asked through. All amounts are fen."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

import msgspec

from worker.sandbox.order import CANCEL, NOT_SHIPPED, RECEIVED, SUCCESS, Order
from worker.sandbox.refund import CLOSED, LACKING, UNWANTED, Refund
from worker.sandbox.sandbox import Sandbox

REASONS: Final = {20006: UNWANTED, 20021: LACKING, 20045: "质量问题", 20092: "其他"}
BEFORE_SHIPPING: Final = "refundWaitSellerSend"
GOODS_STATUSES: Final = (
    BEFORE_SHIPPING,
    "refundWaitBuyerReceive",
    "refundBuyerReceived",
    "aftersaleBuyerNotReceived",
    "aftersaleBuyerReceived",
)
DISPUTES: Final = ("refund", "returnRefund")


class Asked(msgspec.Struct, frozen=True):
    """What a call asks back: goods and postage of some lines (places in the order), in the upstream's words."""

    places: Sequence[int]
    goods_status: str
    dispute: str
    reason: str
    payment_fen: int
    carriage_fen: int


def find_refund(sandbox: Sandbox, refund_id: str) -> tuple[Order, Refund] | None:
    """The refund of this id with its order, None if there is none."""
    pairs = ((order, refund) for order in sandbox.world.orders.values() for refund in order.refunds)
    return next((pair for pair in pairs if pair[1].refund_id == refund_id), None)


def places_of(order: Order, line_ids: Sequence[str]) -> list[int] | None:
    """The places of these lines in the order; None unless they are different lines of it, at least one."""
    known = {str(line.line_id): place for place, line in enumerate(order.lines)}
    if not line_ids or not set(line_ids) <= known.keys() or len(set(line_ids)) < len(line_ids):
        return None
    return [known[line_id] for line_id in line_ids]


def free_places(order: Order) -> list[int]:
    """The lines of which nothing was asked back so far, or of which what was is closed."""
    refunds = ((place, order.refund_of(place)) for place in range(len(order.lines)))
    return [
        place
        for place, refund in refunds
        if order.lines[place].status != CANCEL and (refund is None or refund.status == CLOSED)
    ]


def fits(order: Order, asked: Asked) -> bool:
    """Tell whether the words say what is true of the goods, and nothing of it was asked back already."""
    lines = [order.lines[place] for place in asked.places]
    goods_fit = {
        BEFORE_SHIPPING: all(line.logistics_status == NOT_SHIPPED for line in lines) and asked.dispute == "refund",
        "refundWaitBuyerReceive": all(line.logistics_status != NOT_SHIPPED for line in lines),
        "refundBuyerReceived": all(line.logistics_status == RECEIVED for line in lines),
    }.get(asked.goods_status, True)
    open_trade = order.paid and order.status != CANCEL
    time_fits = asked.goods_status.startswith("aftersale") == (order.status == SUCCESS)
    return open_trade and goods_fit and time_fits and set(asked.places) <= set(free_places(order))


def limits(order: Order, places: Sequence[int]) -> tuple[int, int]:
    """The most that can be asked back of goods and of postage, which goes with the last lines that are left."""
    given_back = sum(refund.carriage_fen for refund in order.refunds if refund.status != CLOSED)
    postage_fen = order.shipping_fen - given_back if set(free_places(order)) <= set(places) else 0
    return sum(order.lines[place].amount_fen for place in places), max(0, postage_fen)


def within_limits(order: Order, asked: Asked) -> bool:
    """Tell whether so much can be asked back."""
    goods_fen, postage_fen = limits(order, asked.places)
    return 0 < asked.payment_fen <= goods_fen and 0 <= asked.carriage_fen <= postage_fen


def refund_for(sandbox: Sandbox, order: Order, asked: Asked) -> Refund:
    """The refund that a call opens. Its id follows from the order and how many it had before."""
    digest = hashlib.sha256(f"{sandbox.config.seed}:{order.order_id}:{len(order.refunds)}".encode()).hexdigest()
    first, *more = asked.places
    return Refund(
        refund_id=f"TQ{10**17 + int(digest[:14], 16) % 10**17}",
        line=first,
        more_lines=tuple(more),
        amount_fen=asked.payment_fen + asked.carriage_fen,
        carriage_fen=asked.carriage_fen,
        applied_ms=sandbox.now_ms(),
        dispute="refund" if asked.dispute == "refund" else "returnRefund",
        reason=asked.reason,
        before_shipping=asked.goods_status == BEFORE_SHIPPING,
        after_sale=order.status == SUCCESS,
    )
