"""Reading, listing and paying 1688 orders through PandaPon."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from worker.catalogue.operation import Dialect
from worker.sandbox.codes import Refused
from worker.sandbox.menu import Action
from worker.sandbox.order import Order
from worker.sandbox.parameters import Parameters
from worker.sandbox.receipts import NO_SUCH_ORDER, TEXTS, ReceiptRefusedError
from worker.sandbox.sandbox import Sandbox
from worker.sandbox.timetext import read_stamp

LIST_STATUSES = ("success", "cancel", "waitbuyerpay", "waitsellersend", "waitbuyerreceive")
"""Documented upstream: the only values the list's filter knows."""
MAX_BATCH = 10
_FAR = 2**62


def order_of(sandbox: Sandbox, order_id: str) -> Order:
    """The order, or a refusal."""
    order = sandbox.world.orders.get(order_id)
    if order is None:
        raise Refused(40400, order_id)
    return order


def seen_order(sandbox: Sandbox, order_id: str) -> Order:
    """The order as a read sees it, or a refusal."""
    order = sandbox.world.history.seen(order_id)
    if order is None:
        raise Refused(40400, order_id)
    return order


def detail(sandbox: Sandbox, call: Parameters) -> dict[str, Any]:
    """The whole TradeInfo. Xport's own page was not readable: inferred to be the same object, without `webSite`."""
    if call.text("webSite", "1688") != "1688":
        raise Refused(40000, 'webSite: expected "1688"')
    return sandbox.world.shown(seen_order(sandbox, call.id("orderId")))


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
    return _submit(sandbox, order, call.base_url)


def batch_submit(sandbox: Sandbox, call: Parameters) -> list[dict[str, Any]]:
    """Each order for itself, as if it were the only one: some are paid, others named as not payable.

    Inferred: one documented pay answer per order. That the batch has a limit is inferred from the sample's nine ids and
    from the upstream's ten.
    """
    order_ids = call.ids("orderIds")
    if not 1 <= len(order_ids) <= MAX_BATCH or len(set(order_ids)) < len(order_ids):
        raise Refused(40000, f"orderIds: expected 1 to {MAX_BATCH} different ids")
    answers = []
    for order_id in order_ids:
        order = sandbox.world.orders.get(order_id)
        if order is None or not order.payable:
            refused = {"protocolPaySuccess": False, "payUrl": None, "cantPayOrderList": [int(order_id)]}
            answers.append({"orderId": order_id} | refused)
        else:
            answers.append(_submit(sandbox, order, call.base_url))
    return answers


def _submit(sandbox: Sandbox, order: Order, base_url: str) -> dict[str, Any]:
    pay_url = None
    if order.life.agreement:
        sandbox.world.pay(order, "agreement")
    else:
        pay_url = f"{base_url}_sandbox/pay/{order.order_id}"
        sandbox.world.give_pay_url(order)
    return {
        "orderId": order.order_id,
        "protocolPaySuccess": order.life.agreement,
        "payUrl": pay_url,
        "cantPayOrderList": [],
    }


def cancel(sandbox: Sandbox, call: Parameters) -> bool:
    """Only before payment (documented by the page's title)."""
    if call.text("webSite") != "1688":
        raise Refused(40000, 'webSite: expected "1688"')
    order = order_of(sandbox, call.id("orderId"))
    if not order.payable:
        raise refuse(sandbox, "1688.order.cancel", order.order_id, 40900 if order.paid else 40901)
    if order.settling:
        raise refuse(sandbox, "1688.order.cancel", order.order_id, 40902)
    sandbox.world.cancel(order, call.text("cancelReason"))
    return True


def confirm_receipt(sandbox: Sandbox, call: Parameters) -> dict[str, Any]:
    """A refusal travels inside the data (documented), not as the envelope's code."""
    order_id = call.id("orderId")
    order = sandbox.world.orders.get(order_id)
    code = NO_SUCH_ORDER
    if order is not None:
        try:
            sandbox.world.confirm_receipt(order, call.ids("orderEntryIds"))
        except ReceiptRefusedError as refusal:
            code = refusal.code
        else:
            return {"success": True, "errorInfo": None, "errorCode": None}
    sandbox.refuse("1688.order.confirm_receipt", order_id, code)
    return {"success": False, "errorInfo": TEXTS[code], "errorCode": code}


def refuse(sandbox: Sandbox, operation: str, key: str, code: int) -> Refused:
    """Write the refusal of an effect down."""
    sandbox.refuse(operation, key, str(code))
    return Refused(code, key)


def _both(name: str, action: Action) -> dict[tuple[Dialect, str], Action]:
    return {(Dialect.PANDAPON, name): action, (Dialect.XPORT, name): action}


ACTIONS: Mapping[tuple[Dialect, str], Action] = {
    **_both("1688.order.detail", detail),
    **_both("1688.order.list", page),
    **_both("1688.order.pay", pay),
    (Dialect.PANDAPON, "1688.order.batch_submit_payment"): batch_submit,
    (Dialect.PANDAPON, "1688.order.cancel"): cancel,
    (Dialect.PANDAPON, "1688.order.confirm_receipt"): confirm_receipt,
}
