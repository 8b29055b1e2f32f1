"""What the open platform answers, as facts. The order object is the one that PandaPon hands on."""

from __future__ import annotations

from typing import Any

import msgspec

from worker.domain.clock import Millis
from worker.domain.facts import Fact, RefundSeen, Source
from worker.domain.identity import OrderKey, Platform
from worker.domain.money import MoneyError, fen_from_fen, fen_from_yuan
from worker.marketplaces.alibaba1688.envelope import inner
from worker.marketplaces.paylinks import PayLinks
from worker.marketplaces.port import EffectAnswer, EffectOutcome, Offer
from worker.marketplaces.values import (
    UnreadableValueError,
    as_list,
    as_object,
    identifier,
    instant,
    small_int,
    text,
)

MAX_LINES = 500


def refund_of(model: dict[str, Any]) -> RefundSeen:
    """Return a refund of `OpOrderRefundModel`. All refund amounts are fen (documented)."""
    refund_id = identifier(model.get("refundId"), model.get("id"))
    if refund_id is None:
        raise UnreadableValueError("the refund has no id")
    lines = [identifier(line) for line in as_list(model.get("orderEntryIdList"))[:MAX_LINES]]
    return RefundSeen(
        refund_id=refund_id,
        word=text(model.get("status")),
        amount=_amount(model),
        line_ids=tuple(line for line in lines if line is not None),
        reason=text(model.get("applyReason")) or msgspec.UNSET,
    )


def listed_refund(account: str, row: dict[str, Any], asked_at: Millis) -> Fact:
    """A row of the refund list as a hint about its order."""
    order_id = identifier(row.get("orderId"))
    if order_id is None:
        raise UnreadableValueError("a refund row has no order id")
    return Fact(
        key=OrderKey(account, Platform.ALIBABA_1688, order_id),
        source=Source.POLL,
        content=refund_of(row),
        observed_at=asked_at,
        provider_time=instant(row.get("gmtModified")),
    )


def offers_of(answer: dict[str, Any], limit: int) -> tuple[Offer, ...]:
    """Return the offers of an image search; prices are yuan as text."""
    found: list[Offer] = []
    for row in (as_object(row) for row in as_list(answer.get("data"))[:limit]):
        offer_id = identifier(row.get("offerId"))
        if offer_id is not None:
            found.append(
                Offer(
                    offer_id=offer_id,
                    title=text(row.get("subjectTrans")) or text(row.get("subject")) or "",
                    price=_price(as_object(row.get("priceInfo")).get("price")),
                    sold_monthly=small_int(row.get("monthSold")),
                    repurchase_rate=text(row.get("repurchaseRate")),
                    image_url=text(row.get("imageUrl")),
                )
            )
    return tuple(found)


def agreement_of(answer: dict[str, Any]) -> str | None:
    """Return the channel of an agreement that is both bound and signed (texts "true"), None if there is none."""
    for row in (as_object(row) for row in as_list(answer.get("paymentAgreements"))):
        if str(row.get("bindingStatus")).lower() == str(row.get("signedStatus")).lower() == "true":
            return text(row.get("payChannel"))
    return None


def pay_link(order_id: str, answer: dict[str, Any], links: PayLinks) -> str | None:
    """Return the link to pay, None if there is no usable one. It moves no money by itself."""
    url = text(answer.get("payUrl"))
    failed = [identifier(as_object(row).get("orderId"), row) for row in as_list(answer.get("payFailureOrderList"))]
    return None if url is None or order_id in failed or not links.accepts(url) else url


def prepared(data: Any) -> EffectAnswer:
    """Return what the answer to a payment means: "false" has been said of money that was taken (documented)."""
    answer = inner(as_object(data))
    if str(answer.get("paySuccess")).lower() == "true":
        return EffectAnswer(
            EffectOutcome.DONE, "paid by agreement", detail={"payChannel": text(answer.get("payChannel"))}
        )
    return EffectAnswer(EffectOutcome.UNCLEAR, "the platform does not say that it was paid")


def confirmed(data: Any) -> EffectAnswer:
    """Return what the answer to a confirmed receipt means: only a plain success is one."""
    whole = as_object(data)
    if _says_success(whole) or _says_success(as_object(whole.get("result"))):
        return EffectAnswer(EffectOutcome.DONE, "receipt confirmed")
    return EffectAnswer(EffectOutcome.UNCLEAR, "the platform does not say that receipt was confirmed")


def cancelled(data: Any) -> EffectAnswer:
    """Return what the answer to a cancellation means: only a plain success is one."""
    if _says_success(as_object(data)):
        return EffectAnswer(EffectOutcome.DONE, "cancelled")
    return EffectAnswer(EffectOutcome.UNCLEAR, "the platform does not say that it was cancelled")


def _says_success(block: dict[str, Any]) -> bool:
    return str(block.get("success")).lower() == "true"


def _amount(model: dict[str, Any]) -> int | None:
    for names in (("refundPayment",), ("applyPayment", "applyCarriage")):
        said = [model[name] for name in names if model.get(name) not in (None, "")]
        try:
            found = sum(fen_from_fen(value, names[0]) for value in said)
        except MoneyError as error:
            raise UnreadableValueError(str(error)) from error
        if found:
            return found
    return None


def _price(value: Any) -> int | None:
    try:
        return None if value in (None, "") else fen_from_yuan(value, "price")
    except MoneyError:
        return None
