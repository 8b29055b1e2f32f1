"""From Taobao's purchase order to a snapshot.

The objects are the upstream's (Taobao Global; marketplace notes 3.2 and 3.4: inferred for PandaPon, documented in parts
for Xport). Keys come in camelCase or with underscores, so every field is looked up by both; amounts are whole fen,
times epoch milliseconds. A sub-order is a line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from worker.domain.clock import Millis
from worker.domain.facts import (
    Amounts,
    Fact,
    Lifecycle,
    Line,
    Parcel,
    RefundSeen,
    Snapshot,
    Source,
    StatusSeen,
)
from worker.domain.identity import OrderKey, Platform
from worker.domain.money import MoneyError, fen_from_fen
from worker.marketplaces.trade import currency_of, payable
from worker.marketplaces.values import UnreadableValueError, as_list, as_object, identifier, instant, text

MAX_LINES = 500
MAX_PARCELS = 200
_NO_REFUND = "0"
_WORDS_BY_CODE = {
    "12": "BULIDING",
    "0": "WAIT_BUYER_P",
    "1": "ORDER_PAY_STATUS",
    "2": "ORDER_FINANCE_PASS_STATUS",
    "3": "ORDER_FINANCE_REFUSE_STATUS",
    "5": "WAIT_FINANCE_PAY",
    "10": "WAIT_SELLER_SEND_GOODS",
    "11": "WAIT_BUYER_CONFIRM_GOODS",
    "4": "TRADE_CLOSED",
    "9": "OTHER_STATUS",
}
"""Xport's status numbers (documented; for PandaPon inferred) as the upstream's words, their spelling included."""
_MAX_WORD = 100
_HUMP = re.compile(r"(?<!^)(?=[A-Z])")


def value_of(block: dict[str, Any], name: str) -> Any:
    """Return the field `name` (camelCase), or its spelling with underscores."""
    found = block.get(name)
    return block.get(_HUMP.sub("_", name).lower()) if found is None else found


def order_id_of(order: dict[str, Any]) -> str | None:
    """Return the purchase order's id."""
    return next(iter(_names_of(order)), None)


def own_id_of(order: dict[str, Any]) -> str | None:
    """Return the id that upstream itself gives the purchase order, never one of its other names."""
    return identifier(value_of(order, "purchaseId"), value_of(order, "purchaseOrderId"))


def is_about(order: dict[str, Any], order_id: str) -> bool:
    """Tell whether the order goes by this id: pushes name it by its sales order id, the upstream by its purchase id."""
    return order_id in _names_of(order)


def status_word(value: Any) -> str | None:
    """Return a status as the upstream's word, whether it came as a word or as a number."""
    word = text(value)
    return None if word is None else _WORDS_BY_CODE.get(word, word[:_MAX_WORD])


def snapshot_of(order: dict[str, Any]) -> Snapshot:
    """Return what a purchase order says. Raises UnreadableValueError without a status or a readable total."""
    told = _subs(order)
    subs = told or []
    total = _fen(order, "purchaseAmount")
    if total is None:
        raise UnreadableValueError("purchaseAmount is missing")
    return Snapshot(
        lifecycle=_lifecycle(order, subs),
        amounts=Amounts(
            total=payable(total, "purchaseAmount"),
            shipping=_fen(order, "domesticPostFee"),
            products=_fen(order, "productAmount"),
            discount=_fen(order, "hongbaoDeductionAmount"),
            currency=currency_of(value_of(order, "purchaseCurrency")),
        ),
        lines=None if told is None else tuple(line for sub in subs if (line := _line(sub)) is not None),
        parcels=None if told is None else tuple(_parcels(subs)),
        refunds=None if told is None else tuple(_refunds(subs)),
    )


def listed_order(account: str, row: dict[str, Any], asked_at: Millis) -> Fact:
    """A row of the order list as a hint."""
    order_id = order_id_of(row)
    if order_id is None:
        raise UnreadableValueError("a list row has no purchase order id")
    return Fact(
        key=OrderKey(account, Platform.TAOBAO, order_id),
        source=Source.POLL,
        content=StatusSeen(word=status_word(value_of(row, "status"))),
        observed_at=asked_at,
        provider_time=instant(value_of(row, "modifyTime")),
    )


def listed_refund(account: str, row: dict[str, Any], asked_at: Millis) -> Fact:
    """A row of the after-sales list as a hint."""
    order_id = identifier(value_of(row, "purchaseOrderId"), value_of(row, "purchaseId"))
    if order_id is None:
        raise UnreadableValueError("an after-sales row has no purchase order id")
    return Fact(
        key=OrderKey(account, Platform.TAOBAO, order_id),
        source=Source.POLL,
        content=refund_of(row),
        observed_at=asked_at,
        provider_time=instant(value_of(row, "modifyTime")),
    )


def refund_of(data: dict[str, Any]) -> RefundSeen:
    """Return a refund; the object stands alone or below `refundOrder`."""
    refund = as_object(value_of(data, "refundOrder")) or data
    refund_id = identifier(value_of(refund, "refundId"), refund.get("id"))
    if refund_id is None:
        raise UnreadableValueError("the refund has no id")
    line = as_object(value_of(data, "purchaseOrderLine"))
    line_id = identifier(value_of(line, "purchaseOrderLineId"), value_of(refund, "subPurchaseOrderId"))
    return RefundSeen(
        refund_id=refund_id,
        word=text(value_of(refund, "refundStatus")),
        amount=_fen(refund, "refundFee"),
        line_ids=() if line_id is None else (line_id,),
        reason=text(value_of(refund, "reasonDesc")) or msgspec.UNSET,
    )


def _lifecycle(order: dict[str, Any], subs: list[dict[str, Any]]) -> Lifecycle:
    word = status_word(value_of(order, "status"))
    if word is None:
        raise UnreadableValueError("status is missing")
    paid_at = instant(value_of(order, "payTime"))
    reasons = [text(value_of(sub, "closeReason")) for sub in subs]
    return Lifecycle(
        word=word,
        created_at=instant(value_of(order, "createdTime")),
        paid_at=paid_at,
        modified_at=instant(value_of(order, "modifyTime")),
        close_reason=next((reason for reason in reasons if reason), None),
        paid=paid_at is not None,
    )


def _names_of(order: dict[str, Any]) -> list[str]:
    """Return the ids that the order goes by, the upstream's own first."""
    names = (value_of(order, name) for name in ("purchaseId", "purchaseOrderId", "id", "salesOrderId"))
    return [found for name in names if (found := identifier(name)) is not None]


def _subs(order: dict[str, Any]) -> list[dict[str, Any]] | None:
    """Return the sub-orders; None if the answer does not speak of them: that must not erase what is known."""
    for name in ("subPurchaseOrders", "subOrders"):
        rows = value_of(order, name)
        if isinstance(rows, list):
            return [as_object(row) for row in rows[:MAX_LINES]]
    return None


def _line_id(sub: dict[str, Any]) -> str | None:
    return identifier(value_of(sub, "subPurchaseOrderId"), value_of(sub, "purchaseOrderLineOuterId"))


def _line(sub: dict[str, Any]) -> Line | None:
    line_id = _line_id(sub)
    if line_id is None:
        return None
    refund = _refund_in(sub)
    return Line(
        line_id=line_id,
        product_id=text(value_of(sub, "itemId")),
        sku_id=text(value_of(sub, "skuId")),
        name=text(value_of(sub, "title")),
        image_url=_image_of(sub),
        quantity=text(value_of(sub, "quantity")),
        amount=_fen(sub, "purchaseAmount"),
        status_word=status_word(value_of(sub, "status")),
        refund_id=None if refund is None else refund.refund_id,
        refund_word=None if refund is None else refund.word,
    )


def _image_of(sub: dict[str, Any]) -> str | None:
    sku, options = as_object(value_of(sub, "skuInfo")), as_object(value_of(sub, "optionFields"))
    return text(value_of(sku, "skuImgUrl")) or text(options.get("SKU_IMG_URL"))


def _parcels(subs: list[dict[str, Any]]) -> Iterator[Parcel]:
    """Yield the parcels: several per sub-order, and one that covers several sub-orders once. Known by waybill alone."""
    lines: dict[str, list[str]] = {}
    firsts: dict[str, dict[str, Any]] = {}
    for sub in subs:
        rows = [as_object(row) for row in as_list(value_of(sub, "logisticOrders"))] or [sub]
        for row in rows:
            waybill = text(value_of(row, "logisticNumber"))
            if waybill is None or identifier(waybill) is None:
                continue
            firsts.setdefault(waybill, row)
            covered = lines.setdefault(waybill, [])
            line_id = _line_id(sub)
            if line_id is not None:
                covered.append(line_id)
    for waybill in sorted(firsts)[:MAX_PARCELS]:
        row = firsts[waybill]
        yield Parcel(
            parcel_id=waybill,
            waybill=waybill,
            carrier=text(value_of(row, "logisticCompanyName")),
            line_ids=tuple(dict.fromkeys(lines[waybill])),
            shipped_at=instant(value_of(row, "rtsTime")),
        )


def _refunds(subs: list[dict[str, Any]]) -> Iterator[RefundSeen]:
    return (refund for sub in subs if (refund := _refund_in(sub)) is not None)


def _refund_in(sub: dict[str, Any]) -> RefundSeen | None:
    """Return the sub-order's refund, unless it says that none was asked for."""
    refund_id = identifier(value_of(sub, "refundId"))
    word = text(value_of(sub, "refundStatus"))
    if refund_id is None or word == _NO_REFUND:
        return None
    line_id = _line_id(sub)
    return RefundSeen(refund_id, word=word, line_ids=() if line_id is None else (line_id,))


def _fen(block: dict[str, Any], name: str) -> int | None:
    value = value_of(block, name)
    if value is None or value == "":
        return None
    try:
        return fen_from_fen(value, name)
    except MoneyError as error:
        raise UnreadableValueError(str(error)) from error
