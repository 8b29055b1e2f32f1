"""Xport / KA: the same family under its own paths (marketplace notes, sections 3.5, 4.1 and 5)."""

from __future__ import annotations

from worker.catalogue.operation import Area, Dialect
from worker.catalogue.shorthand import Shorthand

_OF = Shorthand(Dialect.XPORT)

OPERATIONS = (
    _OF.read(
        "1688.order.preview",
        "KA order preview",
        Area.ORDERS,
        ka="/api/alibaba/ka/order/create/preview",
        source="doc-en-ka api-338074941",
    ),
    _OF.irreversible(
        "1688.order.create",
        "KA order creation",
        Area.ORDERS,
        ka="/api/alibaba/ka/order/create",
        source="doc-en-ka api-338074942",
    ),
    _OF.read("1688.order.detail", "KA get order details", Area.ORDERS),
    _OF.read("1688.order.list", "KA order list", Area.ORDERS),
    _OF.irreversible(
        "1688.order.pay",
        "KA order payment",
        Area.PAYMENT,
        ka="/api/alibaba/ka/order/pay",
        source="doc-en-ka api-454827975",
    ),
    _OF.read("1688.order.logistics", "KA order logistics", Area.LOGISTICS),
    _OF.read("1688.order.im_link", "KA IM", Area.ORDERS),
    _OF.read(
        "taobao.order.list", "Purchase order page list", Area.ORDERS, ka="/api/open/purchase/page", source="doc-8873281"
    ),
    _OF.irreversible("taobao.order.cancel", "Purchase order cancel", Area.ORDERS),
    _OF.irreversible("taobao.order.pay", "Purchase order pay", Area.PAYMENT),
    _OF.read("taobao.order.preview", "Purchase order render", Area.ORDERS),
    _OF.read("taobao.order.preview_v2", "Purchase order render v2", Area.ORDERS),
    _OF.irreversible("taobao.order.create", "Purchase order create", Area.ORDERS),
    _OF.irreversible("taobao.order.create_v2", "Purchase order create V2", Area.ORDERS),
    _OF.effect(
        "wms.package.inbound",
        "Package inbound",
        Area.WAREHOUSE,
        ka="/api/wms/package/inbound",
        source="doc-en-ka api-339881548",
    ),
    _OF.effect("wms.package.forecast", "Package forecasting", Area.WAREHOUSE),
    _OF.effect("wms.package.update", "Package update", Area.WAREHOUSE),
)
