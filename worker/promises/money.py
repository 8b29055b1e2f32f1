"""I1: nothing is paid beyond limits, tolerance, budgets and what people approved."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from worker.domain.effects import EffectState
from worker.domain.policy import Effect, Policy
from worker.promises.books import OUR_CALL, Books
from worker.promises.effects import Knowable
from worker.promises.rest import OVER_BUDGET
from worker.promises.rows import Attempt, FollowUp, Ledger, Spending

_BEIJING = timedelta(hours=8)
_FAR = 2**62
_SEEN_AFTER_MS = 5
"""Instants in rows are of the writing; others see it a little later."""
NEEDED_ABOVE = 2
"""People, above the account's `four_eyes_above`."""
Policies = Mapping[str, Policy]
_Sums = dict[tuple[str, str], int]
Prices = Mapping[str, Sequence[tuple[int, int]]]
"""Per order every total that it ever had: since when (Unix ms), and how much."""


def beyond_leave(ledger: Ledger, policies: Policies) -> Iterator[str]:
    """Yield calls that spent, or were begun, without the leave of the account's rules or of enough people."""
    for follow_up in ledger.follow_ups:
        policy = policies[follow_up.account]
        for attempt in ledger.attempts_of(follow_up.id):
            why = _needs_people(follow_up, attempt, policy, ledger)
            if why is not None and not _approved(follow_up, attempt, policy, ledger):
                yield (
                    f"I1: {follow_up.effect} of order {follow_up.order_id} was begun at {attempt.amount_minor} fen "
                    f"without enough approvals: {why}"
                )


def _needs_people(follow_up: FollowUp, attempt: Attempt, policy: Policy, ledger: Ledger) -> str | None:
    """Return why the rules alone did not allow the call, None if they did."""
    amount = attempt.amount_minor or 0
    plan = ledger.plan(follow_up.account, follow_up.order_id, attempt.plan_version)
    content: dict[str, Any] = {} if plan is None else plan.content
    if follow_up.effect == Effect.PAY:
        planned = content.get("planned_total")
        baseline = attempt.evidence.get("baseline_minor") if planned is None else _fen(planned)
        if amount > policy.auto_pay_limit:
            return f"the limit is {policy.auto_pay_limit}"
        if baseline is not None and Decimal(amount) > Decimal(baseline) * (1 + policy.price_tolerance):
            return f"it was to be {baseline}"
        if content.get("auto_pay") is False:
            return "the plan asks for approval"
    if follow_up.effect == Effect.BOOK_INTERNATIONAL:
        planned = (content.get("freight") or {}).get("max_price")
        limit = policy.freight_limit if planned is None else min(policy.freight_limit, _fen(planned))
        if amount > limit:
            return f"the freight's limit is {limit}"
    return None


def _approved(follow_up: FollowUp, attempt: Attempt, policy: Policy, ledger: Ledger) -> bool:
    """Tell whether enough people had approved the amount before the call, none of whom asked for it."""
    amount = attempt.amount_minor or 0
    words = [one for one in ledger.approvals if one.follow_up_id == follow_up.id and one.at <= attempt.sent_at]
    rejected_at = max((one.at for one in words if one.decision == "reject"), default=-1)
    people = {
        one.actor: one.at
        for one in words
        if one.decision == "approve" and one.at > rejected_at and (one.amount_minor or 0) >= amount
    }
    if policy.four_eyes_above is None or amount <= policy.four_eyes_above:
        return bool(people)
    strangers = [actor for actor, at in people.items() if actor not in _requesters(follow_up, at, ledger)]
    return len(strangers) >= NEEDED_ABOVE


def _requesters(follow_up: FollowUp, at: int, ledger: Ledger) -> set[str]:
    """Return who had asked for it by then, for all to see: by the plan that stood, or by a retry."""
    plans = [one for one in ledger.plans if one.account == follow_up.account and one.order_id == follow_up.order_id]
    standing = [one.requested_by for one in plans if one.put_at + _SEEN_AFTER_MS <= at][-1:]
    retried = [
        one.actor
        for one in ledger.retries
        if one.follow_up_id == follow_up.id and one.action == "retry" and one.at + _SEEN_AFTER_MS <= at
    ]
    return {*standing, *retried}


def paid_otherwise(ledger: Ledger, books: Books, prices: Prices, knowable: Knowable) -> Iterator[str]:
    """Yield payments of another amount than was decided on, where that could have been known.

    The call takes no amount: a price that moves between the last read and the payment is paid as it is then.
    """
    for payment in books.payments:
        calls = [call for call in ledger.calls(Effect.PAY, payment.order_id) if call.sent_at <= payment.at]
        if payment.how != OUR_CALL or not calls:
            continue  # without any call it is told elsewhere
        decided = [call.amount_minor for call in calls]
        if payment.amount_fen in decided:
            continue
        if not any(_was_true(call, payment.order_id, payment.at, prices, knowable) for call in calls):
            yield f"I1: {payment.amount_fen} fen were taken for order {payment.order_id}, {decided} were decided on"


def moved(ledger: Ledger, books: Books) -> int:
    """Return how many payments took another amount than any that was decided on."""
    return sum(
        payment.how == OUR_CALL
        and payment.amount_fen not in {call.amount_minor for call in ledger.calls(Effect.PAY, payment.order_id)}
        for payment in books.payments
    )


def _was_true(call: Attempt, order_id: str, at: int, prices: Prices, knowable: Knowable) -> bool:
    """Tell whether the amount decided on was the total at some moment between what was read and the payment."""
    since = knowable.as_of(order_id, int(call.evidence.get("asked_at") or call.sent_at))
    history = prices.get(order_id, ())
    ends = [began for began, _ in history[1:]] + [_FAR]
    return any(
        total == call.amount_minor and began <= at and ended >= since
        for (began, total), ended in zip(history, ends, strict=True)
    )


def over_budget(ledger: Ledger, policies: Policies) -> Iterator[str]:
    """Yield the Beijing days and months in which more was decided on than the account's budgets allow."""
    decided = {one.token: one.amount_minor or 0 for one in ledger.attempts}
    days, months = _spent(ledger, lambda spending: decided[spending.token])
    for account, policy in policies.items():
        budgets = ((days, policy.daily_budget, "day"), (months, policy.monthly_budget, "month"))
        for sums, budget, what in budgets:
            for (whose, when), spent in sums.items():
                if whose == account and budget is not None and spent > budget:
                    yield f"I1: {spent} fen were spent by {account} in the {what} {when}, {budget} are allowed"


def held_back_in_vain(ledger: Ledger, policies: Policies) -> Iterator[str]:
    """Yield what waits for a budget that had room for it on every day and in every month of the ledger.

    Of what was decided on and what was taken the larger counts: what costs less in the end makes room only later.
    """
    decided = {one.token: one.amount_minor or 0 for one in ledger.attempts}
    sums = _spent(ledger, lambda spending: max(decided[spending.token], spending.amount_minor))
    for one in ledger.follow_ups:
        if one.state != EffectState.PLANNED or one.amount_minor is None or not (one.reason or "").endswith(OVER_BUDGET):
            continue
        policy = policies[one.account]
        most = [max((fen for (whose, _), fen in each.items() if whose == one.account), default=0) for each in sums]
        budgets = zip(most, (policy.daily_budget, policy.monthly_budget), strict=True)
        if all(budget is None or spent + one.amount_minor <= budget for spent, budget in budgets):
            fen = one.amount_minor
            yield f"I6: {one.effect} of order {one.order_id} waits for a budget that has room for {fen} fen"


def _spent(ledger: Ledger, fen_of: Callable[[Spending], int]) -> tuple[_Sums, _Sums]:
    """Return what counts as spent, per account and Beijing day, and per account and month."""
    days: _Sums = defaultdict(int)
    months: _Sums = defaultdict(int)
    for spending in ledger.spendings:
        if not spending.released:
            day = f"{datetime.fromtimestamp(spending.spent_at / 1000, UTC) + _BEIJING:%Y-%m-%d}"
            days[spending.account, day] += fen_of(spending)
            months[spending.account, day[:7]] += fen_of(spending)
    return days, months


def unseen_spending(ledger: Ledger, books: Books) -> Iterator[str]:
    """Yield orders for which our calls took more than the budgets count, once the world is at rest."""
    taken: dict[tuple[str, str], int] = defaultdict(int)
    for payment in books.payments:
        if payment.how == OUR_CALL:
            taken[Effect.PAY, payment.order_id] += payment.amount_fen
    for booking in books.bookings:
        taken[Effect.BOOK_INTERNATIONAL, booking.order_id] += booking.amount_fen
    counted: dict[tuple[str, str], int] = defaultdict(int)
    follow_ups = {one.id: one for one in ledger.follow_ups}
    for spending in ledger.spendings:
        if not spending.released:
            one = follow_ups[spending.follow_up_id]
            counted[one.effect, one.order_id] += spending.amount_minor
    for (effect, order_id), fen in taken.items():
        if fen > counted[effect, order_id]:
            yield f"I1: {effect} of order {order_id} took {fen} fen, the budget knows of {counted[effect, order_id]}"


def _fen(yuan: str) -> int:
    return int(Decimal(yuan) * 100)
