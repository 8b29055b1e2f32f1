"""What the platform tells of a purchase order.

The price change is documented. Status and refund messages were not readable: their types are made after the documented
ones, their bodies after a sister platform's (status) and Xport's (refund). All inferred.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from worker.sandbox.config import MAX_ORDERS
from worker.sandbox.taobao.order import TaobaoOrder, TaobaoRefund
from worker.sandbox.taobao.shown import sub_order_of

PRICE_CHANGED = "ORDER_BUYER_VIEW_ORDER_PRICE_MODIFY"
STATUS_CHANGED = "ORDER_STATUS_MODIFY"
REFUND_CHANGED = "ORDER_BUYER_VIEW_ORDER_BUYER_REFUND"


@dataclass(frozen=True, slots=True)
class TaobaoNotice:
    """One thing to tell; implements `worker.sandbox.messages.Tellable`."""

    order: TaobaoOrder
    topic: str
    body: dict[str, Any]
    platform: int = 0

    @property
    def subject_id(self) -> str:
        """The purchase order's id."""
        return self.order.order_id

    @property
    def number(self) -> int:
        """Beyond the numbers of 1688's orders."""
        return MAX_ORDERS + self.order.life.number

    @property
    def member_id(self) -> str:
        """The buyer."""
        return self.order.life.buyer.member_id


def price_changed(order: TaobaoOrder, pay_timeout_ms: int) -> TaobaoNotice:
    """Names the order by Taobao's own number, and nothing else."""
    body = {
        "salesOrderId": str(order.sales_id),
        "subOrders": [sub_order_of(order, place, pay_timeout_ms) for place in range(len(order.subs))],
        "purchaseOrderPriceDTO": {
            "purchaseCurrency": "CNY",
            "purchaseTotalFee": order.total_fen,
            "purchaseProductFee": order.goods_fen,
            "purchaseShippingFee": order.postage_fen,
        },
    }
    return TaobaoNotice(order, PRICE_CHANGED, body)


def status_changed(order: TaobaoOrder, now_ms: int) -> TaobaoNotice:
    """Names the order by the purchase order's id."""
    body = {
        "business_time": now_ms,
        "outer_purchase_id": order.seller_order_number,
        "purchase_id": order.life.purchase_id,
        "seller_id": order.life.seller.member_id,
        "status": order.status,
        "sku_list": [
            {
                "item_id": str(sub.goods.product_id),
                "sku_id": sub.goods.sku_id,
                "order_line_no": str(place + 1),
                "status": sub.status,
                "logistic_company_name": sub.parcels[0].carrier.name if sub.parcels else None,
                "logistic_number": sub.parcels[0].waybill if sub.parcels else None,
            }
            for place, sub in enumerate(order.subs)
        ],
    }
    return TaobaoNotice(order, STATUS_CHANGED, body)


def refund_changed(order: TaobaoOrder, refund: TaobaoRefund) -> TaobaoNotice:
    """The status is the refund's number."""
    body = {
        "refundId": str(refund.refund_id),
        "orderId": order.order_id,
        "refundStatus": refund.status,
        "subPurchaseOrderId": str(order.subs[refund.place].sub_id),
    }
    return TaobaoNotice(order, REFUND_CHANGED, body)
