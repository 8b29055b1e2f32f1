"""What reconcile wants of the ledger: reads, effects, and the end of what is no longer wanted or has proven itself.

Whoever locks several follow-ups takes effects first, then reads, each by order_ref, effect, purpose; or two of them
would wait for each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

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
_LOCK_EFFECTS = text(
    """
    SELECT id FROM follow_ups WHERE order_ref = ANY(CAST(:refs AS bigint[]))
        AND effect NOT IN ('refresh', 'find_substitutes') ORDER BY order_ref, effect, purpose FOR UPDATE
    """
)
# The warehouse was told A, then B, and the parcels are A again: that is a third change, with a purpose of its own. A
# second booking of one order waits for a person. A hold that the executor found stays, and so does a pause.
EFFECT_COLUMNS = ("order_ref", "account", "effect", "purpose", "amount_minor", "hold", "due_at", "requested_by")
_WANT_EFFECTS = text(
    """
    WITH asked AS (
        SELECT w.*, (SELECT t.purpose FROM follow_ups t WHERE t.order_ref = w.order_ref AND t.effect = w.effect
            AND t.attempts > 0 ORDER BY (SELECT max(a.id) FROM follow_up_attempts a WHERE a.follow_up_id = t.id) DESC
            NULLS LAST LIMIT 1) AS told
        FROM unnest(CAST(:order_ref AS bigint[]), CAST(:account AS text[]), CAST(:effect AS text[]),
            CAST(:purpose AS text[]), CAST(:amount_minor AS bigint[]), CAST(:hold AS text[]),
            CAST(:due_at AS timestamptz[]), CAST(:requested_by AS text[]))
            AS w(order_ref, account, effect, purpose, amount_minor, hold, due_at, requested_by)),
    wanted AS (
        SELECT order_ref, account, effect, amount_minor, due_at, requested_by,
            CASE WHEN effect <> 'update_domestic_logistics' OR told IS NULL THEN purpose
                WHEN split_part(told, '#', 1) = purpose THEN told
                WHEN EXISTS (SELECT 1 FROM follow_ups t WHERE t.order_ref = asked.order_ref
                    AND t.effect = asked.effect AND t.purpose = asked.purpose AND t.attempts > 0)
                THEN purpose || '#' || md5(told) ELSE purpose END AS purpose,
            CASE WHEN effect = 'book_international' AND told IS NOT NULL AND told <> purpose AND EXISTS (
                    SELECT 1 FROM follow_ups t WHERE t.order_ref = asked.order_ref AND t.effect = asked.effect
                    AND t.purpose <> asked.purpose AND t.state IN ('sending', 'unknown', 'succeeded'))
                THEN 'another booking of this order was made' ELSE hold END AS hold
        FROM asked)
    INSERT INTO follow_ups AS f
        (order_ref, account, effect, purpose, state, amount_minor, reason, due_at, requested_by)
    SELECT order_ref, account, effect, purpose, CASE WHEN hold IS NULL THEN 'planned' ELSE 'awaiting_approval' END,
        amount_minor, hold, greatest(due_at, now()), requested_by
    FROM wanted ORDER BY order_ref, effect, purpose
    ON CONFLICT (order_ref, effect, purpose) DO UPDATE SET
        state = CASE WHEN excluded.state = 'awaiting_approval' AND f.approved_minor >= excluded.amount_minor
            THEN 'planned' ELSE excluded.state END,
        amount_minor = excluded.amount_minor, reason = excluded.reason, requested_by = excluded.requested_by,
        updated_at = now(),
        due_at = CASE WHEN f.state = excluded.state THEN f.due_at ELSE excluded.due_at END
    WHERE (f.state IN ('planned', 'awaiting_approval') OR f.state = 'cancelled' AND f.attempts = 0)
        AND NOT (f.effect = 'book_international' AND f.state IN ('planned', 'awaiting_approval'))
        AND (f.state, f.amount_minor, f.reason, f.requested_by)
            IS DISTINCT FROM (excluded.state, excluded.amount_minor, excluded.reason, excluded.requested_by)
    """
)
_CANCEL_UNWANTED = text(
    """
    UPDATE follow_ups f SET state = 'cancelled', reason = 'the order no longer calls for it', claim_token = NULL,
        claimed_until = NULL, updated_at = now()
    WHERE f.order_ref = ANY(CAST(:refs AS bigint[])) AND f.effect NOT IN ('refresh', 'find_substitutes')
        AND f.state IN ('planned', 'awaiting_approval') AND NOT EXISTS (
            SELECT 1 FROM unnest(CAST(:order_ref AS bigint[]), CAST(:effect AS text[]), CAST(:purpose AS text[]))
                AS w(order_ref, effect, purpose)
            WHERE w.order_ref = f.order_ref AND w.effect = f.effect AND w.purpose = split_part(f.purpose, '#', 1))
    """
)
# `sending` is left alone: only its executor, or the recovery after its death, may say what became of the call. An
# attempt that was believed not to have happened, and shows as done before the next one, was spent after all: whether it
# is this read that ends the follow-up, its executor's own, or a person who had said that nothing happened.
# A read that was asked in the future says that a clock is wrong, and not that it was asked after the call.
# A price can rise between the last look and a payment that takes no amount: the budget counts what was really taken.
SETTLE_COLUMNS = ("order_ref", "effect", "proof", "asked_at", "reason", "amount")
_SETTLE = text(
    """
    WITH seen AS (
        SELECT * FROM unnest(CAST(:order_ref AS bigint[]), CAST(:effect AS text[]), CAST(:proof AS text[]),
            CAST(:asked_at AS timestamptz[]), CAST(:reason AS text[]), CAST(:amount AS bigint[]))
            AS s(order_ref, effect, proof, asked_at, reason, amount)),
    settled AS (
        UPDATE follow_ups f SET
            state = CASE WHEN s.proof = 'done' AND f.state IN ('unknown', 'awaiting_person') THEN 'succeeded'
                WHEN f.state = 'unknown' THEN 'rejected' ELSE 'cancelled' END,
            reason = s.reason, claim_token = NULL, claimed_until = NULL, updated_at = now()
        FROM seen s
        WHERE f.order_ref = s.order_ref AND f.effect = s.effect AND s.proof IN ('done', 'over')
            AND f.state IN ('planned', 'awaiting_approval', 'awaiting_person', 'unknown')
        RETURNING f.id, f.order_ref, f.effect, f.state, f.attempts, s.proof),
    counted AS (
        UPDATE follow_ups f SET not_done_reads = f.not_done_reads + 1, not_done_at = least(s.asked_at, now())
        FROM seen s
        WHERE f.order_ref = s.order_ref AND f.effect = s.effect AND s.proof = 'not_done' AND f.state = 'unknown'
            AND s.asked_at > greatest(f.unknown_since, f.not_done_at) AND s.asked_at < now() + interval '5 seconds'),
    released AS (
        UPDATE spendings p SET released_at = now() FROM settled
        WHERE p.follow_up_id = settled.id AND settled.proof = 'over' AND p.released_at IS NULL),
    doubted AS (
        SELECT id FROM settled WHERE proof = 'done' AND state = 'cancelled'
        UNION SELECT f.id FROM seen s JOIN follow_ups f ON f.order_ref = s.order_ref AND f.effect = s.effect
        WHERE s.proof = 'done' AND f.state IN ('cancelled', 'rejected') AND f.attempts > 0),
    spent_after_all AS (
        UPDATE spendings p SET released_at = NULL FROM doubted
        WHERE p.released_at IS NOT NULL AND p.claim_token = (
            SELECT l.claim_token FROM spendings l JOIN follow_up_attempts t USING (claim_token)
            WHERE l.follow_up_id = doubted.id AND t.outcome NOT IN ('rejected', 'not_sent')
            ORDER BY l.spent_at DESC LIMIT 1)),
    really_taken AS (
        UPDATE spendings p SET amount_minor = s.amount FROM seen s JOIN follow_ups f
            ON f.order_ref = s.order_ref AND f.effect = s.effect
        WHERE s.proof = 'done' AND f.state = 'succeeded' AND p.follow_up_id = f.id AND p.released_at IS NULL
            AND p.amount_minor < s.amount),
    done AS (
        UPDATE alerts a SET resolved_at = now() FROM settled
        WHERE a.resolved_at IS NULL AND a.order_ref = settled.order_ref AND (
            settled.effect = 'pay' AND a.kind IN ('payment_needs_person', 'payment_unknown')
            OR a.kind IN ('effect_unknown', 'effect_rejected', 'approval_waiting')
                AND a.details->>'effect' = settled.effect)
        RETURNING a.id)
    INSERT INTO alert_notices (alert_id, action) SELECT id, 'resolved' FROM done
    """
)

EffectRow = tuple[int, str, str, str, int | None, str | None, datetime, str | None]
"""As `EFFECT_COLUMNS`: `hold` says why a person must approve, `requested_by` who asked for it by a plan."""
SettleRow = tuple[int, str, str, datetime, str, int | None]
"""As `SETTLE_COLUMNS`; `proof` is a value of `worker.domain.settlement.Proof`."""


async def want_refreshes(connection: AsyncConnection, rows: Sequence[tuple[int, str, datetime]]) -> None:
    """Plan a read of each order (order_ref, account, asked after when), locked by order_ref as recovery does."""
    if rows:
        await connection.execute(_WANT_REFRESHES, as_params(("order_ref", "account", "wanted_after"), sorted(rows)))


async def want_searches(connection: AsyncConnection, rows: Sequence[tuple[int, str, str]]) -> None:
    """Plan a search for substitutes (order_ref, account, line id), once per line."""
    if rows:
        await connection.execute(_WANT_SEARCHES, as_params(("order_ref", "account", "purpose"), rows))


async def lock_effects(connection: AsyncConnection, refs: Sequence[int]) -> None:
    """Lock the effects of these orders in the common order, before the statements that change them."""
    if refs:
        await connection.execute(_LOCK_EFFECTS, {"refs": list(refs)})


async def want_effects(connection: AsyncConnection, rows: Sequence[EffectRow]) -> None:
    """Plan effects; one that has been sent is never planned again from here."""
    if rows:
        await connection.execute(_WANT_EFFECTS, as_params(EFFECT_COLUMNS, rows))


async def cancel_unwanted(
    connection: AsyncConnection, refs: Sequence[int], wanted: Sequence[tuple[int, str, str]]
) -> None:
    """Cancel what these (confirmed) orders no longer call for; `wanted`: (order_ref, effect, purpose)."""
    if refs:
        params = as_params(("order_ref", "effect", "purpose"), wanted)
        await connection.execute(_CANCEL_UNWANTED, params | {"refs": list(refs)})


async def settle(connection: AsyncConnection, rows: Sequence[SettleRow]) -> None:
    """End the effects that a snapshot proves done or over, and count the reads that prove them not done."""
    if rows:
        await connection.execute(_SETTLE, as_params(SETTLE_COLUMNS, rows))
