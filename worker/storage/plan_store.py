"""Plans of other systems: versioned, idempotent, and a reason to read a known order afresh."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Row, RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.domain.identity import OrderKey
from worker.domain.plans import Plan, written
from worker.storage import audit_store, follow_up_wants
from worker.storage.order_rows import json_text
from worker.storage.wakeup import Work, notify

MAX_VERSIONS_SHOWN = 50
# A row to lock, whether or not there was a plan: two first versions at once become versions 1 and 2.
_CREATE = text(
    """
    INSERT INTO plans (account, platform, order_id, version, requested_by)
    VALUES (:account, :platform, :order_id, 0, :requested_by) ON CONFLICT DO NOTHING
    """
)
_KEY = "account = :account AND platform = :platform AND order_id = :order_id"
_LOCK = text(f"SELECT version FROM plans WHERE {_KEY} FOR UPDATE")  # noqa: S608 - a constant
_CONTENT = text(f"SELECT content FROM plan_versions WHERE {_KEY} AND version = :version")  # noqa: S608 - a constant
_TAKEN = text("SELECT 1 FROM audit_log WHERE subject = :subject AND details->>'event' = :event LIMIT 1")
_UPDATE = text(
    f"""
    UPDATE plans SET version = :version, planned_total_minor = :planned_total_minor,
        own_order_number = :own_order_number, auto_pay = :auto_pay, cancel_reason = :cancel_reason,
        receiver = CAST(CAST(:receiver AS text) AS jsonb), freight = CAST(CAST(:freight AS text) AS jsonb),
        requested_by = :requested_by, updated_at = now()
    WHERE {_KEY}
    """  # noqa: S608 - a constant
)
_KEEP = text(
    """
    INSERT INTO plan_versions (account, platform, order_id, version, content, requested_by, created_at)
    VALUES (:account, :platform, :order_id, :version, CAST(CAST(:content AS text) AS jsonb), :requested_by,
        clock_timestamp())
    """
)
_ORDER = text(f"SELECT id, now() AS now FROM orders WHERE {_KEY}")  # noqa: S608 - a constant
_CURRENT = text(
    f"""
    SELECT p.version, v.content, p.requested_by, p.created_at, p.updated_at
    FROM plans p JOIN plan_versions v USING (account, platform, order_id, version) WHERE {_KEY}
    """  # noqa: S608 - a constant
)
_HISTORY = text(
    f"""
    SELECT version, requested_by, created_at FROM plan_versions WHERE {_KEY} ORDER BY version DESC LIMIT :limit
    """  # noqa: S608 - a constant
)


class PutPlan(msgspec.Struct, frozen=True):
    """What came of a plan. `changed` False: it says what was planned already. `known`: the order has been seen."""

    version: int
    changed: bool
    known: bool


class StoredPlan(msgspec.Struct, frozen=True):
    """The plan as it is now, with its history, newest first. `content` is its document, the receiver included."""

    version: int
    content: dict[str, Any]
    requested_by: str
    created_at: datetime
    updated_at: datetime
    history: list[RowMapping]


async def put(
    connection: AsyncConnection,
    key: OrderKey,
    plan: Plan,
    *,
    requested_by: str,
    reason: str,
    event: str | None = None,
) -> PutPlan:
    """Make this the order's plan. A known order is read afresh, which has it judged anew.

    `event`: the identity of a message that may be delivered again. It is applied once, whatever came after it.
    """
    names = _names(key)
    await connection.execute(_CREATE, names | {"requested_by": requested_by})
    version: int = (await connection.execute(_LOCK, names)).scalar_one()
    subject = f"plan:{key}"
    order = (await connection.execute(_ORDER, names)).one_or_none()
    if event is not None and await _was_taken(connection, subject, event):
        return PutPlan(version, changed=False, known=order is not None)
    content = written(plan)
    changed = content != (await _content(connection, names, version))
    if changed:
        version += 1
        await _write(connection, names, version, plan, content, requested_by)
        await _read_afresh(connection, key, order)
    if changed or event is not None:
        told = {
            "version": version,
            "changed": changed,
            "fields": sorted(k for k, v in content.items() if v is not None),
        }
        await audit_store.append(
            connection,
            actor=requested_by,
            action="put_plan",
            subject=subject,
            reason=reason,
            details=told if event is None else told | {"event": event},
        )
    return PutPlan(version, changed, order is not None)


async def get(connection: AsyncConnection, key: OrderKey) -> StoredPlan | None:
    """Return the order's plan, None if it has none."""
    names = _names(key)
    found = (await connection.execute(_CURRENT, names)).one_or_none()
    if found is None:
        return None
    history = (await connection.execute(_HISTORY, names | {"limit": MAX_VERSIONS_SHOWN})).mappings().all()
    return StoredPlan(
        found.version, found.content, found.requested_by, found.created_at, found.updated_at, list(history)
    )


def _names(key: OrderKey) -> dict[str, str]:
    return {"account": key.account, "platform": key.platform.value, "order_id": key.order_id}


async def _was_taken(connection: AsyncConnection, subject: str, event: str) -> bool:
    found = await connection.execute(_TAKEN, {"subject": subject, "event": event})
    return found.first() is not None


async def _content(connection: AsyncConnection, names: dict[str, str], version: int) -> dict[str, Any] | None:
    found: dict[str, Any] | None = (
        await connection.execute(_CONTENT, names | {"version": version})
    ).scalar_one_or_none()
    return found


async def _write(
    connection: AsyncConnection,
    names: dict[str, str],
    version: int,
    plan: Plan,
    content: dict[str, Any],
    requested_by: str,
) -> None:
    values = names | {
        "version": version,
        "planned_total_minor": plan.planned_total,
        "own_order_number": plan.own_order_number,
        "auto_pay": plan.auto_pay,
        "cancel_reason": plan.cancel_reason,
        "receiver": None if plan.receiver is None else json_text(plan.receiver),
        "freight": None if plan.freight is None else json_text(plan.freight),
        "requested_by": requested_by,
    }
    await connection.execute(_UPDATE, values)
    await connection.execute(
        _KEEP, names | {"version": version, "content": json_text(content), "requested_by": requested_by}
    )


async def _read_afresh(connection: AsyncConnection, key: OrderKey, order: Row[Any] | None) -> None:
    if order is not None:
        await follow_up_wants.want_refreshes(connection, [(order.id, key.account, order.now)])
        await notify(connection, Work.FOLLOW_UPS)
