"""What PandaPon answers, taken out of its envelope and judged. No calls are made here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from worker.domain.money import MoneyError, fen_from_yuan
from worker.marketplaces.paylinks import PayLinks
from worker.marketplaces.port import (
    EffectAnswer,
    EffectOutcome,
    Offer,
    RejectedError,
    RetryableError,
    ThrottledError,
    UnauthorisedError,
    UnreadableError,
)
from worker.marketplaces.values import as_list, as_object, identifier, small_int, text

SUCCESS = 200
MAX_PAGES = 10_000
LIST_PAGE_SIZE = 20
"""The upstream limit (documented upstream)."""
_MAX_CODE = 40
_MAX_REFUSED_SHOWN = 20


def open_envelope(answer: Any, operation: str) -> Any:
    """Return the data inside the envelope. The codes' table is unknown: their first three digits are read as HTTP's."""
    envelope = as_object(answer)
    code = small_int(envelope.get("code"))
    if code == SUCCESS:
        return envelope.get("data")
    given = (text(envelope.get("code")) or "")[:_MAX_CODE]
    said = f"{operation}: code {given or None}, {(text(envelope.get('msg')) or '')[:200]!r}"
    match str(code)[:3] if code is not None else "":
        case "401" | "403":
            raise UnauthorisedError(said, code=given)
        case "429":
            raise ThrottledError(said, code=given)
        case "400" | "404" | "409":
            raise RejectedError(said, code=given)
        case leading if leading.startswith("5"):
            raise RetryableError(said, code=given)
        case _:
            raise UnreadableError(said, code=given)


def rows_of(answer: dict[str, Any]) -> list[Any]:
    """Return a list answer's rows. Raises UnreadableError if there are none and the answer does not say so."""
    rows = _first(answer, "data", "purchaseOrders", "purchase_orders")
    if isinstance(rows, list):
        return rows
    if rows is None and _total_of(answer) == 0:
        return []
    raise UnreadableError("order_list: the page has no rows and does not say that there are none")


def _total_of(answer: dict[str, Any]) -> int | None:
    """Return how many rows there are in all; Taobao's upstream says it by another name (inferred for PandaPon)."""
    return small_int(_first(answer, "totalRecords", "resultsTotal", "results_total"))


def _first(answer: dict[str, Any], *names: str) -> Any:
    return next((answer[name] for name in names if answer.get(name) is not None), None)


def pages_of(answer: dict[str, Any]) -> int:
    """Return how many pages the list has. Raises UnreadableError rather than to leave the pages behind unread."""
    total = _total_of(answer)
    said = [small_int(answer.get("totalPage")), None if total is None else -(-total // LIST_PAGE_SIZE)]
    pages = max((pages for pages in said if pages is not None), default=None)
    if pages is None and len(rows_of(answer)) < LIST_PAGE_SIZE:
        pages = 1
    if pages is None or not 0 <= pages <= MAX_PAGES:
        raise UnreadableError(f"order_list: the number of pages is not known, or above {MAX_PAGES}")
    return max(pages, 1)


def read_pay_answer(order_id: str, data: Any, links: PayLinks) -> EffectAnswer:
    """Return what the data of a payment call means. Only a plain yes or a link to pay is definite."""
    answer = as_object(data)
    paid = answer.get("protocolPaySuccess")
    refused = [identifier(entry) for entry in as_list(answer.get("cantPayOrderList"))]
    detail = {
        "orderId": identifier(answer.get("orderId")),
        "protocolPaySuccess": paid if isinstance(paid, bool) else None,
        "cantPayOrderList": refused[:_MAX_REFUSED_SHOWN],
    }
    if detail["orderId"] not in (None, order_id):
        return EffectAnswer(EffectOutcome.UNCLEAR, "the answer is about another order", detail=detail)
    if paid is True and order_id in refused:
        return EffectAnswer(
            EffectOutcome.UNCLEAR, "the answer calls the order both paid and not payable", detail=detail
        )
    if paid is True:
        return EffectAnswer(EffectOutcome.DONE, "paid by agreement", detail=detail)
    pay_url = text(answer.get("payUrl"))
    if order_id in refused or paid is not False or pay_url is None:
        return EffectAnswer(EffectOutcome.UNCLEAR, "neither paid nor a link to pay", detail=detail)
    if not links.accepts(pay_url):
        return EffectAnswer(EffectOutcome.UNCLEAR, "the link to pay leads to none of pay_hosts", detail=detail)
    return EffectAnswer(EffectOutcome.NEEDS_PERSON, "no payment agreement: a person must pay", pay_url, detail=detail)


def read_pay_answers(order_ids: Sequence[str], data: Any, links: PayLinks) -> dict[str, EffectAnswer]:
    """Return what a batch's answer means for each order.

    A row per order, each as of a payment alone (inferred: no page shows the answer). An order that no row names, or
    that several name, is unclear.
    """
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in (as_object(row) for row in as_list(data) or [data]):
        named = identifier(row.get("orderId"))
        if named is not None:
            rows.setdefault(named, []).append(row)
    found: dict[str, EffectAnswer] = {}
    for order_id in order_ids:
        own = rows.get(order_id, [])
        if len(own) == 1:
            found[order_id] = read_pay_answer(order_id, own[0], links)
        else:
            said = f"the answer to the batch has {len(own)} rows about this order"
            found[order_id] = EffectAnswer(EffectOutcome.UNCLEAR, said)
    return found


def read_receipt_answer(data: Any) -> EffectAnswer:
    """Return what the answer to a confirmed receipt means. A failure is none that can be trusted: money moves here."""
    answer = as_object(data)
    detail = {"success": answer.get("success") is True, "errorCode": (text(answer.get("errorCode")) or "")[:_MAX_CODE]}
    if answer.get("success") is True:
        return EffectAnswer(EffectOutcome.DONE, "receipt confirmed", detail=detail)
    said = (text(answer.get("errorInfo")) or "no success in the answer")[:200]
    return EffectAnswer(EffectOutcome.UNCLEAR, f"not confirmed: {said!r}", detail=detail)


def read_cancel_answer(data: Any) -> EffectAnswer:
    """Return what the answer to a cancellation means: a bare boolean (documented)."""
    if data is True:
        return EffectAnswer(EffectOutcome.DONE, "cancelled")
    return EffectAnswer(EffectOutcome.UNCLEAR, "the answer does not say that it was cancelled")


def offers_of(data: Any, limit: int) -> tuple[Offer, ...]:
    """Return the offers of an image search: prices are yuan as text (inferred from their size)."""
    found: list[Offer] = []
    for row in (as_object(row) for row in as_list(as_object(data).get("data"))[:limit]):
        offer_id = text(row.get("offerMapId")) or text(row.get("offerId"))
        if offer_id is not None:
            found.append(
                Offer(
                    offer_id=offer_id[:200],
                    title=text(row.get("subjectTrans")) or text(row.get("subject")) or "",
                    price=_price(as_object(row.get("priceInfo")).get("price")),
                    sold_monthly=small_int(row.get("monthSold")),
                    repurchase_rate=text(row.get("repurchaseRate")),
                    image_url=text(row.get("imageUrl")),
                )
            )
    return tuple(found)


def _price(value: Any) -> int | None:
    try:
        return None if value in (None, "") else fen_from_yuan(value, "price")
    except MoneyError:
        return None
