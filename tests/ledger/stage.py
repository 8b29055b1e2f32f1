"""Follow-ups in any state, and people who decide about them."""

import json
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.storage.database import add_order, execute, rows, value
from worker.domain.operators import Actor, Role
from worker.domain.policy import Policy

ANN = Actor("ann", frozenset({Role.APPROVER}))
BOB = Actor("bob", frozenset({Role.APPROVER}))
CID = Actor("cid", frozenset({Role.APPROVER, Role.OPERATOR}))
OLE = Actor("ole", frozenset({Role.OPERATOR}))
VERA = Actor("vera", frozenset({Role.VIEWER}))


def one_is_enough(_account: str) -> Policy:
    return Policy()


def four_eyes(_account: str) -> Policy:
    """Two people above 50.00."""
    return Policy(four_eyes_above=5_000)


async def add_follow_up(engine: AsyncEngine, *, order: dict[str, Any] | None = None, **columns: Any) -> int:
    """A payment of 100.00 that awaits approval, unless the columns say otherwise; its id."""
    of_order = {"order_id": "1", "unconfirmed": False} | (order or {})
    ref = await add_order(engine, str(of_order.pop("order_id")), **of_order)
    values = {"effect": "pay", "purpose": "full", "state": "awaiting_approval", "amount_minor": 10_000} | columns
    if "cleared" in values:
        values["cleared"] = json.dumps(values["cleared"])
    marks = ", ".join(f"CAST(:{name} AS jsonb)" if name == "cleared" else f":{name}" for name in values)
    return int(
        await value_of_insert(
            engine,
            f"INSERT INTO follow_ups (order_ref, account, {', '.join(values)}) "  # noqa: S608 - our own column names
            f"SELECT id, account, {marks} FROM orders WHERE id = :ref RETURNING id",
            ref=ref,
            **values,
        )
    )


async def value_of_insert(engine: AsyncEngine, statement: str, **params: Any) -> Any:
    async with engine.begin() as connection:
        return (await connection.execute(text(statement), params)).scalar_one()


async def add_attempt(engine: AsyncEngine, follow_up: int, *, sent: str = "now()", spent: int | None = None) -> None:
    """An attempt that ended unclear, and what it may have spent."""
    token = await value_of_insert(
        engine,
        "INSERT INTO follow_up_attempts (follow_up_id, claim_token, operation, amount_minor, evidence, sent_at,"  # noqa: S608
        f" finished_at, outcome) VALUES (:id, gen_random_uuid(), 'order.pay', 10000, '{{}}', {sent}, now(), 'unclear')"
        " RETURNING CAST(claim_token AS text)",
        id=follow_up,
    )
    if spent is not None:
        await execute(
            engine,
            "INSERT INTO spendings (claim_token, follow_up_id, account, amount_minor)"
            " VALUES (CAST(:token AS uuid), :id, 'main', :spent)",
            token=token,
            id=follow_up,
            spent=spent,
        )


async def follow_up(engine: AsyncEngine, an_id: int) -> dict[str, Any]:
    (found,) = await rows(engine, "SELECT * FROM follow_ups WHERE id = :id", id=an_id)
    return found


async def deeds(engine: AsyncEngine) -> list[tuple[str, str, str, str]]:
    """The audit log, oldest first: who, what, to what, why."""
    found = await rows(engine, "SELECT actor, action, subject, reason FROM audit_log ORDER BY id")
    return [(row["actor"], row["action"], row["subject"], row["reason"]) for row in found]


async def open_causes(engine: AsyncEngine) -> list[str]:
    found = await rows(engine, "SELECT cause FROM alerts WHERE resolved_at IS NULL ORDER BY cause")
    return [row["cause"] for row in found]


async def open_alert(engine: AsyncEngine, kind: str, order_id: str = "1", details: str = "{}") -> None:
    await execute(
        engine,
        "INSERT INTO alerts (cause, kind, severity, title, order_ref, details)"
        " SELECT :cause, :kind, 'critical', 'look', id, CAST(CAST(:details AS text) AS jsonb)"
        " FROM orders WHERE order_id = :order_id",
        cause=f"{kind}:main/1688/{order_id}",
        kind=kind,
        order_id=order_id,
        details=details,
    )


async def unreleased(engine: AsyncEngine) -> int:
    return int(await value(engine, "SELECT coalesce(sum(amount_minor), 0) FROM spendings WHERE released_at IS NULL"))
