"""What goes into the operations and what comes out, as far as it is known: name, kind, unit.

Fields of upstream's order are told once, for all who hand it on. Of operations whose bodies nobody has seen
`worker.catalogue.inferred` has the guess.
"""

from __future__ import annotations

from typing import Final

from worker.catalogue.inferred import INFERRED_ANSWERS, INFERRED_REQUESTS
from worker.catalogue.operation import Dialect, Field, Mark
from worker.catalogue.words import fields

_P, _X, _A = Dialect.PANDAPON, Dialect.XPORT, Dialect.ALIBABA1688

_TRADE = (
    "baseInfo:object baseInfo.id:id_number baseInfo.idOfStr:id_text baseInfo.status:text baseInfo.totalAmount:yuan",
    "baseInfo.shippingFee:yuan baseInfo.sumProductPayment:yuan baseInfo.discount:fen baseInfo.refund:yuan",
    "baseInfo.refundId:id_text baseInfo.refundStatus:text baseInfo.closeReason:text baseInfo.createTime:time",
    "baseInfo.payTime:time baseInfo.modifyTime:time baseInfo.completeTime:time baseInfo.receiverInfo!:object",
    "productItems:list productItems[].subItemID:id_number productItems[].subItemIDString:id_text",
    "productItems[].price:yuan productItems[].itemAmount:yuan productItems[].entryDiscount:fen",
    "productItems[].quantity:decimal productItems[].status:text productItems[].logisticsStatus:integer",
    "productItems[].productImgUrl:list productItems[].refundId:id_text productItems[].gmtPayExpireTime:time",
    "nativeLogistics:object nativeLogistics.contactPerson!:text nativeLogistics.mobile!:text",
    "nativeLogistics.address!:text nativeLogistics.logisticsItems:list nativeLogistics.logisticsItems[].id:id_number",
    "nativeLogistics.logisticsItems[].logisticsBillNo:text nativeLogistics.logisticsItems[].subItemIds:text",
    "tradeTerms:list tradeTerms[].payStatus:integer tradeTerms[].payTime:time",
)
_PAGE = ("totalRecords:integer totalPage:integer pageSize:integer currentPage:integer data:list",)
_ADDRESS = (
    "addressParam*!:object addressParam.fullName!:text addressParam.mobile!:text",
    "addressParam.phone!:text addressParam.postCode!:text addressParam.cityText!:text",
    "addressParam.provinceText!:text addressParam.areaText!:text addressParam.townText!:text",
    "addressParam.address!:text addressParam.districtCode!:text",
)
_CARGO = (
    "cargoParamList*:list cargoParamList[].offerId:id_number cargoParamList[].offerMapId:text",
    "cargoParamList[].specId:text cargoParamList[].quantity:decimal",
)
_PREVIEW = (
    "orderPreviewResuslt:list orderPreviewResuslt[].sumPayment:fen orderPreviewResuslt[].sumCarriage:fen",
    "orderPreviewResuslt[].sumPaymentNoCarriage:fen orderPreviewResuslt[].discountFee:fen",
    "orderPreviewResuslt[].cargoList[].amount:yuan orderPreviewResuslt[].cargoList[].finalUnitPrice:yuan",
)
_KA_PREVIEW = (
    "[].sumCarriage:fen [].sumPayment:fen [].sumTotalPayment:fen [].sumPaymentNoCarriage:fen",
    "[].orderItemTOList[].amount:fen [].orderItemTOList[].finalUnitPrice:fen",
)
_SEARCHED = (*_PAGE, "data[].imageUrl:text data[].subject:text data[].offerMapId:text data[].priceInfo.price:yuan")
_SEARCH_ONE = "beginPage*:integer pageSize*:integer country*:text sort:text priceStart:yuan priceEnd:yuan"
_RECEIVER = "receiverAddress*!:object"
_REFUND = (
    "refundId:id_text orderId:id_number status:text applyPayment:fen applyCarriage:fen refundPayment:fen",
    "gmtApply:time gmtModified:time gmtCompleted:time",
)
_TOKENS = "access_token:text expires_in:text refresh_token:text refresh_token_timeout:time"
_AOP_ORDER = "webSite*:text orderId*:id_number"

REQUESTS: Final[dict[tuple[Dialect, str], tuple[Field, ...]]] = {
    **INFERRED_REQUESTS,
    (_P, "1688.goods.detail"): fields("offerId*:id_number country*:text outMemberId:text"),
    (_P, "1688.goods.keyword_search"): fields("keyword*:text", _SEARCH_ONE, "filter:text categoryId:id_number"),
    (_P, "1688.goods.image_search"): fields(
        "imageBase64*:base64", _SEARCH_ONE, "filter:text region:text imageAddress:text"
    ),
    (_P, "1688.cart.create_order"): fields("cartIds*:list userId*:text staffName:text flow*:text", *_ADDRESS),
    (_P, "1688.order.batch_submit_payment"): fields("orderIds*:list"),
    (_P, "1688.order.batch_create"): fields("flow*:text message!:text", *_ADDRESS, *_CARGO),
    (_P, "1688.order.list"): fields("page:integer pageSize:integer modifyStartTime:time modifyEndTime:time"),
    (_P, "1688.order.preview"): fields("flow:text", *_ADDRESS, *_CARGO),
    (_P, "1688.order.create"): fields("flow*:text message!:text tradeType:text", *_ADDRESS, *_CARGO),
    (_P, "1688.order.detail"): fields("webSite*:text orderId*:id_text"),
    (_P, "1688.order.cancel"): fields(_AOP_ORDER, "cancelReason*:text remark!:text"),
    (_P, "1688.order.pay"): fields("orderId*:id_text"),
    (_P, "1688.order.confirm_receipt"): fields("orderId*:id_number orderEntryIds:list"),
    (_P, "1688.order.wangwang_nick"): fields("offerId*:id_number openUid*:text"),
    (_P, "1688.refund.detail"): fields("refundId*:id_text"),
    (_P, "1688.refund.create"): fields(
        "orderId*:id_number orderEntryIds*:list disputeRequest*:text applyPayment*:fen applyCarriage*:fen",
        "applyReasonId*:id_number description*!:text goodsStatus*:text vouchers:list orderEntryCountList:list",
    ),
    (_P, "1688.refund.return_goods"): fields(
        "refundId:id_text logisticsCompanyNo*:text freightBill*:text description!:text vouchers:list"
    ),
    (_P, "taobao.order.preview"): fields("orderLineList*:json_text receiver*!:json_text"),
    (_P, "taobao.order.create"): fields(
        "orderLineList*:json_text receiver*!:json_text purchaseAmount:fen orderSource:text sellerOrderNumber:id_text"
    ),
    (_P, "taobao.order.update_warehouse"): fields("warehouseAddress*!:text warehouseName*:text orderId*:id_text"),
    (_P, "taobao.order.im_link"): fields("sourceType*:text bizId*:id_text"),
    (_P, "taobao.order.logistics"): fields("subPurchaseOrderId*:id_text"),
    (_P, "taobao.cart.create_order"): fields("ids*:list orderAddress*!:object userId*:text"),
    (_P, "taobao.cart.add"): fields(
        "mpId*:id_text mpSkuId*:id_text quantity:integer price:fen promotionPrice:fen skuId:id_text"
    ),
    (_P, "taobao.refund.list"): fields(
        "refundId:id_text purchaseOrderId:id_text salesOrderId:id_text refundStatus:integer refundStartTime:time",
        "refundEndTime:time pageNo:integer pageSize*:integer",
    ),
    (_P, "taobao.refund.cancel"): fields("refundId*:id_text"),
    (_P, "taobao.refund.submit_message"): fields("refundId*:id_text refundMessage*:text refundImages:list"),
    (_P, "basis.address.save"): fields(
        "id:integer name!:text province!:text city!:text district!:text address!:text phone!:text"
    ),
    (_P, "warehouse.freight.estimate"): fields(
        "itemId*:id_text skuId*:id_text quantity*:integer price:text currency:text", _RECEIVER
    ),
    (_P, "warehouse.freight.preview"): fields(
        "renderItems*:list renderItems[].itemId:id_text renderItems[].skuId:id_text renderItems[].quantity:integer",
        "renderItems[].price:text renderItems[].currency:text renderItems[].freightInfo:object",
        _RECEIVER,
    ),
    (_P, "warehouse.domestic_logistics.update"): fields(
        "orderId*:id_text tmallOrderId:id_text logisticInfos*:list logisticInfos[].lineItem:object",
        "logisticInfos[].logisticNumer:text logisticInfos[].domesticLogisticInfo[].logisticNumer:text",
        "logisticInfos[].domesticLogisticInfo[].logisticCompanyName:text",
        "logisticInfos[].domesticLogisticInfo[].rtsTime:time",
    ),
    (_P, "warehouse.freight.book"): fields(
        "renderId*:text lineItems*:list lineItems[].itemId:id_text lineItems[].skuId:id_text",
        "lineItems[].quantity:integer lineItems[].title:text lineItems[].imageUrl:text lineItems[].price:text",
        "lineItems[].currency:text lineItems[].freightInfo:object tmallOrderInfo:object",
        "tmallOrderInfo.tmallOrderId:id_text remark!:text",
        _RECEIVER,
    ),
    (_X, "1688.order.preview"): fields("flow:text aliId:id_text outOrderId:id_text", *_ADDRESS, *_CARGO),
    (_X, "1688.order.create"): fields("flow*:text outOrderId:id_text message!:text", *_ADDRESS, *_CARGO),
    (_X, "wms.package.inbound"): fields(
        "out_order_id*:id_text alibaba_order_id*:id_text logistics_tracking_number*:text quality_inspection_info:object"
    ),
    (_A, "auth.token.exchange"): fields("grant_type*:text need_refresh_token:text redirect_uri*:text code*:text"),
    (_A, "auth.token.refresh"): fields("grant_type*:text refresh_token*:text"),
    (_A, "auth.token.postpone"): fields("refresh_token*:text access_token*:text"),
    (_A, "1688.order.preview"): fields("flow:text outOrderId:id_text", *_ADDRESS, *_CARGO),
    (_A, "1688.order.create"): fields(
        "flow*:text outOrderId:id_text tradeType:text dropshipping:text", *_ADDRESS, *_CARGO
    ),
    (_A, "1688.order.fast_create"): fields(
        "flow*:text outOrderId:id_text tradeType:text message:text", *_ADDRESS, *_CARGO
    ),
    (_A, "1688.order.list"): fields(
        "page:integer pageSize:integer modifyStartTime:time modifyEndTime:time isHis:boolean orderStatus:text",
        "outOrderId:id_text",
    ),
    (_A, "1688.order.detail"): fields(_AOP_ORDER, "includeFields:text"),
    (_A, "1688.order.logistics"): fields(_AOP_ORDER),
    (_A, "1688.order.trace"): fields(_AOP_ORDER, "logisticsId:id_text"),
    (_A, "1688.order.cancel"): fields("webSite*:text tradeID*:id_number cancelReason*:text remark!:text"),
    (_A, "1688.order.confirm_receipt"): fields("orderId*:id_number orderEntryIds*:json_text"),
    (_A, "1688.payment.prepare"): fields("tradeWithholdPreparePayParam*:json_text"),
    (_A, "1688.payment.url"): fields("orderIdList*:json_text"),
    (_A, "1688.payment.ways"): fields("orderId*:id_number"),
    (_A, "1688.refund.list"): fields(
        "orderId:id_number modifyStartTime:time modifyEndTime:time currentPageNum:integer pageSize:integer",
        "dipsuteType:integer",
    ),
    (_A, "1688.refund.by_order"): fields("orderId*:id_number queryType*:integer"),
    (_A, "1688.refund.detail"): fields("refundId*:id_text needTimeOutInfo:boolean needOrderRefundOperation:boolean"),
    (_A, "1688.refund.operations"): fields("refundId*:id_text pageNo*:integer pageSize*:integer"),
    (_A, "1688.refund.cancel"): fields("refundId*:id_text"),
    (_A, "1688.refund.reasons"): fields("orderId*:id_number orderEntryIds*:json_text goodsStatus*:text"),
    (_A, "1688.refund.max_fee"): fields("input*:json_text"),
    (_A, "1688.refund.upload_voucher"): fields("imageData*:base64"),
    (_A, "1688.refund.create"): fields(
        "orderId*:id_number orderEntryIds*:json_text disputeRequest*:text applyPayment*:fen applyCarriage*:fen",
        "applyReasonId*:id_number description*!:text goodsStatus*:text vouchers:json_text",
        "orderEntryCountList:json_text",
    ),
    (_A, "1688.refund.return_goods"): fields(
        "refundId*:id_text logisticsCompanyNo*:text freightBill*:text description!:text vouchers:json_text"
    ),
    (_A, "messages.failed.list"): fields(
        "createStartTime:time createEndTime:time page:integer pageSize:integer type:text"
    ),
    (_A, "messages.failed.take"): fields("createStartTime:time createEndTime:time quantity:integer type:text"),
    (_A, "messages.failed.confirm"): fields("msgIdList*:json_text"),
    (_A, "1688.goods.image_upload"): fields("uploadImageParam*:json_text"),
    (_A, "1688.goods.image_search"): fields("offerQueryParam*:json_text"),
    (_A, "1688.goods.image_search_direct"): fields("image*:base64 page:integer pageSize:integer"),
    (_A, "1688.goods.keyword_search"): fields("offerQueryParam*:json_text"),
    (_A, "1688.goods.shop_search"): fields("offerQueryParam*:json_text"),
    (_A, "1688.goods.recommend"): fields("recommendOfferParam*:json_text"),
    (_A, "1688.goods.detail"): fields("offerDetailParam*:json_text"),
}
"""Parameters by operation."""

ANSWERS: Final[dict[tuple[Dialect, str], tuple[tuple[Field, ...], Mark]]] = {
    **{key: (found, Mark.INFERRED) for key, found in INFERRED_ANSWERS.items()},
    (_P, "1688.goods.image_search"): (fields(*_SEARCHED), Mark.DOCUMENTED),
    (_P, "1688.order.preview"): (fields(*_PREVIEW), Mark.DOCUMENTED),
    (_P, "1688.order.detail"): (fields(*_TRADE), Mark.DOCUMENTED),
    (_P, "1688.order.list"): (
        fields(*_PAGE, "data[].baseInfo.id:id_number data[].baseInfo.modifyTime:time"),
        Mark.INFERRED,
    ),
    (_P, "1688.order.pay"): (
        fields("orderId:id_text protocolPaySuccess:boolean payUrl:text cantPayOrderList:list"),
        Mark.DOCUMENTED,
    ),
    (_P, "1688.order.confirm_receipt"): (fields("success:boolean errorInfo:text errorCode:text"), Mark.DOCUMENTED),
    (_P, "1688.refund.detail"): (
        fields("id:id_text applyPayment:fen applyCarriage:fen applyReason:text"),
        Mark.DOCUMENTED,
    ),
    (_P, "1688.refund.create"): (fields("refundId:id_text"), Mark.DOCUMENTED),
    (_P, "taobao.order.logistics"): (
        fields("purchaseOrderOuterId:id_text pnmLogisticsDetails:list pnmLogisticsDetails[].mailNo:text"),
        Mark.DOCUMENTED,
    ),
    (_X, "1688.order.preview"): (fields(*_KA_PREVIEW), Mark.INFERRED),
    (_X, "1688.order.detail"): (fields(*_TRADE), Mark.INFERRED),
    (_X, "1688.order.list"): (
        fields(*_PAGE, "data[].baseInfo.id:id_number data[].baseInfo.modifyTime:time"),
        Mark.INFERRED,
    ),
    (_A, "auth.token.exchange"): (fields(_TOKENS, "aliId:id_text memberId:text resource_owner:text"), Mark.DOCUMENTED),
    (_A, "auth.token.refresh"): (fields("access_token:text expires_in:text"), Mark.DOCUMENTED),
    (_A, "1688.order.preview"): (fields(*_PREVIEW), Mark.DOCUMENTED),
    (_A, "1688.order.list"): (fields("result:list totalRecord:integer"), Mark.DOCUMENTED),
    (_A, "1688.order.detail"): (
        fields("result:object", *(f"result.{word}" for row in _TRADE for word in row.split())),
        Mark.DOCUMENTED,
    ),
    (_A, "1688.order.cancel"): (fields("success:boolean errorCode:text errorMessage:text"), Mark.DOCUMENTED),
    (_A, "1688.order.confirm_receipt"): (
        fields("result.success:boolean result.errorCode:text result.errorInfo:text"),
        Mark.DOCUMENTED,
    ),
    (_A, "1688.order.logistics"): (
        fields(
            "result:list result[].logisticsId:id_text result[].logisticsBillNo:text result[].orderEntryIds:text",
            "result[].status:text result[].logisticsCompanyName:text result[].sendGoods:list",
            "result[].receiver!:object result[].sender!:object",
        ),
        Mark.DOCUMENTED,
    ),
    (_A, "1688.order.trace"): (
        fields(
            "logisticsTrace:list logisticsTrace[].logisticsId:id_text logisticsTrace[].orderId:id_number",
            "logisticsTrace[].logisticsBillNo:text logisticsTrace[].logisticsSteps:list",
            "logisticsTrace[].logisticsSteps[].acceptTime:time logisticsTrace[].logisticsSteps[].remark!:text",
        ),
        Mark.DOCUMENTED,
    ),
    (_A, "1688.payment.ways"): (
        fields(
            "resultList.channels:list resultList.orderId:id_number resultList.payFee:fen resultList.timeout:time",
        ),
        Mark.DOCUMENTED,
    ),
    (_A, "1688.payment.agreement"): (fields("result.result.paymentAgreements:list"), Mark.DOCUMENTED),
    (_A, "1688.payment.prepare"): (
        fields("result.result.payChannel:text result.result.paySuccess:boolean"),
        Mark.DOCUMENTED,
    ),
    (_A, "1688.payment.url"): (fields("payUrl:text payFailureOrderList:list"), Mark.DOCUMENTED),
    (_A, "1688.refund.list"): (
        fields("result:object", *(f"result.opOrderRefundModels[].{word}" for row in _REFUND for word in row.split())),
        Mark.DOCUMENTED,
    ),
    (_A, "messages.failed.list"): (
        fields("pushMessagePage.datas:list pushMessagePage.totalCount:integer"),
        Mark.DOCUMENTED,
    ),
    (_A, "messages.failed.take"): (fields("pushMessageList:list"), Mark.DOCUMENTED),
    (_A, "messages.failed.confirm"): (fields("isSuccess:boolean"), Mark.DOCUMENTED),
}
"""Fields of the data, and how sure they are, by operation."""
