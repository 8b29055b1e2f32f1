"""I1: what people forbade is not begun: not during a pause, not by an old plan, not after a rejection."""

from __future__ import annotations

from collections.abc import Iterator

from worker.domain.policy import Effect
from worker.promises.rows import Attempt, FollowUp, Ledger


def against_people(ledger: Ledger, *, written_within_ms: int) -> Iterator[str]:
    """Yield calls that were begun although somebody had forbidden them.

    Instants in the rows are those of a transaction's beginning: one that was committed later than `written_within_ms`
    after it could not be known, and what began within that time is not judged here.
    """
    for follow_up in ledger.follow_ups:
        for attempt in ledger.attempts_of(follow_up.id):
            yield from _paused(follow_up, attempt, ledger, written_within_ms)
            yield from _planned_otherwise(follow_up, attempt, ledger, written_within_ms)
            yield from _rejected(follow_up, attempt, ledger, written_within_ms)


def _paused(follow_up: FollowUp, attempt: Attempt, ledger: Ledger, slack_ms: int) -> Iterator[str]:
    for pause in ledger.pauses:
        covers = pause.account in (None, follow_up.account) and pause.effect in (None, follow_up.effect)
        lifted_at = pause.lifted_at if pause.lifted_at is not None else attempt.sent_at + 1
        if covers and pause.opened_at + slack_ms < attempt.sent_at < lifted_at:
            yield f"I1: {follow_up.effect} of order {follow_up.order_id} was begun during a pause"


def _planned_otherwise(follow_up: FollowUp, attempt: Attempt, ledger: Ledger, slack_ms: int) -> Iterator[str]:
    mine = [one for one in ledger.plans if (one.account, one.order_id) == (follow_up.account, follow_up.order_id)]
    known = [one.version for one in mine if one.put_at + slack_ms < attempt.sent_at]
    if known and max(known) > attempt.plan_version:
        yield (
            f"I1: {follow_up.effect} of order {follow_up.order_id} was begun by plan {attempt.plan_version}, "
            f"{max(known)} was known"
        )
    plan = ledger.plan(follow_up.account, follow_up.order_id, attempt.plan_version)
    wants_cancel = plan is not None and plan.content.get("cancel_reason") is not None
    if wants_cancel and follow_up.effect == Effect.PAY:
        yield f"I1: order {follow_up.order_id} was paid although its plan says to cancel it"
    if not wants_cancel and follow_up.effect == Effect.CANCEL:
        yield f"I1: order {follow_up.order_id} was cancelled although no plan says so"


def _rejected(follow_up: FollowUp, attempt: Attempt, ledger: Ledger, slack_ms: int) -> Iterator[str]:
    """After a person's "no", or "it did not happen", only a later retry lets it go on."""
    for said in ledger.retries:
        ends = said.action == "reject" or (said.action == "resolve" and said.after != "succeeded")
        if said.follow_up_id != follow_up.id or not ends or said.at + slack_ms >= attempt.sent_at:
            continue
        retried = any(
            one.follow_up_id == follow_up.id and one.action == "retry" and said.at <= one.at <= attempt.sent_at
            for one in ledger.retries
        )
        if not retried:
            yield f"I1: {follow_up.effect} of order {follow_up.order_id} was begun after {said.actor} had said no"
