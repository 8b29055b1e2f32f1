"""Parcels of an order and their traces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from worker.sandbox.aop import tracing
from worker.sandbox.aop.form import Form
from worker.sandbox.aop.gateway import Action
from worker.sandbox.aop.orders import on_1688, seen_order
from worker.sandbox.aop.refusals import BusinessRefusal
from worker.sandbox.goods import CARRIERS
from worker.sandbox.order import Order, Parcel
from worker.sandbox.sandbox import Sandbox
from worker.sandbox.timetext import plain

NOT_SHIPPED_YET = "500_2"
YEAR_MS = 365 * 86_400_000
"""Documented: no traces of orders older than that; told by the time stamp, which is never scaled."""


def infos(sandbox: Sandbox, form: Form) -> dict[str, Any]:
    """`getLogisticsInfos.buyerView`: one row per parcel; before shipping a refusal with HTTP 200 (field)."""
    on_1688(form)
    order = seen_order(sandbox, form.id("orderId"))
    if not order.parcels:
        raise BusinessRefusal(NOT_SHIPPED_YET, "订单未发货")
    rows = [_info(sandbox, order, parcel) for parcel in order.parcels]
    return {"result": rows, "errorCode": None, "errorMessage": None}


def _info(sandbox: Sandbox, order: Order, parcel: Parcel) -> dict[str, Any]:
    reached = tracing.nodes(parcel, sandbox.now_ms(), sandbox.config.scaled_ms)
    lines = [line for line in order.lines if line.line_id in parcel.line_ids]
    buyer, seller = order.life.buyer, order.life.seller
    return {
        "logisticsId": parcel.ship.logistics_code,
        "logisticsBillNo": parcel.waybill,
        "orderEntryIds": ",".join(str(line_id) for line_id in parcel.line_ids),
        "status": tracing.INFO_STATUS[reached[-1].word] if reached else "WAITACCEPT",
        "logisticsCompanyId": parcel.carrier_number,
        "logisticsCompanyNo": parcel.carrier_code,
        "logisticsCompanyName": parcel.carrier_name,
        "remarks": "",
        "sendGoods": [
            {"goodName": line.goods.name, "quantity": str(line.goods.quantity), "unit": line.goods.unit}
            for line in lines
        ],
        "receiver": {"receiverName": buyer.name, "receiverMobile": buyer.mobile, "receiverAddress": "示例路 1 号 仓库"},
        "sender": {"senderName": seller.name, "senderMobile": seller.mobile, "senderAddress": "示例路 2 号"},
        "logisticsOrderGoods": [
            {
                "logisticsId": parcel.ship.logistics_code,
                "tradeOrderId": order.life.order_id,
                "tradeOrderItemId": line.line_id,
                "description": line.goods.name,
                "quantity": line.goods.quantity,
                "unit": line.goods.unit,
                "productName": line.goods.name,
            }
            for line in lines
        ],
    }


def trace(sandbox: Sandbox, form: Form) -> dict[str, Any]:
    """`getLogisticsTraceInfo.buyerView`: the steps of each parcel."""
    on_1688(form)
    order = seen_order(sandbox, form.id("orderId"))
    if sandbox.now_ms() - order.created_ms > YEAR_MS:
        raise BusinessRefusal("order.createtime.history", "the order is older than one year")
    wanted = form.text("logisticsId")
    rows = []
    for parcel in order.parcels:
        steps = tracing.nodes(parcel, sandbox.now_ms(), sandbox.config.scaled_ms)
        if steps and wanted in ("", parcel.ship.logistics_code):
            rows.append(
                {
                    "logisticsId": parcel.ship.logistics_code,
                    "orderId": order.life.order_id,
                    "logisticsBillNo": parcel.waybill,
                    "logisticsSteps": [
                        {"acceptTime": plain(node.at), "remark": tracing.REMARKS[node.word]} for node in steps
                    ],
                }
            )
    if not rows:
        raise BusinessRefusal("404", "该订单没有物流跟踪信息")
    return {"logisticsTrace": rows, "crossPackageFulfillmentDTO": None, "errorCode": None, "errorMessage": None}


def companies(_sandbox: Sandbox, _form: Form) -> dict[str, Any]:
    """`OpQueryLogisticCompanyList`: the carriers."""
    rows = [
        {"id": int(carrier.number), "companyName": carrier.name, "companyNo": carrier.code, "supportPrint": False}
        for carrier in CARRIERS
    ]
    return {"result": rows, "errorCode": None, "errorMessage": None}


ACTIONS: Mapping[str, Action] = {
    "1688.order.logistics": infos,
    "1688.order.trace": trace,
    "1688.logistics.companies": companies,
}
