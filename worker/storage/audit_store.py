"""The audit log: who did what to what, when and why. Only ever appended to; a trigger refuses everything else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import RowMapping, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.storage.order_rows import json_text, plain
from worker.storage.tables import audit_log

# Not the start of the transaction, which may have waited for a lock: entries about one row stand in the order of deeds.
_APPEND = text(
    """
    INSERT INTO audit_log (at, actor, action, subject, reason, details)
    VALUES (clock_timestamp(), :actor, :action, :subject, :reason, CAST(CAST(:details AS text) AS jsonb))
    """
)


async def append(
    connection: AsyncConnection, *, actor: str, action: str, subject: str, reason: str, details: Mapping[str, Any]
) -> None:
    """Record a deed in the transaction that does it. `subject`: `follow_up:12`, `account:main`, `plan:main/1688/1`."""
    values = {"actor": actor, "action": action, "subject": subject, "reason": plain(reason)}
    await connection.execute(_APPEND, values | {"details": json_text(details)})


async def entries(
    connection: AsyncConnection,
    *,
    subject: str | None = None,
    actor: str | None = None,
    before: int | None = None,
    limit: int,
) -> Sequence[RowMapping]:
    """Return entries by id, newest first. `before`: an entry's id."""
    query = select(audit_log).order_by(audit_log.c.id.desc()).limit(limit)
    if subject is not None:
        query = query.where(audit_log.c.subject == subject)
    if actor is not None:
        query = query.where(audit_log.c.actor == actor)
    if before is not None:
        query = query.where(audit_log.c.id < before)
    return (await connection.execute(query)).mappings().all()
