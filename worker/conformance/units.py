"""Whether amounts can be in the units that the catalogue says: sums that only come out if they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

from worker.marketplaces.values import as_list, as_object

Check = Callable[[Any], Iterator[str]]
_FEN_IN_YUAN = 100


def contradictions(operation: str, data: Any) -> list[str]:
    """Return what does not add up in an answer; nothing where an amount is not there."""
    return [text for check in _CHECKS.get(operation, ()) for text in check(data)]


def _orders(data: Any) -> Iterator[str]:
    """Documented: totalAmount = sum of itemAmount + shippingFee, all yuan."""
    for trade in _trades(data):
        base = as_object(trade.get("baseInfo"))
        total, shipping = _amount(base.get("totalAmount")), _amount(base.get("shippingFee"))
        items = [_amount(as_object(item).get("itemAmount")) for item in as_list(trade.get("productItems"))]
        if total is None or shipping is None or not items or None in items:
            continue
        if total != shipping + sum(item for item in items if item is not None):
            yield "totalAmount is not the sum of itemAmount and shippingFee: one of them has another unit"
            return


def _previews(data: Any) -> Iterator[str]:
    """Documented: the sums are fen, the amounts of the cargo yuan."""
    for entry in map(as_object, as_list(as_object(data).get("orderPreviewResuslt"))):
        goods, carriage = _amount(entry.get("sumPaymentNoCarriage")), _amount(entry.get("sumCarriage"))
        total = _amount(entry.get("sumPayment"))
        if None not in (goods, carriage, total) and total != (goods or 0) + (carriage or 0):
            yield "sumPayment is not sumPaymentNoCarriage and sumCarriage"
        cargo = [_amount(as_object(row).get("amount")) for row in as_list(entry.get("cargoList"))]
        discount = _amount(entry.get("discountFee")) or Decimal(0)
        if goods is None or not cargo or None in cargo:
            continue
        in_fen = sum(row for row in cargo if row is not None) * _FEN_IN_YUAN
        if goods not in (in_fen, in_fen - discount):
            yield "sumPaymentNoCarriage is not the cargo's amounts in fen: one of them has another unit"


def _trades(data: Any) -> Iterator[dict[str, Any]]:
    whole = as_object(data)
    result = whole.get("result")
    rows = next((rows for rows in (whole.get("data"), result) if isinstance(rows, list)), None)
    found = rows if rows is not None else [result if isinstance(result, dict) else whole]
    yield from (as_object(row) for row in found)


def _amount(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        return None
    try:
        return Decimal(value)
    except InvalidOperation:
        return None


_CHECKS: dict[str, tuple[Check, ...]] = {
    "1688.order.detail": (_orders,),
    "1688.order.list": (_orders,),
    "1688.order.preview": (_previews,),
}
