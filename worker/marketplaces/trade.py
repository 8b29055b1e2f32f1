"""From 1688's order object to a snapshot. One table says the unit of every amount: yuan and fen stand side by side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from worker.domain.facts import Amounts, Lifecycle, Line, Parcel, RefundSeen, Snapshot
from worker.domain.money import CNY, MoneyError, fen_from_fen, fen_from_yuan
from worker.marketplaces.values import UnreadableValueError, as_list, as_object, identifier, instant, small_int, text

_UNITS: Final[dict[str, Callable[[object, str], int]]] = {
    # baseInfo (documented upstream)
    "totalAmount": fen_from_yuan,
    "shippingFee": fen_from_yuan,
    "sumProductPayment": fen_from_yuan,
    "refund": fen_from_yuan,
    "discount": fen_from_fen,
    # productItems
    "price": fen_from_yuan,
    "itemAmount": fen_from_yuan,
}
_PAID_TERMS: Final = frozenset({2, 4, 6})
"""tradeTerms.payStatus: paid, fully refunded, received by the seller. Anything else is no proof of a payment."""

MAX_LINES = 500
MAX_PARCELS = 200


def order_id_of(trade: dict[str, Any]) -> str | None:
    """Return the order's id; the text field wins over the number, which senders are known to round."""
    base = as_object(trade.get("baseInfo"))
    return identifier(base.get("idOfStr"), base.get("id"))


def amounts_of(trade: dict[str, Any]) -> Amounts:
    """Return the order's amounts. Raises UnreadableValueError if the total or another amount cannot be read."""
    base = as_object(trade.get("baseInfo"))
    total = _amount(base, "totalAmount")
    if total is None:
        raise UnreadableValueError("baseInfo.totalAmount is missing")
    return Amounts(
        total=payable(total, "totalAmount"),
        shipping=_amount(base, "shippingFee"),
        products=_amount(base, "sumProductPayment"),
        discount=_amount(base, "discount"),
        refunded=_amount(base, "refund"),
        currency=currency_of(base.get("currency")),
    )


def payable(total: int, field: str) -> int:
    """Return `total` unless it is negative: such an order does not exist, and it would spoil the price guard."""
    if total < 0:
        raise UnreadableValueError(f"{field}: {total} fen is below zero")
    return total


def currency_of(value: object) -> str:
    """Return the currency's code, CNY where none is said. Raises UnreadableValueError for what is no code."""
    if value is None or value == "":
        return CNY
    code = value.strip().upper() if isinstance(value, str) else ""
    if not (len(code) == len(CNY) and code.isascii() and code.isalpha()):
        raise UnreadableValueError("the currency is not a code of three letters")
    return CNY if code == "RMB" else code


def snapshot_of(trade: dict[str, Any], *, with_parcels: bool) -> Snapshot:
    """Return what an order answer says. Raises UnreadableValueError if its status or an amount cannot be read.

    `with_parcels`: whether this answer covers the parcels at all; a list row does not, and must not erase them.
    """
    items = [as_object(item) for item in as_list(trade.get("productItems"))[:MAX_LINES]]
    logistics = as_object(trade.get("nativeLogistics"))
    return Snapshot(
        lifecycle=lifecycle_of(trade),
        amounts=amounts_of(trade),
        lines=tuple(line for item in items if (line := _line(item)) is not None),
        parcels=_parcels(logistics) if with_parcels else None,
        refunds=_refunds(as_object(trade.get("baseInfo")), items),
        international=_international(trade.get("internationalLogistics")),
    )


def lifecycle_of(trade: dict[str, Any]) -> Lifecycle:
    """Return status word and times. Raises UnreadableValueError without a status word."""
    base = as_object(trade.get("baseInfo"))
    word = text(base.get("status"))
    if word is None:
        raise UnreadableValueError("baseInfo.status is missing")
    terms = [small_int(as_object(term).get("payStatus")) for term in as_list(trade.get("tradeTerms"))]
    paid_at = instant(base.get("payTime"))
    return Lifecycle(
        word=word[:100],
        created_at=instant(base.get("createTime")),
        paid_at=paid_at,
        shipped_at=instant(base.get("allDeliveredTime")),
        received_at=instant(base.get("receivingTime")) or instant(base.get("confirmedTime")),
        completed_at=instant(base.get("completeTime")),
        modified_at=instant(base.get("modifyTime")),
        close_reason=text(base.get("closeReason")),
        paid=paid_at is not None or any(status in _PAID_TERMS for status in terms),
        pay_until=_pay_until(as_list(trade.get("productItems"))),
    )


def _pay_until(items: list[Any]) -> int | msgspec.UnsetType:
    """Return the first moment at which a line can no longer be paid (upstream: gmtPayExpireTime, Beijing time)."""
    ends = [instant(as_object(item).get("gmtPayExpireTime")) for item in items]
    return min((end for end in ends if end is not None), default=msgspec.UNSET)


def _line(item: dict[str, Any]) -> Line | None:
    line_id = identifier(item.get("subItemIDString"), item.get("subItemID"))
    if line_id is None:
        return None
    images = as_list(item.get("productImgUrl"))
    return Line(
        line_id=line_id,
        product_id=text(item.get("productID")),
        sku_id=text(item.get("skuID")),
        name=text(item.get("name")),
        image_url=text(images[0]) if images else None,
        quantity=text(item.get("quantity")),
        price=_unit_price(item),
        amount=_amount(item, "itemAmount"),
        status_word=text(item.get("status")),
        logistics_status=small_int(item.get("logisticsStatus")),
        refund_id=identifier(item.get("refundId")),
        refund_word=text(item.get("refundStatus")),
    )


def _parcels(logistics: dict[str, Any]) -> tuple[Parcel, ...]:
    found: dict[str, Parcel] = {}
    for entry in as_list(logistics.get("logisticsItems"))[:MAX_PARCELS]:
        item = as_object(entry)
        # The waybill number can be replaced later, so it names a parcel only where nothing else does.
        parcel_id = identifier(item.get("id"), item.get("logisticsCode"), item.get("logisticsBillNo"))
        if parcel_id is None:
            continue
        lines = text(item.get("subItemIds")) or ""
        found[parcel_id] = Parcel(
            parcel_id=parcel_id,
            waybill=text(item.get("logisticsBillNo")),
            carrier=text(item.get("logisticsCompanyName")),
            status_word=text(item.get("status")),
            line_ids=tuple(part.strip() for part in lines.split(",") if part.strip()),
            shipped_at=instant(item.get("deliveredTime")),
            code=identifier(item.get("logisticsCode")) or msgspec.UNSET,
        )
    return tuple(found[parcel_id] for parcel_id in sorted(found))


def _international(block: Any) -> tuple[str, ...] | msgspec.UnsetType:
    """Return the numbers under which the order goes abroad, UNSET if the answer does not speak of them.

    That the block exists is documented, its fields are not: read as those of the domestic logistics (inferred).
    """
    if not isinstance(block, dict):
        return msgspec.UNSET
    rows = [as_object(row) for row in as_list(block.get("logisticsItems"))[:MAX_PARCELS]] or [block]
    numbers = (identifier(row.get("logisticsBillNo"), row.get("logisticNumer")) for row in rows)
    return tuple(dict.fromkeys(number for number in numbers if number is not None))


def _refunds(base: dict[str, Any], items: list[dict[str, Any]]) -> tuple[RefundSeen, ...]:
    """Return the refunds named by the order and its lines; the order's own word wins, lines add who is concerned."""
    words: dict[str, str | None] = {}
    lines: dict[str, list[str]] = {}
    for item in items:
        refund_id = identifier(item.get("refundId"))
        if refund_id is None:
            continue
        words[refund_id] = words.get(refund_id) or text(item.get("refundStatus"))
        lines.setdefault(refund_id, []).append(identifier(item.get("subItemIDString"), item.get("subItemID")) or "?")
    own = identifier(base.get("refundId"))
    if own is not None:
        words[own] = text(base.get("refundStatus")) or text(base.get("refundStatusForAs")) or words.get(own)
    return tuple(
        RefundSeen(refund_id=refund_id, word=words[refund_id], line_ids=tuple(lines.get(refund_id, ())))
        for refund_id in sorted(words)
    )


def _unit_price(item: dict[str, Any]) -> int | None:
    """Return the price of one piece; None where it has a fraction of a fen. Nothing is paid by it."""
    try:
        return _amount(item, "price")
    except UnreadableValueError:
        return None


def _amount(block: dict[str, Any], field: str) -> int | None:
    value = block.get(field)
    if value is None or value == "":
        return None
    try:
        return _UNITS[field](value, field)
    except MoneyError as error:
        raise UnreadableValueError(str(error)) from error
