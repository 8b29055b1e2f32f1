"""What the platform tells its callback URL: topics and bodies.

Only the body of the price change (a full order) was readable on PandaPon's own pages; the others follow the upstream
topics of the same names, which is an inference.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from worker.sandbox.order import Order, Parcel
from worker.sandbox.refund import Refund
from worker.sandbox.timetext import plain

VIEW = "ORDER_BUYER_VIEW_"
MADE = VIEW + "BUYER_MAKE"
PRICE_CHANGED = VIEW + "ORDER_PRICE_MODIFY"
PAID = VIEW + "ORDER_PAY"
SHIPPED = VIEW + "ANNOUNCE_SENDGOODS"
PART_SHIPPED = VIEW + "PART_PART_SENDGOODS"
CONFIRMED = VIEW + "ORDER_COMFIRM_RECEIVEGOODS"  # upstream's spelling
SUCCEEDED = VIEW + "ORDER_SUCCESS"
CLOSED = {
    "buyer": VIEW + "ORDER_BUYER_CLOSE",
    "seller": VIEW + "ORDER_SELLER_CLOSE",
    "platform": VIEW + "ORDER_BOPS_CLOSE",
}
REFUND = VIEW + "ORDER_BUYER_REFUND_IN_SALES"
REFUND_AFTER_SALE = VIEW + "ORDER_REFUND_AFTER_SALES"
WAYBILL_CHANGED = "LOGISTICS_MAIL_NO_CHANGE"

CONFIRM_WORD = "confirm_goods_and_has_subsidy"
"""Documented upstream: the confirm topic carries a status that the order itself never has."""


class Tellable(Protocol):
    """One thing to tell of an order of any platform; the body is frozen as it was when it happened."""

    @property
    def topic(self) -> str:
        """The message's type without the platform's prefix."""
        ...

    @property
    def body(self) -> dict[str, Any]:
        """What is told."""
        ...

    @property
    def platform(self) -> int:
        """0 Taobao, 1 1688 (documented)."""
        ...

    @property
    def subject_id(self) -> str:
        """The order's id."""
        ...

    @property
    def number(self) -> int:
        """Names the dice of this order's messages."""
        ...

    @property
    def member_id(self) -> str:
        """The buyer."""
        ...


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell of an order on 1688."""

    order: Order
    topic: str
    body: dict[str, Any]
    platform: int = 1

    @property
    def subject_id(self) -> str:
        """The order's id."""
        return self.order.order_id

    @property
    def number(self) -> int:
        """The order's."""
        return self.order.life.number

    @property
    def member_id(self) -> str:
        """The buyer."""
        return self.order.life.buyer.member_id


def status_notice(order: Order, topic: str, now_ms: int, status: str | None = None) -> Notice:
    """The short body of every order topic: ids, a status word, a Beijing time without zone."""
    return Notice(order, topic, _common(order, status or order.status, now_ms))


def price_notice(order: Order, info: dict[str, Any]) -> Notice:
    """Documented for this API: the whole order."""
    return Notice(order, PRICE_CHANGED, info)


def refund_notice(order: Order, refund: Refund, action: str, operator: str, now_ms: int) -> Notice:
    """The status word is the refund's, not the order's."""
    extra = {"refundId": refund.refund_id, "refundAction": action, "operator": operator}
    topic = REFUND_AFTER_SALE if refund.after_sale else REFUND
    return Notice(order, topic, _common(order, refund.status, now_ms) | extra)


def waybill_notice(order: Order, parcel: Parcel, old: tuple[str, str], now_ms: int) -> Notice:
    """Names the logistics id, the old and the new carrier code and number."""
    model = {
        "logisticsId": parcel.ship.logistics_code,
        "oldCpCode": old[0],
        "newCpCode": parcel.carrier_code,
        "oldMailNo": old[1],
        "newMailNo": parcel.waybill,
        "eventTime": plain(now_ms),
        "orderLogsItems": _lines_of(order, parcel),
    }
    return Notice(order, WAYBILL_CHANGED, {"MailNoChangeModel": model})


def _lines_of(order: Order, parcel: Parcel) -> list[dict[str, int]]:
    return [{"orderId": order.life.order_id, "orderEntryId": line_id} for line_id in parcel.line_ids]


def _common(order: Order, status: str, now_ms: int) -> dict[str, Any]:
    return {
        "orderId": order.life.order_id,
        "currentStatus": status,
        "msgSendTime": plain(now_ms),
        "buyerMemberId": order.life.buyer.member_id,
        "sellerMemberId": order.life.seller.member_id,
    }
