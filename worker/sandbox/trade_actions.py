"""Reading, listing and paying 1688 orders through PandaPon."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from worker.catalogue.operation import Dialect
from worker.sandbox.codes import Refused
from worker.sandbox.menu import Action
from worker.sandbox.order import Order
from worker.sandbox.parameters import Parameters
from worker.sandbox.sandbox import Sandbox
from worker.sandbox.timetext import read_stamp

LIST_STATUSES = ("success", "cancel", "waitbuyerpay", "waitsellersend", "waitbuyerreceive")
"""Documented upstream: the only values the list's filter knows."""
_FAR = 2**62


def order_of(sandbox: Sandbox, order_id: str) -> Order:
    """The order, or a refusal."""
    order = sandbox.world.orders.get(order_id)
    if order is None:
        raise Refused(40400, order_id)
    return order


def detail(sandbox: Sandbox, call: Parameters) -> dict[str, Any]:
    """The whole TradeInfo."""
    if call.text("webSite") != "1688":
        raise Refused(40000, 'webSite: expected "1688"')
    return sandbox.world.shown(order_of(sandbox, call.id("orderId")))


def page(sandbox: Sandbox, call: Parameters) -> dict[str, Any]:
    """Newest change first. Between two calls the pages drift, as they would upstream."""
    number, size = call.integer("page", 1), call.integer("pageSize", 20)
    if number < 1:
        raise Refused(40000, "page: expected 1 or more")
    if not 1 <= size <= sandbox.config.max_page_size:
        raise Refused(40002, f"pageSize: expected 1 to {sandbox.config.max_page_size}")
    status = call.text("orderStatus") if call.has("orderStatus") else None
    if status is not None and status not in LIST_STATUSES:
        raise Refused(40000, f"orderStatus: expected one of {', '.join(LIST_STATUSES)}")
    modified = (moment(call, "modifyStartTime", 0), moment(call, "modifyEndTime", _FAR))
    created = (moment(call, "createStartTime", 0), moment(call, "createEndTime", _FAR))
    total, rows = sandbox.world.modified_between(modified, created, status, (number - 1) * size, size)
    return {
        "totalRecords": total,
        "totalPage": -(-total // size),
        "pageSize": size,
        "currentPage": number,
        "data": [sandbox.world.shown(order, parcels=False) for order in rows],
    }


def moment(call: Parameters, name: str, default: int) -> int:
    """A time of the list's filter, in Unix milliseconds."""
    if not call.has(name):
        return default
    text = call.text(name)
    try:
        return read_stamp(text)
    except ValueError as error:
        raise Refused(40003, text) from error


def pay(sandbox: Sandbox, call: Parameters) -> dict[str, Any]:
    """Pays at once where an agreement exists; otherwise a person has to follow `payUrl`."""
    order = order_of(sandbox, call.id("orderId"))
    if not order.payable:
        raise Refused(40900 if order.paid else 40901, order.order_id)
    pay_url = None
    if order.life.agreement:
        sandbox.world.pay(order, "agreement")
    else:
        pay_url = f"{call.base_url}_sandbox/pay/{order.order_id}"
        sandbox.world.give_pay_url(order)
    return {
        "orderId": order.order_id,
        "protocolPaySuccess": order.life.agreement,
        "payUrl": pay_url,
        "cantPayOrderList": [],
    }


def _both(name: str, action: Action) -> dict[tuple[Dialect, str], Action]:
    return {(Dialect.PANDAPON, name): action, (Dialect.XPORT, name): action}


ACTIONS: Mapping[tuple[Dialect, str], Action] = {
    **_both("1688.order.detail", detail),
    **_both("1688.order.list", page),
    **_both("1688.order.pay", pay),
}
