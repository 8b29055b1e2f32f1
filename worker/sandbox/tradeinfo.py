"""An order as the API shows it: upstream's TradeInfo object, units field by field.

Yuan decimals as JSON numbers: totalAmount, sumProductPayment, shippingFee, refund, price, itemAmount, phasAmount,
carriage.
Fen integers: discount, entryDiscount. Ids are bare JSON numbers beyond 2^53, beside a text form where upstream has one.
Field names come from an English mirror of the 1688 documentation and are believed, not confirmed, for this API.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from worker.sandbox.order import CANCEL, NOT_SHIPPED, SUCCESS, Line, Order, Parcel
from worker.sandbox.timetext import plain, stamp

STATUS_TEXTS = {
    "waitbuyerpay": "等待买家付款",
    "waitsellersend": "等待卖家发货",
    "waitbuyerreceive": "等待买家收货",
    "confirm_goods": "已收货",
    "success": "交易成功",
    "cancel": "交易关闭",
}
ITEM_REFUND_WORDS = {
    "waitselleragree": "WAIT_SELLER_AGREE",
    "waitbuyermodify": "WAIT_BUYER_MODIFY",
    "waitbuyersend": "WAIT_BUYER_SEND",
    "waitsellerreceive": "WAIT_SELLER_RECEIVE",
    "refundsuccess": "REFUND_SUCCESS",
    "refundclose": "REFUND_CLOSED",
}
"""Documented: the same status in two spellings; note refundclose against REFUND_CLOSED."""


def yuan(fen: int) -> Decimal:
    """Exact; written without trailing zeros, as upstream does (19, 19.5, 19.05)."""
    return Decimal(fen) / 100


def trade_info(order: Order, *, parcels: bool, pay_timeout_s: float, expires_ms: int) -> dict[str, Any]:
    """The whole object.

    Args:
        order: the truth.
        parcels: with nativeLogistics.logisticsItems (the list leaves them out).
        pay_timeout_s: the marketplace's nominal time-out in seconds, unscaled as in upstream's field.
        expires_ms: when the unpaid order will really be closed.
    """
    return {
        "baseInfo": _base_info(order, pay_timeout_s),
        "productItems": [_product_item(order, place, line, expires_ms) for place, line in enumerate(order.lines)],
        "nativeLogistics": _native_logistics(order, parcels=parcels),
        "internationalLogistics": _international_logistics(order),
        "tradeTerms": [_trade_term(order)],
        "extAttributes": [],
        "orderBizInfo": {"creditOrder": False, "dropshipping": False, "shippingInsurance": None},
        "guaranteesTerms": None,
        "orderRateInfo": {"buyerRateStatus": 5, "sellerRateStatus": 5},
        "orderInvoiceInfo": None,
        "customs": None,
        "overseasExtraAddress": None,
        "fromEncryptOrder": False,
    }


def _when(order: Order, moment_ms: int | None) -> str | None:
    return None if moment_ms is None else stamp(moment_ms, order.life.offset_h)


def _base_info(order: Order, pay_timeout_s: float) -> dict[str, Any]:
    life = order.life
    last_refund = next((refund for refund in reversed(order.refunds) if not refund.after_sale), None)
    after_sale = next((refund for refund in reversed(order.refunds) if refund.after_sale), None)
    return {
        "id": life.order_id,
        "idOfStr": order.order_id,
        "status": order.status,
        "businessType": "cb",
        "tradeType": "50060",
        "currency": "CNY",
        "totalAmount": yuan(order.total_fen),
        "sumProductPayment": yuan(order.goods_fen),
        "shippingFee": yuan(order.shipping_fen),
        "discount": sum(line.discount_fen for line in order.lines),
        "refund": yuan(order.refunded_fen),
        "refundId": last_refund.refund_id if last_refund else None,
        "refundStatus": last_refund.status if last_refund else None,
        "refundStatusForAs": after_sale.status if after_sale else None,
        "closeReason": order.close_reason,
        "closeOperateType": order.close_operate_type,
        "remark": None,
        "buyerFeedback": life.message,
        "createTime": _when(order, order.created_ms),
        "payTime": _when(order, order.paid_ms),
        "allDeliveredTime": _when(order, order.all_delivered_ms),
        "receivingTime": _when(order, order.received_ms),
        "confirmedTime": _when(order, order.confirmed_ms),
        "completeTime": _when(order, order.completed_ms),
        "modifyTime": _when(order, order.modified_ms),
        "payTimeout": round(pay_timeout_s),
        "payTimeoutType": 0,
        "buyerID": life.buyer.member_id,
        "sellerID": life.seller.member_id,
        "buyerLoginId": life.buyer.login_id,
        "sellerLoginId": life.seller.login_id,
        "sellerContact": {
            "name": life.seller.name,
            "mobile": life.seller.mobile,
            "phone": None,
            "companyName": f"{life.seller.name}商行",
            "imInPlatform": life.seller.login_id,
        },
        "receiverInfo": {
            "toFullName": life.buyer.name,
            "toMobile": life.buyer.mobile,
            "toPhone": life.address.phone,
            "toPost": life.address.post,
            "toDivisionCode": life.address.district_code,
            "toTownCode": None,
            "toArea": life.address.whole,
        },
        "alipayTradeId": None if order.paid_ms is None else f"PAY{life.order_id % 10**12}",
        "overSeaOrder": False,
        "stepPayAll": False,
        "stepOrderList": [],
    }


def _product_item(order: Order, place: int, line: Line, expires_ms: int) -> dict[str, Any]:
    goods = line.goods
    refund = order.refund_of(place)
    granted = refund is not None and refund.status == "refundsuccess"
    return {
        "subItemID": line.line_id,
        "subItemIDString": str(line.line_id),
        "productID": goods.product_id,
        "skuID": goods.sku_id,
        "specId": goods.spec_id,
        "name": goods.name,
        "skuInfos": [{"name": name, "value": value} for name, value in goods.sku],
        "productImgUrl": [goods.image, goods.image.replace(".png", ".80x80.png")],
        "productSnapshotUrl": None,
        "cargoNumber": None,
        "productCargoNumber": None,
        "quantity": goods.quantity,
        "quantityFactor": 1,
        "unit": goods.unit,
        "price": yuan(goods.price_fen),
        "itemAmount": yuan(line.amount_fen),
        "entryDiscount": line.discount_fen,
        "refund": yuan(refund.amount_fen) if refund is not None and granted else 0,
        "status": line.status,
        "statusStr": STATUS_TEXTS[line.status],
        "refundStatus": ITEM_REFUND_WORDS[refund.status] if refund else None,
        "refundId": refund.refund_id if refund else None,
        "refundIdForAs": refund.refund_id if refund and refund.after_sale else None,
        "closeReason": order.close_reason if line.status == CANCEL else None,
        "logisticsStatus": line.logistics_status,
        "canSendGoods": order.paid and line.logistics_status == NOT_SHIPPED and line.status != CANCEL,
        "gmtCreate": _when(order, order.created_ms),
        "gmtModified": _when(order, order.modified_ms),
        "gmtCompleted": _when(order, order.completed_ms),
        "gmtPayExpireTime": plain(expires_ms),
        "weight": None,
        "guaranteesTerms": [],
    }


def _native_logistics(order: Order, *, parcels: bool) -> dict[str, Any]:
    address = order.life.address
    shown: dict[str, Any] = {
        "address": address.street,
        "province": address.province,
        "city": address.city,
        "area": address.area,
        "areaCode": address.district_code,
        "town": address.town,
        "townCode": None,
        "zip": address.post,
        "contactPerson": order.life.buyer.name,
        "mobile": order.life.buyer.mobile,
        "telephone": address.phone,
        "fax": None,
    }
    if parcels:
        shown["logisticsItems"] = [_logistics_item(order, parcel) for parcel in order.parcels]
    return shown


def _logistics_item(order: Order, parcel: Parcel) -> dict[str, Any]:
    return {
        "id": parcel.ship.parcel_id,
        "logisticsCode": parcel.ship.logistics_code,
        "logisticsBillNo": parcel.waybill,
        "logisticsCompanyName": parcel.carrier_name,
        "logisticsCompanyNo": parcel.carrier_code,
        "logisticsCompanyId": int(parcel.carrier_number),
        "type": parcel.kind,
        "status": "sign" if parcel.signed else "alreadysend",
        "subItemIds": ",".join(str(line_id) for line_id in parcel.line_ids),
        "deliveredTime": _when(order, parcel.shipped_ms),
        "gmtCreate": _when(order, parcel.shipped_ms),
        "gmtModified": _when(order, parcel.modified_ms),
        "carriage": yuan(0),
    }


def _international_logistics(order: Order) -> dict[str, Any] | None:
    """Inferred: the block is documented, its fields are not; shaped like the native one. Null before a booking."""
    if not order.shipments:
        return None
    return {
        "logisticsItems": [
            {
                "logisticsBillNo": shipment.number,
                "logisticsCompanyName": shipment.company,
                "gmtCreate": _when(order, shipment.booked_ms),
            }
            for shipment in order.shipments
        ]
    }


def pay_status(order: Order) -> int:
    """1 unpaid, 2 paid, 4 fully refunded, 6 the seller has the money, 8 cancelled before payment, 9 in progress."""
    if order.status == CANCEL:
        return 4 if order.paid else 8
    if order.status == SUCCESS:
        return 6
    if order.paid:
        return 2
    return 9 if order.settling and order.life.shows_paying else 1


PAY_STATUS_TEXTS = {1: "未付款", 2: "已付款", 4: "全额退款", 6: "卖家已收到款", 8: "付款前取消", 9: "付款中"}


def _trade_term(order: Order) -> dict[str, Any]:
    status = pay_status(order)
    return {
        "phase": 1,
        "payStatus": str(status) if order.life.number % 3 == 0 else status,
        "payStatusDesc": PAY_STATUS_TEXTS[status],
        "payTime": _when(order, order.paid_ms),
        "payWay": 1,
        "payWayDesc": "支付宝",
        "phasAmount": yuan(order.total_fen),
    }
