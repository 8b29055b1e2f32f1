"""What outlives an executor: dead calls become unknown, unknowns are read, what proved not done may go again."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.domain.identity import OrderKey, Platform
from worker.domain.policy import Effect, SecondAttempt
from worker.storage.follow_up_claims import ALIVE

_EXPIRE_SENDING = text(
    f"""
    WITH alive AS MATERIALIZED ({ALIVE}), dead AS (
        SELECT id FROM follow_ups WHERE state = 'sending' AND (claimed_until < now()
            OR claimed_by IS NOT NULL AND claimed_by NOT IN (SELECT holder FROM alive))
        ORDER BY order_ref, effect, purpose FOR UPDATE SKIP LOCKED),
    expired AS (
        UPDATE follow_ups f SET state = 'unknown', claim_token = NULL, claimed_until = NULL, due_at = now(),
            unknown_since = now(), not_done_reads = 0, not_done_at = NULL, failures = 0,
            reason = 'the worker that made the call did not record its answer', updated_at = now()
        FROM dead, orders o WHERE f.id = dead.id AND o.id = f.order_ref
        RETURNING f.id, f.order_ref, f.effect, o.account, o.platform, o.order_id, f.amount_minor),
    closed AS (
        UPDATE follow_up_attempts a SET finished_at = now(), outcome = 'unknown' FROM expired
        WHERE a.follow_up_id = expired.id AND a.finished_at IS NULL)
    SELECT * FROM expired
    """  # noqa: S608 - a constant
)
# Ask for a read now, and for the next after a pause that doubles up to an hour.
# Whoever locks several follow-ups takes effects first, then reads, by order_ref: so does reconcile.
_READ_UNKNOWNS = text(
    """
    WITH due AS (
        UPDATE follow_ups SET failures = failures + 1, updated_at = now(),
            due_at = now() + make_interval(secs => least(3600, :first_pause_s * power(2, least(failures, 20))))
        WHERE id IN (SELECT id FROM follow_ups WHERE effect = ANY(CAST(:effects AS text[])) AND state = 'unknown'
            AND due_at <= now() ORDER BY due_at LIMIT :limit FOR UPDATE SKIP LOCKED)
        RETURNING order_ref, account)
    INSERT INTO follow_ups AS f (order_ref, account, effect, purpose, wanted_after)
    SELECT DISTINCT order_ref, account, 'refresh', 'sync', now() FROM due ORDER BY order_ref
    ON CONFLICT (order_ref, effect, purpose) DO UPDATE SET
        wanted_after = greatest(f.wanted_after, excluded.wanted_after), state = 'planned', due_at = now()
    """
)
_PROVEN = """
    f.account = :account AND f.effect = ANY(CAST(:effects AS text[])) AND f.state = 'unknown'
        AND f.not_done_reads >= :reads
        AND f.not_done_at >= f.unknown_since + make_interval(secs => CAST(:quiet_s AS double precision))
"""
_CLEAR_PROVEN = text(
    f"""
    WITH ready AS (
        SELECT f.id FROM follow_ups f JOIN orders o ON o.id = f.order_ref
        WHERE {_PROVEN} AND f.attempts < :attempts AND NOT o.unconfirmed AND NOT (f.effect = 'pay' AND o.paid)
        ORDER BY f.order_ref, f.effect, f.purpose LIMIT 100 FOR UPDATE OF f SKIP LOCKED),
    cleared AS (
        UPDATE follow_ups f SET state = 'planned', due_at = now(), failures = 0, unknown_since = NULL,
            not_done_reads = 0, not_done_at = NULL, updated_at = now(),
            reason = 'reads showed for long enough that it had not happened: another attempt is allowed',
            cleared = jsonb_build_object('by', 'reads', 'reads', f.not_done_reads, 'last_read', f.not_done_at,
                'unknown_since', f.unknown_since, 'attempt', f.attempts)
        FROM ready WHERE f.id = ready.id RETURNING f.id, f.order_ref, f.effect),
    released AS (
        UPDATE spendings s SET released_at = now() FROM cleared
        WHERE s.follow_up_id = cleared.id AND s.released_at IS NULL),
    done AS (
        UPDATE alerts a SET resolved_at = now() FROM cleared
        WHERE a.resolved_at IS NULL AND a.order_ref = cleared.order_ref AND (cleared.effect = 'pay'
            AND a.kind = 'payment_unknown' OR a.kind = 'effect_unknown' AND a.details->>'effect' = cleared.effect)
        RETURNING a.id),
    noticed AS (INSERT INTO alert_notices (alert_id, action) SELECT id, 'resolved' FROM done)
    SELECT id FROM cleared
    """  # noqa: S608 - constants
)
# The same content again changes nothing at the warehouse (inferred): after a pause it is simply told once more.
_CLEAR_REPEATABLE = text(
    """
    UPDATE follow_ups f SET state = 'planned', due_at = now(), failures = 0, unknown_since = NULL, updated_at = now(),
        reason = 'the same notice again changes nothing: another attempt is allowed',
        cleared = jsonb_build_object('by', 'configuration', 'unknown_since', f.unknown_since, 'attempt', f.attempts)
    WHERE f.id IN (SELECT id FROM follow_ups WHERE account = :account AND effect = 'update_domestic_logistics'
        AND state = 'unknown' AND attempts < :attempts
        AND unknown_since < now() - make_interval(secs => CAST(:quiet_s AS double precision))
        ORDER BY order_ref, effect, purpose LIMIT 100 FOR UPDATE SKIP LOCKED)
    RETURNING f.id
    """
)
_GIVEN_UP = text(
    f"""
    SELECT f.effect, f.order_ref, f.amount_minor, f.attempts, f.not_done_reads, o.account, o.platform, o.order_id
    FROM follow_ups f JOIN orders o ON o.id = f.order_ref
    WHERE {_PROVEN} AND f.attempts >= :attempts ORDER BY f.id LIMIT 100
    """  # noqa: S608 - constants
)
# Held by reconcile, which knows no price; what the executor holds has its alert already.
_UNASKED = text(
    """
    SELECT f.effect, f.order_ref, f.amount_minor, f.reason, o.account, o.platform, o.order_id
    FROM follow_ups f JOIN orders o ON o.id = f.order_ref
    WHERE f.account = :account AND f.state = 'awaiting_approval' AND f.effect <> 'pay' AND NOT EXISTS (
        SELECT 1 FROM alerts a WHERE a.resolved_at IS NULL AND a.order_ref = f.order_ref
            AND a.kind = 'approval_waiting' AND a.details->>'effect' = f.effect)
    ORDER BY f.id LIMIT 100
    """
)
# Only those that came after the account was last set going again: who resumes has seen the older ones.
_FRESH_UNKNOWNS = text(
    """
    SELECT count(*) FROM follow_ups WHERE account = :account AND state = 'unknown' AND unknown_since > coalesce((
        SELECT max(lifted_at) FROM pauses WHERE account = :account AND automatic), '-infinity')
    """
)
# What the budget held back is looked at again as soon as a call proves not to have spent anything after all.
_WAKE_HELD_BACK = text(
    """
    UPDATE follow_ups f SET due_at = now(), updated_at = now()
    WHERE f.id IN (SELECT h.id FROM follow_ups h WHERE h.account = :account AND h.state = 'planned'
        AND h.budget_refusals > 0 AND h.due_at > now() AND h.claim_token IS NULL AND EXISTS (
            SELECT 1 FROM spendings s WHERE s.account = h.account AND s.released_at > h.updated_at)
        ORDER BY h.order_ref, h.effect, h.purpose LIMIT 100 FOR UPDATE SKIP LOCKED)
    RETURNING f.id
    """
)
# Told once, also after a person has put the alert away.
_PAID_MORE = text(
    """
    SELECT f.effect, f.order_ref, f.amount_minor AS decided, p.amount_minor, o.account, o.platform, o.order_id
    FROM spendings p JOIN follow_ups f ON f.id = p.follow_up_id JOIN orders o ON o.id = f.order_ref
    WHERE p.account = :account AND p.spent_at > now() - interval '7 days' AND p.released_at IS NULL
        AND f.effect = 'pay' AND p.amount_minor > f.amount_minor AND NOT EXISTS (
            SELECT 1 FROM alerts a WHERE a.order_ref = f.order_ref AND a.kind = 'paid_more')
    ORDER BY f.id LIMIT 100
    """
)
SETTLED_BY_READS = (Effect.PAY, Effect.CONFIRM_RECEIPT, Effect.CANCEL, Effect.BOOK_INTERNATIONAL)
"""Effects that a read of the order can show."""
CLEARED_BY_READS = (Effect.PAY, Effect.CONFIRM_RECEIPT, Effect.CANCEL)
"""Effects whose absence a read of the order can show; that of a booking is only inferred."""


class Unsettled(msgspec.Struct, frozen=True):
    """An effect that waits for something to be known or decided, of which `reason` tells. `amount` in minor units."""

    effect: Effect
    key: OrderKey
    order_ref: int
    amount: int | None
    reads: int = 0
    reason: str = ""


async def expire_sending(connection: AsyncConnection) -> list[Unsettled]:
    """Turn calls whose executor died, or whose lease ended, into unknowns."""
    rows = await connection.execute(_EXPIRE_SENDING)
    return [
        Unsettled(
            Effect(row.effect), OrderKey(row.account, Platform(row.platform), row.order_id), row.order_ref,
            row.amount_minor,
        )
        for row in rows
    ]  # fmt: skip


async def read_unknowns(connection: AsyncConnection, *, first_pause_s: float, limit: int) -> int:
    """Plan a read for each unknown that is due for one; return how many."""
    params = {"first_pause_s": first_pause_s, "limit": limit, "effects": [one.value for one in SETTLED_BY_READS]}
    return (await connection.execute(_READ_UNKNOWNS, params)).rowcount


def _params(account: str, rule: SecondAttempt, effects: Sequence[Effect]) -> dict[str, object]:
    return {
        "account": account,
        "effects": [effect.value for effect in effects],
        "reads": rule.reads,
        "quiet_s": rule.quiet / 1_000,
        "attempts": rule.attempts,
    }


async def clear_proven(connection: AsyncConnection, account: str, rule: SecondAttempt) -> int:
    """Allow another attempt where reads proved for long enough that nothing had happened; return how many."""
    result = await connection.execute(_CLEAR_PROVEN, _params(account, rule, CLEARED_BY_READS))
    return len(result.all())


async def clear_repeatable(connection: AsyncConnection, account: str, rule: SecondAttempt) -> int:
    """Allow the warehouse to be told again; return how many notices."""
    params = {"account": account, "quiet_s": rule.quiet / 1_000, "attempts": rule.attempts}
    return len((await connection.execute(_CLEAR_REPEATABLE, params)).all())


async def wake_held_back(connection: AsyncConnection, account: str) -> int:
    """Let what was over budget be judged again if money has become free since; return how many."""
    return len((await connection.execute(_WAKE_HELD_BACK, {"account": account})).all())


async def paid_more(connection: AsyncConnection, account: str) -> list[tuple[OrderKey, int, int | None, int]]:
    """Return payments that took more than was decided: (order, order_ref, decided, taken), minor units."""
    rows = await connection.execute(_PAID_MORE, {"account": account})
    return [
        (OrderKey(row.account, Platform(row.platform), row.order_id), row.order_ref, row.decided, row.amount_minor)
        for row in rows
    ]


async def given_up(connection: AsyncConnection, account: str, rule: SecondAttempt) -> list[Unsettled]:
    """Return the unknowns that reads prove not done, with no attempt left: a person has to decide."""
    rows = await connection.execute(_GIVEN_UP, _params(account, rule, CLEARED_BY_READS))
    return [
        Unsettled(
            Effect(row.effect), OrderKey(row.account, Platform(row.platform), row.order_id), row.order_ref,
            row.amount_minor, row.not_done_reads,
        )
        for row in rows
    ]  # fmt: skip


async def unasked(connection: AsyncConnection, account: str) -> list[Unsettled]:
    """Return what waits for an approval and no open alert tells of; payments have the alerts of their order."""
    rows = await connection.execute(_UNASKED, {"account": account})
    return [
        Unsettled(
            Effect(row.effect), OrderKey(row.account, Platform(row.platform), row.order_id), row.order_ref,
            row.amount_minor, reason=row.reason or "",
        )
        for row in rows
    ]  # fmt: skip


async def fresh_unknowns(connection: AsyncConnection, account: str) -> int:
    """Return how many effects of the account are unknown now and became so since it was last set going again."""
    return int((await connection.execute(_FRESH_UNKNOWNS, {"account": account})).scalar_one())
