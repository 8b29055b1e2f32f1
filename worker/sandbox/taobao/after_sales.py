"""After-sales on Taobao: the menu's ten operations (three documented and "in development", the rest inferred).

A seller answers some hours later. A refund of goods goes 10, 20, 30, 100; one of money alone 10, 100; a refused one
stays at -10 until the buyer changes it, asks the platform no more, or withdraws.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from worker.catalogue.operation import Dialect
from worker.sandbox.codes import Refused
from worker.sandbox.ledgers import RefundRequest
from worker.sandbox.menu import Action
from worker.sandbox.parameters import Parameters
from worker.sandbox.sandbox import Sandbox
from worker.sandbox.seeded import spread, stream
from worker.sandbox.taobao.order import (
    AGREED,
    APPLIED,
    REFUNDED,
    REFUSED,
    RETURNED,
    WITHDRAWN,
    TaobaoOrder,
    TaobaoRefund,
)
from worker.sandbox.taobao.script import FIRST_REFUND_ID, HOUR, ID_STRIDE
from worker.sandbox.taobao.shown import REASONS, refund_row_of

GRANTED_SHARE = 0.7
MONEY, GOODS_AND_MONEY = 1, 2
_FAR = 2**62


def refund_of(sandbox: Sandbox, call: Parameters) -> tuple[TaobaoOrder, TaobaoRefund]:
    """The case that the call names, or a refusal."""
    wanted = call.id("refundId")
    for order in sandbox.taobao.orders.values():
        for refund in order.refunds:
            if str(refund.refund_id) == wanted:
                return order, refund
    raise Refused(40401, wanted)


def page(sandbox: Sandbox, call: Parameters) -> dict[str, Any]:
    """Newest change first. The window is one of modification (inferred: the manual names only start and end)."""
    number, size = call.integer("pageNo", 1), call.integer("pageSize")
    if number < 1 or not 1 <= size <= sandbox.config.max_page_size:
        raise Refused(40002, f"expected pageNo from 1, pageSize 1 to {sandbox.config.max_page_size}")
    since, until = call.integer("refundStartTime", 0), call.integer("refundEndTime", _FAR)
    wanted = {name: call.id(name) for name in ("refundId", "purchaseOrderId", "salesOrderId") if call.has(name)}
    status = call.integer("refundStatus") if call.has("refundStatus") else None
    rows = [
        (order, refund)
        for order in sandbox.taobao.history.all_seen()
        for refund in order.refunds
        if since <= refund.modified_ms <= until
        and status in (None, refund.status)
        and wanted.items() <= _names(order, refund).items()
    ]
    rows.sort(key=lambda row: (row[1].modified_ms, row[1].refund_id), reverse=True)
    return {
        "totalRecords": len(rows),
        "totalPage": -(-len(rows) // size),
        "pageSize": size,
        "currentPage": number,
        "data": [refund_row_of(order, refund) for order, refund in rows[(number - 1) * size : number * size]],
    }


def _names(order: TaobaoOrder, refund: TaobaoRefund) -> dict[str, str]:
    return {
        "refundId": str(refund.refund_id),
        "purchaseOrderId": order.order_id,
        "salesOrderId": str(order.sales_id),
    }


def detail(sandbox: Sandbox, call: Parameters) -> dict[str, Any]:
    """One case."""
    return refund_row_of(*refund_of(sandbox, call))


def preview(sandbox: Sandbox, call: Parameters) -> dict[str, Any]:
    """What can be asked back for a sub-order, and why."""
    order, place = _sub_order(sandbox, call)
    return {
        "subPurchaseOrderId": str(order.subs[place].sub_id),
        "maxRefundFee": _refundable_fen(order, place),
        "currency": "CNY",
        "refundTypes": [MONEY, GOODS_AND_MONEY] if order.subs[place].parcels else [MONEY],
        "reasons": [{"reasonId": number, "reasonDesc": text} for number, text in REASONS.items()],
    }


def create(sandbox: Sandbox, call: Parameters) -> dict[str, Any]:
    """Ask for a sub-order's money, or a part of it."""
    order, place = _sub_order(sandbox, call)
    kind, fee_fen, reason = call.integer("refundType"), call.integer("refundFee"), call.integer("reasonId")
    earlier = order.refund_of(place)
    if order.paid_ms is None or (earlier is not None and (earlier.open or earlier.status == REFUNDED)):
        sandbox.refuse("taobao.refund.create", order.order_id, "40920")
        raise Refused(40920, "not paid, or asked for already")
    if kind not in (MONEY, GOODS_AND_MONEY) or (kind == GOODS_AND_MONEY and not order.subs[place].parcels):
        raise Refused(40000, "refundType: expected 1, or 2 for what is shipped")
    _check_terms(order, place, fee_fen, reason)
    now_ms = sandbox.now_ms()
    refund = TaobaoRefund(
        refund_id=FIRST_REFUND_ID + order.life.number * ID_STRIDE + 2 * (1 + len(order.refunds)),
        place=place,
        fee_fen=fee_fen,
        status=APPLIED,
        created_ms=now_ms,
        modified_ms=now_ms,
        kind=kind,
        goods_status=call.integer("goodsStatus"),
        reason_id=reason,
        description=call.text("refundDesc", ""),
    )
    sandbox.taobao.change_refund(order, refund)
    line_ids = [str(order.subs[place].sub_id)]
    sandbox.ledgers.refunds.append(
        RefundRequest(str(refund.refund_id), order.order_id, line_ids, fee_fen, now_ms, platform="taobao")
    )
    _let_seller_answer(sandbox, order, refund)
    return {"refundId": str(refund.refund_id)}


def modify(sandbox: Sandbox, call: Parameters) -> bool:
    """Change what is asked for while the seller has not agreed; a refused case is asked anew by it."""
    order, refund = refund_of(sandbox, call)
    if refund.status not in (APPLIED, REFUSED):
        raise Refused(40920, str(refund.status))
    fee_fen = call.integer("refundFee", refund.fee_fen)
    reason = call.integer("reasonId", refund.reason_id)
    _check_terms(order, refund.place, fee_fen, reason)
    refund.fee_fen, refund.reason_id = fee_fen, reason
    refund.description = call.text("refundDesc", refund.description)
    was_refused = refund.status == REFUSED
    sandbox.taobao.change_refund(order, refund, APPLIED)
    if was_refused:
        _let_seller_answer(sandbox, order, refund)
    return True


def cancel(sandbox: Sandbox, call: Parameters) -> dict[str, Any]:
    """Withdraw; documented: a GET that does it."""
    order, refund = refund_of(sandbox, call)
    may = refund.status in (APPLIED, AGREED, REFUSED)
    if may:
        sandbox.taobao.change_refund(order, refund, WITHDRAWN)
    row = refund_row_of(order, refund)
    aggregate = {name: row[name] for name in ("logistics", "purchaseOrderLine", "refundOrder")}
    return {
        "cancelSuccess": may,
        "currency": "CNY",
        "distributorId": order.life.buyer.member_id,
        "refundOrderAggregate": aggregate,
    }


def return_preview(sandbox: Sandbox, call: Parameters) -> dict[str, Any]:
    """Where the goods go back to, once the seller has agreed to take them."""
    order, refund = refund_of(sandbox, call)
    _check_returns(refund)
    row = refund_row_of(order, refund)
    companies = [{"logisticCompanyCode": "SF", "logisticsCompanyName": "顺丰速运"}]
    return {"receiverAddress": row["logistics"]["receiverAddress"], "logisticsCompanies": companies}


def return_submit(sandbox: Sandbox, call: Parameters) -> bool:
    """The goods are on their way back; when they are there, the money comes."""
    order, refund = refund_of(sandbox, call)
    _check_returns(refund)
    refund.return_carrier, refund.return_waybill = call.text("logisticCompanyCode"), call.text("logisticsNo")
    sandbox.taobao.change_refund(order, refund, RETURNED)
    sandbox.taobao.later(24 * HOUR, lambda: _go_on(sandbox, order, refund, RETURNED, REFUNDED))
    return True


def submit_message(sandbox: Sandbox, call: Parameters) -> bool:
    """Say something about the case."""
    _, refund = refund_of(sandbox, call)
    refund.messages = (*refund.messages, (sandbox.now_ms(), "buyer", call.text("refundMessage")))
    return True


def messages(sandbox: Sandbox, call: Parameters) -> list[dict[str, Any]]:
    """What was said, oldest first."""
    _, refund = refund_of(sandbox, call)
    return [{"createTime": at, "ownerRole": who, "content": what, "images": []} for at, who, what in refund.messages]


def _sub_order(sandbox: Sandbox, call: Parameters) -> tuple[TaobaoOrder, int]:
    sub_id = call.id("subPurchaseOrderId")
    order = sandbox.taobao.find(sub_id)
    for place, sub in enumerate(order.subs if order else []):
        if order is not None and str(sub.sub_id) == sub_id:
            return order, place
    raise Refused(40400, sub_id)


def _refundable_fen(order: TaobaoOrder, place: int) -> int:
    return order.subs[place].amount_fen + (order.postage_fen if len(order.subs) == 1 else 0)


def _check_terms(order: TaobaoOrder, place: int, fee_fen: int, reason: int) -> None:
    if not 0 < fee_fen <= _refundable_fen(order, place):
        raise Refused(40920, f"refundFee: expected 1 to {_refundable_fen(order, place)}")
    if reason not in REASONS:
        raise Refused(40000, f"reasonId: expected one of {', '.join(map(str, REASONS))}")


def _check_returns(refund: TaobaoRefund) -> None:
    if refund.kind != GOODS_AND_MONEY or refund.status != AGREED:
        raise Refused(40920, str(refund.status))


def _let_seller_answer(sandbox: Sandbox, order: TaobaoOrder, refund: TaobaoRefund) -> None:
    rng = stream(sandbox.config.seed, "taobao seller", refund.refund_id, sandbox.now_ms())
    agreed = AGREED if refund.kind == GOODS_AND_MONEY else REFUNDED
    status = agreed if rng.random() < GRANTED_SHARE else REFUSED
    sandbox.taobao.later(spread(rng, HOUR, 12 * HOUR), lambda: _go_on(sandbox, order, refund, APPLIED, status))


def _go_on(sandbox: Sandbox, order: TaobaoOrder, refund: TaobaoRefund, before: int, after: int) -> None:
    if refund.status == before:
        sandbox.taobao.change_refund(order, refund, after)


_P = Dialect.PANDAPON
ACTIONS: Mapping[tuple[Dialect, str], Action] = {
    (_P, "taobao.refund.list"): page,
    (_P, "taobao.refund.detail"): detail,
    (_P, "taobao.refund.preview"): preview,
    (_P, "taobao.refund.create"): create,
    (_P, "taobao.refund.modify"): modify,
    (_P, "taobao.refund.cancel"): cancel,
    (_P, "taobao.refund.return_preview"): return_preview,
    (_P, "taobao.refund.return_submit"): return_submit,
    (_P, "taobao.refund.submit_message"): submit_message,
    (_P, "taobao.refund.messages"): messages,
}
