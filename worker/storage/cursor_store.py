"""Cursors of the pollers, and the lock that keeps one poller per account and stream however many processes run."""

from __future__ import annotations

import hashlib
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_TRY_LOCK = text("SELECT pg_try_advisory_lock(:lock)")
_UNLOCK = text("SELECT pg_advisory_unlock(:lock)")
_READ = text("SELECT position FROM cursors WHERE account = :account AND stream = :stream")
_MOVE = text(
    """
    INSERT INTO cursors (account, stream, position) VALUES (:account, :stream, :position)
    ON CONFLICT (account, stream) DO UPDATE SET position = excluded.position, updated_at = now()
    """
)


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


async def move_cursor(connection: AsyncConnection, account: str, stream: str, position: datetime) -> None:
    """Record up to when the stream has been read."""
    await connection.execute(_MOVE, {"account": account, "stream": stream, "position": position})


def _lock_id(account: str, stream: str) -> int:
    digest = hashlib.sha256(f"poller/{account}/{stream}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
