"""Facts as the tests tell them: one line each, times as seconds after NOON."""

from __future__ import annotations

from worker.domain.clock import SECOND, Millis
from worker.domain.facts import (
    Amounts,
    Content,
    Fact,
    Lifecycle,
    Line,
    LogisticsSeen,
    Parcel,
    PriceSeen,
    RefundSeen,
    Snapshot,
    Source,
    StatusSeen,
)
from worker.domain.identity import OrderKey, Platform
from worker.domain.reducer import Applied, Order, Outcome, apply

KEY = OrderKey("main", Platform.ALIBABA_1688, "3300000000000000001")
TAOBAO_KEY = OrderKey("main", Platform.TAOBAO, "4400000000000000002")
NOON: Millis = 1_767_240_000_000
SKEW: Millis = 5 * SECOND


def at(second: int) -> Millis:
    return NOON + second * SECOND


def heard(content: Content, second: int, *, source: Source = Source.CALLBACK, received: int | None = None) -> Fact:
    """Return a hint that the sender stamped with `second`."""
    return Fact(
        KEY, source, content, observed_at=at(second if received is None else received), provider_time=at(second)
    )


def status(word: str | None, second: int, *, event: str | None = None, received: int | None = None) -> Fact:
    return heard(StatusSeen(word, event), second, received=received)


def listed(word: str | None, modified: int, *, received: int | None = None) -> Fact:
    """Return a row of the order list."""
    return heard(StatusSeen(word), modified, source=Source.POLL, received=received)


def price(total: int | None, second: int, *, received: int | None = None) -> Fact:
    return heard(PriceSeen(None if total is None else Amounts(total)), second, received=received)


def refund(refund_id: str, word: str, second: int, amount: int | None = None) -> Fact:
    return heard(RefundSeen(refund_id, word, amount=amount), second)


def parcel_moved(second: int) -> Fact:
    return heard(LogisticsSeen("LOGISTICS_BUYER_VIEW_TRACE"), second)


def lines(*logistics: int | None) -> tuple[Line, ...]:
    return tuple(Line(f"line{number}", logistics_status=each) for number, each in enumerate(logistics))


def read(  # noqa: PLR0913 - a test names only what matters to it
    word: str | None,
    asked: int,
    *,
    modified: int | None = None,
    total: int | None = 10_000,
    items: tuple[Line, ...] | None = (),
    parcels: tuple[Parcel, ...] | None = (),
    refunds: tuple[RefundSeen, ...] | None = (),
    paid: bool = False,
    currency: str = "CNY",
) -> Fact:
    """Return what the marketplace answered when asked at `asked`; None where the answer does not cover an aspect."""
    modified_at = None if modified is None else at(modified)
    life = None if word is None else Lifecycle(word, modified_at=modified_at, paid=paid)
    amounts = None if total is None else Amounts(total, currency=currency)
    return Fact(KEY, Source.POLL, Snapshot(life, amounts, items, parcels, refunds), observed_at=at(asked))


def step(order: Order, fact: Fact) -> Applied:
    return apply(order, fact, fact.derive_id(), SKEW)


def told(*facts: Fact) -> Order:
    """Return the order after these facts, in this order of arrival."""
    order = Order.new(facts[0].key if facts else KEY)
    for fact in facts:
        order = step(order, fact).order
    return order


def outcomes(*facts: Fact) -> list[Outcome]:
    order, seen = Order.new(facts[0].key), []
    for fact in facts:
        applied = step(order, fact)
        order = applied.order
        seen.append(applied.outcome)
    return seen
