"""After-sales on 1688 through PandaPon, and where its parcels are. Refunds are fen, as upstream.

The detail's fields are documented in part (`AlibabaRefundInfo`); reasons, vouchers and parcels are the upstream's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from worker.catalogue.operation import Dialect
from worker.sandbox.aop import tracing
from worker.sandbox.codes import Refused
from worker.sandbox.goods import CARRIERS
from worker.sandbox.goods_actions import picture_in
from worker.sandbox.menu import Action
from worker.sandbox.order import Order, Parcel
from worker.sandbox.parameters import Parameters
from worker.sandbox.refund import GRANTED, WAIT_SEND, Refund
from worker.sandbox.refund_rules import (
    DISPUTES,
    GOODS_STATUSES,
    REASONS,
    Asked,
    find_refund,
    fits,
    places_of,
    refund_for,
    within_limits,
)
from worker.sandbox.refunding import ask, send_back
from worker.sandbox.sandbox import Sandbox
from worker.sandbox.timetext import plain
from worker.sandbox.trade_actions import order_of, refuse, seen_order

CREATE = "1688.refund.create"


def refund_of(sandbox: Sandbox, refund_id: str) -> tuple[Order, Refund]:
    """The refund that the call names, or a refusal."""
    found = find_refund(sandbox, refund_id)
    if found is None:
        raise Refused(40401, refund_id)
    return found


def detail(sandbox: Sandbox, call: Parameters) -> dict[str, Any]:
    """One refund; all amounts are whole fen."""
    order, refund = refund_of(sandbox, call.text("refundId"))
    return {
        "id": refund.refund_id,
        "createBy": None,
        "createById": None,
        "createTime": plain(refund.applied_ms),
        "updateBy": None,
        "updateById": None,
        "updateTime": plain(refund.changed_ms),
        "remark": None,
        "orderId": order.order_id,
        "orderEntryIds": [order.lines[place].line_id for place in refund.lines],
        "status": refund.status,
        "applyCarriage": refund.carriage_fen,
        "applyExpect": refund.amount_fen,
        "applyPayment": refund.amount_fen,
        "refundPayment": refund.amount_fen if refund.status == GRANTED else 0,
        "applyReason": refund.reason,
        "applySubReason": None,
        "buyerSendGoods": refund.dispute == "returnRefund",
        "buyerMemberId": order.life.buyer.member_id,
        "buyerLogisticsName": None,
        "freightBill": refund.freight_bill,
    }


def reasons(sandbox: Sandbox, call: Parameters) -> dict[str, Any]:
    """Why money may be asked for."""
    order = order_of(sandbox, call.id("orderId"))
    _places(order, call.ids("orderEntryIds"))
    _check_word(call.text("goodsStatus"))
    return {
        "reasons": [
            {"id": number, "name": name, "needVoucher": False, "noRefundCarriage": False, "tip": None}
            for number, name in REASONS.items()
        ]
    }


def upload_voucher(sandbox: Sandbox, call: Parameters) -> dict[str, str]:  # noqa: ARG001 - all actions look alike
    """An address for the picture, on a host that does not exist."""
    digest = hashlib.sha256(picture_in(call)).hexdigest()
    return {"imageDomain": "https://img.example.invalid", "imageRelativeUrl": f"/voucher/{digest[:24]}.jpg"}


def create(sandbox: Sandbox, call: Parameters) -> dict[str, str]:
    """Ask for the money of some lines, or for a part of it; the seller answers some hours later."""
    order = order_of(sandbox, call.id("orderId"))
    places = _places(order, call.ids("orderEntryIds"))
    word, dispute = call.text("goodsStatus"), call.text("disputeRequest")
    _check_word(word)
    if dispute not in DISPUTES:
        raise Refused(40000, f"disputeRequest: expected {' or '.join(DISPUTES)}")
    reason = REASONS.get(call.integer("applyReasonId"))
    if reason is None:
        raise Refused(40000, f"applyReasonId: expected one of {', '.join(map(str, REASONS))}")
    asked = Asked(places, word, dispute, reason, call.integer("applyPayment"), call.integer("applyCarriage"))
    if not fits(order, asked) or not within_limits(order, asked):
        raise refuse(sandbox, CREATE, order.order_id, 40920)
    refund = refund_for(sandbox, order, asked)
    ask(sandbox, order, refund)
    return {"refundId": refund.refund_id}


def return_goods(sandbox: Sandbox, call: Parameters) -> bool:
    """The goods are on their way back to a seller who has agreed to take them."""
    order, refund = refund_of(sandbox, call.text("refundId"))
    if refund.status != WAIT_SEND:
        raise refuse(sandbox, "1688.refund.return_goods", order.order_id, 40920)
    if call.text("logisticsCompanyNo") not in {carrier.code for carrier in CARRIERS}:
        raise Refused(40000, "logisticsCompanyNo: unknown")
    send_back(sandbox, order, refund, call.text("freightBill"))
    return True


def companies(sandbox: Sandbox, call: Parameters) -> list[dict[str, Any]]:  # noqa: ARG001 - all actions look alike
    """The carriers."""
    return [{"id": int(carrier.number), "companyName": carrier.name, "companyNo": carrier.code} for carrier in CARRIERS]


def parcels(sandbox: Sandbox, call: Parameters) -> list[dict[str, Any]]:
    """One row per parcel with the steps of its trace; before shipping a refusal, as upstream."""
    order = seen_order(sandbox, call.id("orderId"))
    if not order.parcels:
        raise Refused(40903, order.order_id)
    return [_parcel(sandbox, order, parcel) for parcel in order.parcels]


def _parcel(sandbox: Sandbox, order: Order, parcel: Parcel) -> dict[str, Any]:
    reached = tracing.nodes(parcel, sandbox.now_ms(), sandbox.config.scaled_ms)
    lines = [line for line in order.lines if line.line_id in parcel.line_ids]
    return {
        "logisticsId": parcel.ship.logistics_code,
        "logisticsBillNo": parcel.waybill,
        "orderEntryIds": ",".join(str(line_id) for line_id in parcel.line_ids),
        "status": tracing.INFO_STATUS[reached[-1].word] if reached else "WAITACCEPT",
        "logisticsCompanyId": parcel.carrier_number,
        "logisticsCompanyNo": parcel.carrier_code,
        "logisticsCompanyName": parcel.carrier_name,
        "sendGoods": [
            {"goodName": line.goods.name, "quantity": str(line.goods.quantity), "unit": line.goods.unit}
            for line in lines
        ],
        "logisticsSteps": [{"acceptTime": plain(node.at), "remark": tracing.REMARKS[node.word]} for node in reached],
    }


def _check_word(word: str) -> None:
    if word not in GOODS_STATUSES:
        raise Refused(40000, f"goodsStatus: expected one of {', '.join(GOODS_STATUSES)}")


def _places(order: Order, line_ids: list[str]) -> list[int]:
    places = places_of(order, line_ids)
    if places is None:
        raise Refused(40000, "orderEntryIds: expected different lines of the order")
    return places


_P, _X = Dialect.PANDAPON, Dialect.XPORT
ACTIONS: Mapping[tuple[Dialect, str], Action] = {
    (_P, "1688.refund.detail"): detail,
    (_P, "1688.refund.reasons"): reasons,
    (_P, "1688.refund.upload_voucher"): upload_voucher,
    (_P, CREATE): create,
    (_P, "1688.refund.return_goods"): return_goods,
    (_P, "1688.refund.logistics_companies"): companies,
    (_P, "1688.order.tracking"): parcels,
    (_X, "1688.order.logistics"): parcels,
}
