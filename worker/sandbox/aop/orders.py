"""Reading orders: the buyer's list and detail."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from worker.sandbox.aop.form import Form
from worker.sandbox.aop.gateway import Action
from worker.sandbox.aop.refusals import BusinessRefusal
from worker.sandbox.order import Order
from worker.sandbox.sandbox import Sandbox

LIST_STATUSES = ("success", "cancel", "waitbuyerpay", "waitsellersend", "waitbuyerreceive")
"""Documented: the only values of the list's filter."""
DEFAULT_PAGE_SIZE = 20
NO_ORDER = "ORDER_NOT_EXIST"
_FAR = 2**62
_DOUBLE = 2**53
_NUMERIC_IDS = frozenset({"id", "subItemID", "orderId", "productID", "skuID"})
_SECTIONS = {
    "NativeLogistics": ("nativeLogistics",),
    "RateDetail": ("orderRateInfo",),
    "GuaranteesTerms": ("guaranteesTerms",),
    "OrderInvoice": ("orderInvoiceInfo",),
    "InvoicingSetting": ("invoicingSettingModel",),
}


def order_of(sandbox: Sandbox, order_id: str) -> Order:
    """The order as it is, for what changes it. Raises BusinessRefusal where there is none."""
    order = sandbox.world.orders.get(order_id)
    if order is None:
        raise BusinessRefusal(NO_ORDER, f"order {order_id} does not exist")
    return order


def seen_order(sandbox: Sandbox, order_id: str) -> Order:
    """The order as a read sees it, which may lag behind. Raises BusinessRefusal where it sees none."""
    order = sandbox.world.history.seen(order_id)
    if order is None:
        raise BusinessRefusal(NO_ORDER, f"order {order_id} does not exist")
    return order


def on_1688(form: Form) -> None:
    """Hold `webSite` against the only site there is here."""
    if form.text("webSite") != "1688":
        raise BusinessRefusal("400_1", 'webSite: expected "1688"')


def detail(sandbox: Sandbox, form: Form) -> dict[str, Any]:
    """`get.buyerView`: the whole TradeInfo, or the sections asked for."""
    on_1688(form)
    info = sandbox.world.shown(seen_order(sandbox, form.id("orderId")))
    wanted = {word.strip() for word in form.text("includeFields").split(",") if word.strip()}
    left_out = [name for word, names in _SECTIONS.items() if wanted and word not in wanted for name in names]
    shown = {name: value for name, value in info.items() if name not in left_out}
    return {"result": _with_ids(sandbox, shown), "errorCode": None, "errorMessage": None}


def page(sandbox: Sandbox, form: Form) -> dict[str, Any]:
    """`getBuyerOrderList`: newest change first (the order is not documented), no logistics, no invoice.

    `orderIds` is taken and has no effect, as seen in the field.
    """
    number, size = form.integer("page", 1), form.integer("pageSize", DEFAULT_PAGE_SIZE)
    if number < 1 or not 1 <= size <= sandbox.config.aop.max_page_size:
        raise BusinessRefusal("400", f"page from 1, pageSize from 1 to {sandbox.config.aop.max_page_size}")
    tests = list(_filters(sandbox, form))
    found = [order for order in sandbox.world.history.all_seen() if all(test(order) for test in tests)]
    found.sort(key=lambda order: (order.modified_ms, order.life.number), reverse=True)
    rows = [_row(sandbox, order, form) for order in found[(number - 1) * size : number * size]]
    return {"result": rows, "totalRecord": len(found), "errorCode": None, "errorMessage": None}


def _filters(sandbox: Sandbox, form: Form) -> Iterator[Callable[[Order], bool]]:
    modified = (form.moment("modifyStartTime", 0), form.moment("modifyEndTime", _FAR))
    created = (form.moment("createStartTime", 0), form.moment("createEndTime", _FAR))
    yield lambda order: modified[0] <= order.modified_ms <= modified[1]
    yield lambda order: created[0] <= order.created_ms <= created[1]
    border = sandbox.now_ms() - round(sandbox.config.aop.history_after_s * 1000)
    old = form.flag("isHis")
    yield lambda order: (order.created_ms < border) is old
    if form.has("orderStatus"):
        status = form.text("orderStatus")
        if status not in LIST_STATUSES:
            raise BusinessRefusal("400", f"orderStatus: expected one of {', '.join(LIST_STATUSES)}")
        yield lambda order: order.status == status
    if form.has("refundStatus"):
        refund_status = form.text("refundStatus")
        yield lambda order: any(refund.status == refund_status for refund in order.refunds)
    if form.has("bizTypes"):  # field: words of older kinds of business find nothing
        kinds = form.list("bizTypes")
        yield lambda order: sandbox.world.shown(order)["baseInfo"]["businessType"] in kinds
    if form.has("sellerMemberId"):
        yield lambda order: order.life.seller.member_id == form.text("sellerMemberId")
    if form.has("sellerLoginId"):
        yield lambda order: order.life.seller.login_id == form.text("sellerLoginId")
    if form.has("productName"):
        yield lambda order: any(form.text("productName") in line.goods.name for line in order.lines)
    if form.has("outOrderId"):
        yield lambda order: out_order_id(sandbox, order) == form.text("outOrderId")


def out_order_id(sandbox: Sandbox, order: Order) -> str | None:
    """The id that the buyer gave to an order when it was created through the platform."""
    return sandbox.open_platform.out_order_ids.get(order.order_id)


def _row(sandbox: Sandbox, order: Order, form: Form) -> dict[str, Any]:
    info = sandbox.world.shown(order, parcels=False)
    base = dict(info["baseInfo"])
    if not form.flag("needBuyerAddressAndPhone"):
        base.pop("receiverInfo", None)
    return _with_ids(sandbox, {"baseInfo": base} | {name: info[name] for name in ("productItems", "tradeTerms")})


def _with_ids(sandbox: Sandbox, info: dict[str, Any]) -> dict[str, Any]:
    """The object with the buyer's own id, and its numeric ids rounded where the sandbox is told to."""
    order_id = info["baseInfo"]["idOfStr"]
    given = sandbox.open_platform.out_order_ids.get(order_id)
    whole = info | {"baseInfo": info["baseInfo"] | {"outOrderId": given}}
    rounded: dict[str, Any] = _rounded(whole) if sandbox.config.aop.round_ids else whole
    return rounded


def _rounded(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _rounded(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [_rounded(inner, name) for inner in value]
    is_id = name in _NUMERIC_IDS and isinstance(value, int) and value > _DOUBLE
    return int(float(value)) if is_id else value


ACTIONS: Mapping[str, Action] = {"1688.order.list": page, "1688.order.detail": detail}
