"""The outbox: rows are marked, no cursor is moved, so a row that commits late is never overtaken for good."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

# One relay at a time: per-order order comes from reading in id order under one lock. Ids of one order are in sequence
# order because they are taken under the order's row lock.
_RELAY_LOCK = 0x6F7574626F78  # "outbox"
_TRY_LOCK = text("SELECT pg_try_advisory_xact_lock(:lock)")
_PENDING = text(
    """
    SELECT id, key, sequence, type, CAST(payload AS text) AS payload, created_at FROM outbox
    WHERE published_at IS NULL ORDER BY id LIMIT :limit
    """
)
_MARK = text("UPDATE outbox SET published_at = now() WHERE id = ANY(CAST(:ids AS bigint[]))")
_BACKLOG = text(
    """
    SELECT count(*) AS waiting, coalesce(extract(epoch FROM now() - min(created_at)), 0) AS oldest_s
    FROM outbox WHERE published_at IS NULL
    """
)


class OutboxRow(msgspec.Struct, frozen=True):
    """One change to publish. `payload` is JSON text."""

    id: int
    key: str
    sequence: int
    type: str
    payload: str
    created_at_iso: str


async def take_pending(connection: AsyncConnection, limit: int) -> list[OutboxRow] | None:
    """Return the oldest unpublished rows; None if another relay is at work. Holds the relay's lock until commit."""
    if not (await connection.execute(_TRY_LOCK, {"lock": _RELAY_LOCK})).scalar_one():
        return None
    rows = await connection.execute(_PENDING, {"limit": limit})
    return [OutboxRow(r.id, r.key, r.sequence, r.type, r.payload, r.created_at.isoformat()) for r in rows]


async def mark_published(connection: AsyncConnection, ids: Sequence[int]) -> None:
    """Mark rows as published; they are kept as history."""
    await connection.execute(_MARK, {"ids": list(ids)})


async def backlog(connection: AsyncConnection) -> tuple[int, float]:
    """Return (rows that wait, age of the oldest in seconds)."""
    row = (await connection.execute(_BACKLOG)).one()
    return int(row.waiting), float(row.oldest_s)
