"""What fills the fields of a question: harmless constants, and values that earlier answers taught."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from worker.conformance.invented import ADDRESS, PICTURE, RECEIVER, RECEIVER_ADDRESS
from worker.conformance.knowledge import Knowledge, KnownOrder
from worker.domain.clock import HOUR, Millis
from worker.domain.money import MoneyError, fen_from_yuan
from worker.marketplaces.values import compact_text

WINDOW: Millis = 30 * 24 * HOUR


class Asker(msgspec.Struct, frozen=True):
    """Who asks, and what is known when it asks. `hints`: what the caller gave to ask about, by field name."""

    knowledge: Knowledge
    now: Millis
    user_id: str
    access_token: str = ""
    refresh_token: str = ""
    hints: Mapping[str, str] = {}
    late: bool = False
    """Nothing more will be learned by waiting: what is second best will do."""
    invent: bool = False
    """Ask with invented values where nothing is known: a sandbox then at least says that it does not know them."""
    group: str = ""
    """The first part of the operation's name: whose values answer the question."""

    def first(self, *names: str) -> Any:
        """Return the first value known under one of the names."""
        return self.knowledge.first(self.group, *names)


Fill = Callable[[Asker, KnownOrder | None], Any]


def known(*names: str) -> Fill:
    """Return what fills a field with the first value known under one of the names in the operation's group."""
    return lambda asker, _order: asker.first(*names)


def listed(fill: Fill) -> Fill:
    """Return what fills a list with one value."""

    def filled(asker: Asker, order: KnownOrder | None) -> Any:
        value = fill(asker, order)
        return None if value is None else [value]

    return filled


def constant(value: Any) -> Fill:
    """Return what always fills in the same."""
    return lambda _asker, _order: value


def _order_id(_asker: Asker, order: KnownOrder | None) -> Any:
    return order.order_id if order else None


def _order_ids(_asker: Asker, order: KnownOrder | None) -> Any:
    return [order.order_id] if order else None


def _order_numbers(_asker: Asker, order: KnownOrder | None) -> Any:
    return [int(order.order_id)] if order else None


def _lines(_asker: Asker, order: KnownOrder | None) -> Any:
    return [int(line) for line in order.lines] if order and order.lines else None


def _line_fen(_asker: Asker, order: KnownOrder | None) -> Any:
    """What was really paid for the first line: before shipping nothing else is accepted (documented)."""
    return _fen(order.items[0].get("itemAmount")) if order and order.items else None


def _goods_status(_asker: Asker, order: KnownOrder | None) -> Any:
    return "refundWaitSellerSend" if order and order.status == "waitsellersend" else "refundWaitBuyerReceive"


def _cargo(asker: Asker, order: KnownOrder | None) -> Any:
    """An article whose detail was read, or the goods of an order, or an offer that was found."""
    article = asker.knowledge.article
    if article is None and not asker.late:
        return None  # the detail of an offer may still come
    if article is not None:
        name = "offerId" if str(article[0]).isdigit() else "offerMapId"
        return [{name: article[0], "specId": article[1], "quantity": 20}]
    item = order.items[0] if order and order.items else {}
    offer = item.get("productID") or asker.first("offerId")
    if offer is None:
        return None
    row = {"offerId": offer, "specId": item.get("specId") or asker.first("specId"), "quantity": 2}
    return [{name: value for name, value in row.items() if value is not None}]


def _waybill(_asker: Asker, order: KnownOrder | None) -> Any:
    """Of this very order: another one's parcel is refused."""
    return order.waybill if order else None


def _item(_asker: Asker, order: KnownOrder | None) -> dict[str, Any] | None:
    item = order.items[0] if order and order.items else None
    if item is None:
        return None
    return {"itemId": str(item.get("productID")), "skuId": str(item.get("skuID")), "quantity": 1}


def _freight_item(asker: Asker, order: KnownOrder | None) -> Any:
    item, service = _item(asker, order), asker.knowledge.first("warehouse", "serviceId")
    if item is None or service is None:
        return None
    return {**item, "currency": "CNY", "price": "10.00", "freightInfo": _service(asker)}


def _service(asker: Asker) -> dict[str, Any]:
    names = ("serviceId", "companyName", "serviceCategory")
    return {name: asker.knowledge.first("warehouse", name) for name in names}


def _parcels(asker: Asker, order: KnownOrder | None) -> Any:
    item = _item(asker, order)
    if item is None:
        return None
    parcel = {"logisticNumer": "SF0000000000001", "logisticCompanyName": "SF", "rtsTime": str(asker.now // 1000)}
    return [{"lineItem": item, "domesticLogisticInfo": [parcel]}]


def _booked_lines(asker: Asker, _order: KnownOrder | None) -> Any:
    """What was previewed: a booking of anything else is refused."""
    previewed = asker.knowledge.asked.get("warehouse.freight.preview", {}).get("renderItems", ())
    return [{**item, "title": "conformance", "imageUrl": ""} for item in previewed] or None


def _fen(yuan: Any) -> int | None:
    try:
        return None if yuan is None else fen_from_yuan(yuan, "amount")
    except MoneyError:
        return None


def _payment(_asker: Asker, order: KnownOrder | None) -> Any:
    amount = _fen(order.total) if order else None
    if order is None or amount is None:
        return None
    request_id = f"conformance-{order.order_id}"
    return {"orderId": int(order.order_id), "payChannel": "alipay", "payAmount": amount, "opRequestId": request_id}


def _taobao_item(*names: str) -> Fill:
    """Return what fills a field with an article that a search found, or one of an order: that may be sold out."""

    def fill(asker: Asker, order: KnownOrder | None) -> Any:
        found = asker.first(names[0])
        if found is not None or not asker.late:
            return found
        items = order.items if order else ()
        return next((items[0][name] for name in names if items and items[0].get(name)), None)

    return fill


_ITEM_ID, _SKU_ID = _taobao_item("mpId", "itemId", "item_id"), _taobao_item("mpSkuId", "skuId", "sku_id")


def _taobao_lines(asker: Asker, order: KnownOrder | None) -> Any:
    item, sku = _ITEM_ID(asker, order), _SKU_ID(asker, order)
    if item is None or sku is None:
        return None
    line = {"itemId": str(item), "skuId": str(sku), "orderLineNo": "1", "quantity": "1"}
    return [{**line, "price": "1000", "currency": "CNY"}]


def _first_line(_asker: Asker, order: KnownOrder | None) -> Any:
    return order.lines[0] if order and order.lines else None


def _message_ids(asker: Asker, _order: KnownOrder | None) -> Any:
    found = asker.knowledge.all("messages", "msgId")
    return [int(one) if str(one).isdigit() else one for one in found[:20]] or None


def _image_search(asker: Asker, _order: KnownOrder | None) -> Any:
    image = asker.first("imageId")
    return None if image is None else {"imageId": str(image), **_PAGE_OF_OFFERS}


def _offer_search(_asker: Asker, _order: KnownOrder | None) -> Any:
    return {"keyword": "杯子", **_PAGE_OF_OFFERS}


def _shop_search(asker: Asker, _order: KnownOrder | None) -> Any:
    shop = asker.first("sellerOpenId")
    return None if shop is None else {"sellerOpenId": shop, **_PAGE_OF_OFFERS}


def _offer_detail(asker: Asker, _order: KnownOrder | None) -> Any:
    offer = asker.first("offerId")
    return None if offer is None else {"offerId": offer, "country": "en"}


def _refund_limit(asker: Asker, order: KnownOrder | None) -> Any:
    return {"orderId": int(order.order_id), "goodsStatus": _goods_status(asker, order)} if order else None


def _since(asker: Asker, _order: KnownOrder | None) -> Any:
    return compact_text(asker.now - WINDOW)


def _until(asker: Asker, _order: KnownOrder | None) -> Any:
    return compact_text(asker.now + HOUR)


OF_ORDER = frozenset({_order_id, _order_ids, _order_numbers, _lines, _first_line, _line_fen, _payment, _parcels})
_PAGE_OF_OFFERS = {"beginPage": 1, "pageSize": 20, "country": "en"}
_SEARCH = {"keyword": "杯子", "beginPage": 1, "pageSize": 20, "country": "en"}
ALSO = frozenset(
    {
        "page", "pageSize", "pageNo", "currentPageNum", "modifyStartTime", "modifyEndTime", "modifyTimeStart",
        "modifyTimeEnd", "need_refresh_token", "price", "currency", "dipsuteType", "vouchers", "tmallOrderInfo",
        "quality_inspection_info", "purchaseAmount", "sellerOrderNumber", "refundDesc", "message", "orderEntryIds",
        "name", "province", "city", "district", "address", "phone",
    }
)  # fmt: skip
"""Fields that are asked with although they are not required: to leave them out would confirm less."""

COMMON: Mapping[str, Fill] = {
    **{name: constant(value) for name, value in _SEARCH.items()},
    "webSite": constant("1688"),
    "flow": constant("general"),
    "page": constant(1),
    "pageNo": constant(1),
    "currentPageNum": constant(0),
    "dipsuteType": constant(0),
    "modifyStartTime": _since,
    "modifyEndTime": _until,
    "modifyTimeStart": lambda asker, _order: asker.now - WINDOW,
    "modifyTimeEnd": lambda asker, _order: asker.now + HOUR,
    "addressParam": constant(ADDRESS),
    "receiver": constant(RECEIVER),
    "orderAddress": constant(RECEIVER),
    "receiverAddress": constant(RECEIVER_ADDRESS),
    "cargoParamList": _cargo,
    "orderId": _order_id,
    "tradeID": _order_id,
    "alibaba_order_id": _order_id,
    "out_order_id": _order_id,
    "orderIds": _order_ids,
    "orderIdList": _order_numbers,
    "orderEntryIds": _lines,
    "imageData": constant(PICTURE),
    "image": constant(PICTURE),
    "input": _refund_limit,
    "recommendOfferParam": constant(_PAGE_OF_OFFERS),
    "offerDetailParam": _offer_detail,
    "offerId": known("offerId", "productID"),
    "openUid": known("openUid", "sellerOpenId"),
    "sellerOpenId": known("sellerOpenId", "openUid", "sellerID"),
    "specId": known("specId"),
    "categoryId": known("categoryId"),
    "cartIds": listed(known("cartId")),
    "cartId": known("cartId"),
    "userId": lambda asker, _order: asker.user_id,
    "quantity": constant(1),
    "cancelReason": constant("buyerCancel"),
    "refundId": known("refundId"),
    "imageBase64": constant(PICTURE),
    "uploadImageParam": constant({"imageBase64": PICTURE}),
    "offerQueryParam": _offer_search,
    "goodsStatus": _goods_status,
    "disputeRequest": constant("refund"),
    "applyPayment": _line_fen,
    "applyCarriage": constant(0),
    "applyReasonId": known("reasonId", "applyReasonId"),
    "description": constant("conformance of the interface"),
    "queryType": constant(1),
    "logisticsCompanyNo": known("logisticsCompanyNo", "companyNo"),
    "freightBill": constant("SF0000000000001"),
    "logistics_tracking_number": _waybill,
    "quality_inspection_info": constant({"status": "质检通过", "weight": 0.4}),
    "tradeWithholdPreparePayParam": _payment,
    "msgIdList": _message_ids,
    "itemId": lambda asker, order: (_item(asker, order) or {}).get("itemId"),
    "skuId": lambda asker, order: (_item(asker, order) or {}).get("skuId"),
    "price": constant("10.00"),
    "currency": constant("CNY"),
    "renderItems": listed(_freight_item),
    "renderId": lambda asker, _order: asker.knowledge.first("warehouse", "renderId"),
    "lineItems": _booked_lines,
    "tmallOrderInfo": lambda _asker, order: {"tmallOrderId": order.order_id} if order else None,
    "logisticInfos": _parcels,
    "grant_type": constant("refresh_token"),
    "refresh_token": lambda asker, _order: asker.refresh_token or None,
    "access_token": lambda asker, _order: asker.access_token or None,
    "redirect_uri": constant("https://example.org/back"),
    "need_refresh_token": constant("true"),
    "sourceType": constant("item"),
    "name": constant(ADDRESS["fullName"]),
    "province": constant(ADDRESS["provinceText"]),
    "city": constant(ADDRESS["cityText"]),
    "district": constant(ADDRESS["areaText"]),
    "address": constant(ADDRESS["address"]),
    "phone": constant(ADDRESS["mobile"]),
}

SPECIAL: Mapping[tuple[str, str], Fill] = {
    ("auth.token.exchange", "grant_type"): constant("authorization_code"),
    ("taobao.cart.edit_quantity", "id"): known("cartId"),
    ("taobao.cart.add", "price"): constant(1_000),
    ("1688.cart.add", "offerId"): lambda asker, _order: (asker.knowledge.article or (None,))[0],
    ("1688.cart.add", "specId"): lambda asker, _order: (asker.knowledge.article or (None, None))[1],
    ("auth.token.exchange", "code"): constant(None),
    ("1688.order.im_link", "bizId"): known("offerId", "productID"),
    ("1688.goods.image_search", "offerQueryParam"): _image_search,
    ("1688.goods.shop_search", "offerQueryParam"): _shop_search,
}
"""Where one operation means something else by a name, or only a person can give it (`--ask code=…`)."""

TAOBAO: Mapping[str, Fill] = {
    "orderLineList": _taobao_lines,
    "mpId": _ITEM_ID,
    "mpSkuId": _SKU_ID,
    "itemIds": listed(_ITEM_ID),
    "bizId": _ITEM_ID,
    "purchaseId": _order_id,
    "purchaseOrderIdList": _order_ids,
    "id": _order_id,
    "orderId": _order_id,
    "subPurchaseOrderId": _first_line,
    "refundId": known("refundId", "refund_id"),
    "purchaseAmount": constant(10_000_000),
    "sellerOrderNumber": constant("1000000001"),
    "voucherUrl": constant("https://example.org/voucher.jpg"),
    "warehouseAddress": constant("conformance street 1"),
    "warehouseName": constant("conformance"),
    "ids": listed(known("cartId")),
    "refundType": constant(1),
    "goodsStatus": constant(1),
    "refundFee": constant(100),
    "reasonId": known("reasonId", "reason_id"),
    "refundDesc": constant("conformance of the interface"),
    "refundMessage": constant("conformance of the interface"),
    "logisticCompanyCode": constant("SF"),
    "logisticsNo": constant("SF0000000000001"),
}
