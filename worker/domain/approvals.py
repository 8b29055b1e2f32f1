"""Which decisions of people about a follow-up are valid. Pure: rows are locked and written elsewhere."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from worker.domain.effects import EffectState
from worker.domain.money import yuan_text
from worker.domain.operators import Actor, RefusalKind, RefusedError, Role, require
from worker.domain.policy import CHANGES, Effect

NEEDED_ABOVE = 2
"""Different people, above the account's `four_eyes_above`."""


class Subject(msgspec.Struct, frozen=True):
    """A follow-up and its order, as they stand under the row's lock.

    `requesters`: who asked for it, by a plan or by a retry. `read_since`: a read of the order was asked for after the
    last attempt was sent.
    """

    effect: str
    state: EffectState
    amount: int | None = None
    requesters: frozenset[str] = frozenset()
    paid: bool = False
    unconfirmed: bool = False
    read_since: bool = True


class Approval(msgspec.Struct, frozen=True):
    """Somebody's word that up to `amount` minor units may be spent."""

    actor: str
    amount: int


class Approved(msgspec.Struct, frozen=True):
    """What approvals add up to. `up_to`: None while people are missing; `missing`: how many."""

    up_to: int | None
    missing: int


def needed(amount: int, four_eyes_above: int | None) -> int:
    """Return how many people have to approve this amount."""
    return 1 if four_eyes_above is None or amount <= four_eyes_above else NEEDED_ABOVE


def standing_for(
    amount: int, approvals: Iterable[Approval], four_eyes_above: int | None, requesters: frozenset[str]
) -> frozenset[str]:
    """Return who has approved this amount or more, and counts for it."""
    people = frozenset(approval.actor for approval in approvals if approval.amount >= amount)
    return people if needed(amount, four_eyes_above) == 1 else people - requesters


def approved_up_to(
    approvals: Iterable[Approval], four_eyes_above: int | None, requesters: frozenset[str]
) -> int | None:
    """Return the highest amount that enough people have approved, None if there is none.

    One person's approval reaches no further than the limit for one, whatever amount it names: else a price that falls
    below the limit and rises again would be paid on one word.
    """
    given = tuple(approvals)
    reached = {approval.amount for approval in given}
    if four_eyes_above is not None:
        reached |= {min(amount, four_eyes_above) for amount in reached}
    enough = (
        amount
        for amount in reached
        if len(standing_for(amount, given, four_eyes_above, requesters)) >= needed(amount, four_eyes_above)
    )
    return max(enough, default=None)


def check_approval(
    subject: Subject, actor: Actor, seen: int | None, given: Iterable[Approval], four_eyes_above: int | None
) -> bool:
    """Return whether an approval of `seen` says something new. Raises RefusedError if it is not valid.

    `given`: the approvals that count already. The same word of the same person twice says nothing new.
    """
    require(actor, "approve", Role.APPROVER)
    waiting = subject.state is EffectState.AWAITING_APPROVAL
    amount = subject.amount or 0
    if seen is None and subject.amount is not None:
        raise _invalid(f"send the amount that you saw; it is about {yuan_text(amount)} CNY now")
    if waiting and (seen or 0) < amount:
        raise _conflict(
            f"the amount is {yuan_text(amount)} CNY now, and you saw {yuan_text(seen or 0)}; "
            "look at the order again and approve the new amount, or reject it"
        )
    if Approval(actor.name, seen or 0) in given:
        return False
    if not waiting:
        raise _conflict(f"{_stands(subject)}; only what is awaiting_approval can be approved")
    if needed(amount, four_eyes_above) > 1 and actor.name in subject.requesters:
        raise RefusedError(
            RefusalKind.FORBIDDEN,
            f"{actor.name} asked for this, and above {yuan_text(four_eyes_above or 0)} CNY two others must approve",
        )
    return True


def approved(subject: Subject, given: Iterable[Approval], four_eyes_above: int | None) -> Approved:
    """Return whether these approvals are enough for the amount as it is now."""
    approvals = tuple(given)
    amount = subject.amount or 0
    people = standing_for(amount, approvals, four_eyes_above, subject.requesters)
    missing = max(0, needed(amount, four_eyes_above) - len(people))
    if missing:
        return Approved(None, missing)
    return Approved(approved_up_to(approvals, four_eyes_above, subject.requesters), 0)


def check_rejection(subject: Subject, actor: Actor) -> None:
    """Raise RefusedError unless the actor may reject this now. Not to spend is in everybody's power who may act."""
    require(actor, "reject", Role.OPERATOR, Role.APPROVER)
    if subject.effect not in CHANGES:
        raise _conflict(f"{subject.effect} is a read; there is nothing to reject")
    if subject.state not in (EffectState.PLANNED, EffectState.AWAITING_APPROVAL):
        raise _conflict(f"{_stands(subject)}; only what is planned or awaiting_approval can be rejected")


def check_retry(subject: Subject, actor: Actor, checked: str | None) -> None:
    """Raise RefusedError unless the actor may have this tried again. `checked`: what was looked at, for an unknown."""
    if subject.state is EffectState.UNKNOWN:
        require(actor, "retry what may have happened", Role.APPROVER)
        if not checked:
            raise _invalid(
                "say in `checked` what you looked at on the marketplace that shows that it did not happen: "
                "what may have happened is never repeated blindly"
            )
    else:
        require(actor, "retry", Role.OPERATOR)
    if subject.state not in (EffectState.UNKNOWN, EffectState.REJECTED, EffectState.CANCELLED):
        raise _conflict(f"{_stands(subject)}; only what is rejected, cancelled or unknown can be retried")
    _check_not_done(subject)


def check_resolution(subject: Subject, actor: Actor, *, done: bool) -> EffectState:
    """Return the state that a person's word about what happened leads to. Raises RefusedError if it is not valid."""
    if subject.state is EffectState.UNKNOWN and not done:
        # It frees the budget and opens the way to another attempt, as a retry does.
        require(actor, "say that what may have happened did not", Role.APPROVER)
    else:
        require(actor, "resolve", Role.OPERATOR, Role.APPROVER)
    if subject.state not in (EffectState.UNKNOWN, EffectState.AWAITING_PERSON):
        raise _conflict(f"{_stands(subject)}; only what is unknown or awaiting_person can be resolved")
    if done:
        return EffectState.SUCCEEDED
    _check_not_done(subject)
    return EffectState.REJECTED if subject.state is EffectState.UNKNOWN else EffectState.CANCELLED


def _check_not_done(subject: Subject) -> None:
    """Raise RefusedError where what we know ourselves speaks against "it did not happen"."""
    if subject.effect == Effect.PAY and subject.paid:
        raise _conflict("the order is shown as paid; if that is right, resolve it as done")
    if subject.state is not EffectState.UNKNOWN:
        return
    if subject.unconfirmed:
        raise _conflict("the order is in doubt: something newer than its latest read was heard; wait for the next read")
    if not subject.read_since and subject.effect != Effect.UPDATE_DOMESTIC_LOGISTICS:  # no read shows what was told
        raise _conflict("the order was not read since the attempt was sent; wait for the next read")


def _stands(subject: Subject) -> str:
    return f"the follow-up ({subject.effect}) is {subject.state.value}"


def _conflict(message: str) -> RefusedError:
    return RefusedError(RefusalKind.CONFLICT, message)


def _invalid(message: str) -> RefusedError:
    return RefusedError(RefusalKind.INVALID, message)
