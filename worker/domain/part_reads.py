"""Which parts of an order are worth a read of their own beside the order's detail. Pure: no calls are made here."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from worker.domain.clock import HOUR, Millis
from worker.domain.reducer import Order
from worker.domain.status import OrderStatus

MAX_REFUNDS_READ = 5
"""Of one order at once; the others follow with its next read."""
TRACK_EVERY: Millis = 12 * HOUR
"""How old the track of a parcel on its way may be. Asking per order more often is what gets integrators throttled."""
REFUND_EVERY: Millis = 24 * HOUR
_ON_ITS_WAY = frozenset({OrderStatus.PARTLY_SHIPPED, OrderStatus.SHIPPED})


class PartReads(msgspec.Struct, frozen=True):
    """What to read: the logistics of the order, and these refunds."""

    logistics: bool = False
    refund_ids: tuple[str, ...] = ()


def wanted_part_reads(order: Order, now: Millis, skew: Millis) -> PartReads:
    """Return what is worth a read now: parts that messages spoke of since, are on their way, or are still open."""
    return PartReads(_wants_logistics(order, now, skew), tuple(_wanted_refunds(order, now, skew))[:MAX_REFUNDS_READ])


def _wants_logistics(order: Order, now: Millis, skew: Millis) -> bool:
    view, evidence = order.view, order.evidence
    if view.status not in _ON_ITS_WAY or (view.parcels and all(parcel.is_signed for parcel in view.parcels)):
        return False
    if evidence.tracked_at is None or now - evidence.tracked_at >= TRACK_EVERY:
        return True
    return evidence.nudge is not None and evidence.nudge.at > evidence.tracked_at - skew


def _wanted_refunds(order: Order, now: Millis, skew: Millis) -> Iterator[str]:
    evidence = order.evidence
    for refund in order.view.refunds:
        read = evidence.refund_reads.get(refund.refund_id)
        hint = evidence.refund_hints.get(refund.refund_id)
        if read is None:
            yield refund.refund_id
            continue
        asked_at = read.version.asked_at
        told_since = hint is not None and hint.stamp.at > asked_at - skew
        if told_since or (not refund.status.is_final and now - asked_at >= REFUND_EVERY):
            yield refund.refund_id
