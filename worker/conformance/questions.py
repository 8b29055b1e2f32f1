"""Questions for the operations: from the catalogue's fields, harmless constants, and what earlier answers taught."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from worker.catalogue.operation import EffectClass, Kind, Operation
from worker.conformance.invented import ADDRESS, PICTURE, RECEIVER, RECEIVER_ADDRESS
from worker.conformance.knowledge import PAID, SHIPPED, UNPAID, Knowledge, KnownOrder
from worker.domain.clock import HOUR, Millis
from worker.domain.money import MoneyError, fen_from_yuan
from worker.marketplaces.values import compact_text

WINDOW: Millis = 30 * 24 * HOUR


_IN_EVERY_STATUS = frozenset({"1688.order.detail"})


class Asker(msgspec.Struct, frozen=True):
    """Who asks, and what is known when it asks. `hints`: what the caller gave to ask about, by field name."""

    knowledge: Knowledge
    now: Millis
    user_id: str
    access_token: str = ""
    refresh_token: str = ""
    hints: Mapping[str, str] = {}
    group: str = ""
    """The first part of the operation's name: whose values answer the question."""

    def first(self, *names: str) -> Any:
        """Return the first value known under one of the names."""
        return self.knowledge.first(self.group, *names)


class Question(msgspec.Struct, frozen=True):
    """Parameters, the order that they are about, and required fields that nobody has a value for."""

    parameters: dict[str, Any]
    missing: tuple[str, ...]
    order_id: str | None = None


Fill = Callable[[Asker, KnownOrder | None], Any]

ABOUT: Mapping[str, frozenset[str]] = {
    "1688.order.cancel": UNPAID,
    "1688.order.pay": UNPAID,
    "1688.order.batch_submit_payment": UNPAID,
    "1688.payment.prepare": UNPAID,
    "1688.payment.url": UNPAID,
    "1688.payment.ways": UNPAID,
    "1688.order.confirm_receipt": frozenset({"waitbuyerreceive"}),
    "1688.order.tracking": SHIPPED,
    "1688.order.logistics": SHIPPED,
    "1688.order.trace": SHIPPED,
    "1688.refund.reasons": PAID,
    "1688.refund.max_fee": PAID,
    "1688.refund.create": PAID,
    "1688.refund.by_order": PAID,
    "warehouse.domestic_logistics.update": PAID,
    "warehouse.freight.book": PAID,
    "wms.package.inbound": SHIPPED,
    "wms.package.forecast": SHIPPED,
    "wms.package.update": SHIPPED,
}
"""Which orders an operation is asked about; any order where it is not here."""


def ask_about(operation: Operation, asker: Asker) -> Question:
    """Return the question for an operation, as complete as can be."""
    wanted = ABOUT.get(operation.name)
    effect = operation.effect is not EffectClass.SAFE_READ
    asker = msgspec.structs.replace(asker, group=operation.name.partition(".")[0])
    fills = {**_COMMON, **_TAOBAO} if asker.group == "taobao" else _COMMON
    order = asker.knowledge.order(wanted, untouched=effect) or (None if wanted else asker.knowledge.order())
    parameters: dict[str, Any] = {}
    missing: list[str] = []
    uses_order = False
    for field in operation.request:
        name = field.path
        if "." in name or "[]" in name:
            continue
        fill = _SPECIAL.get((operation.name, name)) or fills.get(name)
        value = asker.hints.get(name) or (fill(asker, order) if fill and (field.required or name in _ALSO) else None)
        if value is None:
            missing += [name] if field.required else []
            continue
        uses_order = uses_order or fill in _OF_ORDER
        parameters[name] = str(value) if field.kind is Kind.ID_TEXT and isinstance(value, int) else value
    return Question(parameters, tuple(missing), order.order_id if order and uses_order else None)


def others_to_ask(operation: Operation, asker: Asker, first: Question) -> list[Question]:
    """Return the same question about orders in other statuses: one order never has every field."""
    if operation.name not in _IN_EVERY_STATUS or first.order_id is None:
        return []
    seen = {asker.knowledge.orders[first.order_id].status} if first.order_id in asker.knowledge.orders else set()
    found = []
    for order in list(asker.knowledge.orders.values()):
        if order.status not in seen:
            seen.add(order.status)
            found.append(Question(first.parameters | {"orderId": order.order_id}, (), order.order_id))
    return found


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


def _line(_asker: Asker, order: KnownOrder | None) -> Any:
    return [int(order.lines[0])] if order and order.lines else None


def _line_fen(_asker: Asker, order: KnownOrder | None) -> Any:
    """What was really paid for the first line: before shipping nothing else is accepted (documented)."""
    return _fen(order.offers[0].get("itemAmount")) if order and order.offers else None


def _goods_status(_asker: Asker, order: KnownOrder | None) -> Any:
    return "refundWaitSellerSend" if order and order.status == "waitsellersend" else "refundWaitBuyerReceive"


def _cargo(asker: Asker, order: KnownOrder | None) -> Any:
    """The goods of an order that is known, or of an offer that was found."""
    item = order.offers[0] if order and order.offers else {}
    offer = item.get("productID") or asker.knowledge.first("1688", "offerId")
    mapped = asker.knowledge.first("1688", "offerMapId")
    if offer is None and mapped is None:
        return None
    spec = item.get("specId") or asker.knowledge.first("1688", "specId")
    row = {"offerId": offer, "offerMapId": mapped if offer is None else None, "specId": spec, "quantity": 2}
    return [{name: value for name, value in row.items() if value is not None}]


def _waybill(asker: Asker, order: KnownOrder | None) -> Any:
    found = order.waybill if order else None
    return found or asker.knowledge.first("1688", "logisticsBillNo", "mailNo")


def _item(_asker: Asker, order: KnownOrder | None) -> dict[str, Any] | None:
    item = order.offers[0] if order and order.offers else None
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


def _taobao_lines(asker: Asker, _order: KnownOrder | None) -> Any:
    item, sku = (
        asker.knowledge.first("taobao", *names)
        for names in (("mpId", "itemId", "item_id"), ("mpSkuId", "skuId", "sku_id"))
    )
    if item is None or sku is None:
        return None
    line = {
        "itemId": str(item),
        "skuId": str(sku),
        "orderLineNo": "1",
        "quantity": "1",
        "price": "1000",
        "currency": "CNY",
    }
    return [line]


def _message_ids(asker: Asker, _order: KnownOrder | None) -> Any:
    found = asker.knowledge.all("messages", "msgId")
    return [int(one) if str(one).isdigit() else one for one in found[:20]] or None


def _image_search(asker: Asker, _order: KnownOrder | None) -> Any:
    image = asker.knowledge.first("1688", "result")
    return None if image is None else {"imageId": str(image), "beginPage": 1, "pageSize": 20, "country": "en"}


def _since(asker: Asker, _order: KnownOrder | None) -> Any:
    return compact_text(asker.now - WINDOW)


def _until(asker: Asker, _order: KnownOrder | None) -> Any:
    return compact_text(asker.now + HOUR)


_OF_ORDER = frozenset({_order_id, _order_ids, _order_numbers, _lines, _line, _line_fen, _payment, _parcels, _waybill})
_SEARCH = {"keyword": "杯子", "beginPage": 1, "pageSize": 20, "country": "en"}
_ALSO = frozenset(
    {
        "page", "pageSize", "pageNo", "currentPageNum", "modifyStartTime", "modifyEndTime", "modifyTimeStart",
        "modifyTimeEnd", "need_refresh_token", "price", "currency", "dipsuteType", "vouchers", "tmallOrderInfo",
        "quality_inspection_info", "purchaseAmount", "sellerOrderNumber", "refundDesc", "message", "orderEntryIds",
    }
)  # fmt: skip
"""Fields that are asked with although they are not required: to leave them out would confirm less."""

_COMMON: Mapping[str, Fill] = {
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
    "offerQueryParam": _image_search,
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
}

_SPECIAL: Mapping[tuple[str, str], Fill] = {
    ("auth.token.exchange", "grant_type"): constant("authorization_code"),
    ("auth.token.exchange", "code"): constant(None),
    ("1688.order.im_link", "bizId"): known("offerId", "productID"),
}
"""Where one operation means something else by a name, or only a person can give it (`--ask code=…`)."""

_TAOBAO: Mapping[str, Fill] = {
    "orderLineList": _taobao_lines,
    "mpId": known("mpId", "itemId", "item_id"),
    "mpSkuId": known("mpSkuId", "skuId", "sku_id"),
    "itemIds": listed(known("itemId", "item_id", "mpId")),
    "bizId": known("itemId", "item_id"),
    "purchaseId": known("purchase_id", "purchaseId"),
    "purchaseOrderIdList": listed(known("purchase_id", "purchaseId")),
    "subPurchaseOrderId": known("sub_purchase_order_id", "subPurchaseOrderId", "purchaseOrderOuterId"),
    "orderId": known("purchase_id", "purchaseId"),
    "refundId": known("refundId", "refund_id"),
    "purchaseAmount": constant(1_000_000),
    "sellerOrderNumber": constant("conformance-1"),
    "voucherUrl": constant("https://example.org/voucher.jpg"),
    "warehouseAddress": constant("conformance street 1"),
    "warehouseName": constant("conformance"),
    "ids": listed(known("cartId", "id")),
    "refundType": constant(1),
    "goodsStatus": constant(1),
    "refundFee": constant(100),
    "reasonId": known("reasonId", "reason_id"),
    "refundDesc": constant("conformance of the interface"),
    "refundMessage": constant("conformance of the interface"),
    "logisticCompanyCode": constant("SF"),
    "logisticsNo": constant("SF0000000000001"),
}
