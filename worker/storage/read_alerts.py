"""Alerts for the read API, newest first."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import RowMapping, select
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.storage.tables import alerts


async def list_alerts(
    connection: AsyncConnection, *, is_open: bool | None, account: str | None, before: int | None, limit: int
) -> Sequence[RowMapping]:
    """Return alerts by id, newest first. `is_open` None: open and resolved ones; `before`: an alert's id."""
    query = select(alerts).order_by(alerts.c.id.desc()).limit(limit)
    if is_open is not None:
        query = query.where(alerts.c.resolved_at.is_(None) if is_open else alerts.c.resolved_at.is_not(None))
    if account is not None:
        query = query.where(alerts.c.account == account)
    if before is not None:
        query = query.where(alerts.c.id < before)
    return (await connection.execute(query)).mappings().all()
