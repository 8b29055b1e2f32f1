"""The one pure function through which every fact reaches an order: `apply(order, fact) -> Applied`.

Idempotent (the same fact again changes nothing), convergent (any permutation and duplication of the same facts ends in
the same order) and honest (every fact gets an outcome). The outcome describes one arrival and may depend on the order
of arrivals; the order's state never does.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from worker.domain.changes import Change, ChangeType, compare
from worker.domain.clock import SECOND, Millis
from worker.domain.evidence import Evidence, Stamp, absorb, version_of
from worker.domain.facts import Fact, PriceSeen, RefundSeen, Snapshot, StatusSeen
from worker.domain.identity import OrderKey
from worker.domain.status import OrderStatus, implied_status
from worker.domain.view import View, derive

DEFAULT_SKEW: Millis = 5 * SECOND
"""How far the marketplace's clock and ours may be apart before a snapshot is doubted (configurable)."""


class Outcome(StrEnum):
    """What became of one arrival of a fact."""

    APPLIED = "applied"  # the shown order changed
    CORRECTED = "corrected"  # a snapshot took the status back down the ladder
    NO_OP = "no_op"  # understood, and nothing shown changed
    STALE = "stale"  # better evidence was already there
    CONFLICT = "conflict"  # contradicts what is known, or uses a word that nobody knows: kept, followed by a read
    DUPLICATE = "duplicate"  # this very fact was already recorded


class Order(msgspec.Struct, frozen=True):
    """An order: its evidence, and the view derived from it."""

    key: OrderKey
    evidence: Evidence
    view: View

    @classmethod
    def new(cls, key: OrderKey) -> Order:
        """Return the order of which nothing is known yet."""
        return cls(key, Evidence(), View())

    @classmethod
    def of(cls, key: OrderKey, evidence: Evidence, skew: Millis = DEFAULT_SKEW) -> Order:
        """Return the order that this evidence amounts to."""
        return cls(key, evidence, derive(key, evidence, skew)) if evidence != Evidence() else cls.new(key)


class Applied(msgspec.Struct, frozen=True):
    """The order after the fact, what became of the fact, and what changed for those who watch."""

    order: Order
    outcome: Outcome
    changes: tuple[Change, ...]


def apply(order: Order, fact: Fact, fact_id: str, skew: Millis = DEFAULT_SKEW) -> Applied:
    """Return the order with `fact` in it. Raises ValueError if the fact belongs to another order."""
    if fact.key != order.key:
        raise ValueError(f"fact {fact_id} belongs to {fact.key}, not to {order.key}")
    evidence = absorb(order.evidence, fact, fact_id)
    if evidence == order.evidence:
        return Applied(order, Outcome.STALE, ())
    view = derive(order.key, evidence, skew)
    changes = tuple(compare(order.view, view))
    after = Order(order.key, evidence, view)
    return Applied(after, _outcome(order, after, fact, fact_id, changes, skew), changes)


def _outcome(
    before: Order, after: Order, fact: Fact, fact_id: str, changes: tuple[Change, ...], skew: Millis
) -> Outcome:
    if any(change.type is ChangeType.STATUS_CORRECTED for change in changes):
        return Outcome.CORRECTED
    if _speaks_strangely(fact, after):
        return Outcome.CONFLICT
    if not changes and _is_behind(before, fact, fact_id, skew):  # old, yet it can fill a gap: then it is applied
        return Outcome.STALE
    if _contradicts(before, fact):
        return Outcome.CONFLICT
    return Outcome.APPLIED if changes else Outcome.NO_OP


def _speaks_strangely(fact: Fact, after: Order) -> bool:
    match fact.content:
        case StatusSeen(word=str() as word):
            return word in after.view.strange_words
        case Snapshot(lifecycle=life) if life is not None:
            return life.word in after.view.strange_words
        case _:
            return False


def _is_behind(before: Order, fact: Fact, fact_id: str, skew: Millis) -> bool:
    """Tell whether better evidence was there before: a later snapshot, or a later hint of the same aspect."""
    known = before.evidence
    content = fact.content
    if isinstance(content, Snapshot):
        return known.lifecycle is not None and version_of(fact, content, fact_id) < known.lifecycle.version
    if known.lifecycle is not None and fact.stamp <= known.lifecycle.version.asked_at - skew:
        return True
    stamp = Stamp(fact.stamp, fact_id)
    match content:
        case PriceSeen(amounts=amounts) if amounts is not None:
            return known.price_hint is not None and stamp < known.price_hint.stamp
        case RefundSeen(refund_id=refund_id):
            return refund_id in known.refund_hints and stamp < known.refund_hints[refund_id].stamp
        case _:
            return False


def _contradicts(before: Order, fact: Fact) -> bool:
    """Tell whether a status hint claims less than is already shown: most often an old message with a new stamp."""
    if not isinstance(fact.content, StatusSeen):
        return False
    claimed = implied_status(fact.key.platform, fact.content.word, fact.content.event)
    return claimed is not None and OrderStatus.UNKNOWN.rank < claimed.rank < before.view.status.rank
