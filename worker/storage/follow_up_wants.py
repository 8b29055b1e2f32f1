"""What reconcile says of follow-ups in the transaction of the facts: wanted, held for approval, settled, cancelled."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.storage.alert_store import RESOLVE_PAYMENT_ALERTS
from worker.storage.bulk import as_params

# A read that is planned already is not put off by further hints, or a stream of them would put it off for ever; one
# that fails and waits keeps its pause.
_WANT_REFRESHES = text(
    """
    INSERT INTO follow_ups AS f (order_ref, account, effect, purpose, state, wanted_after, due_at)
    SELECT order_ref, account, 'refresh', 'sync', 'planned', wanted_after, wanted_after
    FROM unnest(CAST(:order_ref AS bigint[]), CAST(:account AS text[]), CAST(:wanted_after AS timestamptz[]))
        AS w(order_ref, account, wanted_after)
    ON CONFLICT (order_ref, effect, purpose) DO UPDATE SET
        wanted_after = excluded.wanted_after,
        state = CASE WHEN f.asked_at > excluded.wanted_after THEN f.state ELSE 'planned' END,
        due_at = CASE WHEN f.state <> 'planned' THEN excluded.due_at WHEN f.failures > 0 THEN f.due_at
            ELSE least(f.due_at, excluded.due_at) END,
        updated_at = now()
    WHERE excluded.wanted_after > f.wanted_after
    """
)
_WANT_SEARCHES = text(
    """
    INSERT INTO follow_ups (order_ref, account, effect, purpose, wanted_after)
    SELECT order_ref, account, 'find_substitutes', purpose, 'epoch'
    FROM unnest(CAST(:order_ref AS bigint[]), CAST(:account AS text[]), CAST(:purpose AS text[]))
        AS w(order_ref, account, purpose)
    ON CONFLICT (order_ref, effect, purpose) DO NOTHING
    """
)
_WANT_PAYMENTS = text(
    """
    INSERT INTO follow_ups AS f (order_ref, account, effect, purpose, state, amount_minor, reason)
    SELECT order_ref, account, 'pay', purpose, CASE WHEN hold IS NULL THEN 'planned' ELSE 'awaiting_approval' END,
        amount_minor, hold
    FROM unnest(CAST(:order_ref AS bigint[]), CAST(:account AS text[]), CAST(:purpose AS text[]),
        CAST(:amount_minor AS bigint[]), CAST(:hold AS text[])) AS w(order_ref, account, purpose, amount_minor, hold)
    ON CONFLICT (order_ref, effect, purpose) DO UPDATE SET
        state = excluded.state, amount_minor = excluded.amount_minor, reason = excluded.reason, updated_at = now(),
        due_at = CASE WHEN f.state = excluded.state THEN f.due_at ELSE now() END
    WHERE f.state IN ('planned', 'awaiting_approval')
        AND (f.state, f.amount_minor, f.reason)
            IS DISTINCT FROM (excluded.state, excluded.amount_minor, excluded.reason)
    """
)
# `sending` is left alone: only its executor, or the recovery after its lease, may say what became of the call.
_SETTLE_PAYMENTS = text(
    f"""
    WITH settled AS (
        UPDATE follow_ups f SET
            state = CASE WHEN f.state IN ('unknown', 'awaiting_person') AND s.paid THEN 'succeeded'
                WHEN f.state = 'unknown' THEN 'rejected' ELSE 'cancelled' END,
            reason = CASE WHEN s.paid THEN 'the marketplace shows the order as paid'
                ELSE 'the marketplace closed the order unpaid' END,
            claim_token = NULL, claimed_until = NULL, updated_at = now()
        FROM unnest(CAST(:order_ref AS bigint[]), CAST(:paid AS boolean[])) AS s(order_ref, paid)
        WHERE f.order_ref = s.order_ref AND f.effect = 'pay'
            AND f.state IN ('planned', 'awaiting_approval', 'awaiting_person', 'unknown')
        RETURNING f.order_ref),
    done AS ({RESOLVE_PAYMENT_ALERTS})
    INSERT INTO alert_notices (alert_id, action) SELECT id, 'resolved' FROM done
    """  # noqa: S608 - a constant
)


async def want_refreshes(connection: AsyncConnection, rows: Sequence[tuple[int, str, datetime]]) -> None:
    """Plan a read of each order (order_ref, account, asked after when), locked by order_ref as recovery does."""
    if rows:
        await connection.execute(_WANT_REFRESHES, as_params(("order_ref", "account", "wanted_after"), sorted(rows)))


async def want_searches(connection: AsyncConnection, rows: Sequence[tuple[int, str, str]]) -> None:
    """Plan a search for substitutes (order_ref, account, line id), once per line."""
    if rows:
        await connection.execute(_WANT_SEARCHES, as_params(("order_ref", "account", "purpose"), rows))


async def want_payments(
    connection: AsyncConnection, rows: Sequence[tuple[int, str, str, int | None, str | None]]
) -> None:
    """Plan payments (order_ref, account, purpose, amount, hold); one that has been sent is never planned again."""
    if rows:
        columns = ("order_ref", "account", "purpose", "amount_minor", "hold")
        await connection.execute(_WANT_PAYMENTS, as_params(columns, rows))


async def settle_payments(connection: AsyncConnection, rows: Sequence[tuple[int, bool]]) -> None:
    """End the payments of orders that a snapshot shows as paid (True) or closed unpaid (False)."""
    if rows:
        await connection.execute(_SETTLE_PAYMENTS, as_params(("order_ref", "paid"), rows))
