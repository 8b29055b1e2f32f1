"""What an account allows, and what it therefore wants done with an order. Pure: no calls, no clock."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from worker.domain.clock import Millis
from worker.domain.facts import Amounts
from worker.domain.identity import Platform
from worker.domain.money import CNY, yuan_text
from worker.domain.reducer import Order
from worker.domain.status import OrderStatus, map_word
from worker.domain.view import View


class Policy(msgspec.Struct, frozen=True):
    """The account's rules for money.

    `auto_pay_limit` in minor units per order; `price_tolerance` a share (0.02 = 2 %); `platforms` those whose orders we
    can call the marketplace about. Of others callbacks are recorded, and the order stays unconfirmed.
    """

    auto_pay: bool = False
    auto_pay_limit: int = 0
    price_tolerance: Decimal = Decimal(0)
    platforms: frozenset[Platform] = frozenset({Platform.ALIBABA_1688})
    find_substitutes: bool = False
    four_eyes_above: int | None = None
    """Minor units; above it an approval takes two people. None: one is always enough."""


class Effect(StrEnum):
    """What we do at a marketplace. `refresh` and `find_substitutes` are safe reads, `pay` moves money."""

    REFRESH = "refresh"
    PAY = "pay"
    FIND_SUBSTITUTES = "find_substitutes"
    """Look for articles that could stand in for a line's; the purpose is the line's id."""


class Wanted(msgspec.Struct, frozen=True):
    """One follow-up that the order calls for. Unique by (order, effect, purpose); `purpose` of a payment is its phase.

    `not_before`: for a refresh, the instant after which the read must be asked. `hold` says why a person must approve.
    """

    effect: Effect
    purpose: str
    not_before: Millis = 0
    amount: int | None = None
    hold: str | None = None


class Verdict(StrEnum):
    """Whether a payment may go out now."""

    PROCEED = "proceed"
    HOLD = "hold"
    DONE = "done"
    NOT_WANTED = "not_wanted"
    WAIT = "wait"


class PaymentDecision(msgspec.Struct, frozen=True):
    """The verdict, why, and the amount it is about (minor units)."""

    verdict: Verdict
    reason: str
    amount: int | None = None


MAX_SEARCHES = 10
"""Lines of one order that substitutes are looked for."""
_LACK_OF_GOODS = ("sellerGoodsLack", "缺货", "无货", "out of stock")
"""Close reasons (documented upstream) and words of refund reasons (inferred) that tell of goods that do not come."""
SYNC = "sync"
FULL_PAYMENT = "full"


def baseline_total(order: Order) -> int | None:
    """Return the total against which a price is judged: the earliest total heard of, or the earliest one read.

    The lower of the two: a callback may tell the price before a change that we read too late for, but a callback that
    tells a price too high must not make room for one.
    """
    firsts = (order.evidence.first_total, order.evidence.first_read_total)
    return min((first.value for first in firsts if first is not None), default=None)


def price_hold(total: int, baseline: int | None, policy: Policy) -> str | None:
    """Return why this total must not be paid without a person, None if it may be."""
    if total <= 0:
        return f"the total of {yuan_text(total)} CNY is not payable"
    if total > policy.auto_pay_limit:
        return f"the total of {yuan_text(total)} CNY is above the limit of {yuan_text(policy.auto_pay_limit)} CNY"
    if baseline is not None and _is_beyond(total, baseline, policy):
        return (
            f"the total rose from {yuan_text(baseline)} to {yuan_text(total)} CNY, "
            f"more than the tolerance of {policy.price_tolerance * 100:f} %"
        )
    return None


def decide_payment(fresh: View, baseline: int | None, policy: Policy, *, now_unconfirmed: bool) -> PaymentDecision:
    """Return whether to pay an order whose `fresh` view comes from a read made for this very payment.

    `now_unconfirmed`: something newer than that read has been heard of. Then the payment waits.
    """
    if fresh.is_paid or (fresh.status.is_paid and not fresh.unconfirmed):
        return PaymentDecision(Verdict.DONE, "the order is already paid")
    if fresh.status is OrderStatus.CLOSED and not fresh.unconfirmed:
        return PaymentDecision(Verdict.NOT_WANTED, "the order is closed")
    if not policy.auto_pay:
        return PaymentDecision(Verdict.WAIT, "the account's policy does not pay by itself")
    settled = not (now_unconfirmed or fresh.unconfirmed) and fresh.amounts_confirmed
    if not settled or fresh.status is not OrderStatus.AWAITING_PAYMENT or fresh.amounts is None:
        return PaymentDecision(Verdict.WAIT, "the order is not confirmed as awaiting payment")
    hold = _hold(fresh.amounts, baseline, policy)
    if hold is not None:
        return PaymentDecision(Verdict.HOLD, hold, fresh.amounts.total)
    return PaymentDecision(Verdict.PROCEED, "within limit and tolerance", fresh.amounts.total)


def wanted_follow_ups(order: Order, policy: Policy) -> tuple[Wanted, ...]:
    """Return what the order calls for now. No irreversible effect starts on unconfirmed data."""
    view = order.view
    if order.key.platform not in policy.platforms:
        return ()
    if view.refresh_after is not None:
        return (Wanted(Effect.REFRESH, SYNC, not_before=view.refresh_after),)
    return (*_wanted_payments(order, policy), *_wanted_searches(order, policy))


def lacks_goods(order: Order) -> bool:
    """Tell whether the seller is known not to deliver: it closed the order, or a refund was made, for lack of goods."""
    view = order.view
    reasons = [view.lifecycle.close_reason if view.lifecycle else None, *(refund.reason for refund in view.refunds)]
    return any(word in reason for reason in reasons if reason is not None for word in _LACK_OF_GOODS)


def _wanted_searches(order: Order, policy: Policy) -> tuple[Wanted, ...]:
    """Return a search per line with a picture, for orders whose goods do not come or have become too dear."""
    if not policy.find_substitutes:
        return ()
    view = order.view
    closed = view.status is OrderStatus.CLOSED and lacks_goods(order)
    dear = view.status is OrderStatus.AWAITING_PAYMENT and price_rose(order, policy)
    if not (closed or dear):
        return ()
    lines = [line for line in view.lines if line.image_url][:MAX_SEARCHES]
    return tuple(Wanted(Effect.FIND_SUBSTITUTES, line.line_id) for line in lines)


def price_rose(order: Order, policy: Policy) -> bool:
    """Tell whether the total rose beyond the tolerance, whatever the limit says."""
    baseline, amounts = baseline_total(order), order.view.amounts
    return baseline is not None and amounts is not None and _is_beyond(amounts.total, baseline, policy)


def _is_beyond(total: int, baseline: int, policy: Policy) -> bool:
    return Decimal(total) > Decimal(baseline) * (1 + policy.price_tolerance)


def _wanted_payments(order: Order, policy: Policy) -> tuple[Wanted, ...]:
    view = order.view
    if order.key.platform is not Platform.ALIBABA_1688:
        # Taobao's callbacks and lists name an order by different ids, and nobody documents that they are one: the same
        # order could stand here twice, and each would have a payment of its own.
        return ()
    if not policy.auto_pay or view.status is not OrderStatus.AWAITING_PAYMENT or view.is_paid:
        return ()
    if view.amounts is None or not view.amounts_confirmed:
        return ()
    hold = _hold(view.amounts, baseline_total(order), policy)
    return (Wanted(Effect.PAY, FULL_PAYMENT, amount=view.amounts.total, hold=hold),)


def _hold(amounts: Amounts, baseline: int | None, policy: Policy) -> str | None:
    if amounts.currency != CNY:
        return f"the total is in {amounts.currency[:10]}, the limit in {CNY}"
    return price_hold(amounts.total, baseline, policy)


def settlement(order: Order) -> bool | None:
    """Return True if a snapshot shows the order as paid, False if one shows it as closed unpaid, None otherwise.

    Only snapshots settle a payment: a callback may be late, early or about something else.
    """
    life = order.view.lifecycle
    if life is None:
        return None
    status = map_word(order.key.platform, life.word)
    if order.view.is_paid or status.is_paid:
        return True
    return False if status is OrderStatus.CLOSED else None
