"""Writing a call down before it is made, and what became of it. A batch takes a fixed number of statements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.domain.clock import SECOND, Millis
from worker.domain.effects import EffectState
from worker.storage.bulk import as_params
from worker.storage.follow_up_claims import IS_PAUSED, Claim
from worker.storage.order_rows import json_text, plain

# The orders first, in the order in which reconcile locks them. A statement of its own: what the next one reads has to
# be what stands after the wait for the lock.
_LOCK_ORDERS = text(
    """
    SELECT id FROM orders WHERE id = ANY(CAST(:refs AS bigint[]))
    ORDER BY account, platform, order_id FOR NO KEY UPDATE
    """
)
_BEGIN_COLUMNS = ("id", "token", "amount", "plan_version", "operation", "evidence", "request", "spends")
_BEGIN = text(
    f"""
    WITH asked AS (
        SELECT * FROM unnest(CAST(:id AS bigint[]), CAST(:token AS uuid[]), CAST(:amount AS bigint[]),
            CAST(:plan_version AS int[]), CAST(:operation AS text[]), CAST(:evidence AS text[]),
            CAST(:request AS text[]), CAST(:spends AS boolean[]))
            AS a(id, token, amount, plan_version, operation, evidence, request, spends)),
    begun AS (
        UPDATE follow_ups f SET state = 'sending', amount_minor = a.amount, reason = NULL, attempts = f.attempts + 1,
            updated_at = now(), claimed_until = now() + make_interval(secs => CAST(:lease_s AS double precision))
        FROM asked a, orders o LEFT JOIN plans p
            ON p.account = o.account AND p.platform = o.platform AND p.order_id = o.order_id
        WHERE f.id = a.id AND f.claim_token = a.token AND f.state = 'planned' AND f.claimed_until > now()
            AND o.id = f.order_ref AND NOT o.unconfirmed AND coalesce(p.version, 0) = a.plan_version
            AND NOT (f.effect IN ('pay', 'cancel') AND o.paid)
            AND NOT {IS_PAUSED.format(row="f")}
            AND NOT EXISTS (SELECT 1 FROM follow_ups r WHERE r.order_ref = f.order_ref AND r.id <> f.id
                AND r.state IN ('sending', 'unknown')
                AND (f.effect, r.effect) IN (('pay', 'cancel'), ('cancel', 'pay'),
                    ('book_international', 'book_international')))
            AND NOT (f.effect IN ('confirm_receipt', 'book_international') AND EXISTS (SELECT 1 FROM refunds u
                WHERE u.order_ref = f.order_ref AND u.status NOT IN ('succeeded', 'closed')))
        RETURNING f.id, f.claim_token, f.account, f.effect, f.attempts, a.amount, a.operation, a.evidence, a.request,
            a.spends),
    attempted AS (
        INSERT INTO follow_up_attempts
            (follow_up_id, claim_token, account, effect, operation, amount_minor, evidence, request)
        SELECT id, claim_token, account, effect, operation, amount, CAST(evidence AS jsonb), CAST(request AS jsonb)
        FROM begun),
    spending AS (
        INSERT INTO spendings (claim_token, follow_up_id, account, amount_minor)
        SELECT claim_token, id, account, amount FROM begun WHERE spends)
    SELECT id, attempts FROM begun
    """  # noqa: S608 - constants
)
_LOCK_CLAIMS = text(
    """
    SELECT id FROM follow_ups WHERE id = ANY(CAST(:ids AS bigint[]))
    ORDER BY order_ref, effect, purpose FOR UPDATE
    """
)
_END_COLUMNS = ("id", "token", "state", "reason", "pay_url", "pause_s", "outcome", "answer", "reference")
# What certainly was not sent is no attempt. What was certainly not spent does not count against the budget.
_END = text(
    """
    WITH asked AS (
        SELECT * FROM unnest(CAST(:id AS bigint[]), CAST(:token AS uuid[]), CAST(:state AS text[]),
            CAST(:reason AS text[]), CAST(:pay_url AS text[]), CAST(:pause_s AS double precision[]),
            CAST(:outcome AS text[]), CAST(:answer AS text[]), CAST(:reference AS text[]))
            AS a(id, token, state, reason, pay_url, pause_s, outcome, answer, reference)),
    ended AS (
        UPDATE follow_ups f SET state = a.state, reason = a.reason, pay_url = a.pay_url,
            due_at = now() + make_interval(secs => a.pause_s),
            failures = CASE WHEN a.state = 'planned' THEN f.failures + 1 ELSE 0 END,
            attempts = CASE WHEN a.state = 'planned' THEN f.attempts - 1 ELSE f.attempts END,
            unknown_since = CASE WHEN a.state = 'unknown' THEN now() END, not_done_reads = 0, not_done_at = NULL,
            reference = coalesce(a.reference, f.reference), claim_token = NULL, claimed_until = NULL, updated_at = now()
        FROM asked a WHERE f.id = a.id AND f.claim_token = a.token AND f.state = 'sending'
        RETURNING f.id, a.token, a.state, a.outcome, a.answer),
    released AS (
        UPDATE spendings s SET released_at = now() FROM ended
        WHERE s.claim_token = ended.token AND ended.state IN ('planned', 'rejected')),
    closed AS (
        UPDATE follow_up_attempts t SET finished_at = now(), outcome = ended.outcome,
            answer = CAST(ended.answer AS jsonb)
        FROM ended WHERE t.follow_up_id = ended.id AND t.claim_token = ended.token)
    SELECT id FROM ended
    """
)


class Beginning(msgspec.Struct, frozen=True):
    """A call that is about to be made. `evidence` says on what it was decided, `request` (redacted) what is asked.

    `spends`: `amount` (minor units) counts against the account's budget.
    """

    held: Claim
    operation: str
    evidence: dict[str, Any]
    request: dict[str, Any]
    amount: int | None = None
    spends: bool = False


class Ending(msgspec.Struct, frozen=True):
    """What became of a call that was sent. `answer` is redacted before it comes here.

    `pause`: how long it rests before it is looked at again.
    """

    held: Claim
    state: EffectState
    reason: str | None
    pause: Millis
    outcome: str
    pay_url: str | None = None
    answer: dict[str, Any] | None = None
    reference: str | None = None


async def begin_many(connection: AsyncConnection, calls: Sequence[Beginning], *, lease_s: float) -> dict[int, int]:
    """Write calls as sent: follow-up id → number of the attempt, from 1.

    What is missing in the answer must not be sent: its claim was lost, the order is in doubt, paid or has an open
    refund, its plan changed, the effect is paused, or another call excludes it.
    """
    if not calls:
        return {}
    await connection.execute(_LOCK_ORDERS, {"refs": [call.held.order_ref for call in calls]})
    rows = [
        (
            call.held.id,
            call.held.token,
            call.amount,
            call.held.plan.version,
            call.operation,
            json_text(call.evidence),
            json_text(call.request),
            call.spends,
        )
        for call in calls
    ]
    params: dict[str, Any] = as_params(_BEGIN_COLUMNS, rows)
    return {row.id: row.attempts for row in await connection.execute(_BEGIN, params | {"lease_s": lease_s})}


async def end_many(connection: AsyncConnection, endings: Sequence[Ending]) -> set[int]:
    """Record what became of calls; return the ids that were recorded.

    What is missing in the answer had lost its claim: then it is unknown already, and stays so.
    """
    if not endings:
        return set()
    await connection.execute(_LOCK_CLAIMS, {"ids": [ending.held.id for ending in endings]})
    rows = [
        (
            ending.held.id,
            ending.held.token,
            ending.state.value,
            plain(ending.reason),
            plain(ending.pay_url),
            ending.pause / SECOND,
            ending.outcome,
            None if ending.answer is None else json_text(ending.answer),
            plain(ending.reference),
        )
        for ending in endings
    ]
    params: dict[str, Any] = as_params(_END_COLUMNS, rows)
    return set((await connection.execute(_END, params)).scalars())
