"""Every message that the marketplaces push: its type, what it becomes here, and how sure we are of it.

1688's topics come to us three ways: from the open platform under their own names, through PandaPon with the platform's
prefix, and through Xport under names of its own. `tells`: the kind of fact, or `none`: kept as a dead letter.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from worker.catalogue.operation import Dialect, Field, Mark, Message
from worker.catalogue.words import fields

VIEW: Final = "ORDER_BUYER_VIEW_"
PREFIX_1688: Final = "1688_"
PREFIX_TAOBAO: Final = "TAOBAO_"
_TOPIC = "orderId:id_number currentStatus:text msgSendTime:time buyerMemberId:id_text sellerMemberId:id_text"
_REFUND = f"{_TOPIC} refundId:id_text refundAction:text operator:text"
_ENTRIES = "orderLogsItems:list orderLogsItems[].orderId:id_number orderLogsItems[].orderEntryId:id_number"
_TRACE = " ".join(
    f"OrderLogisticsTracingModel.{word}"
    for word in f"logisticsId:id_text cpCode:text mailNo:text statusChanged:text changeTime:time {_ENTRIES}".split()
)
_WAYBILL = " ".join(
    f"MailNoChangeModel.{word}"
    for word in f"logisticsId:id_text oldMailNo:text newMailNo:text eventTime:time {_ENTRIES}".split()
)
_XPORT = (
    "orderId:id_text orderNo:text orderStatus:text payStatus:integer totalAmount:fen shippingFee:fen productAmount:fen "
    "refundAmount:fen closeReason:text tbCreateTime:time payTime:time"
)
_TAOBAO_PRICE = (
    "salesOrderId:id_text subOrders:list purchaseOrderPriceDTO:object purchaseOrderPriceDTO.purchaseTotalFee:fen "
    "purchaseOrderPriceDTO.purchaseProductFee:fen purchaseOrderPriceDTO.purchaseShippingFee:fen"
)
_TAOBAO_STATUS = "purchase_id:id_number outer_purchase_id:text status:text business_time:time sku_list:list"
_ORDER = "baseInfo:object baseInfo.id:id_number baseInfo.idOfStr:id_text baseInfo.totalAmount:yuan productItems:list"

_TRADE_TOPICS: Final = (
    ("ORDER_BUYER_VIEW_BUYER_MAKE", "status", _TOPIC),
    ("ORDER_BUYER_VIEW_ORDER_PRICE_MODIFY", "price", _TOPIC),
    ("ORDER_BUYER_VIEW_ORDER_PAY", "status", _TOPIC),
    ("ORDER_BUYER_VIEW_ORDER_STEP_PAY", "status", _TOPIC),
    ("ORDER_BATCH_PAY", "status", "batchPay:list batchPay[].orderId:id_text batchPay[].status:text"),
    ("ORDER_BUYER_VIEW_ANNOUNCE_SENDGOODS", "status", _TOPIC),
    ("ORDER_BUYER_VIEW_PART_PART_SENDGOODS", "status", _TOPIC),
    ("ORDER_BUYER_VIEW_ORDER_COMFIRM_RECEIVEGOODS", "status", _TOPIC),
    ("ORDER_BUYER_VIEW_ORDER_SUCCESS", "status", _TOPIC),
    ("ORDER_BUYER_VIEW_ORDER_BUYER_CLOSE", "status", _TOPIC),
    ("ORDER_BUYER_VIEW_ORDER_SELLER_CLOSE", "status", _TOPIC),
    ("ORDER_BUYER_VIEW_ORDER_BOPS_CLOSE", "status", _TOPIC),
    ("ORDER_BUYER_VIEW_ORDER_BUYER_REFUND_IN_SALES", "refund", _REFUND),
    ("ORDER_BUYER_VIEW_ORDER_REFUND_AFTER_SALES", "refund", _REFUND),
    ("LOGISTICS_BUYER_VIEW_TRACE", "logistics", _TRACE),
    ("LOGISTICS_MAIL_NO_CHANGE", "logistics", _WAYBILL),
)
"""What the buyer of an order is told (documented upstream, marketplace notes 2.4 and 2.5)."""
_OTHER_TOPICS: Final = (
    ("ORDER_BUYER_VIEW_MODIFY_MEMO", "status", Mark.FIELD, "older topic list; its body was not seen"),
    ("ORDER_BUYER_VIEW_ORDER_SELLER_MODIFY_ADRESS", "status", Mark.DOCUMENTED, "their spelling; its body was not seen"),
    ("AUTHORIZATION_SUCCESS", "none", Mark.DOCUMENTED, "its body was not seen"),
    ("AUTHORIZATION_CANCEL", "none", Mark.DOCUMENTED, "a person has to authorise the app again"),
    ("LOGISTICS_GLOBAL_1688_PACKAGE_CHANGE", "none", Mark.DOCUMENTED, "packages of official cross-border logistics"),
    ("PRODUCT_RELATION_VIEW_PRODUCT_EXPIRE", "none", Mark.DOCUMENTED, ""),
    ("PRODUCT_RELATION_VIEW_PRODUCT_NEW_OR_MODIFY", "none", Mark.DOCUMENTED, ""),
    ("PRODUCT_RELATION_VIEW_PRODUCT_DELETE", "none", Mark.DOCUMENTED, ""),
    ("PRODUCT_RELATION_VIEW_PRODUCT_REPOST", "none", Mark.DOCUMENTED, ""),
    ("PRODUCT_RELATION_VIEW_PRODUCT_AUDIT", "none", Mark.DOCUMENTED, ""),
    ("PRODUCT_RELATION_VIEW_PRODUCT_CHANGE", "none", Mark.DOCUMENTED, ""),
    ("PRODUCT_PRODUCT_INVENTORY_CHANGE", "none", Mark.DOCUMENTED, "only for articles that the buyer follows"),
    ("PRODUCT_PFT_OFFER_QUIT", "none", Mark.DOCUMENTED, ""),
    ("PRODUCT_PFT_OFFER_PRICE_MODIFY", "none", Mark.DOCUMENTED, ""),
    ("FENXIAO_PRICE_CHANGE", "none", Mark.DOCUMENTED, ""),
    ("PRODUCT_PRODUCT_CROSSBOARD_INFORM", "none", Mark.DOCUMENTED, "their spelling"),
)


def _open_platform() -> Iterator[Message]:
    for kind, tells, body in _TRADE_TOPICS:
        yield _message(Dialect.ALIBABA1688, kind, "1688", tells, Mark.DOCUMENTED, body, "topic pages")
    for kind, tells, mark, note in _OTHER_TOPICS:
        yield _message(Dialect.ALIBABA1688, kind, "1688", tells, mark, "", "topic pages", note)


def _pandapon() -> Iterator[Message]:
    """Documented are the two price changes; that all of 1688's topics come with the prefix is inferred."""
    for kind, tells, body in _TRADE_TOPICS:
        documented = kind == f"{VIEW}ORDER_PRICE_MODIFY"
        mark, words = (Mark.DOCUMENTED, _ORDER) if documented else (Mark.INFERRED, body)
        source = "doc-en api-263477659" if documented else "menu, upstream topics"
        yield _message(Dialect.PANDAPON, f"{PREFIX_1688}{kind}", "1688", tells, mark, words, source)
    price, status = f"{PREFIX_TAOBAO}{VIEW}ORDER_PRICE_MODIFY", f"{PREFIX_TAOBAO}ORDER_STATUS_MODIFY"
    refund = f"{PREFIX_TAOBAO}{VIEW}ORDER_BUYER_REFUND"
    taobao = (
        (price, "price", Mark.DOCUMENTED, _TAOBAO_PRICE, "doc-en api-263477629", ""),
        (status, "status", Mark.INFERRED, _TAOBAO_STATUS, "menu, sister platform", "its type was not seen"),
        (refund, "refund", Mark.INFERRED, "refundId:id_text salesOrderId:id_text refundStatus:integer", "menu", ""),
    )
    for kind, tells, mark, body, source, note in taobao:
        yield _message(Dialect.PANDAPON, kind, "taobao", tells, mark, body, source, note)


def _xport() -> Iterator[Message]:
    rows = (
        ("ORDER_CREATE", "status", _XPORT),
        ("ORDER_CANCEL", "status", _XPORT),
        ("ORDER_PAY_SUCCESS", "status", _XPORT),
        ("ORDER_BUYER_VIEW_ORDER_PRICE_MODIFY", "price", _XPORT),
        ("ORDER_BUYER_VIEW_ORDER_BUYER_REFUND", "refund", "refundId:id_text orderId:id_text"),
    )
    for kind, tells, body in rows:
        yield _message(Dialect.XPORT, kind, "1688", tells, Mark.DOCUMENTED, body, "doc-en-ka doc-7259275")


def _message(
    dialect: Dialect, kind: str, platform: str, tells: str, mark: Mark, body: str, source: str, note: str = ""
) -> Message:
    found: tuple[Field, ...] = fields(body)
    return Message(
        dialect=dialect, type=kind, platform=platform, tells=tells, mark=mark, body=found, source=source, note=note
    )


MESSAGES: Final = (*_pandapon(), *_xport(), *_open_platform())


def messages_of(dialect: Dialect) -> tuple[Message, ...]:
    """Return a dialect's messages in the order of its manual."""
    return tuple(message for message in MESSAGES if message.dialect is dialect)
