"""Holds the evidence of a run to the promises I1 to I6, by the rules that the simulator's auditor uses, too."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import msgspec

from proof.chaos.evidence import Evidence
from worker.domain.clock import SECOND, Millis
from worker.domain.policy import Policy
from worker.promises import changes
from worker.promises.effects import Knowable
from worker.promises.verdict import broken_effects
from worker.simulator.pushes import about

PROMISES = {
    "I1": "money moves once, and only as approved",
    "I2": "what was accepted is not lost",
    "I3": "every order equals the marketplace's truth",
    "I4": "a status goes back only by a correction",
    "I5": "every change is published, per order in sequence",
    "I6": "nothing is stuck; who is waited for was told",
}
ANSWERED_WITHIN_MS = 5 * SECOND
"""A fresh read is at most so old when it is decided on: what changed meanwhile could not be known."""
WRITTEN_WITHIN_MS = 40 * SECOND
"""What a transaction writes is there for all so long after it began, or never: its time-outs are 30 s and less."""


class WrongClock(msgspec.Struct, frozen=True):
    """A worker's clock was off by `offset` from `began` to `ended` (right time, Unix ms)."""

    began: Millis
    ended: Millis
    offset: Millis


class Finding(msgspec.Struct, frozen=True):
    """The verdict on one promise: how much was looked at, in words, and what is broken."""

    promise: str
    words: str
    looked_at: str
    broken: list[str]


def judge(evidence: Evidence, policies: Mapping[str, Policy], wrong_clocks: list[WrongClock]) -> list[Finding]:
    """Return the verdict on every promise."""
    knowable = Knowable(as_of_by(wrong_clocks))
    ledger, books, prices = evidence.ledger, evidence.books, evidence.prices
    broken = [
        *broken_effects(ledger, books, prices, policies, knowable, written_within_ms=WRITTEN_WITHIN_MS),
        *_callbacks(evidence),
        *(f"I2: {letters}" for letters in evidence.letters),
        *_differences(evidence),
        *_changes(evidence),
        *(f"I6: {what}" for what in evidence.stuck),
        *(f"I6: {what} waits without an open alert" for what in evidence.mute),
    ]
    looked_at = _looked_at(evidence)
    return [
        Finding(promise, words, looked_at[promise], [one for one in broken if one.startswith(f"{promise}:")])
        for promise, words in PROMISES.items()
    ]


def as_of_by(wrong_clocks: list[WrongClock]) -> Callable[[str, int], int]:
    """Return since when a decision must have known of a change, for the worst.

    A decision carries the instant at which its read was asked by the worker's own clock; where that clock may have been
    ahead, the read was really asked earlier.
    """

    def as_of(_order_id: str, asked_at: int) -> int:
        ahead = [
            one.offset for one in wrong_clocks if one.offset > 0 and one.began <= asked_at - one.offset <= one.ended
        ]
        return asked_at - max(ahead, default=0) - ANSWERED_WITHIN_MS

    return as_of


def _callbacks(evidence: Evidence) -> Iterator[str]:
    for passed in evidence.accepted:
        stamp, order_ids = about(passed.body.encode())
        for order_id in order_ids:
            if (order_id, stamp) not in evidence.known:
                yield (
                    f"I2: a callback of order {order_id} stamped {stamp} was answered 200 by worker-{passed.worker} "
                    f"at {passed.at}, and nobody knows it"
                )


def _differences(evidence: Evidence) -> Iterator[str]:
    for one in evidence.comparison.differences:
        yield f"I3: order {one.order_id} {one.field}: {one.model!r}, in truth {one.truth!r}"


def _changes(evidence: Evidence) -> Iterator[str]:
    follower = changes.Follower()
    for key, value in evidence.changes:
        yield from follower.take(key, value)
    yield from follower.at_rest(evidence.made)


def _looked_at(evidence: Evidence) -> dict[str, str]:
    books = evidence.books
    published = f"{len(evidence.changes)} records of the change topic, {len(evidence.made)} orders"
    return {
        "I1": f"{len(books.payments)} payments, {len(books.receipts)} receipts, {len(books.bookings)} bookings, "
        f"{len(evidence.ledger.attempts)} calls in the ledger",
        "I2": f"{len(evidence.accepted)} callbacks answered 200",
        "I3": f"{evidence.comparison.orders} orders, field by field",
        "I4": published,
        "I5": published,
        "I6": f"{len(evidence.ledger.follow_ups)} follow-ups",
    }
