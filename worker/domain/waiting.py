"""Why a follow-up does not go on, in words for the person who looks at it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec

from worker.domain.effects import EffectState


class Pause(msgspec.Struct, frozen=True):
    """An open pause that covers the follow-up."""

    id: int
    reason: str
    actor: str


class Standing(msgspec.Struct, frozen=True):
    """What decides whether a follow-up goes on now. `missing`: people who must still approve."""

    state: EffectState
    reason: str | None
    due_at: datetime
    now: datetime
    missing: int = 0
    unconfirmed: bool = False
    not_done_reads: int = 0
    budget_refusals: int = 0
    claimed: bool = False
    pauses: Sequence[Pause] = ()


def why_it_waits(standing: Standing) -> tuple[str, ...]:
    """Return the reasons, the one that a person can do most about first; none if it goes on or is over."""
    return tuple(_reasons(standing))


def _reasons(standing: Standing) -> Iterator[str]:
    state = standing.state
    if state in (EffectState.SUCCEEDED, EffectState.REJECTED, EffectState.CANCELLED):
        return
    if state is EffectState.AWAITING_APPROVAL:
        yield f"{standing.missing} approval(s) missing"
    elif state is EffectState.AWAITING_PERSON:
        yield "a person has to do it on the marketplace; then the next read, or `resolve`, ends it"
    elif state is EffectState.UNKNOWN:
        yield (
            f"it may have happened, and is only read until that is clear; {standing.not_done_reads} read(s) so far "
            "showed it not done"
        )
    for pause in standing.pauses:
        yield f"paused by {pause.actor} (pause {pause.id}): {pause.reason}"
    if state is EffectState.PLANNED:
        yield from _before_sending(standing)
    if standing.reason:
        yield standing.reason


def _before_sending(standing: Standing) -> Iterator[str]:
    if standing.unconfirmed:
        yield "the order is in doubt until its next read"
    if standing.budget_refusals:
        yield f"the account's budget refused it {standing.budget_refusals} time(s)"
    if standing.due_at > standing.now:
        yield f"not before {standing.due_at.isoformat(timespec='seconds')}"
    elif not standing.claimed:
        yield "an executor takes it next"
