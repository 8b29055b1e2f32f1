"""Xport's callbacks: a short table of types without prefix, and a body that is JSON text inside JSON.

Documented: five types, their common body, its words. The unit of its amounts is not stated (fen by magnitude:
inferred). The rest of the table was not readable: of what it does not name nothing is told, so a client has to poll.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from worker.sandbox import messages
from worker.sandbox.courier import PandaPonCourier, Push
from worker.sandbox.messages import Notice
from worker.sandbox.order import CANCEL, WAIT_PAY, Order
from worker.sandbox.signing import callback_headers
from worker.sandbox.timetext import BEIJING_H, plain

UNPAID, PAID = 1, 2
TYPES: Final = {
    messages.MADE: "ORDER_CREATE",
    messages.PAID: "ORDER_PAY_SUCCESS",
    messages.PRICE_CHANGED: messages.PRICE_CHANGED,
    **dict.fromkeys(messages.CLOSED.values(), "ORDER_CANCEL"),
}
REFUND: Final = messages.VIEW + "ORDER_BUYER_REFUND"
WORDS: Final = {WAIT_PAY: "WAITING_FOR_PAYMENT", CANCEL: "CANCEL"}
"""The order's words; everything that is paid is shown as waiting to be sent, the only other word that is documented."""


class XportCourier(PandaPonCourier):
    """Pushed again under the same rules as PandaPon's."""

    def messages(self, notice: Notice, now_ms: int) -> list[Notice]:  # noqa: ARG002 - all couriers look alike
        """The news in Xport's words, nothing where it has none."""
        if notice.topic == messages.REFUND:
            refund_id, word = notice.body["refundId"], notice.body["currentStatus"]
            body = {
                "refundId": refund_id,
                "orderId": notice.order.order_id,
                "refundStatus": word,
            }
            return [Notice(notice.order, REFUND, body)]
        if notice.topic not in TYPES:
            return []
        return [Notice(notice.order, TYPES[notice.topic], _common(notice.order))]

    def written(self, push: Push, now_ms: int, nonce: str) -> tuple[bytes, dict[str, str]]:
        """Types are never prefixed, bodies always text."""
        plan = replace(push.plan, bare_type=True, body_as_text=True)
        headers = callback_headers(self._config, now_ms, nonce)
        return replace(push, plan=plan).rendered(), headers | {"Content-Type": "application/json"}


def order_no(order: Order) -> str:
    """`PO`, the Beijing date, four digits."""
    created = datetime.fromtimestamp(order.created_ms // 1000, UTC) + timedelta(hours=BEIJING_H)
    return f"PO{created:%Y%m%d}{order.life.number % 10_000:04d}"


def _common(order: Order) -> dict[str, Any]:
    last = order.refunds[-1] if order.refunds else None
    return {
        "orderId": order.order_id,
        "orderNo": order_no(order),
        "orderStatus": WORDS.get(order.status, "WAITING_FOR_SENT"),
        "payStatus": PAID if order.paid else UNPAID,
        "totalAmount": order.total_fen,
        "shippingFee": order.shipping_fen,
        "productAmount": order.goods_fen,
        "refundAmount": order.refunded_fen,
        "refundStatus": last.status if last else None,
        "closeReason": order.close_reason,
        "tbCreateTime": plain(order.created_ms),
        "payTime": None if order.paid_ms is None else plain(order.paid_ms),
    }
