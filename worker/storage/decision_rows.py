"""A follow-up as the rules for decisions see it: with its order, who asked for it, and the approvals that count."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.domain.approvals import Approval, Subject
from worker.domain.effects import EffectState
from worker.domain.identity import OrderKey, Platform
from worker.domain.policy import Policy

PolicyOf = Callable[[str], Policy]
_STRICT = Policy(four_eyes_above=0)
# A statement of its own, after the row's lock: it sees what whoever held the lock before has committed.
_ABOUT = text(
    """
    SELECT o.account, o.platform, o.order_id, o.paid, o.unconfirmed, p.requested_by AS planned_by,
        coalesce(o.asked_at > (SELECT max(a.sent_at) FROM follow_up_attempts a WHERE a.follow_up_id = :id),
            NOT EXISTS (SELECT 1 FROM follow_up_attempts a WHERE a.follow_up_id = :id)) AS read_since
    FROM orders o LEFT JOIN plans p USING (account, platform, order_id) WHERE o.id = :order_ref
    """
)
# What was approved before a rejection is void. Times are taken under the lock, so their order is the order of deeds.
_COUNTING = text(
    """
    SELECT actor, amount_minor FROM approvals
    WHERE follow_up_id = :id AND decision = 'approve' AND created_at > coalesce(
        (SELECT max(created_at) FROM approvals WHERE follow_up_id = :id AND decision = 'reject'), '-infinity')
    """
)


def policies_of(known: Mapping[str, Policy]) -> PolicyOf:
    """Return the policy by account; of one that is no longer configured, every approval takes two people."""
    return lambda account: known.get(account, _STRICT)


async def subject_of(connection: AsyncConnection, row: RowMapping) -> tuple[OrderKey, Subject]:
    """Return a row of `follow_ups` as the rules see it."""
    about = (await connection.execute(_ABOUT, {"id": row["id"], "order_ref": row["order_ref"]})).one()
    retried_by = (row["cleared"] or {}).get("actor")
    subject = Subject(
        row["effect"],
        EffectState(row["state"]),
        row["amount_minor"],
        frozenset(who for who in (row["requested_by"], about.planned_by, retried_by) if who),
        about.paid,
        about.unconfirmed,
        about.read_since,
    )
    return OrderKey(about.account, Platform(about.platform), about.order_id), subject


async def counting(connection: AsyncConnection, follow_up_id: int) -> list[Approval]:
    """Return the approvals that count: those since the last rejection."""
    return [Approval(row.actor, row.amount_minor) for row in await connection.execute(_COUNTING, {"id": follow_up_id})]
