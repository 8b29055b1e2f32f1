"""What PandaPon answers, taken out of its envelope and judged. No calls are made here."""

from __future__ import annotations

import json
from typing import Any

from worker.marketplaces.pandapon.endpoints import LIST_PAGE_SIZE, Endpoint
from worker.marketplaces.port import (
    PayAnswer,
    PayOutcome,
    RejectedError,
    RetryableError,
    ThrottledError,
    UnauthorisedError,
    UnreadableError,
)
from worker.marketplaces.values import as_list, as_object, identifier, small_int, text

SUCCESS = 200
MAX_PAGES = 10_000
_MAX_PAY_URL = 2_000
_MAX_REFUSED_SHOWN = 20


def open_envelope(answer: Any, endpoint: Endpoint) -> Any:
    """Return the data inside the envelope. The codes' table is unknown: their first three digits are read as HTTP's."""
    envelope = as_object(answer)
    code = small_int(envelope.get("code"))
    if code == SUCCESS:
        return envelope.get("data")
    said = f"{endpoint.name}: code {text(envelope.get('code'))}, {(text(envelope.get('msg')) or '')[:200]!r}"
    match str(code)[:3] if code is not None else "":
        case "401" | "403":
            raise UnauthorisedError(said)
        case "429":
            raise ThrottledError(said)
        case "400" | "404" | "409":
            raise RejectedError(said)
        case leading if leading.startswith("5"):
            raise RetryableError(said)
        case _:
            raise UnreadableError(said)


def rows_of(answer: dict[str, Any]) -> list[Any]:
    """Return a list answer's rows. Raises UnreadableError if there are none and the answer does not say so."""
    rows = answer.get("data")
    if isinstance(rows, list):
        return rows
    if rows is None and small_int(answer.get("totalRecords")) == 0:
        return []
    raise UnreadableError("order_list: the page has no rows and does not say that there are none")


def pages_of(answer: dict[str, Any]) -> int:
    """Return how many pages the list has. Raises UnreadableError rather than to leave the pages behind unread."""
    total = small_int(answer.get("totalRecords"))
    said = [small_int(answer.get("totalPage")), None if total is None else -(-total // LIST_PAGE_SIZE)]
    pages = max((pages for pages in said if pages is not None), default=None)
    if pages is None and len(rows_of(answer)) < LIST_PAGE_SIZE:
        pages = 1
    if pages is None or not 0 <= pages <= MAX_PAGES:
        raise UnreadableError(f"order_list: the number of pages is not known, or above {MAX_PAGES}")
    return max(pages, 1)


def raw_row(row: Any) -> bytes:
    """Return a row as it came, as far as Python keeps it: msgspec writes no integer above 64 bits."""
    try:
        return json.dumps(row, ensure_ascii=False, default=str).encode("utf-8", "replace")
    except RecursionError:
        return b"(nested too deeply to be written)"


def read_pay_answer(order_id: str, data: Any) -> PayAnswer:
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
        return PayAnswer(PayOutcome.UNCLEAR, "the answer is about another order", detail=detail)
    if paid is True and order_id in refused:
        return PayAnswer(PayOutcome.UNCLEAR, "the answer calls the order both paid and not payable", detail=detail)
    if paid is True:
        return PayAnswer(PayOutcome.PAID, "paid by agreement", detail=detail)
    pay_url = text(answer.get("payUrl"))
    if order_id in refused or paid is not False or pay_url is None:
        return PayAnswer(PayOutcome.UNCLEAR, "neither paid nor a link to pay", detail=detail)
    if not pay_url.startswith(("https://", "http://")) or len(pay_url) >= _MAX_PAY_URL or not _is_one_word(pay_url):
        return PayAnswer(PayOutcome.UNCLEAR, "the link to pay is not a web address", detail=detail)
    return PayAnswer(PayOutcome.NEEDS_PERSON, "no payment agreement: a person must pay", pay_url, detail)


def _is_one_word(value: str) -> bool:
    return value.isprintable() and " " not in value
