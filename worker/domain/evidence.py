"""What is known of an order and from where: a set of best observations that grows and never depends on arrival order.

Every part merges by a maximum (or minimum) under a total order, so any permutation and duplication of the same facts
ends in the same evidence. What we show is derived from it (`worker.domain.view`).
"""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec

from worker.domain.clock import Millis
from worker.domain.facts import (
    Amounts,
    BookingSeen,
    Fact,
    InspectionSeen,
    Lifecycle,
    Line,
    LogisticsSeen,
    Parcel,
    ParcelTrack,
    PriceSeen,
    RefundDetail,
    RefundSeen,
    Snapshot,
    Source,
    StatusSeen,
    is_believable,
)
from worker.domain.identity import Platform
from worker.domain.status import OrderStatus, implied_status, map_word

T = TypeVar("T")
MAX_HINTED_REFUNDS = 50
"""Refund ids remembered from callbacks alone; the oldest stamps go first. A snapshot's refunds are never dropped."""
MAX_INSPECTIONS = 200
"""Parcels per order whose inspection is remembered; the oldest stamps go first."""
MAX_BOOKINGS = 20
"""International numbers remembered per order; the oldest stamps go first."""
MAX_TRACKS = 300
"""Parcels remembered from reads of the logistics; the oldest reads go first."""
UNDATED: Millis = 0
"""Stands for the modification time of a refund's read that gives none to believe."""
MAX_STRANGE_WORDS = 20
"""Unknown status words remembered from callbacks; the oldest stamps go first."""


class Version(msgspec.Struct, frozen=True, order=True):
    """The total order of snapshots: the marketplace's own modification time first, then when we asked.

    A read that was asked later can still be older (eventually consistent reads); its modification time tells. Where an
    answer has none that can be believed, the time at which we asked stands in for it: it cannot describe anything
    later. (A broken time in the far future must not freeze the order.)
    """

    modified_at: Millis
    asked_at: Millis
    fact_id: str


class Stamp(msgspec.Struct, frozen=True, order=True):
    """The total order of hints: the sender's time, and the fact's id to break ties the same way everywhere."""

    at: Millis
    fact_id: str


class Observed(msgspec.Struct, Generic[T], frozen=True):
    """The best snapshot of one aspect."""

    version: Version
    value: T


class Hinted(msgspec.Struct, Generic[T], frozen=True):
    """The latest hint about one aspect."""

    stamp: Stamp
    value: T


class Evidence(msgspec.Struct, frozen=True, omit_defaults=True):
    """All that the order's facts amount to.

    `refund_details`: of each refund the latest hint that names its amount, which most hints and snapshots do not.
    `status_hints`: rung or unknown raw word → its latest stamp. `listed_at`: the greatest modification time seen in a
    list. `asked_at`: when the latest read of the order was asked, be its answer the best or not. `first_total` is the
    earliest total heard of and `first_read_total` the earliest one read: the baseline of the price guard where nobody
    planned one. `standing` is the best snapshot whose status word we know, kept only while `lifecycle` holds a word
    that nobody knows: such a word moves nothing. `bookings`: international number → its latest stamp.
    `inspections`: waybill → whether its goods passed, by the latest word of the warehouse.

    Reads of a part of the order are kept apart, each kind under an order of its own. `tracks`: parcel → the latest read
    of it, by when it was asked, since these reads are undated; `tracked_at`: when the logistics were last asked for.
    `refund_reads`: refund → the best read of it alone, by the refund's own modification time; reads without one stand
    below all that have one.
    """

    lifecycle: Observed[Lifecycle] | None = None
    standing: Observed[str] | None = None
    amounts: Observed[Amounts] | None = None
    lines: Observed[tuple[Line, ...]] | None = None
    parcels: Observed[tuple[Parcel, ...]] | None = None
    refunds: dict[str, Observed[RefundSeen]] = {}
    status_hints: dict[str, Stamp] = {}
    price_hint: Hinted[Amounts] | None = None
    refund_hints: dict[str, Hinted[RefundSeen]] = {}
    refund_details: dict[str, Hinted[RefundSeen]] = {}
    nudge: Stamp | None = None
    listed_at: Millis | None = None
    asked_at: Millis | None = None
    first_total: Hinted[int] | None = None
    first_read_total: Hinted[int] | None = None
    bookings: dict[str, Stamp] = {}
    inspections: dict[str, Hinted[bool]] = {}
    tracks: dict[str, Hinted[ParcelTrack]] = {}
    tracked_at: Millis | None = None
    refund_reads: dict[str, Observed[RefundSeen]] = {}


def absorb(evidence: Evidence, fact: Fact, fact_id: str) -> Evidence:
    """Return the evidence with one more fact in it; the same object's equal if the fact adds nothing."""
    content = fact.content
    if isinstance(content, Snapshot):
        return _absorb_snapshot(evidence, content, fact, fact_id)
    stamp = Stamp(fact.stamp, fact_id)
    match content:
        case StatusSeen():
            return _absorb_status(evidence, content, fact, stamp)
        case PriceSeen(amounts=Amounts() as amounts):
            best = _latest_hint(evidence.price_hint, Hinted(stamp, amounts))
            return _with_total(msgspec.structs.replace(evidence, price_hint=best), amounts, stamp)
        case RefundSeen():
            return _absorb_refund(evidence, content, stamp)
        case BookingSeen() | InspectionSeen():
            return _absorb_from_warehouse(evidence, content, stamp)
        case PriceSeen() | LogisticsSeen():
            return msgspec.structs.replace(evidence, nudge=_later(evidence.nudge, stamp))


def _absorb_from_warehouse(evidence: Evidence, content: BookingSeen | InspectionSeen, stamp: Stamp) -> Evidence:
    if isinstance(content, BookingSeen):
        return msgspec.structs.replace(evidence, bookings=_with_booking(evidence.bookings, content.number, stamp))
    inspections = _with_inspection(evidence.inspections, content.waybill, Hinted(stamp, content.passed))
    return msgspec.structs.replace(evidence, inspections=inspections)


def _with_inspection(known: dict[str, Hinted[bool]], waybill: str, seen: Hinted[bool]) -> dict[str, Hinted[bool]]:
    inspections = known | {waybill: _latest_hint(known.get(waybill), seen)}
    if len(inspections) > MAX_INSPECTIONS:
        del inspections[min(inspections, key=lambda one: (inspections[one].stamp, one))]
    return inspections


def _with_booking(known: dict[str, Stamp], number: str, stamp: Stamp) -> dict[str, Stamp]:
    bookings = known | {number: _later(known.get(number), stamp)}
    if len(bookings) > MAX_BOOKINGS:
        del bookings[min(bookings, key=lambda one: (bookings[one], one))]
    return bookings


def version_of(fact: Fact, content: Snapshot, fact_id: str) -> Version:
    """Return where a snapshot stands in the total order of snapshots."""
    modified_at = content.lifecycle.modified_at if content.lifecycle else None
    asked_at = fact.observed_at
    if modified_at is None or not is_believable(modified_at, asked_at):
        modified_at = asked_at
    return Version(modified_at, asked_at, fact_id)


def _absorb_status(evidence: Evidence, content: StatusSeen, fact: Fact, stamp: Stamp) -> Evidence:
    listed_at = evidence.listed_at
    if fact.source is Source.POLL and fact.provider_time == stamp.at:  # a list's own time, and a believable one
        listed_at = max(listed_at or 0, stamp.at)
    status = implied_status(fact.key.platform, content.word, content.event)
    if status is None:
        return msgspec.structs.replace(evidence, nudge=_later(evidence.nudge, stamp), listed_at=listed_at)
    name = status.value if status.rank else f"?{content.word}"
    hints = evidence.status_hints | {name: _later(evidence.status_hints.get(name), stamp)}
    strange = [word for word in hints if word.startswith("?")]
    if len(strange) > MAX_STRANGE_WORDS:
        del hints[min(strange, key=lambda word: hints[word])]
    return msgspec.structs.replace(evidence, status_hints=hints, listed_at=listed_at)


def _absorb_refund(evidence: Evidence, content: RefundSeen, stamp: Stamp) -> Evidence:
    hint = Hinted(stamp, content)
    details = evidence.refund_details
    if content.amount is not None:
        details = _with_hint(details, hint)
    return msgspec.structs.replace(
        evidence, refund_hints=_with_hint(evidence.refund_hints, hint), refund_details=details
    )


def _with_hint(known: dict[str, Hinted[RefundSeen]], hint: Hinted[RefundSeen]) -> dict[str, Hinted[RefundSeen]]:
    refund_id = hint.value.refund_id
    hints = known | {refund_id: _latest_hint(known.get(refund_id), hint)}
    if len(hints) > MAX_HINTED_REFUNDS:
        del hints[min(hints, key=lambda one: hints[one].stamp)]
    return hints


def _absorb_snapshot(evidence: Evidence, content: Snapshot, fact: Fact, fact_id: str) -> Evidence:
    version = version_of(fact, content, fact_id)
    evidence = _with_parts(evidence, content, fact, fact_id)
    refunds = evidence.refunds
    for refund in content.refunds or ():
        refunds = refunds | {refund.refund_id: _best(refunds.get(refund.refund_id), version, refund)}
    grown = msgspec.structs.replace(
        evidence,
        amounts=_best_or_none(evidence.amounts, version, content.amounts),
        lines=_best_or_none(evidence.lines, version, content.lines),
        parcels=_best_or_none(evidence.parcels, version, content.parcels),
        refunds=refunds,
    )
    if content.lifecycle is not None:
        grown = _with_lifecycle(grown, Observed(version, content.lifecycle), fact.key.platform)
    if content.amounts is None:
        return grown
    first = Hinted(Stamp(version.asked_at, fact_id), content.amounts.total)
    grown = msgspec.structs.replace(grown, first_read_total=_earlier(grown.first_read_total, first))
    return _with_total(grown, content.amounts, first.stamp)


def _with_parts(evidence: Evidence, content: Snapshot, fact: Fact, fact_id: str) -> Evidence:
    """Return the evidence with what a read tells of parts that have evidence of their own; nothing else is touched."""
    asked_at = fact.observed_at
    if isinstance(content.tracks, tuple):
        tracks = evidence.tracks
        for track in content.tracks:
            hint = Hinted(Stamp(asked_at, fact_id), track)
            tracks = tracks | {track.parcel_id: _latest_hint(tracks.get(track.parcel_id), hint)}
        evidence = msgspec.structs.replace(
            evidence, tracks=_latest_tracks(tracks), tracked_at=max(evidence.tracked_at or 0, asked_at)
        )
    if isinstance(content.international, tuple):
        bookings = evidence.bookings
        for number in content.international:
            bookings = _with_booking(bookings, number, Stamp(asked_at, fact_id))
        evidence = msgspec.structs.replace(evidence, bookings=bookings)
    if isinstance(content.refund, RefundDetail):
        seen, modified_at = content.refund.refund, content.refund.modified_at
        dated = modified_at if modified_at is not None and is_believable(modified_at, asked_at) else UNDATED
        best = _best(evidence.refund_reads.get(seen.refund_id), Version(dated, asked_at, fact_id), seen)
        evidence = msgspec.structs.replace(evidence, refund_reads=evidence.refund_reads | {seen.refund_id: best})
    return evidence


def _latest_tracks(tracks: dict[str, Hinted[ParcelTrack]]) -> dict[str, Hinted[ParcelTrack]]:
    """Return the tracks that are kept: the latest ones, ties decided by the parcel's id."""
    if len(tracks) <= MAX_TRACKS:
        return tracks
    kept = sorted(tracks, key=lambda parcel_id: (tracks[parcel_id].stamp, parcel_id))[-MAX_TRACKS:]
    return {parcel_id: tracks[parcel_id] for parcel_id in sorted(kept)}


def _with_lifecycle(evidence: Evidence, seen: Observed[Lifecycle], platform: Platform) -> Evidence:
    best = _best(evidence.lifecycle, seen.version, seen.value)
    standing = None
    if not _is_known(platform, best):
        standing = evidence.standing
        for one in (evidence.lifecycle, seen):
            if one is not None and _is_known(platform, one):
                standing = _best(standing, one.version, one.value.word)
    asked_at = max(evidence.asked_at or 0, seen.version.asked_at)
    return msgspec.structs.replace(evidence, lifecycle=best, standing=standing, asked_at=asked_at)


def _is_known(platform: Platform, seen: Observed[Lifecycle]) -> bool:
    return map_word(platform, seen.value.word) is not OrderStatus.UNKNOWN


def _with_total(evidence: Evidence, amounts: Amounts, stamp: Stamp) -> Evidence:
    return msgspec.structs.replace(evidence, first_total=_earlier(evidence.first_total, Hinted(stamp, amounts.total)))


def _earlier(known: Hinted[T] | None, first: Hinted[T]) -> Hinted[T]:
    return known if known is not None and known.stamp <= first.stamp else first


def _best(known: Observed[T] | None, version: Version, value: T) -> Observed[T]:
    return known if known is not None and known.version >= version else Observed(version, value)


def _best_or_none(known: Observed[T] | None, version: Version, value: T | None) -> Observed[T] | None:
    return known if value is None else _best(known, version, value)


def _later(known: Stamp | None, stamp: Stamp) -> Stamp:
    return stamp if known is None else max(known, stamp)


def _latest_hint(known: Hinted[T] | None, hint: Hinted[T]) -> Hinted[T]:
    return hint if known is None or known.stamp < hint.stamp else known
