"""The ladder an order climbs, and how each marketplace's words map to it.

Words of 1688 and Taobao: documented or seen upstream (marketplace notes 3.2, 3.4, 4.4); words of Xport/KA: documented
in part. A word that stands in no table is kept as it came, moves nothing, and raises an alert.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from worker.domain.identity import Platform


class OrderStatus(StrEnum):
    """One ladder for every marketplace. Only a snapshot may lead down it."""

    UNKNOWN = "unknown"
    BEING_CREATED = "being_created"
    AWAITING_PAYMENT = "awaiting_payment"
    PAYMENT_IN_PROGRESS = "payment_in_progress"
    AWAITING_SHIPMENT = "awaiting_shipment"
    PARTLY_SHIPPED = "partly_shipped"
    SHIPPED = "shipped"
    RECEIPT_CONFIRMED = "receipt_confirmed"
    COMPLETED = "completed"
    CLOSED = "closed"

    @property
    def rank(self) -> int:
        """Return the rung, 0 at the bottom. `closed` is the highest: nothing follows it."""
        return _RANKS[self]

    @property
    def is_final(self) -> bool:
        """Tell whether the marketplace is not expected to move the order any more (refunds may still come)."""
        return self in (OrderStatus.COMPLETED, OrderStatus.CLOSED)

    @property
    def is_paid(self) -> bool:
        """Tell whether this rung can only be reached with the money taken."""
        return _RANKS[OrderStatus.AWAITING_SHIPMENT] <= self.rank <= _RANKS[OrderStatus.COMPLETED]


_RANKS: Final = {status: rank for rank, status in enumerate(OrderStatus)}

_S = OrderStatus
_WORDS_1688: Final = {
    "waitbuyerpay": _S.AWAITING_PAYMENT,
    "waitsellersend": _S.AWAITING_SHIPMENT,
    "paid_but_not_fund": _S.AWAITING_SHIPMENT,
    "waitlogisticstakein": _S.SHIPPED,
    "waitbuyerreceive": _S.SHIPPED,
    "waitbuyersign": _S.SHIPPED,
    "signinsuccess": _S.SHIPPED,
    "signinfailed": _S.SHIPPED,
    "send_goods_but_not_fund": _S.SHIPPED,
    "confirm_goods": _S.RECEIPT_CONFIRMED,
    "confirm_goods_but_not_fund": _S.RECEIPT_CONFIRMED,
    "confirm_goods_and_has_subsidy": _S.RECEIPT_CONFIRMED,
    "success": _S.COMPLETED,
    "cancel": _S.CLOSED,
    "terminated": _S.CLOSED,
}
_WORDS_TAOBAO: Final = {
    "BULIDING": _S.BEING_CREATED,  # their spelling
    "WAIT_BUYER_P": _S.AWAITING_PAYMENT,
    "WAIT_BUYER_PAY": _S.AWAITING_PAYMENT,
    "TAOBAO_ORDER_WAIT_BUYER_PAY": _S.AWAITING_PAYMENT,
    "ORDER_PAY_STATUS": _S.PAYMENT_IN_PROGRESS,
    "ORDER_FINANCE_PASS_STATUS": _S.PAYMENT_IN_PROGRESS,
    "ORDER_FINANCE_REFUSE_STATUS": _S.AWAITING_PAYMENT,
    "WAIT_FINANCE_PAY": _S.PAYMENT_IN_PROGRESS,
    "WAIT_SELLER_SEND_GOODS": _S.AWAITING_SHIPMENT,
    "SELLER_CONSIGNED_PART": _S.PARTLY_SHIPPED,
    "WAIT_BUYER_CONFIRM_GOODS": _S.SHIPPED,
    "TRADE_FINISHED": _S.COMPLETED,
    "TRADE_CLOSED": _S.CLOSED,
    "TRADE_CLOSED_BY_TAOBAO": _S.CLOSED,
}
_WORDS_XPORT: Final = {
    "WAITING_FOR_PAYMENT": _S.AWAITING_PAYMENT,
    "WAITING_FOR_SENT": _S.AWAITING_SHIPMENT,
    "CANCEL": _S.CLOSED,
}
_WORDS: Final = {
    Platform.ALIBABA_1688: _WORDS_1688 | _WORDS_XPORT,
    Platform.TAOBAO: _WORDS_TAOBAO | _WORDS_XPORT,
}

PART_SHIPPED_EVENT: Final = "PART_PART_SENDGOODS"
RECEIPT_EVENT: Final = "ORDER_COMFIRM_RECEIVEGOODS"
"""Their spelling. It fires for every part that is confirmed, so it says nothing about the whole order."""


def map_word(platform: Platform, word: str) -> OrderStatus:
    """Return our rung for a marketplace's word, `unknown` if it stands in no table."""
    return _WORDS[platform].get(word, OrderStatus.UNKNOWN)


def implied_status(platform: Platform, word: str | None, event: str | None) -> OrderStatus | None:
    """Return the rung that a status callback claims; None if it claims none (then it only asks for a fresh read).

    Part shipment keeps the word of an unshipped order, and the receipt event carries a word that is true of a part
    only: in both the event says more than the word.
    """
    if event is not None and event.endswith(PART_SHIPPED_EVENT):
        return OrderStatus.PARTLY_SHIPPED
    if word is None or (event is not None and event.endswith(RECEIPT_EVENT)):
        return None
    return map_word(platform, word)


class RefundStatus(StrEnum):
    """Where a refund stands. Not a ladder: a refused refund can be asked for again."""

    UNKNOWN = "unknown"
    AWAITING_SELLER = "awaiting_seller"
    AWAITING_BUYER = "awaiting_buyer"
    AWAITING_RETURN = "awaiting_return"
    RETURNING = "returning"
    SUCCEEDED = "succeeded"
    CLOSED = "closed"

    @property
    def is_final(self) -> bool:
        """Tell whether nothing more is expected of this refund."""
        return self in (RefundStatus.SUCCEEDED, RefundStatus.CLOSED)


_R = RefundStatus
_REFUND_WORDS: Final = {
    "waitselleragree": _R.AWAITING_SELLER,
    "waitbuyermodify": _R.AWAITING_BUYER,
    "waitbuyersend": _R.AWAITING_RETURN,
    "waitsellerreceive": _R.RETURNING,
    "refundsuccess": _R.SUCCEEDED,
    "refundclose": _R.CLOSED,
    "refundclosed": _R.CLOSED,
    # Taobao and Xport send integers (marketplace notes 3.4)
    "10": _R.AWAITING_SELLER,
    "20": _R.AWAITING_RETURN,
    "30": _R.RETURNING,
    "100": _R.SUCCEEDED,
    "-10": _R.AWAITING_BUYER,
    "-20": _R.CLOSED,
}


def map_refund_word(word: str | None) -> RefundStatus:
    """Return our refund status; 1688 spells it `waitselleragree` on the order and `WAIT_SELLER_AGREE` on the line."""
    return _REFUND_WORDS.get((word or "").lower().replace("_", ""), RefundStatus.UNKNOWN)
