"""Freight and packages: the four calls signed by query string, and the three of Xport's warehouse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from worker.catalogue.operation import Dialect
from worker.sandbox.codes import Refused
from worker.sandbox.ledgers import Inbound
from worker.sandbox.menu import Action
from worker.sandbox.order import Shipment
from worker.sandbox.parameters import Parameters
from worker.sandbox.sandbox import Sandbox
from worker.sandbox.trade_actions import order_of, refuse
from worker.sandbox.warehouse import SERVICES, Item, Service

COUNTRY_CHARS = 2
BOOK = "warehouse.freight.book"


def estimate(sandbox: Sandbox, call: Parameters) -> list[dict[str, Any]]:
    """One price per service for an article that nobody has ordered yet."""
    _check_receiver(call)
    items = [_item(call)]
    return [
        {
            "freightInfo": service.shown,
            "price": _decimal(sandbox.warehouse.price_fen(service, items)),
            "currency": "CNY",
        }
        for service in SERVICES.values()
    ]


def preview(sandbox: Sandbox, call: Parameters) -> dict[str, Any]:
    """A price that holds for a while, under an id that is good for one booking."""
    _check_receiver(call)
    rows = call.rows("renderItems")
    items = [_item(row) for row in rows]
    for row in rows:
        _check_price(row)
    service = _service(rows)
    render = sandbox.warehouse.preview(service, items)
    return {
        "renderId": render.render_id,
        "freightInfo": service.shown,
        "price": _decimal(render.amount_fen),
        "currency": render.currency,
        "expireTime": render.expires_at,
    }


def book(sandbox: Sandbox, call: Parameters) -> dict[str, Any]:
    """Charged at once, and not to be undone from here."""
    _check_receiver(call)
    items = [_item(row) for row in call.rows("lineItems")]
    order_id = _booked_order(sandbox, call)
    try:
        booked = sandbox.warehouse.book(call.text("renderId"), order_id, items, dict(call.values))
    except Refused as refusal:
        sandbox.refuse(BOOK, order_id, str(refusal.code))
        raise
    sandbox.show_shipment(order_id, Shipment(booked.number, SERVICES[booked.service_id].company, booked.at))
    return {"renderId": booked.render_id, "logisticNumer": booked.number, "tmallOrderId": order_id or None}


def update(sandbox: Sandbox, call: Parameters) -> bool:
    """Tells the warehouse which domestic parcels to expect. Every call is taken down, also a repeated one."""
    order_id = call.id("orderId")
    if sandbox.is_paid(order_id) is None:
        raise refuse(sandbox, "warehouse.domestic_logistics.update", order_id, 40400)
    for info in call.rows("logisticInfos"):
        line = info.inside("lineItem")
        line.id("itemId"), line.id("skuId")
        if line.integer("quantity") < 1:
            raise Refused(40000, "quantity: expected 1 or more")
        for parcel in info.rows("domesticLogisticInfo"):
            parcel.text("logisticNumer"), parcel.text("logisticCompanyName")
            sent = parcel.text("rtsTime", "")
            if sent and not sent.isdigit():
                raise Refused(40000, "rtsTime: expected Unix seconds as text")
    sandbox.warehouse.tell(order_id, dict(call.values))
    return True


def _package(kind: Literal["forecast", "inbound", "update"]) -> Action:
    def act(sandbox: Sandbox, call: Parameters) -> bool:
        order = order_of(sandbox, call.id("alibaba_order_id"))
        waybill = call.text("logistics_tracking_number")
        if waybill not in {parcel.waybill for parcel in order.parcels}:
            raise refuse(sandbox, f"wms.package.{kind}", order.order_id, 40405)
        sandbox.warehouse.take_in(Inbound(order.order_id, waybill, kind, sandbox.now_ms(), dict(call.values)))
        return True

    return act


def _booked_order(sandbox: Sandbox, call: Parameters) -> str:
    """The order whose goods are sent; it has to be paid. Empty: the call names none (the block is optional)."""
    if not call.has("tmallOrderInfo"):
        return ""
    order_id = call.inside("tmallOrderInfo").id("tmallOrderId")
    paid = sandbox.is_paid(order_id)
    if paid is None:
        raise refuse(sandbox, BOOK, order_id, 40400)
    if not paid:
        raise refuse(sandbox, BOOK, order_id, 40904)
    return order_id


def _item(row: Parameters) -> Item:
    quantity = row.integer("quantity")
    if quantity < 1:
        raise Refused(40000, "quantity: expected 1 or more")
    return row.id("itemId"), row.id("skuId"), quantity


def _check_price(row: Parameters) -> None:
    row.text("currency")
    price = row.text("price")
    if not price.replace(".", "", 1).isdecimal():
        raise Refused(40000, "price: expected a decimal as text")


def _service(rows: list[Parameters]) -> Service:
    wanted = {row.inside("freightInfo").text("serviceId") for row in rows}
    if len(wanted) > 1 or not wanted <= SERVICES.keys():
        raise Refused(40005, f"expected one of {', '.join(SERVICES)} for all items")
    return SERVICES[wanted.pop()]


def _check_receiver(call: Parameters) -> None:
    receiver = call.inside("receiverAddress")
    country = receiver.text("country")
    if not (len(country) == COUNTRY_CHARS and country.isascii() and country.isupper()):
        raise Refused(40000, "receiverAddress.country: expected two letters as in US")
    for name in ("name", "address", "city"):
        if not receiver.text(name):
            raise Refused(40000, f"receiverAddress.{name}: missing")


def _decimal(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d}"


ACTIONS: Mapping[tuple[Dialect, str], Action] = {
    (Dialect.PANDAPON, "warehouse.freight.estimate"): estimate,
    (Dialect.PANDAPON, "warehouse.freight.preview"): preview,
    (Dialect.PANDAPON, "warehouse.domestic_logistics.update"): update,
    (Dialect.PANDAPON, BOOK): book,
    (Dialect.XPORT, "wms.package.forecast"): _package("forecast"),
    (Dialect.XPORT, "wms.package.inbound"): _package("inbound"),
    (Dialect.XPORT, "wms.package.update"): _package("update"),
}
