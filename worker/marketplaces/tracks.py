"""From 1688's reads of an order's logistics to tracks (marketplace notes 3.8). Their receivers are left out."""

from __future__ import annotations

from typing import Any

import msgspec

from worker.domain.clock import Millis
from worker.domain.facts import ParcelTrack
from worker.marketplaces.values import as_list, as_object, identifier, instant, text

MAX_PARCELS = 200
MAX_STEPS = 500


def tracks_of(rows: Any) -> tuple[ParcelTrack, ...]:
    """Return the tracks of `getLogisticsInfos`. A row without an id is left out: nothing could be told of it."""
    found: dict[str, ParcelTrack] = {}
    for row in (as_object(entry) for entry in as_list(rows)[:MAX_PARCELS]):
        parcel_id = identifier(row.get("logisticsId"), row.get("logisticsBillNo"))
        if parcel_id is None:
            continue
        lines = text(row.get("orderEntryIds")) or ""
        found[parcel_id] = ParcelTrack(
            parcel_id=parcel_id,
            waybill=text(row.get("logisticsBillNo")),
            carrier=text(row.get("logisticsCompanyName")),
            status_word=text(row.get("status")),
            line_ids=tuple(part.strip() for part in lines.split(",") if part.strip()),
        )
    return tuple(found[parcel_id] for parcel_id in sorted(found))


def with_steps(tracks: tuple[ParcelTrack, ...], trace: Any) -> tuple[ParcelTrack, ...]:
    """Return the tracks, each with the time of its latest step. Their texts are left out: they name couriers."""
    latest: dict[str, Millis] = {}
    for row in (as_object(entry) for entry in as_list(trace)[:MAX_PARCELS]):
        steps = [instant(as_object(step).get("acceptTime")) for step in as_list(row.get("logisticsSteps"))[:MAX_STEPS]]
        times = [at for at in steps if at is not None]
        for name in (identifier(row.get("logisticsId")), text(row.get("logisticsBillNo"))):
            if times and name is not None:
                latest[name] = max(times)
    return tuple(
        msgspec.structs.replace(track, moved_at=latest.get(track.parcel_id, latest.get(track.waybill or "")))
        for track in tracks
    )
