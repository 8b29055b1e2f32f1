"""Cursors of the pollers, and the lock that keeps one poller per account and stream however many processes run."""

from __future__ import annotations

import hashlib
from datetime import datetime

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_TRY_LOCK = text("SELECT pg_try_advisory_lock(:lock)")
_UNLOCK = text("SELECT pg_advisory_unlock(:lock)")
_READ = text("SELECT position FROM cursors WHERE account = :account AND stream = :stream")
_POLLED_AT = text("SELECT updated_at FROM cursors WHERE account = :account AND stream = :stream")
_MOVE = text(
    """
    INSERT INTO cursors (account, stream, position, updated_at) VALUES (:account, :stream, :position, now())
    ON CONFLICT (account, stream) DO UPDATE SET position = excluded.position, updated_at = now()
    """
)

_PLAN_BACKFILL = text(
    """
    INSERT INTO cursors (account, stream, position, target) VALUES (:account, :stream, :position, :target)
    ON CONFLICT (account, stream) DO NOTHING
    """
)
_READ_BACKFILL = text("SELECT position, target, rows FROM cursors WHERE account = :account AND stream = :stream")
_MOVE_BACKFILL = text(
    """
    UPDATE cursors SET position = :position, rows = rows + :rows, updated_at = now()
    WHERE account = :account AND stream = :stream
    """
)


class Backfill(msgspec.Struct, frozen=True):
    """How far a stream's past has been read, up to when it is to be read, and the rows so far."""

    position: datetime
    target: datetime
    rows: int


async def try_lock(connection: AsyncConnection, account: str, stream: str) -> bool:
    """Take the poller's lock for as long as this connection lives; False if another process has it."""
    return bool((await connection.execute(_TRY_LOCK, {"lock": _lock_id(account, stream)})).scalar_one())


async def unlock(connection: AsyncConnection, account: str, stream: str) -> None:
    """Give the poller's lock back."""
    await connection.execute(_UNLOCK, {"lock": _lock_id(account, stream)})


async def read_cursor(connection: AsyncConnection, account: str, stream: str) -> datetime | None:
    """Return up to when the stream has been read, None if never."""
    position: datetime | None = (
        await connection.execute(_READ, {"account": account, "stream": stream})
    ).scalar_one_or_none()
    return position


async def polled_at(connection: AsyncConnection, account: str, stream: str) -> datetime | None:
    """Return when somebody last moved the stream's cursor, by the server's clock; None if nobody ever did."""
    found: datetime | None = (
        await connection.execute(_POLLED_AT, {"account": account, "stream": stream})
    ).scalar_one_or_none()
    return found


async def move_cursor(connection: AsyncConnection, account: str, stream: str, position: datetime) -> None:
    """Record up to when the stream has been read."""
    await connection.execute(_MOVE, {"account": account, "stream": stream, "position": position})


async def plan_backfill(
    connection: AsyncConnection, account: str, stream: str, first: datetime, target: datetime
) -> None:
    """Record that the past from `first` to `target` is to be read; one that was begun goes on as it is."""
    values = {"account": account, "stream": _past(stream), "position": first, "target": target}
    await connection.execute(_PLAN_BACKFILL, values)


async def read_backfill(connection: AsyncConnection, account: str, stream: str) -> Backfill | None:
    """Return how far the stream's past has been read, None if nothing of it was to be read."""
    row = (await connection.execute(_READ_BACKFILL, {"account": account, "stream": _past(stream)})).one_or_none()
    return None if row is None else Backfill(row.position, row.target, row.rows)


async def move_backfill(connection: AsyncConnection, account: str, stream: str, position: datetime, rows: int) -> None:
    """Record up to when the past has been read, and how many rows that brought."""
    values = {"account": account, "stream": _past(stream), "position": position, "rows": rows}
    await connection.execute(_MOVE_BACKFILL, values)


def _past(stream: str) -> str:
    return f"{stream}/backfill"


def _lock_id(account: str, stream: str) -> int:
    digest = hashlib.sha256(f"poller/{account}/{stream}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
