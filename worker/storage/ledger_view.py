"""The ledger as people and programs look at it. Reads only."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import RowMapping, Select, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.domain.approvals import approved
from worker.domain.effects import EffectState
from worker.domain.identity import OrderKey, Platform
from worker.domain.policy import CHANGES, Effect
from worker.domain.waiting import Pause, Standing, why_it_waits
from worker.storage import audit_store
from worker.storage.decision_rows import PolicyOf, counting, subject_of
from worker.storage.tables import approvals, follow_up_attempts, follow_ups, orders

MAX_ATTEMPTS_SHOWN = 50
MAX_APPROVALS_SHOWN = 100
MAX_ENTRIES_SHOWN = 50
WAITING_FOR_PEOPLE = (EffectState.AWAITING_APPROVAL, EffectState.AWAITING_PERSON, EffectState.UNKNOWN)
_PAUSES = text(
    """
    SELECT id, reason, actor FROM pauses WHERE lifted_at IS NULL
        AND (account IS NULL OR account = :account) AND (effect IS NULL OR effect = :effect) ORDER BY id
    """
)
_NOW = text("SELECT now()")
_f, _o = follow_ups.c, orders.c
_HEAD = (
    *(column for column in _f if column.name != "claim_token"),
    _o.platform,
    _o.order_id,
    _o.currency,
    _o.status.label("order_status"),
    _o.paid.label("order_paid"),
    _o.unconfirmed.label("order_unconfirmed"),
    _o.asked_at.label("order_asked_at"),
)


class LedgerFilter(msgspec.Struct, frozen=True):
    """Which follow-ups to list; None: all. `states` and `effects` empty: all."""

    account: str | None = None
    platform: Platform | None = None
    order_id: str | None = None
    states: tuple[EffectState, ...] = ()
    effects: tuple[Effect, ...] = ()


class FollowUpDetail(msgspec.Struct, frozen=True):
    """One follow-up with all that led to where it stands; attempts and approvals oldest first, entries newest first."""

    row: RowMapping
    key: OrderKey
    attempts: Sequence[RowMapping]
    approvals: Sequence[RowMapping]
    missing: int
    waits: tuple[str, ...]
    entries: Sequence[RowMapping]


async def list_follow_ups(
    connection: AsyncConnection, wanted: LedgerFilter, *, before: int | None, limit: int
) -> Sequence[RowMapping]:
    """Return follow-ups by id, newest first. `before`: a follow-up's id."""
    query = _heads().order_by(_f.id.desc()).limit(limit)
    if wanted.account is not None:
        query = query.where(_f.account == wanted.account)
    if wanted.platform is not None:
        query = query.where(_o.platform == wanted.platform.value)
    if wanted.order_id is not None:
        query = query.where(_o.order_id == wanted.order_id)
    if wanted.states:
        query = query.where(_f.state.in_([state.value for state in wanted.states]))
    if wanted.effects:
        query = query.where(_f.effect.in_([effect.value for effect in wanted.effects]))
    if before is not None:
        query = query.where(_f.id < before)
    return (await connection.execute(query)).mappings().all()


async def show(connection: AsyncConnection, follow_up_id: int, policy_of: PolicyOf) -> FollowUpDetail | None:
    """Return one follow-up, None if there is none. Wants a connection of `reading(engine, one_snapshot=True)`."""
    row = (await connection.execute(_heads().where(_f.id == follow_up_id))).mappings().one_or_none()
    if row is None:
        return None
    missing = await _missing(connection, row, policy_of)
    return FollowUpDetail(
        row=row,
        key=OrderKey(row["account"], Platform(row["platform"]), row["order_id"]),
        attempts=await _attempts(connection, follow_up_id),
        approvals=await _approvals(connection, follow_up_id),
        missing=missing,
        waits=why_it_waits(await _standing(connection, row, missing)),
        entries=await audit_store.entries(connection, subject=f"follow_up:{follow_up_id}", limit=MAX_ENTRIES_SHOWN),
    )


def _heads() -> Select[tuple[object, ...]]:
    return select(*_HEAD).join(orders, _o.id == _f.order_ref)


async def _missing(connection: AsyncConnection, row: RowMapping, policy_of: PolicyOf) -> int:
    if row["state"] != EffectState.AWAITING_APPROVAL:
        return 0
    _, subject = await subject_of(connection, row)
    given = await counting(connection, row["id"])
    return approved(subject, given, policy_of(row["account"]).four_eyes_above).missing


async def _standing(connection: AsyncConnection, row: RowMapping, missing: int) -> Standing:
    now = (await connection.execute(_NOW)).scalar_one()
    pauses = []
    if row["effect"] in CHANGES:
        found = await connection.execute(_PAUSES, {"account": row["account"], "effect": row["effect"]})
        pauses = [Pause(pause.id, pause.reason, pause.actor) for pause in found]
    return Standing(
        state=EffectState(row["state"]),
        reason=row["reason"],
        due_at=row["due_at"],
        now=now,
        missing=missing,
        unconfirmed=row["order_unconfirmed"] and row["effect"] in CHANGES,
        not_done_reads=row["not_done_reads"],
        budget_refusals=row["budget_refusals"],
        claimed=row["claimed_until"] is not None and row["claimed_until"] > now,
        pauses=pauses,
    )


async def _attempts(connection: AsyncConnection, follow_up_id: int) -> Sequence[RowMapping]:
    query = (
        select(follow_up_attempts)
        .where(follow_up_attempts.c.follow_up_id == follow_up_id)
        .order_by(follow_up_attempts.c.id.desc())
        .limit(MAX_ATTEMPTS_SHOWN)
    )
    return (await connection.execute(query)).mappings().all()[::-1]


async def _approvals(connection: AsyncConnection, follow_up_id: int) -> Sequence[RowMapping]:
    query = (
        select(approvals)
        .where(approvals.c.follow_up_id == follow_up_id)
        .order_by(approvals.c.created_at.desc(), approvals.c.id.desc())
        .limit(MAX_APPROVALS_SHOWN)
    )
    return (await connection.execute(query)).mappings().all()[::-1]
