"""Whether an order is paid, and what for: the price guard, decided on fresh data alone."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from worker.domain.clock import Millis
from worker.domain.facts import Amounts
from worker.domain.money import CNY, yuan_text
from worker.domain.plans import NO_PLAN, StandingPlan
from worker.domain.policy import FULL_PAYMENT, Decision, Effect, Policy, Verdict, Wanted, first_that_holds
from worker.domain.reducer import Order
from worker.domain.status import OrderStatus
from worker.domain.view import View


def baseline_total(order: Order, plan: StandingPlan = NO_PLAN) -> int | None:
    """Return the total against which a price is judged: the planned one, or the earliest heard of or read.

    Without a plan the lower of these two: a callback may tell the price before a change that we read too late for, but
    a callback that tells a price too high must not make room for one.
    """
    if plan.planned_total is not None:
        return plan.planned_total
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


def decide_payment(
    fresh: View,
    baseline: int | None,
    policy: Policy,
    *,
    now_unconfirmed: bool,
    plan: StandingPlan = NO_PLAN,
    approved: int | None = None,
    now: Millis = 0,
) -> Decision:
    """Return whether to pay an order whose `fresh` view comes from a read made for this very payment.

    `now_unconfirmed`: something newer than that read has been heard of. Then the payment waits. `approved`: persons
    have approved a total up to this. `now`: when the read was asked; a payment that comes too late is not begun.
    """
    known = not fresh.unconfirmed
    paid = fresh.is_paid or (known and fresh.status.is_paid)
    settled = known and not now_unconfirmed and fresh.amounts_confirmed
    payable = settled and fresh.status is OrderStatus.AWAITING_PAYMENT
    obstacle = first_that_holds(
        (paid, Verdict.DONE, "the order is already paid"),
        (known and fresh.status is OrderStatus.CLOSED, Verdict.NOT_WANTED, "the order is closed"),
        (plan.cancel_reason is not None, Verdict.NOT_WANTED, "the plan says to cancel the order"),
        (not policy.auto_pay, Verdict.WAIT, "the account's policy does not pay by itself"),
        (not payable, Verdict.WAIT, "the order is not confirmed as awaiting payment"),
        (_is_too_late(fresh, policy, now), Verdict.WAIT, "the time in which the order can be paid is over, or nearly"),
    )
    if obstacle is not None or fresh.amounts is None:
        return obstacle or Decision(Verdict.WAIT, "the order has no total")
    total = fresh.amounts.total
    hold = _hold(fresh.amounts, baseline, policy, plan)
    if hold is None:
        return Decision(Verdict.PROCEED, "within limit and tolerance", total)
    if approved is not None and 0 < total <= approved:
        return Decision(Verdict.PROCEED, f"approved up to {yuan_text(approved)} CNY", total)
    return Decision(Verdict.HOLD, hold, total)


def _is_too_late(fresh: View, policy: Policy, now: Millis) -> bool:
    pay_until = fresh.lifecycle.pay_until if fresh.lifecycle is not None else None
    return isinstance(pay_until, int) and now + policy.pay_margin > pay_until


def wanted_payments(order: Order, policy: Policy, plan: StandingPlan, approved: int | None) -> Iterator[Wanted]:
    """Yield the payment that an order calls for, with the reason why a person must approve it, if there is one."""
    view = order.view
    if order.key.platform not in policy.pay_platforms or not policy.auto_pay or plan.cancel_reason is not None:
        return
    if view.status is not OrderStatus.AWAITING_PAYMENT or view.is_paid:
        return
    if view.amounts is None or not view.amounts_confirmed:
        return
    total = view.amounts.total
    hold = _hold(view.amounts, baseline_total(order, plan), policy, plan)
    if approved is not None and 0 < total <= approved:
        hold = None
    yield Wanted(Effect.PAY, FULL_PAYMENT, amount=total, hold=hold)


def price_rose(order: Order, policy: Policy, plan: StandingPlan = NO_PLAN) -> bool:
    """Tell whether the total rose beyond the tolerance, whatever the limit says."""
    baseline, amounts = baseline_total(order, plan), order.view.amounts
    return baseline is not None and amounts is not None and _is_beyond(amounts.total, baseline, policy)


def _is_beyond(total: int, baseline: int, policy: Policy) -> bool:
    return Decimal(total) > Decimal(baseline) * (1 + policy.price_tolerance)


def _hold(amounts: Amounts, baseline: int | None, policy: Policy, plan: StandingPlan) -> str | None:
    if amounts.currency != CNY:
        return f"the total is in {amounts.currency[:10]}, the limit in {CNY}"
    hold = price_hold(amounts.total, baseline, policy)
    if hold is None and plan.auto_pay is False:
        return "the plan asks for a person's approval"
    return hold
