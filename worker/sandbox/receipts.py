"""When a receipt may be confirmed, and what a refusal says.

The answer's three fields (success, errorInfo, errorCode) are documented, and of the codes only 4003, by a sister
platform. The others are the sandbox's own and say so. That an open refund forbids it is inferred: switchable.
"""

from __future__ import annotations

from typing import Final

from worker.sandbox.ledgers import Receipt
from worker.sandbox.order import CANCEL, CONFIRMED, RECEIVED, SHIPPED, SUCCESS, Line, Order

NO_SUCH_ORDER = "4003"
NO_SUCH_LINE = "SANDBOX_NO_SUCH_LINE"
NOT_SHIPPED = "SANDBOX_NOT_SHIPPED"
REFUND_OPEN = "SANDBOX_REFUND_OPEN"
ALREADY_CONFIRMED = "SANDBOX_ALREADY_CONFIRMED"
ORDER_CLOSED = "SANDBOX_ORDER_CLOSED"
TEXTS: Final = {
    NO_SUCH_ORDER: "order does not exist",
    NO_SUCH_LINE: "not a line of this order",
    NOT_SHIPPED: "not everything of it is shipped",
    REFUND_OPEN: "a refund is open",
    ALREADY_CONFIRMED: "already confirmed",
    ORDER_CLOSED: "order is closed",
}


class ReceiptRefusedError(Exception):
    """The receipt may not be confirmed; `code` is a key of `TEXTS`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def confirmable(order: Order, line_ids: list[str], *, while_refunding: bool) -> list[Line]:
    """The lines that a call means: those it names, or all that are still to be confirmed where it names none.

    Raises:
        ReceiptRefusedError: one of them may not be confirmed; then none is.
    """
    if order.status == CANCEL:
        raise ReceiptRefusedError(ORDER_CLOSED)
    known = {str(line.line_id): place for place, line in enumerate(order.lines)}
    if not set(line_ids) <= known.keys():
        raise ReceiptRefusedError(NO_SUCH_LINE)
    places = [known[line_id] for line_id in dict.fromkeys(line_ids)] or _left(order)
    if not places or any(order.lines[place].status in (CONFIRMED, SUCCESS, CANCEL) for place in places):
        raise ReceiptRefusedError(ALREADY_CONFIRMED)
    if any(order.lines[place].logistics_status not in (SHIPPED, RECEIVED) for place in places):
        raise ReceiptRefusedError(NOT_SHIPPED)
    if not while_refunding and any(_is_refunding(order, place) for place in places):
        raise ReceiptRefusedError(REFUND_OPEN)
    return [order.lines[place] for place in places]


def complete(order: Order) -> bool:
    """Nothing is left to be confirmed: what was refunded in full needs no receipt."""
    return all(order.refunded(place) for place in _left(order))


def receipt_of(order: Order, lines: list[Line], at: int, *, by_call: bool) -> Receipt:
    """The row to be written, before the lines change. The postage goes with the last line."""
    ids = {line.line_id for line in lines}
    places = [place for place, line in enumerate(order.lines) if line.line_id in ids]
    whole = all(place in places or order.refunded(place) for place in _left(order))
    given_back = sum(
        refund.amount_fen
        for refund in order.refunds
        if not set(refund.lines).isdisjoint(places) and refund.status == "refundsuccess"
    )
    amount_fen = sum(line.amount_fen for line in lines) + order.shipping_fen * whole - given_back
    return Receipt(
        order_id=order.order_id,
        line_ids=[str(line.line_id) for line in lines],
        amount_fen=max(0, amount_fen),
        at=at,
        by="call" if by_call else "buyer",
        whole=whole,
        signed=all(parcel.signed for parcel in order.parcels if ids & set(parcel.line_ids)),
        refund_open=any(_is_refunding(order, place) for place in places),
    )


def _left(order: Order) -> list[int]:
    done = (CONFIRMED, SUCCESS, CANCEL)
    return [place for place, line in enumerate(order.lines) if line.status not in done]


def _is_refunding(order: Order, place: int) -> bool:
    refund = order.refund_of(place)
    return refund is not None and refund.settled_ms is None
