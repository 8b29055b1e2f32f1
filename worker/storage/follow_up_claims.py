"""Claiming follow-ups and giving them back. Every write checks the claim token: a zombie's write finds no row."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.domain.clock import SECOND, Millis
from worker.domain.effects import EffectState
from worker.domain.evidence import Evidence
from worker.domain.identity import OrderKey, Platform
from worker.domain.plans import NO_PLAN, StandingPlan
from worker.domain.policy import Effect
from worker.storage.bulk import as_params
from worker.storage.plan_rows import JOIN_PLANS, PLAN_OUTPUTS, plan_of

HOLDERS_CLASS = 0x05C1
"""First key of the advisory locks by which workers show that they live; the second is the worker's number."""
ALIVE = f"""
    SELECT CAST(CAST(l.objid AS bigint) AS int) AS holder FROM pg_locks l
    WHERE l.locktype = 'advisory' AND l.classid = {HOLDERS_CLASS} AND l.objsubid = 2 AND l.granted
        AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
"""  # noqa: S608 - a constant
IS_PAUSED = """
    EXISTS (SELECT 1 FROM pauses h WHERE h.lifted_at IS NULL AND (h.account IS NULL OR h.account = {row}.account)
        AND (h.effect IS NULL OR h.effect = {row}.effect))
"""
_IS_READ = "w.effect IN ('refresh', 'find_substitutes')"

# An effect of an order in doubt is left alone: it would only read the order again and again until the doubt is over.
_CLAIM = text(
    f"""
    WITH alive AS MATERIALIZED ({ALIVE}), due AS (
        SELECT w.id FROM follow_ups w
        WHERE w.effect = :effect AND w.account = ANY(CAST(:accounts AS text[])) AND w.state = 'planned'
            AND w.due_at <= now()
            AND (w.claimed_until IS NULL OR w.claimed_until < now()
                OR w.claimed_by IS NOT NULL AND w.claimed_by NOT IN (SELECT holder FROM alive))
            AND ({_IS_READ} OR NOT (SELECT unconfirmed FROM orders WHERE orders.id = w.order_ref)
                AND NOT {IS_PAUSED.format(row="w")})
        ORDER BY w.due_at LIMIT :limit FOR UPDATE SKIP LOCKED)
    UPDATE follow_ups f SET claim_token = gen_random_uuid(), updated_at = now(), claimed_by = :holder,
        claimed_until = now() + make_interval(secs => CAST(:lease_s AS double precision))
    FROM due, orders o {JOIN_PLANS} WHERE f.id = due.id AND o.id = f.order_ref
    RETURNING f.id, f.order_ref, f.effect, f.purpose, CAST(f.claim_token AS text) AS token, f.failures, f.amount_minor,
        f.attempts, f.approved_minor, o.account, o.platform, o.order_id, CAST(o.evidence AS text) AS evidence,
        {PLAN_OUTPUTS}
    """  # noqa: S608 - constants
)
# The pause keeps a clock of ours that is slow from reading the order again and again without one.
_FINISH_READ = text(
    """
    UPDATE follow_ups SET
        asked_at = greatest(asked_at, :asked_at), failures = 0, reason = NULL, claim_token = NULL, claimed_until = NULL,
        state = CASE WHEN wanted_after < :asked_at THEN 'succeeded' ELSE 'planned' END,
        due_at = CASE WHEN wanted_after < :asked_at THEN now()
            ELSE greatest(wanted_after, now() + interval '1 second') END, updated_at = now()
    WHERE id = :id AND claim_token = CAST(:token AS uuid) AND state = 'planned'
    """
)
_RELEASE_COLUMNS = ("id", "token", "state", "reason", "pause_s", "failed", "amount", "over_budget")
_RELEASE = text(
    """
    UPDATE follow_ups f SET state = r.state, reason = r.reason, failures = f.failures + r.failed,
        due_at = now() + make_interval(secs => r.pause_s),
        amount_minor = coalesce(r.amount, f.amount_minor), budget_refusals = f.budget_refusals + r.over_budget,
        claim_token = NULL, claimed_until = NULL, updated_at = now()
    FROM unnest(CAST(:id AS bigint[]), CAST(:token AS uuid[]), CAST(:state AS text[]), CAST(:reason AS text[]),
        CAST(:pause_s AS double precision[]), CAST(:failed AS int[]), CAST(:amount AS bigint[]),
        CAST(:over_budget AS int[]))
        AS r(id, token, state, reason, pause_s, failed, amount, over_budget)
    WHERE f.id = r.id AND f.claim_token = r.token AND f.state = 'planned' RETURNING f.id
    """
)
_EVIDENCE = msgspec.json.Decoder(Evidence)


class Claim(msgspec.Struct, frozen=True):
    """A follow-up that this executor holds until its lease ends or its worker dies.

    `attempts`: calls begun so far. `approved`: persons approved an amount (minor units) up to this.
    """

    id: int
    order_ref: int
    effect: Effect
    purpose: str
    token: str
    key: OrderKey
    failures: int
    amount: int | None
    evidence: Evidence
    attempts: int = 0
    approved: int | None = None
    plan: StandingPlan = NO_PLAN


class Release(msgspec.Struct, frozen=True):
    """A claim given back unsent, to be claimed again after `pause`: by the database's clock, whatever ours says.

    `failed`: pauses grow. `amount`: what it would have cost, where that is news.
    """

    held: Claim
    state: EffectState
    reason: str | None
    pause: Millis
    failed: bool = False
    amount: int | None = None
    over_budget: bool = False


async def claim(
    connection: AsyncConnection,
    effect: str,
    accounts: list[str],
    *,
    limit: int,
    lease_s: float,
    holder: int | None = None,
) -> list[Claim]:
    """Claim up to `limit` planned follow-ups that are due, each with a token of its own.

    `holder` is the number under which this worker shows that it lives; None: only the lease tells.
    """
    params = {"effect": effect, "accounts": accounts, "limit": limit, "lease_s": lease_s, "holder": holder}
    return [
        Claim(
            id=row.id,
            order_ref=row.order_ref,
            effect=Effect(row.effect),
            purpose=row.purpose,
            token=row.token,
            key=OrderKey(row.account, Platform(row.platform), row.order_id),
            failures=row.failures,
            amount=row.amount_minor,
            evidence=_EVIDENCE.decode(row.evidence),
            attempts=row.attempts,
            approved=row.approved_minor,
            plan=plan_of(row),
        )
        for row in await connection.execute(_CLAIM, params)
    ]


async def finish_read(connection: AsyncConnection, held: Claim, asked_at: datetime) -> None:
    """Record a read that was asked at `asked_at` and published; a later wish keeps it planned."""
    await connection.execute(_FINISH_READ, {"id": held.id, "token": held.token, "asked_at": asked_at})


async def release_many(connection: AsyncConnection, releases: Sequence[Release]) -> set[int]:
    """Give claims back unsent; return the ids of those that were still ours."""
    rows = [
        (
            one.held.id,
            one.held.token,
            one.state.value,
            one.reason,
            one.pause / SECOND,
            int(one.failed),
            one.amount,
            int(one.over_budget),
        )
        for one in sorted(releases, key=lambda one: (one.held.order_ref, one.held.effect, one.held.purpose))
    ]
    params: dict[str, Any] = as_params(_RELEASE_COLUMNS, rows)
    return set((await connection.execute(_RELEASE, params)).scalars()) if rows else set()


async def release(
    connection: AsyncConnection, held: Claim, *, state: EffectState, reason: str | None, pause: Millis, failed: bool
) -> bool:
    """Give one claim back unsent. False if it was no longer ours."""
    return held.id in await release_many(connection, [Release(held, state, reason, pause, failed)])
