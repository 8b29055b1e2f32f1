"""What a program or a person is told when an order changed: one typed change per aspect, in a fixed order."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import msgspec

from worker.domain.view import View


class ChangeType(StrEnum):
    """The aspect that changed; the CloudEvents type is `ordersync.order.<value>.v1`."""

    STATUS_CHANGED = "status_changed"
    STATUS_CORRECTED = "status_corrected"
    AMOUNTS_CHANGED = "amounts_changed"
    LINES_CHANGED = "lines_changed"
    PARCELS_CHANGED = "parcels_changed"
    REFUND_CHANGED = "refund_changed"
    INSPECTIONS_CHANGED = "inspections_changed"
    BOOKINGS_CHANGED = "bookings_changed"
    CONFIRMATION_CHANGED = "confirmation_changed"


class Change(msgspec.Struct, frozen=True):
    """One change; `before` and `after` are JSON-ready (amounts in minor units, times in ms)."""

    type: ChangeType
    before: Any
    after: Any


def compare(before: View, after: View) -> Iterator[Change]:
    """Yield the changes between two views of one order. A status further down the ladder is a correction."""
    if before.status is not after.status:
        backwards = after.status.rank < before.status.rank
        kind = ChangeType.STATUS_CORRECTED if backwards else ChangeType.STATUS_CHANGED
        yield Change(kind, before.status.value, after.status.value)
    if before.amounts != after.amounts:
        yield _change(ChangeType.AMOUNTS_CHANGED, before.amounts, after.amounts)
    if before.lines != after.lines:
        yield _change(ChangeType.LINES_CHANGED, before.lines, after.lines)
    if before.parcels != after.parcels:
        yield _change(ChangeType.PARCELS_CHANGED, before.parcels, after.parcels)
    yield from _refund_changes(before, after)
    yield from _inspection_changes(before, after)
    if before.bookings != after.bookings:
        yield Change(ChangeType.BOOKINGS_CHANGED, list(before.bookings), list(after.bookings))
    if before.unconfirmed != after.unconfirmed:
        yield Change(ChangeType.CONFIRMATION_CHANGED, not before.unconfirmed, not after.unconfirmed)


def _refund_changes(before: View, after: View) -> Iterator[Change]:
    if before.refunds != after.refunds:
        known = {refund.refund_id: refund for refund in before.refunds}
        shown = {refund.refund_id for refund in after.refunds}
        for refund in after.refunds:
            if known.get(refund.refund_id) != refund:
                yield _change(ChangeType.REFUND_CHANGED, known.get(refund.refund_id), refund)
        for refund_id in sorted(known.keys() - shown):  # only beyond the limit on refunds known from callbacks alone
            yield _change(ChangeType.REFUND_CHANGED, known[refund_id], None)


def _inspection_changes(before: View, after: View) -> Iterator[Change]:
    old, new = (before.inspected, before.objected), (after.inspected, after.objected)
    if old != new:
        shown = [{"passed": list(passed), "failed": list(failed)} for passed, failed in (old, new)]
        yield Change(ChangeType.INSPECTIONS_CHANGED, *shown)


def _change(kind: ChangeType, before: object, after: object) -> Change:
    return Change(kind, msgspec.to_builtins(before), msgspec.to_builtins(after))
