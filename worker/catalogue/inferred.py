"""Fields of operations whose bodies nobody has seen: the upstream's names, or those of a documented sibling.

All of them are inferred; where not even that gave a name, it is this project's own guess. The sandbox demands and
answers what stands here, so client and sandbox at least mean the same guess.
"""

from __future__ import annotations

from typing import Final

import msgspec

from worker.catalogue.operation import Dialect, Field, Mark
from worker.catalogue.words import fields

_P, _X = Dialect.PANDAPON, Dialect.XPORT


def _guess(*rows: str) -> tuple[Field, ...]:
    return tuple(msgspec.structs.replace(field, mark=Mark.INFERRED) for field in fields(*rows))


_SEARCH = "beginPage*:integer pageSize*:integer country*:text outMemberId:text"
_TAOBAO_SEARCH = "pageNo:integer pageSize:integer"
_ADDRESS = (
    "addressParam*!:object addressParam.fullName!:text addressParam.mobile!:text addressParam.phone!:text",
    "addressParam.postCode!:text addressParam.cityText!:text addressParam.provinceText!:text",
    "addressParam.areaText!:text addressParam.townText!:text addressParam.address!:text",
    "addressParam.districtCode!:text",
)
_CARGO = "cargoParamList*:list cargoParamList[].offerId:id_number cargoParamList[].specId:text"
_TAOBAO_LINES = "orderLineList*:json_text receiver*!:json_text"
_TAOBAO_LIST = (
    "pageNo:integer pageSize:integer status:text modifyTimeStart:time modifyTimeEnd:time sortType:text",
    "outerPurchaseId:id_text",
)
_TAOBAO_CANCEL = "purchaseId*:id_text cancelReason*:text cancelRemark:text subPurchaseOrderIdList:list"
_TAOBAO_PAY = "purchaseOrderIdList*:list"
_TAOBAO_CREATE = (_TAOBAO_LINES, "purchaseAmount:fen orderSource:text sellerOrderNumber:id_text")
_PACKAGE = "out_order_id*:id_text alibaba_order_id*:id_text logistics_tracking_number*:text"
_REFUND = "refundId*:id_text"

INFERRED_REQUESTS: Final[dict[tuple[Dialect, str], tuple[Field, ...]]] = {
    (_P, "1688.goods.shop_search"): _guess("sellerOpenId*:text keyword:text", _SEARCH),
    (_P, "1688.goods.category"): _guess("categoryId*:id_number outMemberId:text"),
    (_P, "1688.goods.recommend"): _guess(_SEARCH),
    (_P, "1688.goods.related"): _guess("offerId*:id_number", _SEARCH),
    (_P, "1688.goods.global_keyword_search"): _guess("keyword*:text", _SEARCH),
    (_P, "1688.goods.selection_keyword_search"): _guess("keyword*:text", _SEARCH),
    (_P, "1688.goods.hot_list"): _guess("categoryId:id_number", _SEARCH),
    (_P, "taobao.goods.search"): _guess("keyword*:text", _TAOBAO_SEARCH),
    (_P, "taobao.goods.commodity_search"): _guess("keyword*:text", _TAOBAO_SEARCH),
    (_P, "taobao.goods.batch"): _guess("itemIds*:list"),
    (_P, "taobao.goods.image_search"): _guess("imageBase64*:base64", _TAOBAO_SEARCH),
    (_P, "1688.cart.list"): _guess("userId*:id_text pageNo:integer pageSize:integer"),
    (_P, "1688.cart.add"): _guess("userId*:id_text offerId*:id_number specId*:text quantity*:integer"),
    (_P, "1688.cart.delete"): _guess("userId*:id_text cartIds*:list"),
    (_P, "1688.cart.edit_quantity"): _guess("userId*:id_text cartId*:id_number quantity*:integer"),
    (_P, "1688.cart.preview"): _guess("cartIds*:list userId*:id_text", *_ADDRESS),
    (_P, "1688.order.batch_preview"): _guess("flow:text", *_ADDRESS, _CARGO),
    (_P, "1688.order.tracking"): _guess("orderId*:id_text"),
    (_P, "1688.refund.reasons"): _guess("orderId*:id_number orderEntryIds*:list goodsStatus*:text"),
    (_P, "1688.refund.upload_voucher"): _guess("imageBase64*:base64"),
    (_P, "taobao.order.list"): _guess(*_TAOBAO_LIST),
    (_P, "taobao.order.upload_payment_voucher"): _guess("purchaseId*:id_text voucherUrl*:text"),
    (_P, "taobao.order.cancel"): _guess(_TAOBAO_CANCEL),
    (_P, "taobao.order.pay"): _guess(_TAOBAO_PAY),
    (_P, "taobao.order.detail"): _guess("id*:id_text"),
    (_P, "taobao.cart.preview"): _guess("ids*:list userId*:id_text"),
    (_P, "taobao.cart.list"): _guess("userId*:id_text pageNo:integer pageSize:integer"),
    (_P, "taobao.cart.delete"): _guess("userId*:id_text ids*:list"),
    (_P, "taobao.cart.edit_quantity"): _guess("userId*:id_text id*:id_number quantity*:integer"),
    (_P, "taobao.refund.preview"): _guess("subPurchaseOrderId*:id_text refundType:integer"),
    (_P, "taobao.refund.return_preview"): _guess(_REFUND),
    (_P, "taobao.refund.return_submit"): _guess(_REFUND, "logisticCompanyCode*:text logisticsNo*:text"),
    (_P, "taobao.refund.create"): _guess(
        "subPurchaseOrderId*:id_text refundType*:integer goodsStatus*:integer refundFee*:fen reasonId*:integer",
        "refundDesc:text refundImages:list",
    ),
    (_P, "taobao.refund.messages"): _guess(_REFUND),
    (_P, "taobao.refund.modify"): _guess(_REFUND, "refundFee:fen reasonId:integer refundDesc:text"),
    (_P, "taobao.refund.detail"): _guess(_REFUND),
    (_X, "1688.order.detail"): _guess("orderId*:id_text webSite:text"),
    (_X, "1688.order.list"): _guess("page:integer pageSize:integer modifyStartTime:time modifyEndTime:time"),
    (_X, "1688.order.pay"): _guess("orderId*:id_text"),
    (_X, "1688.order.logistics"): _guess("orderId*:id_text"),
    (_X, "1688.order.im_link"): _guess("sourceType*:text bizId*:id_text"),
    (_X, "taobao.order.list"): _guess(*_TAOBAO_LIST),
    (_X, "taobao.order.cancel"): _guess(_TAOBAO_CANCEL),
    (_X, "taobao.order.pay"): _guess(_TAOBAO_PAY),
    (_X, "taobao.order.preview"): _guess(_TAOBAO_LINES),
    (_X, "taobao.order.preview_v2"): _guess(_TAOBAO_LINES),
    (_X, "taobao.order.create"): _guess(*_TAOBAO_CREATE),
    (_X, "taobao.order.create_v2"): _guess(*_TAOBAO_CREATE),
    (_X, "wms.package.forecast"): _guess(_PACKAGE),
    (_X, "wms.package.update"): _guess(_PACKAGE, "quality_inspection_info:object"),
}
"""Parameters by operation."""

INFERRED_ANSWERS: Final[dict[tuple[Dialect, str], tuple[Field, ...]]] = {
    (_P, "1688.order.batch_submit_payment"): _guess(
        "[].orderId:id_text [].protocolPaySuccess:boolean [].payUrl:text [].cantPayOrderList:list"
    ),
    (_P, "taobao.order.pay"): _guess(
        "willPayPurchaseOrderIds:list payFailurePurchaseOrderIds:list",
        "payFailedResults[].purchaseOrderId:id_text payFailedResults[].reason:text",
    ),
    (_P, "taobao.order.cancel"): _guess("success:boolean"),
    (_P, "warehouse.freight.estimate"): _guess(
        "[].freightInfo.serviceId:text [].freightInfo.companyName:text [].freightInfo.serviceCategory:text",
        "[].price:decimal [].currency:text",
    ),
    (_P, "warehouse.freight.preview"): _guess(
        "renderId:text price:decimal currency:text expireTime:time freightInfo.serviceId:text",
        "freightInfo.companyName:text freightInfo.serviceCategory:text",
    ),
    (_P, "warehouse.freight.book"): _guess("renderId:text logisticNumer:text tmallOrderId:id_text"),
    (_X, "1688.order.pay"): _guess("orderId:id_text protocolPaySuccess:boolean payUrl:text cantPayOrderList:list"),
    (_X, "taobao.order.pay"): _guess("willPayPurchaseOrderIds:list payFailurePurchaseOrderIds:list"),
}
"""Fields of the data by operation. Freight: `price` is decimal text in major units of `currency`."""
