"""A purchase order and its refunds as the API shows them.

The order is the upstream's object with its underscores (inferred: PandaPon's documented price message has them);
after-sales objects are PandaPon's documented ones in camelCase.
"""

from __future__ import annotations

from typing import Any

from worker.sandbox.taobao.order import CODES, NO_REFUND, WAIT_PAY, TaobaoOrder, TaobaoRefund
from worker.sandbox.timetext import plain


def purchase_order_of(order: TaobaoOrder, pay_timeout_ms: int, *, as_codes: bool = False) -> dict[str, Any]:
    """The whole object; `as_codes`: statuses as Xport's numbers."""
    subs = [sub_order_of(order, place, pay_timeout_ms) for place in range(len(order.subs))]
    if as_codes:
        subs = [sub | {"status": CODES[sub["status"]]} for sub in subs]
    name, address = order.warehouse or (None, None)
    return {
        "purchase_id": order.life.purchase_id,
        "sales_order_id": str(order.sales_id),
        "outer_purchase_id": order.seller_order_number,
        "seller_order_number": order.seller_order_number,
        "order_source": order.order_source,
        "status": CODES[order.status] if as_codes else order.status,
        "source_market": "CN",
        "supplier_nick": order.life.seller.login_id,
        "distributor_nick": order.life.buyer.login_id,
        "purchase_currency": "CNY",
        "purchase_amount": order.total_fen,
        "product_amount": order.goods_fen,
        "domestic_post_fee": order.postage_fen,
        "hongbao_deduction_amount": 0,
        "pay_amount": order.total_fen if order.paid_ms else None,
        "pay_currency": "CNY" if order.paid_ms else None,
        "pay_time": order.paid_ms,
        "created_time": order.created_ms,
        "modify_time": order.modified_ms,
        "next_close_time_without_payment": order.created_ms + pay_timeout_ms if order.status == WAIT_PAY else None,
        "warehouse_name": name,
        "warehouse_address": address,
        "receiver": {
            "country": "CN",
            "state": order.life.address.province,
            "city": order.life.address.city,
            "district": order.life.address.area,
            "address": order.life.address.street,
            "zip": order.life.address.post,
        },
        "sub_purchase_orders": subs,
    }


def sub_order_of(order: TaobaoOrder, place: int, pay_timeout_ms: int) -> dict[str, Any]:
    """One sub-order; the deprecated single-parcel fields repeat the first parcel, as upstream."""
    sub, refund = order.subs[place], order.refund_of(place)
    parcels = [
        {
            "logistic_company_name": parcel.carrier.name,
            "logistic_number": parcel.waybill,
            "rts_time": parcel.sent_ms,
        }
        for parcel in sub.parcels
    ]
    first = parcels[0] if parcels else dict.fromkeys(("logistic_company_name", "logistic_number", "rts_time"))
    return {
        "sub_purchase_order_id": sub.sub_id,
        "purchase_order_outer_id": str(order.sales_id),
        "purchase_order_line_outer_id": str(sub.sub_id + order.sales_id - order.life.purchase_id),
        "item_id": str(sub.goods.product_id),
        "sku_id": sub.goods.sku_id,
        "title": sub.goods.name,
        "quantity": sub.goods.quantity,
        "status": sub.status,
        "close_reason": sub.close_reason,
        "error_code": None,
        "error_message": None,
        "detail_error_code": None,
        "purchase_currency": "CNY",
        "purchase_amount": sub.amount_fen,
        "product_amount": sub.amount_fen,
        "domestic_post_fee": 0,
        "pay_amount": sub.amount_fen if order.paid_ms else None,
        "pay_time": order.paid_ms,
        "close_time_without_payment": plain(order.created_ms + pay_timeout_ms),
        "logistic_orders": parcels,
        "international_logistic_orders": [
            {
                "logistic_company_name": shipment.company,
                "logistic_number": shipment.number,
                "rts_time": shipment.booked_ms,
            }
            for shipment in order.shipments
        ],
        **first,
        "sku_info": {"skuPv": {"zh": ";".join(":".join(pair) for pair in sub.goods.sku)}, "skuImgUrl": sub.goods.image},
        "option_fields": {"SKU_IMG_URL": sub.goods.image, "shopName": order.life.seller.login_id},
        "can_confirm_receipt": False,
        "refund_id": refund.refund_id if refund else None,
        "refund_status": refund.status if refund else NO_REFUND,
    }


def refund_row_of(order: TaobaoOrder, refund: TaobaoRefund) -> dict[str, Any]:
    """The documented `refundOrderAggregate`, with the purchase order's id beside it (inferred)."""
    sub = order.subs[refund.place]
    return {
        "purchaseOrderId": order.order_id,
        "salesOrderId": str(order.sales_id),
        "currency": "CNY",
        "modifyTime": refund.modified_ms,
        "logistics": {
            "buyerPhone": None,
            "logisticsCompany": {
                "logisticCompanyCode": refund.return_carrier,
                "logisticsCompanyName": refund.return_carrier,
            },
            "logisticsNo": refund.return_waybill,
            "receiverAddress": {"detailAddress": "示例路 9 号", "phone": None, "receiver": order.life.seller.name},
            "returnGoodsDesc": None,
            "sellerAgreeReturnDescribe": None,
        },
        "purchaseOrderLine": {
            "purchaseOrderId": order.life.purchase_id,
            "purchaseOrderLineId": sub.sub_id,
            "createTime": order.created_ms,
            "currency": "CNY",
            "itemImageUrl": sub.goods.image,
            "itemTitle": sub.goods.name,
            "quantity": sub.goods.quantity,
            "productFee": sub.amount_fen,
            "postFee": 0,
            "totalPrice": sub.amount_fen,
        },
        "refundOrder": {
            "refundId": refund.refund_id,
            "refundFee": refund.fee_fen,
            "refundStatus": refund.status,
            "refundType": refund.kind,
            "goodsStatus": refund.goods_status,
            "reasonId": refund.reason_id,
            "reasonDesc": REASONS.get(refund.reason_id),
            "refundDesc": refund.description,
            "createTime": refund.created_ms,
            "modifyTime": refund.modified_ms,
        },
    }


REASONS = {1: "七天无理由", 2: "质量问题", 3: "少件/漏发"}
"""The sandbox's own list."""
