"""Dead letters for people and programs: by cause, as a list, one with everything that is known of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
from sqlalchemy import RowMapping, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.domain.clock import from_datetime
from worker.domain.dead_letters import LetterGroup, LetterState
from worker.storage.dead_letter_replays import Selection, matching
from worker.storage.tables import dead_letter_replay_items, dead_letter_replays, dead_letters

WAITING = (LetterState.OPEN.value, LetterState.REPLAYING.value)
_l = dead_letters.c
_SUMMARY = (
    _l.id, _l.fingerprint, _l.reason, _l.state, _l.topic, _l.partition, _l.offset, _l.key, _l.created_at, _l.failures,
    _l.failed_at, _l.settled_at, _l.settled_by, _l.settled_reason,
)  # fmt: skip
_STANDING = text(
    """
    SELECT fingerprint,
        (array_agg(reason ORDER BY id DESC))[1] AS reason,
        count(*) FILTER (WHERE state = ANY(:waiting)) AS waiting,
        min(created_at) FILTER (WHERE state = ANY(:waiting)) AS oldest_waiting_at,
        min(created_at) AS first_at, max(created_at) AS last_at, max(id) AS letter_id,
        count(*) FILTER (WHERE created_at > :since) AS recent,
        count(DISTINCT date_trunc('day', created_at, 'UTC')) FILTER (WHERE created_at > :since) AS days
    FROM dead_letters WHERE state = ANY(:waiting) OR created_at > :since
    GROUP BY fingerprint ORDER BY waiting DESC, fingerprint LIMIT :limit
    """
)


class LetterDetail(msgspec.Struct, frozen=True):
    """One letter, whole, with the replays that were asked for, the oldest first."""

    letter: RowMapping
    replays: Sequence[RowMapping]


async def groups(connection: AsyncConnection, states: Sequence[str], limit: int) -> Sequence[RowMapping]:
    """Return the letters of these states by fingerprint; the group that grew last comes first.

    The letters' values stay out: a person looks at one on purpose, not in passing.
    """
    found = (
        select(
            _l.fingerprint,
            func.count().label("letters"),
            func.min(_l.created_at).label("first_at"),
            func.max(func.coalesce(_l.failed_at, _l.created_at)).label("last_at"),
            func.sum(_l.failures).label("failed_replays"),
            func.max(_l.id).label("last_id"),
        )
        .where(_l.state.in_(states))
        .group_by(_l.fingerprint)
        .order_by(func.max(_l.id).desc())
        .limit(limit)
        .subquery()
    )
    query = (
        select(*found.c, _l.reason, _l.topic, _l.partition, _l.offset)
        .join(dead_letters, _l.id == found.c.last_id)
        .order_by(found.c.last_id.desc())
    )
    return (await connection.execute(query)).mappings().all()


async def letters(
    connection: AsyncConnection, wanted: Selection, states: Sequence[str], *, before: int | None, limit: int
) -> Sequence[RowMapping]:
    """Return letters, newest first, without their values. `before`: a letter's id."""
    query = select(*_SUMMARY).where(*matching(wanted), _l.state.in_(states)).order_by(_l.id.desc()).limit(limit)
    if before is not None:
        query = query.where(_l.id < before)
    return (await connection.execute(query)).mappings().all()


async def letter(connection: AsyncConnection, letter_id: int) -> LetterDetail | None:
    """Return one letter with everything, None if there is none of this id."""
    row = (await connection.execute(select(dead_letters).where(_l.id == letter_id))).mappings().one_or_none()
    if row is None:
        return None
    i, r = dead_letter_replay_items.c, dead_letter_replays.c
    query = (
        select(r.nonce, r.actor, r.reason.label("why"), r.created_at, i.sent_at, i.outcome, i.reason, i.settled_at)
        .join(dead_letter_replays, r.id == i.replay_id)
        .where(i.letter_id == letter_id)
        .order_by(r.id)
    )
    return LetterDetail(row, (await connection.execute(query)).mappings().all())


async def standing(connection: AsyncConnection, since: datetime, limit: int) -> list[LetterGroup]:
    """Return every cause that waits, or came up after `since`; the largest first."""
    params = {"waiting": list(WAITING), "since": since, "limit": limit}
    return [_group(row) for row in (await connection.execute(_STANDING, params)).mappings()]


def _group(row: RowMapping) -> LetterGroup:
    oldest = row["oldest_waiting_at"]
    return LetterGroup(
        fingerprint=row["fingerprint"],
        reason=row["reason"],
        waiting=row["waiting"],
        oldest_waiting_at=None if oldest is None else from_datetime(oldest),
        first_at=from_datetime(row["first_at"]),
        last_at=from_datetime(row["last_at"]),
        days=row["days"],
        recent=row["recent"],
        letter_id=row["letter_id"],
    )
