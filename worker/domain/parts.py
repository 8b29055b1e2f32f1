"""What reads of a part of an order add to what its own detail shows.

The two kinds of read have no clock in common but ours: the instant at which each was asked. That alone decides between
them, and only here, where the view is derived; in the evidence neither displaces the other.
"""

from __future__ import annotations

import msgspec

from worker.domain.clock import Millis
from worker.domain.evidence import UNDATED, Evidence, Observed
from worker.domain.facts import Parcel, ParcelTrack, RefundSeen

Refund = Observed[RefundSeen] | None


def shown_parcels(evidence: Evidence) -> tuple[Parcel, ...]:
    """Return the order's parcels, each with what its track tells.

    The order's detail says which parcels there are. One that it does not name is only shown if it was tracked after
    that detail was asked for: it has left since.
    """
    listed = evidence.parcels.value if evidence.parcels else ()
    listed_at = evidence.parcels.version.asked_at if evidence.parcels else -1
    if not evidence.tracks:
        return listed
    found = list(listed)
    for _, hint in sorted(evidence.tracks.items()):
        track, asked_at = hint.value, hint.stamp.at
        place = _place_of(track, found)
        if place is not None:
            found[place] = _tracked(found[place], track, is_later=asked_at > listed_at)
        elif asked_at > listed_at:
            found.append(_tracked(Parcel(track.parcel_id), track, is_later=True))
    return tuple(found)


def latest_refund(observed: Refund, read: Refund) -> Refund:
    """Return the better of what the order's detail and the refund's own read show.

    The marketplace's modification times decide where both have one (whoever was answered from an older state shows the
    older time), else the instant at which each was asked.
    """
    if observed is None or read is None:
        return observed or read
    if read.version.modified_at == UNDATED:
        return read if read.version.asked_at >= observed.version.asked_at else observed
    return read if read.version >= observed.version else observed


def _place_of(track: ParcelTrack, parcels: list[Parcel]) -> int | None:
    """Return where the tracked parcel stands: by one of its ids, else by its waybill, which can be replaced."""
    for place, parcel in enumerate(parcels):
        if track.parcel_id in (parcel.parcel_id, parcel.code):
            return place
    if track.waybill is None:
        return None
    return next((place for place, parcel in enumerate(parcels) if parcel.number == track.waybill), None)


def _tracked(parcel: Parcel, track: ParcelTrack, *, is_later: bool) -> Parcel:
    moved_at: Millis | msgspec.UnsetType = msgspec.UNSET if track.moved_at is None else track.moved_at
    return msgspec.structs.replace(
        parcel,
        waybill=(track.waybill if is_later else None) or parcel.waybill or track.waybill,
        carrier=(track.carrier if is_later else None) or parcel.carrier or track.carrier,
        line_ids=parcel.line_ids or track.line_ids,
        tracked=msgspec.UNSET if track.status_word is None else track.status_word,
        moved_at=moved_at,
    )
