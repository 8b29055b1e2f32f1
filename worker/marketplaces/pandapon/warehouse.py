"""PandaPon's warehouse: it is told which parcels come, and sends them abroad (marketplace notes, section 5).

The requests are documented. How `sign` is computed and what is answered is not: both are inferred.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from worker.domain.clock import SECOND
from worker.domain.facts import Line, Parcel
from worker.domain.money import CNY, MoneyError, fen_from_fen, fen_from_yuan, yuan_text
from worker.marketplaces.caller import Caller
from worker.marketplaces.effects import Effects
from worker.marketplaces.port import (
    EffectAnswer,
    EffectOutcome,
    FreightQuestion,
    FreightQuote,
    FreightService,
    NotSentError,
    Receiver,
    RejectedError,
    UnreadableError,
    UnsupportedError,
)
from worker.marketplaces.trade import currency_of
from worker.marketplaces.values import UnreadableValueError, as_object, instant, text

UPDATE = "warehouse.domestic_logistics.update"
PREVIEW = "warehouse.freight.preview"
BOOK = "warehouse.freight.book"
_NUMBER_NAMES = ("logisticNumer", "logisticNumber", "logisticsNumber", "mailNo")
"""Theirs first, misspelt as it is in the documented request; the others in case it is spelt right in the answer."""
_WITHOUT_MINOR: Final = frozenset({"JPY", "KRW", "VND"})
MAX_NUMBER = 100
MAX_LINES = 200
MAX_QUANTITY = 1_000_000


class Warehouse:
    """Tells the warehouse, asks it for prices, books."""

    def __init__(self, caller: Caller, effects: Effects) -> None:
        self._caller = caller
        self._effects = effects

    def can_update(self) -> bool:
        """Tell whether the warehouse can be told of parcels."""
        return self._caller.supports(UPDATE)

    def can_book(self) -> bool:
        """Tell whether goods can be sent abroad."""
        return self._caller.supports(PREVIEW) and self._caller.supports(BOOK)

    async def update(
        self, order_id: str, parcels: Sequence[Parcel], lines: Sequence[Line], international: str | None
    ) -> EffectAnswer:
        """Tell once which parcels bring which lines. A parcel that names no lines may bring any of them."""
        rows = [row for line in lines[:MAX_LINES] if (row := _logistic_info(line, parcels, international)) is not None]
        if not rows:
            raise NotSentError("none of the lines has a parcel with a waybill number: there is nothing to tell")
        question = {"orderId": order_id, "tmallOrderId": order_id, "logisticInfos": rows}
        return await self._effects.call(UPDATE, question, lambda _data: EffectAnswer(EffectOutcome.DONE, "told"))

    async def preview(self, question: FreightQuestion) -> FreightQuote:
        """Return the price. Raises UnreadableError unless the answer names it, its id, and the service asked for."""
        if not self.can_book():
            raise UnsupportedError("this account's API sends nothing abroad")
        items = [_render_item(line, question.service) for line in _checked(question.lines)]
        data = await self._caller.read(
            PREVIEW, {"receiverAddress": address_of(question.receiver), "renderItems": items}
        )
        return _quote(as_object(data), question.service)

    async def book(self, question: FreightQuestion, render_id: str) -> EffectAnswer:
        """Book a preview once."""
        try:
            items = [_item(line, question.service) for line in _checked(question.lines)]
        except RejectedError as error:
            raise NotSentError(str(error)) from error
        asked = {
            "renderId": render_id,
            "receiverAddress": address_of(question.receiver),
            "lineItems": items,
            "tmallOrderInfo": {"tmallOrderId": question.order_id},
            "remark": question.remark or None,
        }
        return await self._effects.call(BOOK, asked, lambda data: _booked(as_object(data), question, render_id))


def address_of(receiver: Receiver) -> dict[str, str]:
    """Return a receiver as the warehouse wants it (documented)."""
    address = {
        "name": receiver.name,
        "email": receiver.email,
        "phone": receiver.phone,
        "mobilePhone": receiver.mobile,
        "address": receiver.address,
        "taxId": receiver.tax_id,
        "country": receiver.country,
        "city": receiver.city,
        "zip": receiver.zip,
        "state": receiver.state,
    }
    return {name: value for name, value in address.items() if value}


def _logistic_info(line: Line, parcels: Sequence[Parcel], international: str | None) -> dict[str, Any] | None:
    own = [one for one in parcels if one.waybill and (line.line_id in one.line_ids or not one.line_ids)]
    if not own:
        return None
    domestic = [
        {
            "logisticNumer": parcel.waybill,
            "logisticCompanyName": parcel.carrier or "",
            "rtsTime": "" if parcel.shipped_at is None else str(parcel.shipped_at // SECOND),
        }
        for parcel in own
    ]
    try:
        article = _article(line)
    except RejectedError as error:
        raise NotSentError(str(error)) from error
    return {"lineItem": article, "logisticNumer": international or "", "domesticLogisticInfo": domestic}


def _checked(lines: Sequence[Line]) -> Sequence[Line]:
    if not 1 <= len(lines) <= MAX_LINES:
        raise RejectedError(f"expected 1 to {MAX_LINES} lines to send abroad, got {len(lines)}")
    return lines


def _article(line: Line) -> dict[str, Any]:
    """Return what both bodies call an item. Raises RejectedError if it cannot be told."""
    if line.product_id is None:
        raise RejectedError(f"line {line.line_id[:80]} names no article")
    return {
        "itemId": line.product_id,
        "skuId": line.sku_id or "",
        "quantity": _quantity(line),
        "title": line.name or "",
        "imageUrl": line.image_url or "",
    }


def _render_item(line: Line, service: FreightService) -> dict[str, Any]:
    return {name: value for name, value in _item(line, service).items() if name not in ("title", "imageUrl")}


def _item(line: Line, service: FreightService) -> dict[str, Any]:
    article = _article(line)
    price = line.price
    if price is None and line.amount is not None:
        price = line.amount // int(article["quantity"])
    if price is None:
        raise RejectedError(f"line {line.line_id[:80]} has neither a price nor an amount")
    freight = {"serviceId": service.service_id, "companyName": service.company, "serviceCategory": service.category}
    return article | {"freightInfo": freight, "currency": CNY, "price": yuan_text(price)}


def _quantity(line: Line) -> int:
    try:
        quantity = Decimal(line.quantity or "")
    except InvalidOperation:
        quantity = Decimal(0)
    if not (quantity.is_finite() and 0 < quantity <= MAX_QUANTITY and quantity == quantity.to_integral_value()):
        raise RejectedError(f"line {line.line_id[:80]}: the quantity {line.quantity!r} is no whole number")
    return int(quantity)


def _quote(answer: dict[str, Any], service: FreightService) -> FreightQuote:
    render_id = text(answer.get("renderId"))
    freight = as_object(answer.get("freightInfo"))
    named = text(freight.get("serviceId"))
    if render_id is None or len(render_id) > MAX_NUMBER:
        raise UnreadableError(f"{PREVIEW}: the answer has no renderId")
    if named is not None and named != service.service_id:
        raise UnreadableError(f"{PREVIEW}: the answer is about service {named[:80]!r}, another than was asked for")
    try:
        currency = currency_of(answer.get("currency"))
        read = fen_from_fen if currency in _WITHOUT_MINOR else fen_from_yuan
        amount = read(answer.get("price"), "price")
    except (MoneyError, UnreadableValueError) as error:
        raise UnreadableError(f"{PREVIEW}: {error}") from error
    if amount < 0:
        raise UnreadableError(f"{PREVIEW}: a price below zero")
    return FreightQuote(render_id, amount, currency, service, instant(answer.get("expireTime")))


def _booked(answer: dict[str, Any], question: FreightQuestion, render_id: str) -> EffectAnswer:
    """Return what a success says. The envelope's success is documented; an answer about something else is none."""
    number = next((found for name in _NUMBER_NAMES if (found := text(answer.get(name)))), None)
    detail = {"renderId": render_id, "logisticNumer": (number or "")[:MAX_NUMBER]}
    for name, wanted in (("renderId", render_id), ("tmallOrderId", question.order_id)):
        if text(answer.get(name)) not in (None, wanted):
            return EffectAnswer(EffectOutcome.UNCLEAR, f"the answer is about another {name}", detail=detail)
    if number is None:
        return EffectAnswer(EffectOutcome.UNCLEAR, "the answer names no international number", detail=detail)
    return EffectAnswer(EffectOutcome.DONE, "booked", reference=number[:MAX_NUMBER], detail=detail)
