"""PandaPon OpenAPI: orders on Taobao (marketplace notes, sections 3 and 6)."""

from __future__ import annotations

from worker.catalogue.operation import Area, Dialect
from worker.catalogue.shorthand import Shorthand

_OF = Shorthand(Dialect.PANDAPON)

OPERATIONS = (
    _OF.read("taobao.goods.search", "Taobao goods search", Area.GOODS),
    _OF.read("taobao.goods.batch", "Taobao goods by ids", Area.GOODS),
    _OF.read("taobao.goods.commodity_search", "Taobao commodity search", Area.GOODS),
    _OF.read("taobao.goods.image_search", "Taobao image search", Area.GOODS),
    _OF.read(
        "taobao.order.preview",
        "Taobao order preview",
        Area.ORDERS,
        v1="/open/order/render",
        source="doc-vnm api-250496540",
    ),
    _OF.irreversible(
        "taobao.order.create", "Taobao order creation", Area.ORDERS, v1="/open/order", source="doc-en api-263477610"
    ),
    _OF.read("taobao.order.list", "Taobao paged order query", Area.ORDERS, source="menu of v2"),
    _OF.effect(
        "taobao.order.upload_payment_voucher", "Taobao upload payment voucher", Area.PAYMENT, source="menu of v1"
    ),
    _OF.irreversible("taobao.order.cancel", "Taobao order cancellation", Area.ORDERS),
    _OF.effect(
        "taobao.order.update_warehouse",
        "Taobao modify pre-warehouse information",
        Area.ORDERS,
        v1="/open/order/updateWarehouse",
        source="doc-en api-263477614",
    ),
    _OF.irreversible("taobao.order.pay", "Taobao order payment", Area.PAYMENT),
    _OF.read(
        "taobao.order.im_link",
        "Taobao IM link",
        Area.ORDERS,
        v1="/open/order/page/link/get",
        source="doc-en api-263477616",
    ),
    _OF.read(
        "taobao.order.detail", "Taobao order detail by id", Area.ORDERS, method="GET", source="menu, doc-env2 289120996"
    ),
    _OF.read(
        "taobao.order.logistics",
        "Taobao logistics detail",
        Area.LOGISTICS,
        method="GET",
        v1="/open/order/logistics/detail/get",
        v2="/v2/taobao/order/logistics/detail/get",
        source="doc api-250313082, doc-cnv2 api-288535324",
    ),
    _OF.read("taobao.cart.preview", "Taobao cart preview", Area.CART),
    _OF.irreversible(
        "taobao.cart.create_order",
        "Taobao create order from cart",
        Area.CART,
        v1="/open/cart/create/order",
        source="doc api-250313096",
    ),
    _OF.read("taobao.cart.list", "Taobao cart list", Area.CART, method="GET"),
    _OF.effect("taobao.cart.delete", "Taobao delete from cart", Area.CART),
    _OF.effect(
        "taobao.cart.add",
        "Taobao add to cart",
        Area.CART,
        v1="/open/cart/add",
        v2="/v2/taobao/cart/add",
        source="doc api-250313100, doc-env2 api-289121002",
    ),
    _OF.effect("taobao.cart.edit_quantity", "Taobao edit cart quantity", Area.CART),
    _OF.read(
        "taobao.refund.list",
        "Taobao after-sales list",
        Area.AFTER_SALES,
        v1="/open/order/refund/queryList",
        source="doc-vnm api-250496545",
    ),
    _OF.read("taobao.refund.preview", "Taobao after-sales rendering", Area.AFTER_SALES),
    _OF.read("taobao.refund.return_preview", "Taobao return-logistics rendering", Area.AFTER_SALES, method="GET"),
    _OF.irreversible("taobao.refund.return_submit", "Taobao return-logistics submission", Area.AFTER_SALES),
    _OF.irreversible(
        "taobao.refund.cancel",
        "Taobao after-sales cancellation",
        Area.AFTER_SALES,
        method="GET",
        v1="/open/order/refund/cancel/{refundId}",
        source="doc api-250313087",
    ),
    _OF.effect(
        "taobao.refund.submit_message",
        "Taobao after-sales message",
        Area.AFTER_SALES,
        v1="/open/order/refund/submit/message",
        source="doc-en api-263477624",
    ),
    _OF.irreversible("taobao.refund.create", "Taobao after-sales submission", Area.AFTER_SALES),
    _OF.read("taobao.refund.messages", "Taobao after-sales message list", Area.AFTER_SALES),
    _OF.irreversible("taobao.refund.modify", "Taobao after-sales modification", Area.AFTER_SALES),
    _OF.read("taobao.refund.detail", "Taobao after-sales detail", Area.AFTER_SALES, method="GET"),
)
