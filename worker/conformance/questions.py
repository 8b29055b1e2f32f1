"""Questions for the operations: which order they are about, and a value for every field that the catalogue names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from worker.catalogue.operation import EffectClass, Kind, Operation
from worker.conformance.fills import ALSO, COMMON, OF_ORDER, SPECIAL, TAOBAO, Asker
from worker.conformance.invented import INVENTED
from worker.conformance.knowledge import PAID, SENT_NOT_RECEIVED, SHIPPED, UNPAID

_IN_EVERY_STATUS = frozenset({"1688.order.detail"})


class Question(msgspec.Struct, frozen=True):
    """Parameters, the order that they are about, and required fields that nobody has a value for."""

    parameters: dict[str, Any]
    missing: tuple[str, ...]
    order_id: str | None = None


ABOUT: Mapping[str, frozenset[str]] = {
    "1688.order.cancel": UNPAID,
    "1688.order.pay": UNPAID,
    "1688.order.batch_submit_payment": UNPAID,
    "1688.payment.prepare": UNPAID,
    "1688.payment.url": UNPAID,
    "1688.payment.ways": UNPAID,
    "1688.order.confirm_receipt": SENT_NOT_RECEIVED,
    "taobao.order.pay": UNPAID,
    "taobao.order.cancel": UNPAID,
    "taobao.order.upload_payment_voucher": UNPAID,
    "taobao.order.logistics": SENT_NOT_RECEIVED,
    "taobao.refund.preview": PAID,
    "taobao.refund.create": PAID,
    "warehouse.freight.preview": PAID,
    "1688.order.tracking": SHIPPED,
    "1688.order.logistics": SHIPPED,
    "1688.order.trace": SHIPPED,
    "1688.refund.reasons": PAID,
    "1688.refund.max_fee": PAID,
    "1688.refund.create": PAID,
    "1688.refund.by_order": PAID,
    "warehouse.domestic_logistics.update": PAID,
    "warehouse.freight.book": PAID,
    "wms.package.inbound": SHIPPED,
    "wms.package.forecast": SHIPPED,
    "wms.package.update": SHIPPED,
}
"""Which orders an operation is asked about; any order where it is not here."""


def ask_about(operation: Operation, asker: Asker) -> Question:
    """Return the question for an operation, as complete as can be."""
    wanted = ABOUT.get(operation.name)
    effect = operation.effect is not EffectClass.SAFE_READ
    asker = msgspec.structs.replace(asker, group=operation.name.partition(".")[0])
    fills = {**COMMON, **TAOBAO} if asker.group == "taobao" else COMMON
    order = asker.knowledge.order(asker.group, wanted, untouched=effect)
    parameters: dict[str, Any] = {}
    missing: list[str] = []
    uses_order = False
    for field in operation.request:
        name = field.path
        if "." in name or "[]" in name or not (field.required or name in ALSO or name in asker.hints):
            continue
        fill = SPECIAL.get((operation.name, name)) or fills.get(name)
        value = asker.hints.get(name) or (fill(asker, order) if fill else None)
        if value is None and field.required and asker.invent:
            value = INVENTED[field.kind]
        if value is None:
            missing += [name] if field.required else []
            continue
        uses_order = uses_order or fill in OF_ORDER
        parameters[name] = str(value) if field.kind is Kind.ID_TEXT and isinstance(value, int) else value
    return Question(parameters, tuple(missing), order.order_id if order and uses_order else None)


def others_to_ask(operation: Operation, asker: Asker, first: Question) -> list[Question]:
    """Return the same question about orders in other statuses: one order never has every field."""
    if operation.name not in _IN_EVERY_STATUS or first.order_id is None:
        return []
    orders = [one for (group, _), one in asker.knowledge.orders.items() if operation.name.startswith(group)]
    seen = {one.status for one in orders if one.order_id == first.order_id}
    found = []
    for order in orders:
        if order.status not in seen:
            seen.add(order.status)
            found.append(Question(first.parameters | {"orderId": order.order_id}, (), order.order_id))
    return found
