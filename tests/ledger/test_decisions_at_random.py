"""Whatever people do in whatever order: the audit log alone tells what is approved, and the ledger says the same."""

import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.ledger.stage import ANN, BOB, CID, OLE, VERA, add_follow_up, follow_up, four_eyes
from tests.storage.database import execute, rows
from worker.domain.operators import RefusedError
from worker.storage.decision_store import approve, reject, resolve, retry

STEPS = 40
LIMIT = 5_000
"""Of `four_eyes`: above it two people."""
AMOUNTS = (4_000, 6_000, 8_000)
PEOPLE = (ANN, ANN, BOB, BOB, CID, OLE, OLE, VERA)


async def reprice(engine: AsyncEngine, an_id: int, amount: int) -> None:
    """What reconcile does when the total of a held order changes."""
    await execute(
        engine,
        "UPDATE follow_ups SET amount_minor = :amount, state = CASE WHEN approved_minor >= :amount THEN 'planned'"
        " ELSE 'awaiting_approval' END WHERE id = :id AND state IN ('planned', 'awaiting_approval')",
        amount=amount,
        id=an_id,
    )


async def lose_an_answer(engine: AsyncEngine, an_id: int) -> None:
    """What an executor does whose call has no answer."""
    await execute(
        engine, "UPDATE follow_ups SET state = 'sending', attempts = attempts + 1 WHERE state = 'planned' AND id = :id",
        id=an_id,
    )  # fmt: skip
    await execute(engine, "UPDATE follow_ups SET state = 'unknown' WHERE state = 'sending' AND id = :id", id=an_id)


def a_step(chance: random.Random, engine: AsyncEngine, an_id: int) -> Callable[[], Awaitable[Any]]:
    who, amount = chance.choice(PEOPLE), chance.choice(AMOUNTS)
    steps: list[Callable[[], Awaitable[Any]]] = [
        lambda: approve(engine, an_id, who, seen=amount, reason="ok", policy_of=four_eyes),
        lambda: approve(engine, an_id, who, seen=amount, reason="ok", policy_of=four_eyes),
        lambda: approve(engine, an_id, who, seen=amount, reason="ok", policy_of=four_eyes),
        lambda: reprice(engine, an_id, amount),
        lambda: reprice(engine, an_id, amount),
        lambda: reject(engine, an_id, who, reason="no"),
        lambda: retry(engine, an_id, who, reason="again", checked="the list"),
        lambda: retry(engine, an_id, who, reason="again", checked="the list"),
        lambda: resolve(engine, an_id, who, done=False, reason="not there"),
        lambda: lose_an_answer(engine, an_id),
    ]
    return chance.choice(steps)


def enough(log: list[dict[str, Any]], amount: int, asked: str | None = None) -> bool:
    """Whether this amount is approved by what the log says since the last rejection; `asked`: who asked for it."""
    since = max((at + 1 for at, entry in enumerate(log) if entry["action"] == "reject"), default=0)
    approved: dict[str, int] = {}
    for entry in log[since:]:
        if entry["action"] == "approve":
            approved[entry["actor"]] = max(approved.get(entry["actor"], 0), entry["details"]["seen_minor"])
    people = {who for who, seen in approved.items() if seen >= amount}
    if amount <= LIMIT:
        return bool(people)
    return len(people - {asked}) >= 2


@pytest.mark.parametrize("seed", [0, 1, 2, 4, 8, 11])
async def test_the_log_and_the_ledger_tell_the_same(engine: AsyncEngine, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a test's choices
    an_id = await add_follow_up(engine, amount_minor=6_000)
    refused = 0
    for _ in range(STEPS):
        before = await follow_up(engine, an_id)
        logged = len(await rows(engine, "SELECT id FROM audit_log"))
        try:
            decided = await a_step(chance, engine, an_id)()
        except RefusedError:
            refused += 1
            assert await follow_up(engine, an_id) == before, "a refusal changes nothing"
            assert len(await rows(engine, "SELECT id FROM audit_log")) == logged
            continue
        row = await follow_up(engine, an_id)
        log = await rows(engine, "SELECT actor, action, details FROM audit_log ORDER BY id")
        if decided is not None:
            assert len(log) == logged + decided.changed
            assert (decided.state, decided.approved_minor) == (row["state"], row["approved_minor"])
        if row["approved_minor"] is not None:
            assert enough(log, row["approved_minor"])
        if decided is not None and decided.changed and log[-1]["action"] == "approve":
            asked = next((entry["actor"] for entry in reversed(log) if entry["action"] == "retry"), None)
            assert (row["state"] == "planned") == enough(log, row["amount_minor"], asked)
    assert refused, "else the steps prove nothing"
