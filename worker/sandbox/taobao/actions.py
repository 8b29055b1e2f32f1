"""Orders on Taobao through PandaPon, and the same through Xport, whose list shows statuses as numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from worker.catalogue.operation import Dialect
from worker.sandbox.codes import Refused
from worker.sandbox.menu import Action
from worker.sandbox.parameters import Parameters
from worker.sandbox.sandbox import Sandbox
from worker.sandbox.taobao.buying import create, preview
from worker.sandbox.taobao.order import CLOSED, CODES, WAIT_PAY, TaobaoOrder
from worker.sandbox.taobao.shown import purchase_order_of
from worker.sandbox.timetext import plain

MAX_BATCH = 10
"""Documented upstream: at most ten main orders in one payment."""
_FAR = 2**62


def order_of(sandbox: Sandbox, any_id: str) -> TaobaoOrder:
    """The order, or a refusal."""
    order = sandbox.taobao.find(any_id)
    if order is None:
        raise Refused(40400, any_id)
    return order


def seen_order(sandbox: Sandbox, any_id: str) -> TaobaoOrder:
    """The order as a read sees it, or a refusal."""
    order = sandbox.taobao.seen(any_id)
    if order is None:
        raise Refused(40400, any_id)
    return order


def detail(sandbox: Sandbox, call: Parameters) -> dict[str, Any]:
    """By the purchase order's id or Taobao's own number: which of them the real one takes is not known."""
    return purchase_order_of(seen_order(sandbox, call.id("id")), sandbox.taobao.pay_timeout_ms)


def _page(*, as_codes: bool) -> Action:
    def act(sandbox: Sandbox, call: Parameters) -> dict[str, Any]:
        number, size = call.integer("pageNo", 1), call.integer("pageSize", 20)
        if number < 1:
            raise Refused(40000, "pageNo: expected 1 or more")
        if not 1 <= size <= sandbox.config.max_page_size:
            raise Refused(40002, f"pageSize: expected 1 to {sandbox.config.max_page_size}")
        since, until = call.integer("modifyTimeStart", 0), call.integer("modifyTimeEnd", _FAR)
        status = _status_filter(call)
        outer = call.text("outerPurchaseId") if call.has("outerPurchaseId") else None
        rows = [
            order
            for order in sandbox.taobao.history.all_seen()
            if since <= order.modified_ms <= until
            and status in (None, order.status)
            and outer in (None, order.seller_order_number)
        ]
        rising = call.text("sortType", "DESC") == "ASC"
        rows.sort(key=lambda order: (order.modified_ms, order.life.number), reverse=not rising)
        shown = rows[(number - 1) * size : number * size]
        timeout_ms = sandbox.taobao.pay_timeout_ms
        return {
            "totalRecords": len(rows),
            "totalPage": -(-len(rows) // size),
            "pageSize": size,
            "currentPage": number,
            "data": [purchase_order_of(order, timeout_ms, as_codes=as_codes) for order in shown],
        }

    return act


def _status_filter(call: Parameters) -> str | None:
    if not call.has("status"):
        return None
    given = str(call.values["status"])
    words = {str(code): word for word, code in CODES.items()} | {word: word for word in CODES}
    if given not in words:
        raise Refused(40000, f"status: expected one of {', '.join(CODES)}")
    return words[given]


def pay(sandbox: Sandbox, call: Parameters) -> dict[str, Any]:
    """Asynchronous upstream: the answer says which orders *will* be paid; the money is taken, the status follows."""
    order_ids = call.ids("purchaseOrderIdList")
    if not 1 <= len(order_ids) <= MAX_BATCH or len(set(order_ids)) < len(order_ids):
        raise Refused(40000, f"purchaseOrderIdList: expected 1 to {MAX_BATCH} different ids")
    accepted, failed = [], []
    for order_id in order_ids:
        order = sandbox.taobao.find(order_id)
        if order is None or not order.payable:
            reason = "order not found" if order is None else f"status {order.status}"
            failed.append({"purchaseOrderId": order_id, "reason": reason})
        else:
            sandbox.taobao.pay(order, "agreement")
            accepted.append(order_id)
    return {
        "willPayPurchaseOrderIds": accepted,
        "payFailurePurchaseOrderIds": [row["purchaseOrderId"] for row in failed],
        "payFailedResults": failed,
    }


def cancel(sandbox: Sandbox, call: Parameters) -> dict[str, Any]:
    """Asynchronous upstream: accepted now, carried out later, and not at all if the money was quicker."""
    order = order_of(sandbox, call.id("purchaseId"))
    if not order.payable:
        code = 40901 if order.status == CLOSED else 40900
        sandbox.refuse("taobao.order.cancel", order.order_id, str(code))
        raise Refused(code, order.order_id)
    known = {str(sub.sub_id): place for place, sub in enumerate(order.subs)}
    named = call.ids("subPurchaseOrderIdList") or list(known)
    if not set(named) <= known.keys():
        raise Refused(40000, "subPurchaseOrderIdList: not all of this order")
    sandbox.taobao.cancel(order, [known[sub_id] for sub_id in named], call.text("cancelReason"))
    return {"success": True}


def upload_voucher(sandbox: Sandbox, call: Parameters) -> bool:
    """The buyer paid by bank; finance will look."""
    order = order_of(sandbox, call.id("purchaseId"))
    if order.status != WAIT_PAY or order.settling:
        raise Refused(40920, order.status)
    sandbox.taobao.upload_voucher(order)
    return True


def update_warehouse(sandbox: Sandbox, call: Parameters) -> bool:
    """Where the goods go first; of use only until they have left."""
    order = order_of(sandbox, call.id("orderId"))
    if order.status == CLOSED or any(sub.parcels for sub in order.subs):
        raise Refused(40920, order.status)
    order.warehouse = (call.text("warehouseName"), call.text("warehouseAddress"))
    order.modified_ms = sandbox.now_ms()
    sandbox.taobao.history.keep(order)
    return True


def im_link(sandbox: Sandbox, call: Parameters) -> str:  # noqa: ARG001 - all actions look alike
    """A link that logs somebody in: the manual's form, on a host that does not exist."""
    return (
        f"https://im.example.invalid/apps/open/imchat?loginToken=sandbox-{call.text('sourceType')}-{call.id('bizId')}"
    )


def logistics(sandbox: Sandbox, call: Parameters) -> dict[str, Any]:
    """The parcels of one sub-order with their traces; documented: all leaf values are texts."""
    sub_id = call.id("subPurchaseOrderId")
    order = seen_order(sandbox, sub_id)
    sub = next((sub for sub in order.subs if str(sub.sub_id) == sub_id), None)
    if sub is None:
        raise Refused(40400, sub_id)
    return {
        "purchaseOrderOuterId": str(sub.sub_id),
        "pnmLogisticsDetails": [
            {
                "mailNo": parcel.waybill,
                "logisticsTraces": [
                    {
                        "statusDesc": "运输中",
                        "province": "浙江省",
                        "city": "杭州市",
                        "district": None,
                        "action": "TMS_STATION_OUT",
                        "facilityName": None,
                        "time": plain(parcel.sent_ms),
                        "standerdDesc": "已发出",
                        "status": "TRANSPORT",
                        "nextCity": None,
                        "nextNodeName": None,
                    }
                ],
                "logisticsPartner": [{"companyImageUrl": None, "company": parcel.carrier.name, "companyContact": None}],
                "receiver": None,
                "logisticsGoods": [
                    {
                        "title": sub.goods.name,
                        "property": ";".join(":".join(pair) for pair in sub.goods.sku),
                        "imageUrl": sub.goods.image,
                        "quantity": str(sub.goods.quantity),
                    }
                ],
            }
            for parcel in sub.parcels
        ],
    }


_P, _X = Dialect.PANDAPON, Dialect.XPORT
ACTIONS: Mapping[tuple[Dialect, str], Action] = {
    (_P, "taobao.order.detail"): detail,
    (_P, "taobao.order.list"): _page(as_codes=False),
    (_P, "taobao.order.pay"): pay,
    (_P, "taobao.order.cancel"): cancel,
    (_P, "taobao.order.upload_payment_voucher"): upload_voucher,
    (_P, "taobao.order.update_warehouse"): update_warehouse,
    (_P, "taobao.order.im_link"): im_link,
    (_P, "taobao.order.logistics"): logistics,
    (_P, "taobao.order.preview"): preview,
    (_P, "taobao.order.create"): create,
    (_X, "taobao.order.list"): _page(as_codes=True),
    (_X, "taobao.order.pay"): pay,
    (_X, "taobao.order.cancel"): cancel,
    (_X, "taobao.order.preview"): preview,
    (_X, "taobao.order.preview_v2"): preview,
    (_X, "taobao.order.create"): create,
    (_X, "taobao.order.create_v2"): create,
    (_X, "1688.order.im_link"): im_link,
}
