"""What executors do with the ledger. Every write checks the claim token: a zombie's write finds no row."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.domain.effects import EffectState
from worker.domain.evidence import Evidence
from worker.domain.identity import OrderKey, Platform
from worker.storage.order_rows import json_text

_CLAIM = text(
    """
    WITH due AS (
        SELECT w.id FROM follow_ups w
        WHERE w.effect = :effect AND w.account = ANY(CAST(:accounts AS text[])) AND w.state = 'planned'
            AND w.due_at <= now() AND (w.claimed_until IS NULL OR w.claimed_until < now())
            AND (w.effect <> 'pay' OR NOT (SELECT unconfirmed FROM orders WHERE orders.id = w.order_ref))
        ORDER BY w.due_at LIMIT :limit FOR UPDATE SKIP LOCKED)
    UPDATE follow_ups f SET claim_token = gen_random_uuid(), updated_at = now(),
        claimed_until = now() + make_interval(secs => CAST(:lease_s AS double precision))
    FROM due, orders o WHERE f.id = due.id AND o.id = f.order_ref
    RETURNING f.id, f.order_ref, f.purpose, CAST(f.claim_token AS text) AS token, f.failures, f.amount_minor, o.account,
        o.platform, o.order_id, CAST(o.evidence AS text) AS evidence
    """
)
_FINISH_READ = text(
    """
    UPDATE follow_ups SET
        asked_at = greatest(asked_at, :asked_at), failures = 0, reason = NULL, claim_token = NULL, claimed_until = NULL,
        state = CASE WHEN wanted_after < :asked_at THEN 'succeeded' ELSE 'planned' END,
        due_at = greatest(wanted_after, now()), updated_at = now()
    WHERE id = :id AND claim_token = CAST(:token AS uuid) AND state = 'planned'
    """
)
_RELEASE = text(
    """
    UPDATE follow_ups SET state = :state, reason = :reason, due_at = :due_at, failures = failures + :failed,
        claim_token = NULL, claimed_until = NULL, updated_at = now()
    WHERE id = :id AND claim_token = CAST(:token AS uuid) AND state = 'planned'
    """
)
_BEGIN_SENDING = text(
    """
    WITH begun AS (
        UPDATE follow_ups f SET state = 'sending', amount_minor = :amount, reason = NULL, updated_at = now(),
            claimed_until = now() + make_interval(secs => CAST(:lease_s AS double precision))
        FROM orders o
        WHERE f.id = :id AND f.claim_token = CAST(:token AS uuid) AND f.state = 'planned' AND f.claimed_until > now()
            AND o.id = f.order_ref AND NOT o.unconfirmed
        RETURNING f.id, f.claim_token)
    INSERT INTO follow_up_attempts (follow_up_id, claim_token, operation, amount_minor, evidence)
    SELECT id, claim_token, :operation, :amount, CAST(CAST(:evidence AS text) AS jsonb) FROM begun RETURNING id
    """
)
_END_SENDING = text(
    """
    WITH ended AS (
        UPDATE follow_ups SET state = :state, reason = :reason, pay_url = :pay_url, due_at = :due_at,
            failures = CASE WHEN :state = 'planned' THEN failures + 1 ELSE 0 END,
            claim_token = NULL, claimed_until = NULL, updated_at = now()
        WHERE id = :id AND claim_token = CAST(:token AS uuid) AND state = 'sending' RETURNING id)
    UPDATE follow_up_attempts a SET finished_at = now(), outcome = :outcome,
        answer = CAST(CAST(:answer AS text) AS jsonb)
    FROM ended WHERE a.follow_up_id = ended.id AND a.claim_token = CAST(:token AS uuid) RETURNING a.id
    """
)
_EXPIRE_SENDING = text(
    """
    WITH dead AS (
        SELECT id FROM follow_ups WHERE state = 'sending' AND claimed_until < now() FOR UPDATE SKIP LOCKED),
    expired AS (
        UPDATE follow_ups f SET state = 'unknown', claim_token = NULL, claimed_until = NULL, due_at = now(),
            reason = 'the worker that made the call did not record its answer', updated_at = now()
        FROM dead, orders o WHERE f.id = dead.id AND o.id = f.order_ref
        RETURNING f.id, f.order_ref, o.account, o.platform, o.order_id, f.amount_minor),
    closed AS (
        UPDATE follow_up_attempts a SET finished_at = now(), outcome = 'unknown' FROM expired
        WHERE a.follow_up_id = expired.id AND a.finished_at IS NULL)
    SELECT * FROM expired
    """
)
# An unknown is settled by reads alone: ask for one now, and for the next after a pause that doubles up to an hour.
# Whoever locks several follow-ups takes payments first, then reads by order_ref: so does reconcile.
_READ_UNKNOWNS = text(
    """
    WITH due AS (
        UPDATE follow_ups SET failures = failures + 1, updated_at = now(),
            due_at = now() + make_interval(secs => least(3600, :first_pause_s * power(2, least(failures, 20))))
        WHERE id IN (SELECT id FROM follow_ups WHERE effect = 'pay' AND state = 'unknown' AND due_at <= now()
            ORDER BY due_at LIMIT :limit FOR UPDATE SKIP LOCKED)
        RETURNING order_ref, account)
    INSERT INTO follow_ups AS f (order_ref, account, effect, purpose, wanted_after)
    SELECT order_ref, account, 'refresh', 'sync', now() FROM due ORDER BY order_ref
    ON CONFLICT (order_ref, effect, purpose) DO UPDATE SET
        wanted_after = greatest(f.wanted_after, excluded.wanted_after), state = 'planned', due_at = now()
    """
)
_EVIDENCE = msgspec.json.Decoder(Evidence)


class Claim(msgspec.Struct, frozen=True):
    """A follow-up that this executor holds until its lease ends."""

    id: int
    order_ref: int
    purpose: str
    token: str
    key: OrderKey
    failures: int
    amount: int | None
    evidence: Evidence


class Ending(msgspec.Struct, frozen=True):
    """What became of a call that was sent. `answer` is redacted before it comes here."""

    state: EffectState
    reason: str | None
    due_at: datetime
    outcome: str
    pay_url: str | None = None
    answer: dict[str, Any] | None = None


async def claim(
    connection: AsyncConnection, effect: str, accounts: list[str], *, limit: int, lease_s: float
) -> list[Claim]:
    """Claim up to `limit` planned follow-ups that are due, each with a token of its own.

    A payment of an order in doubt is left alone: it would only read the order again and again until the doubt is over.
    """
    params = {"effect": effect, "accounts": accounts, "limit": limit, "lease_s": lease_s}
    return [
        Claim(
            id=row.id,
            order_ref=row.order_ref,
            purpose=row.purpose,
            token=row.token,
            key=OrderKey(row.account, Platform(row.platform), row.order_id),
            failures=row.failures,
            amount=row.amount_minor,
            evidence=_EVIDENCE.decode(row.evidence),
        )
        for row in await connection.execute(_CLAIM, params)
    ]


async def finish_read(connection: AsyncConnection, held: Claim, asked_at: datetime) -> None:
    """Record a read that was asked at `asked_at` and published; a later wish keeps it planned."""
    await connection.execute(_FINISH_READ, {"id": held.id, "token": held.token, "asked_at": asked_at})


async def release(
    connection: AsyncConnection, held: Claim, *, state: EffectState, reason: str | None, due_at: datetime, failed: bool
) -> bool:
    """Give a claim back unsent. False if it was no longer ours."""
    params = {"id": held.id, "token": held.token, "state": state.value, "reason": reason, "due_at": due_at}
    result = await connection.execute(_RELEASE, params | {"failed": int(failed)})
    return result.rowcount == 1


async def begin_sending(
    connection: AsyncConnection, held: Claim, *, operation: str, amount: int, evidence: dict[str, Any], lease_s: float
) -> bool:
    """Write the attempt as sent. False, and nothing may be sent, if the claim is lost or the order is in doubt."""
    params = {"id": held.id, "token": held.token, "operation": operation, "amount": amount, "lease_s": lease_s}
    return (await connection.execute(_BEGIN_SENDING, params | {"evidence": json_text(evidence)})).first() is not None


async def end_sending(connection: AsyncConnection, held: Claim, ending: Ending) -> bool:
    """Record what became of the call. False if the lease had ended: then it is unknown already, and stays so."""
    answer = None if ending.answer is None else json_text(ending.answer)
    params = {
        "id": held.id,
        "token": held.token,
        "state": ending.state.value,
        "reason": ending.reason,
        "pay_url": ending.pay_url,
        "due_at": ending.due_at,
        "outcome": ending.outcome,
        "answer": answer,
    }
    return (await connection.execute(_END_SENDING, params)).first() is not None


async def expire_sending(connection: AsyncConnection) -> list[tuple[OrderKey, int, int | None]]:
    """Turn calls whose executor's lease ended into unknowns; return (order, order_ref, amount)."""
    rows = await connection.execute(_EXPIRE_SENDING)
    return [(OrderKey(r.account, Platform(r.platform), r.order_id), r.order_ref, r.amount_minor) for r in rows]


async def read_unknowns(connection: AsyncConnection, *, first_pause_s: float, limit: int) -> int:
    """Plan a read for each unknown payment that is due for one; return how many."""
    return (await connection.execute(_READ_UNKNOWNS, {"first_pause_s": first_pause_s, "limit": limit})).rowcount
