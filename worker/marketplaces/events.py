"""What the upstream's topics say, whoever hands them on: PandaPon and Xport carry the topics of 1688 under their names.

Lenient in what is read, never in what is taken for an id or an amount.
"""

from __future__ import annotations

from typing import Any

import msgspec

from worker.domain.clock import Millis
from worker.domain.facts import Amounts, Content, Fact, LogisticsSeen, PriceSeen, RefundSeen, Source, StatusSeen
from worker.domain.identity import OrderKey, Platform
from worker.domain.money import MoneyError, fen_from_fen
from worker.marketplaces.trade import amounts_of, currency_of, order_id_of, payable
from worker.marketplaces.values import UnreadableValueError, as_list, as_object, identifier, text

VIEW = "ORDER_BUYER_VIEW_"
_PRICE = "ORDER_PRICE_MODIFY"
_REFUNDS = frozenset({"ORDER_BUYER_REFUND", "ORDER_BUYER_REFUND_IN_SALES", "ORDER_REFUND_AFTER_SALES"})
_STATUSES = frozenset(
    {
        "BUYER_MAKE", "ORDER_PAY", "ORDER_STEP_PAY", "ANNOUNCE_SENDGOODS", "PART_PART_SENDGOODS",
        "ORDER_COMFIRM_RECEIVEGOODS", "ORDER_SUCCESS", "ORDER_BUYER_CLOSE", "ORDER_SELLER_CLOSE", "ORDER_BOPS_CLOSE",
        "ORDER_CREATE", "ORDER_CANCEL", "ORDER_PAY_SUCCESS", "ORDER_STATUS_MODIFY", "MODIFY_MEMO",
        "ORDER_SELLER_MODIFY_ADRESS",  # their spelling; all it tells is that something of the order changed
    }
)  # fmt: skip
_LOGISTICS = {
    "LOGISTICS_BUYER_VIEW_TRACE": "OrderLogisticsTracingModel",
    "LOGISTICS_MAIL_NO_CHANGE": "MailNoChangeModel",
}
_ORDER_IDS = ("orderId", "salesOrderId", "purchase_id", "purchaseId", "purchaseOrderId")
_BATCH_PAY = "ORDER_BATCH_PAY"
MAX_ORDERS_PER_MESSAGE = 100


class MalformedError(ValueError):
    """The body is not JSON at all: the sender is told so, nothing is kept."""


class NotUnderstoodError(ValueError):
    """JSON, but no message that we can read: to be kept as a dead letter."""


class Heard(msgspec.Struct, frozen=True):
    """One message out of its envelope: who heard it when, and what the sender says of itself."""

    account: str
    platform: Platform
    received_at: Millis
    provider_time: Millis | None
    message_id: str | None


def facts_of(heard: Heard, event: str, body: dict[str, Any]) -> tuple[Fact, ...]:
    """Return the facts of an event (its name without prefix and view). Raises NotUnderstoodError, nothing else."""
    try:
        observed = _observations(event, body)
    except (UnreadableValueError, MoneyError) as error:
        raise NotUnderstoodError(f"{event}: {error}") from error
    if not observed:
        raise NotUnderstoodError(f"{event}: it names no order")
    return tuple(
        Fact(
            key=OrderKey(heard.account, heard.platform, order_id),
            source=Source.CALLBACK,
            content=what,
            observed_at=heard.received_at,
            provider_time=heard.provider_time,
            message_id=heard.message_id,
        )
        for order_id, what in observed
    )


def _observations(event: str, body: dict[str, Any]) -> list[tuple[str, Content]]:
    """Return (order id, what was observed) pairs."""
    if event in _LOGISTICS:
        return _logistics(event, as_object(body.get(_LOGISTICS[event])) or body)
    if event == _BATCH_PAY:
        rows = _within_limit(as_list(body.get("batchPay")))
        # The word is about the attempt, not about the order: it only asks for a fresh read.
        return [(_required_id(as_object(row)), StatusSeen(event=event)) for row in rows]
    if event == _PRICE:
        return [(_required_id(body), PriceSeen(_pushed_amounts(body)))]
    if event in _REFUNDS:
        refund_id = identifier(body.get("refundId"))
        if refund_id is None:
            return [(_required_id(body), StatusSeen(event=event))]
        word, action = text(body.get("currentStatus")) or text(body.get("refundStatus")), text(body.get("refundAction"))
        return [(_required_id(body), RefundSeen(refund_id, word=word, action=action))]
    if event in _STATUSES:
        word = text(body.get("currentStatus")) or text(body.get("orderStatus")) or text(body.get("status"))
        order_id, seen = _required_id(body), StatusSeen(word=word[:100] if word else None, event=event)
        # Xport's status messages carry the amounts, too: the first of them is what the order was to cost (documented).
        amounts = None if body.get("totalAmount") is None else _xport_amounts(body)
        return [(order_id, seen)] if amounts is None else [(order_id, seen), (order_id, PriceSeen(amounts))]
    raise NotUnderstoodError(f"unknown messageType {event[:80]!r}")


def _logistics(event: str, model: dict[str, Any]) -> list[tuple[str, Content]]:
    """One parcel can cover lines of several orders; each of them is told."""
    entries = model.get("orderLogsItems")
    rows = [entries] if isinstance(entries, dict) else as_list(entries)
    waybill = text(model.get("newMailNo")) or text(model.get("mailNo"))
    order_ids = {_required_id(as_object(row)) for row in _within_limit(rows)} or {_required_id(model)}
    return [(order_id, LogisticsSeen(event, waybill)) for order_id in sorted(order_ids)]


def _within_limit(rows: list[Any]) -> list[Any]:
    """Return the rows; too many are not cut off, since the ones left out would be lost behind our 200."""
    if len(rows) > MAX_ORDERS_PER_MESSAGE:
        raise NotUnderstoodError(f"{len(rows)} orders in one message; expected at most {MAX_ORDERS_PER_MESSAGE}")
    return rows


def _required_id(body: dict[str, Any]) -> str:
    found = identifier(*(body.get(name) for name in _ORDER_IDS)) or order_id_of(body)
    if found is None:
        raise NotUnderstoodError("no order id where one is expected")
    return found


def _pushed_amounts(body: dict[str, Any]) -> Amounts | None:
    """Return the new amounts: a full 1688 order in yuan, or Taobao's and Xport's integers in fen; None if unsaid."""
    if isinstance(body.get("baseInfo"), dict):
        return amounts_of(body)
    taobao = as_object(body.get("purchaseOrderPriceDTO"))
    if taobao:
        return Amounts(
            total=_total(taobao, "purchaseTotalFee"),
            shipping=_fen(taobao, "purchaseShippingFee"),
            products=_fen(taobao, "purchaseProductFee"),
            currency=currency_of(taobao.get("purchaseCurrency")),
        )
    return _xport_amounts(body) if "totalAmount" in body else None


def _xport_amounts(body: dict[str, Any]) -> Amounts:
    """Return the amounts of Xport's common order body: fen by their magnitude, the unit is not stated (inferred)."""
    return Amounts(
        total=_total(body, "totalAmount"),
        shipping=_fen(body, "shippingFee"),
        products=_fen(body, "productAmount"),
        refunded=_fen(body, "refundAmount"),
    )


def _total(block: dict[str, Any], field: str) -> int:
    total = _fen(block, field)
    if total is None:
        raise UnreadableValueError(f"{field} is missing")
    return payable(total, field)


def _fen(block: dict[str, Any], field: str) -> int | None:
    return None if block.get(field) is None else fen_from_fen(block[field], field)
