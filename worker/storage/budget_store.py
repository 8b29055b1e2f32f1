"""What an account has spent. A row per attempt that spends counts until it is known that nothing was spent."""

from __future__ import annotations

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.domain.clock import Millis

_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('ordersync.budget:' || CAST(:account AS text), 0))")
# Days and months are Beijing's, which has no summer time: the marketplaces' own days.
_SPENT = text(
    """
    WITH b AS (SELECT date_trunc('day', l.here) AT TIME ZONE INTERVAL '08:00' AS day,
            date_trunc('month', l.here) AT TIME ZONE INTERVAL '08:00' AS month,
            (date_trunc('day', l.here) + interval '1 day') AT TIME ZONE INTERVAL '08:00' AS next_day,
            (date_trunc('month', l.here) + interval '1 month') AT TIME ZONE INTERVAL '08:00' AS next_month
        FROM (SELECT now() AT TIME ZONE INTERVAL '08:00' AS here) AS l)
    SELECT CAST(extract(epoch FROM b.next_day - now()) * 1000 AS bigint) AS day_ends_in,
        CAST(extract(epoch FROM b.next_month - now()) * 1000 AS bigint) AS month_ends_in,
        CAST(coalesce(sum(s.amount_minor) FILTER (WHERE s.spent_at >= b.day), 0) AS bigint) AS day,
        CAST(coalesce(sum(s.amount_minor), 0) AS bigint) AS month
    FROM b LEFT JOIN spendings s ON s.account = :account AND s.released_at IS NULL AND s.spent_at >= b.month
    GROUP BY b.next_day, b.next_month
    """
)
_RECENT = text(
    """
    SELECT
        CAST(coalesce(sum(amount_minor) FILTER (WHERE spent_at >= now() - interval '1 hour'), 0) AS bigint) AS hour,
        CAST(coalesce(sum(amount_minor) FILTER (WHERE spent_at < now() - interval '1 hour'), 0) / 167 AS bigint)
            AS usual
    FROM spendings
    WHERE account = :account AND released_at IS NULL AND spent_at >= greatest(now() - interval '7 days', (
        SELECT max(lifted_at) FROM pauses WHERE account = :account AND automatic))
    """
)


class Spent(msgspec.Struct, frozen=True):
    """Minor units spent so far in the current Beijing day and month, and how long these last."""

    day: int
    month: int
    day_ends_in: Millis
    month_ends_in: Millis


async def lock_budget(connection: AsyncConnection, account: str) -> None:
    """Let nobody else spend of this account until the transaction ends."""
    await connection.execute(_LOCK, {"account": account})


async def spent(connection: AsyncConnection, account: str) -> Spent:
    """Return what the account has spent. Exact only under its lock."""
    row = (await connection.execute(_SPENT, {"account": account})).one()
    return Spent(row.day, row.month, row.day_ends_in, row.month_ends_in)


async def recently_spent(connection: AsyncConnection, account: str) -> tuple[int, int]:
    """Return (spent within the last hour, mean of an hour in the seven days before it), minor units."""
    row = (await connection.execute(_RECENT, {"account": account})).one()
    return row.hour, row.usual
