"""Which orders have not been read for too long, planned as reads in the ledger."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

SWEEP = "sweep"
"""The purpose of a read that nothing but an order's age asks for."""

# How long an order may stay unread, in units of the account's interval: what waits for money or for us is looked at
# often, what is on its way seldom, what is old daily. A read that was refused for good is tried again like an old one.
_PLAN = text(
    """
    INSERT INTO follow_ups AS f (order_ref, account, effect, purpose, state, wanted_after, due_at)
    SELECT o.id, o.account, 'refresh', 'sweep', 'planned', now() - interval '1 minute', now()
    FROM orders o LEFT JOIN follow_ups s ON s.order_ref = o.id AND s.effect = 'refresh' AND s.purpose = 'sweep'
    WHERE o.account = :account AND o.platform = ANY(CAST(:platforms AS text[]))
        AND (o.status NOT IN ('completed', 'closed') OR o.unconfirmed OR EXISTS (
            SELECT FROM refunds r WHERE r.order_ref = o.id AND r.status NOT IN ('succeeded', 'closed')))
        AND (s.state IS NULL OR s.state <> 'planned')
        AND greatest(o.asked_at, s.updated_at, o.first_seen_at) < now() - make_interval(secs => CAST(:every_s AS float8)
            * CASE WHEN s.state = 'rejected' OR o.created_at < now() - interval '30 days' THEN 144
                WHEN o.unconfirmed THEN 1
                WHEN o.status IN ('unknown', 'being_created', 'awaiting_payment', 'payment_in_progress') THEN 3
                ELSE 36 END)
    ORDER BY greatest(o.asked_at, s.updated_at, o.first_seen_at), o.id LIMIT :limit
    ON CONFLICT (order_ref, effect, purpose) DO UPDATE SET
        state = 'planned', wanted_after = excluded.wanted_after, due_at = now(), failures = 0, updated_at = now()
    WHERE f.state <> 'planned'
    """
)
_OLDEST = text(
    """
    SELECT min(greatest(asked_at, first_seen_at)) FROM orders
    WHERE account = :account AND platform = ANY(CAST(:platforms AS text[])) AND status NOT IN ('completed', 'closed')
    """
)


async def plan_reads(
    connection: AsyncConnection, account: str, platforms: list[str], *, every_s: float, limit: int
) -> int:
    """Plan a read of the orders that are due for one, the longest unread first; return how many."""
    params = {"account": account, "platforms": platforms, "every_s": every_s, "limit": limit}
    return (await connection.execute(_PLAN, params)).rowcount


async def oldest_read(connection: AsyncConnection, account: str, platforms: list[str]) -> datetime | None:
    """Return when the longest unread of the orders that are not over was read."""
    found: datetime | None = (
        await connection.execute(_OLDEST, {"account": account, "platforms": platforms})
    ).scalar_one()
    return found
