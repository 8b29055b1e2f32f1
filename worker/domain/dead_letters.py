"""Dead letters as a person sees them: where each stands, and the causes that leak too slowly for anybody to notice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum

import msgspec

from worker.domain.alerts import Alert, AlertKind, Severity
from worker.domain.clock import HOUR, Millis, iso

DAY: Millis = 24 * HOUR
REPLAY_PATIENCE: Millis = HOUR // 4
"""A replay that was sent and not heard of for this long may be asked for again: by its identity it stays the same."""


class LetterState(StrEnum):
    """Where a dead letter stands."""

    OPEN = "open"
    REPLAYING = "replaying"
    """Asked for, and on its way through Kafka to reconcile."""
    RESOLVED = "resolved"
    """A replay of it was recorded."""
    DISCARDED = "discarded"
    """A person said that it is not needed. It is kept."""


class ReplayOutcome(StrEnum):
    """What became of one letter's replay."""

    REPLAYED = "replayed"
    FAILED_AGAIN = "failed_again"


class Ticket(msgspec.Struct, frozen=True):
    """What a replayed record carries, so that its outcome finds the letter and the request that it belongs to."""

    letter_id: int
    replay_id: int


class LeakLimits(msgspec.Struct, frozen=True):
    """When waiting letters become an alert of their own; letters on `days` of the last `window_days` are a trickle."""

    old_after: Millis = DAY
    days: int = 3
    window_days: int = 7


class LetterGroup(msgspec.Struct, frozen=True):
    """The letters of one cause: `waiting` are open or being replayed, `days` those of the window on which any came."""

    fingerprint: str
    reason: str
    waiting: int
    oldest_waiting_at: Millis | None
    first_at: Millis
    last_at: Millis
    days: int
    recent: int
    letter_id: int


def leak_cause(fingerprint: str) -> str:
    """Return the cause under which a group's leak is an alert."""
    return f"{AlertKind.DEAD_LETTERS_LEAK}:{fingerprint}"


def leaks(groups: Iterable[LetterGroup], now: Millis, limits: LeakLimits) -> Iterator[Alert]:
    """Yield one alert per cause that waits for too long or comes back day after day, however few its letters are.

    The text changes only when there is something new to say, so that an alert is not written again each time.
    """
    for group in groups:
        oldest = group.oldest_waiting_at
        is_old = oldest is not None and now - oldest > limits.old_after
        trickles = group.days >= limits.days
        if not (is_old or trickles):
            continue
        said = []
        if is_old and oldest is not None:
            said.append(f"{group.waiting} wait, the oldest since {iso(oldest)}")
        if trickles:
            said.append(f"they came on {group.days} of the last {limits.window_days} days")
        yield Alert(
            leak_cause(group.fingerprint),
            AlertKind.DEAD_LETTERS_LEAK,
            Severity.CRITICAL if is_old else Severity.WARNING,
            f"Dead letters leak slowly: {'; '.join(said)}: {group.reason[:200]}",
            details={
                "fingerprint": group.fingerprint,
                "reason": group.reason[:300],
                "waiting": group.waiting,
                "first_at": iso(group.first_at),
                "last_at": iso(group.last_at),
                "in_window": group.recent,
                "latest_letter": str(group.letter_id),
                "look": f"ordersync dead-letters show {group.letter_id}",
            },
        )
