"""The operations that the worker itself calls. A test holds this against the clients' code."""

from __future__ import annotations

from typing import Final

from worker.catalogue.operation import Dialect

_PANDAPON = frozenset(
    {
        "1688.goods.image_search",
        "1688.order.batch_submit_payment",
        "1688.order.cancel",
        "1688.order.confirm_receipt",
        "1688.order.detail",
        "1688.order.list",
        "1688.order.logistics",
        "1688.order.pay",
        "1688.order.tracking",
        "1688.refund.detail",
        "taobao.order.cancel",
        "taobao.order.detail",
        "taobao.order.list",
        "taobao.order.logistics",
        "taobao.order.pay",
        "taobao.refund.detail",
        "taobao.refund.list",
        "warehouse.domestic_logistics.update",
        "warehouse.freight.book",
        "warehouse.freight.preview",
    }
)
CALLED: Final = {
    Dialect.PANDAPON: _PANDAPON,
    Dialect.XPORT: _PANDAPON,
    Dialect.ALIBABA1688: frozenset(
        {
            "1688.goods.image_search",
            "1688.goods.image_upload",
            "1688.order.cancel",
            "1688.order.confirm_receipt",
            "1688.order.detail",
            "1688.order.list",
            "1688.order.logistics",
            "1688.order.trace",
            "1688.payment.agreement",
            "1688.payment.prepare",
            "1688.payment.url",
            "1688.refund.detail",
            "1688.refund.list",
            "auth.token.postpone",
            "auth.token.refresh",
            "messages.failed.confirm",
            "messages.failed.list",
        }
    ),
}
