"""What people decide about follow-ups: judged by the domain's rules under the row's lock, and written down as a deed.

Decision, approval, audit entry and the follow-up's new state are one transaction. Statements of one decision touch one
follow-up and then its alerts, in that order, as reconcile does.
"""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import RowMapping, bindparam, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from worker.domain import approvals as rules
from worker.domain.alerts import PAYMENT_KINDS, AlertKind
from worker.domain.approvals import Subject
from worker.domain.effects import EffectState
from worker.domain.identity import OrderKey
from worker.domain.operators import Actor, RefusalKind, RefusedError, stated
from worker.storage import alert_store, audit_store
from worker.storage.decision_rows import PolicyOf, counting, subject_of
from worker.storage.engine import transaction
from worker.storage.order_rows import json_text
from worker.storage.tables import follow_ups
from worker.storage.wakeup import Work, notify

_ABOUT_APPROVAL = frozenset({AlertKind.PRICE_BEYOND_TOLERANCE, AlertKind.APPROVAL_WAITING, AlertKind.EFFECT_WAITING})
_ABOUT_ATTEMPTS = PAYMENT_KINDS | {AlertKind.EFFECT_UNKNOWN, AlertKind.EFFECT_REJECTED, AlertKind.EFFECT_WAITING}
_LOCK = select(follow_ups).where(follow_ups.c.id == bindparam("id")).with_for_update()
_APPROVE = text(
    """
    INSERT INTO approvals (follow_up_id, decision, amount_minor, actor, reason, created_at)
    VALUES (:id, 'approve', :amount, :actor, :reason, clock_timestamp())
    ON CONFLICT (follow_up_id, actor, amount_minor) WHERE decision = 'approve'
        DO UPDATE SET reason = excluded.reason, created_at = excluded.created_at
    """
)
_REJECT = text(
    """
    INSERT INTO approvals (follow_up_id, decision, amount_minor, actor, reason, created_at)
    VALUES (:id, 'reject', :amount, :actor, :reason, clock_timestamp())
    """
)
_MOVE = """
    UPDATE follow_ups SET state = :state, reason = :reason, claim_token = NULL, claimed_until = NULL, due_at = now(),
        failures = 0, updated_at = now(), {more} WHERE id = :id
"""
_TO_APPROVED = text(_MOVE.format(more="approved_minor = :approved"))
_TO_REJECTED = text(_MOVE.format(more="approved_minor = NULL"))
_TO_RETRIED = text(
    _MOVE.format(
        more="pay_url = NULL, unknown_since = NULL, not_done_reads = 0, not_done_at = NULL, "
        "cleared = CAST(CAST(:cleared AS text) AS jsonb) || jsonb_build_object('at', clock_timestamp())"
    )
)
_TO_RESOLVED = text(_MOVE.format(more="pay_url = NULL"))
_RELEASE_SPENDINGS = text("UPDATE spendings SET released_at = now() WHERE follow_up_id = :id AND released_at IS NULL")


class Decided(msgspec.Struct, frozen=True):
    """What came of a decision. `changed` False: it had been taken already. `missing`: people who must still approve."""

    id: int
    state: EffectState
    approved_minor: int | None
    missing: int = 0
    changed: bool = True


class _Held(msgspec.Struct, frozen=True):
    """A follow-up under our lock."""

    row: RowMapping
    key: OrderKey
    subject: Subject

    @property
    def id(self) -> int:
        """Return the follow-up's id."""
        return int(self.row["id"])

    @property
    def details(self) -> dict[str, Any]:
        """Return what the audit log says about it, whatever was decided."""
        return {
            "order": str(self.key),
            "effect": self.subject.effect,
            "purpose": self.row["purpose"],
            "amount_minor": self.subject.amount,
            "before": self.subject.state.value,
        }


async def approve(
    engine: AsyncEngine, follow_up_id: int, actor: Actor, *, seen: int | None, reason: str, policy_of: PolicyOf
) -> Decided:
    """Approve a follow-up up to `seen` minor units, the amount that the actor saw. Raises RefusedError."""
    reason = stated(reason)
    async with transaction(engine) as connection:
        held = await _hold(connection, follow_up_id)
        four_eyes_above = policy_of(held.key.account).four_eyes_above
        before = await counting(connection, follow_up_id)
        is_new = rules.check_approval(held.subject, actor, seen, before, four_eyes_above)
        if not is_new:
            missing = rules.approved(held.subject, before, four_eyes_above).missing
            waits = held.subject.state is EffectState.AWAITING_APPROVAL
            return Decided(
                follow_up_id, held.subject.state, held.row["approved_minor"], missing if waits else 0, changed=False
            )
        given = {"id": follow_up_id, "amount": seen or 0, "actor": actor.name, "reason": reason}
        await connection.execute(_APPROVE, given)
        outcome = rules.approved(held.subject, await counting(connection, follow_up_id), four_eyes_above)
        state = EffectState.AWAITING_APPROVAL
        if outcome.up_to is not None:
            state = EffectState.PLANNED
            moved = {"id": follow_up_id, "state": state.value, "reason": None, "approved": outcome.up_to}
            await connection.execute(_TO_APPROVED, moved)
            await _end_alerts(connection, held, _ABOUT_APPROVAL)
        told = {"after": state.value, "seen_minor": seen, "approved_minor": outcome.up_to, "missing": outcome.missing}
        await _record(connection, held, actor, "approve", reason, told)
        approved = held.row["approved_minor"] if outcome.up_to is None else outcome.up_to
        return Decided(follow_up_id, state, approved, outcome.missing)


async def reject(engine: AsyncEngine, follow_up_id: int, actor: Actor, *, reason: str) -> Decided:
    """End a follow-up that was not sent. Earlier approvals of it are void. Raises RefusedError."""
    reason = stated(reason)
    async with transaction(engine) as connection:
        held = await _hold(connection, follow_up_id)
        rules.check_rejection(held.subject, actor)
        given = {"id": follow_up_id, "amount": held.subject.amount, "actor": actor.name, "reason": reason}
        await connection.execute(_REJECT, given)
        state = EffectState.REJECTED
        moved = {"id": follow_up_id, "state": state.value, "reason": f"{actor.name} rejected it: {reason}"}
        await connection.execute(_TO_REJECTED, moved)
        await _end_alerts(connection, held, _ABOUT_APPROVAL)
        await _record(connection, held, actor, "reject", reason, {"after": state.value})
        return Decided(follow_up_id, state, None)


async def retry(
    engine: AsyncEngine, follow_up_id: int, actor: Actor, *, reason: str, checked: str | None = None
) -> Decided:
    """Have a follow-up tried again: what its attempts might have spent is free again. Raises RefusedError.

    `checked`: what the actor looked at that shows that an unknown did not happen.
    """
    reason = stated(reason)
    checked = stated(checked, "checked") if checked is not None else None
    async with transaction(engine) as connection:
        held = await _hold(connection, follow_up_id)
        rules.check_retry(held.subject, actor, checked)
        state = EffectState.PLANNED
        cleared = {"by": "person", "actor": actor.name, "reason": reason, "checked": checked}
        cleared |= {"before": held.subject.state.value, "attempts": held.row["attempts"]}
        moved = {"id": follow_up_id, "state": state.value, "reason": None, "cleared": json_text(cleared)}
        await connection.execute(_TO_RETRIED, moved)
        released = (await connection.execute(_RELEASE_SPENDINGS, {"id": follow_up_id})).rowcount
        await _end_alerts(connection, held, _ABOUT_ATTEMPTS)
        told = {
            "after": state.value,
            "checked": checked,
            "attempts": held.row["attempts"],
            "spendings_released": released,
        }
        await _record(connection, held, actor, "retry", reason, told)
        return Decided(follow_up_id, state, held.row["approved_minor"])


async def resolve(engine: AsyncEngine, follow_up_id: int, actor: Actor, *, done: bool, reason: str) -> Decided:
    """End an unknown, or what a person had to do, by what that person saw. Raises RefusedError."""
    reason = stated(reason)
    async with transaction(engine) as connection:
        held = await _hold(connection, follow_up_id)
        state = rules.check_resolution(held.subject, actor, done=done)
        saw = "it was done" if done else "it was not done"
        moved = {"id": follow_up_id, "state": state.value, "reason": f"{actor.name} saw that {saw}: {reason}"}
        await connection.execute(_TO_RESOLVED, moved)
        released = 0
        if not done:
            released = (await connection.execute(_RELEASE_SPENDINGS, {"id": follow_up_id})).rowcount
        await _end_alerts(connection, held, _ABOUT_ATTEMPTS)
        told = {"after": state.value, "done": done, "spendings_released": released}
        await _record(connection, held, actor, "resolve", reason, told)
        return Decided(follow_up_id, state, held.row["approved_minor"])


async def _hold(connection: AsyncConnection, follow_up_id: int) -> _Held:
    row = (await connection.execute(_LOCK, {"id": follow_up_id})).mappings().one_or_none()
    if row is None:
        raise RefusedError(
            RefusalKind.NOT_FOUND, f"there is no follow-up {follow_up_id}; list them to find the one you mean"
        )
    key, subject = await subject_of(connection, row)
    return _Held(row, key, subject)


async def _end_alerts(connection: AsyncConnection, held: _Held, kinds: frozenset[AlertKind]) -> None:
    """Resolve what a person has now decided."""
    await alert_store.resolve_effect(connection, held.row["order_ref"], held.subject.effect, kinds)


async def _record(
    connection: AsyncConnection, held: _Held, actor: Actor, action: str, reason: str, told: dict[str, Any]
) -> None:
    await audit_store.append(
        connection,
        actor=actor.name,
        action=action,
        subject=f"follow_up:{held.id}",
        reason=reason,
        details=held.details | told,
    )
    await notify(connection, Work.FOLLOW_UPS, Work.ALERTS)
