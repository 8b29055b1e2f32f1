"""Alerts and dead letters for the read API, newest first."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import RowMapping, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.storage.tables import alerts, dead_letters


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


async def dead_letter_groups(connection: AsyncConnection, limit: int) -> Sequence[RowMapping]:
    """Return the dead letters by fingerprint, each group with its latest letter; the group that grew last comes first.

    The letters' values stay out: a person looks at one on purpose, not in passing.
    """
    d = dead_letters.c
    groups = (
        select(
            d.fingerprint,
            func.count().label("letters"),
            func.min(d.created_at).label("first_at"),
            func.max(d.id).label("last_id"),
        )
        .group_by(d.fingerprint)
        .order_by(func.max(d.id).desc())
        .limit(limit)
        .subquery()
    )
    g = groups.c
    query = (
        select(
            g.fingerprint,
            g.letters,
            g.first_at,
            d.created_at.label("last_at"),
            d.reason,
            d.topic,
            d.partition,
            d.offset,
        )
        .join(dead_letters, d.id == g.last_id)
        .order_by(g.last_id.desc())
    )
    return (await connection.execute(query)).mappings().all()
