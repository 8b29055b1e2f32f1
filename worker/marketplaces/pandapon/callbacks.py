"""From a pushed message to facts. Lenient in what it reads, never in what it takes for an id or an amount.

The bodies of status and refund messages are not documented by PandaPon; the upstream's are read (inferred), and the
documented ones of Xport/KA. A message that is not understood is kept whole by the caller.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from worker.domain.clock import Millis
from worker.domain.facts import Amounts, Content, Fact, LogisticsSeen, PriceSeen, RefundSeen, Source, StatusSeen
from worker.domain.identity import OrderKey, Platform
from worker.domain.money import MoneyError, fen_from_fen
from worker.marketplaces.pandapon.trade import amounts_of, currency_of, order_id_of, payable
from worker.marketplaces.values import (
    UnreadableValueError,
    as_list,
    as_object,
    decode_json,
    identifier,
    instant,
    text,
)

_PREFIXES = {"1688_": Platform.ALIBABA_1688, "TAOBAO_": Platform.TAOBAO}
_PLATFORMS = {"0": Platform.TAOBAO, "1": Platform.ALIBABA_1688}
_VIEW = "ORDER_BUYER_VIEW_"
_PRICE = "ORDER_PRICE_MODIFY"
_REFUNDS = frozenset({"ORDER_BUYER_REFUND", "ORDER_BUYER_REFUND_IN_SALES", "ORDER_REFUND_AFTER_SALES"})
_STATUSES = frozenset(
    {
        "BUYER_MAKE", "ORDER_PAY", "ORDER_STEP_PAY", "ANNOUNCE_SENDGOODS", "PART_PART_SENDGOODS",
        "ORDER_COMFIRM_RECEIVEGOODS", "ORDER_SUCCESS", "ORDER_BUYER_CLOSE", "ORDER_SELLER_CLOSE", "ORDER_BOPS_CLOSE",
        "ORDER_CREATE", "ORDER_CANCEL", "ORDER_PAY_SUCCESS", "ORDER_STATUS_MODIFY", "MODIFY_MEMO",
    }
)  # fmt: skip
_LOGISTICS = {
    "LOGISTICS_BUYER_VIEW_TRACE": "OrderLogisticsTracingModel",
    "LOGISTICS_MAIL_NO_CHANGE": "MailNoChangeModel",
}
_BATCH_PAY = "ORDER_BATCH_PAY"
MAX_ORDERS_PER_MESSAGE = 100
MAX_TYPE_CHARS = 200


class MalformedError(ValueError):
    """The body is not JSON at all: the sender is told so, nothing is kept."""


class NotUnderstoodError(ValueError):
    """JSON, but no message that we can read: to be kept as a dead letter."""


def parse(account: str, body: bytes, received_at: Millis) -> tuple[Fact, ...]:
    """Return the facts of one message. Raises MalformedError or NotUnderstoodError, nothing else."""
    try:
        message = decode_json(body)
    except ValueError as error:
        raise MalformedError(str(error)) from error
    if not isinstance(message, dict):
        raise NotUnderstoodError("the message is not a JSON object")
    platform, event = _type_of(message)
    content = _body_of(message)
    try:
        observed = _observations(event, content)
    except (UnreadableValueError, MoneyError) as error:
        raise NotUnderstoodError(f"{event}: {error}") from error
    if not observed:
        raise NotUnderstoodError(f"{event}: it names no order")
    provider_time = instant(message.get("timestamp")) or instant(content.get("msgSendTime"))
    return tuple(
        Fact(
            key=OrderKey(account, platform, order_id),
            source=Source.CALLBACK,
            content=what,
            observed_at=received_at,
            provider_time=provider_time,
            message_id=identifier(message.get("msgId")),
        )
        for order_id, what in observed
    )


def _type_of(message: dict[str, Any]) -> tuple[Platform, str]:
    """Return the platform and the bare event: prefixes and the view's name fall away."""
    event = message.get("messageType")
    if not isinstance(event, str) or not event:
        raise NotUnderstoodError("messageType is missing or not text")
    return _split_type(event[:MAX_TYPE_CHARS], text(message.get("messagePlatform")))


@lru_cache(maxsize=512)
def _split_type(event: str, said: str | None) -> tuple[Platform, str]:
    """Split a message type; kept for the next message, since there are few of them."""
    platform = _PLATFORMS.get(said) if said is not None else None
    for prefix, of_prefix in _PREFIXES.items():
        if event.startswith(prefix):
            event = event.removeprefix(prefix)
            if platform not in (None, of_prefix):
                raise NotUnderstoodError(f"messageType says {of_prefix}, messagePlatform {platform}")
            platform = of_prefix
    if platform is None:
        raise NotUnderstoodError(f"messagePlatform is {said!r}; expected 0 (Taobao) or 1 (1688)")
    return platform, event.removeprefix(_VIEW)


def _body_of(message: dict[str, Any]) -> dict[str, Any]:
    body = message.get("messageBody")
    if isinstance(body, str):
        try:
            body = decode_json(body)
        except ValueError as error:
            raise NotUnderstoodError(f"messageBody is text, but {error}") from error
    if not isinstance(body, dict):
        raise NotUnderstoodError("messageBody is neither an object nor the JSON text of one")
    return body


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
    found = identifier(body.get("orderId"), body.get("salesOrderId"), body.get("purchase_id")) or order_id_of(body)
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
