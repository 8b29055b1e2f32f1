"""The one statement reads what the product wrote."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.storage.database import execute
from worker.promises import changes, rest
from worker.promises.rows import LEDGER, read_ledger

WRITTEN = """
INSERT INTO orders (account, platform, order_id, status, evidence)
VALUES ('main', '1688', '1', 'awaiting_payment', '{}');
INSERT INTO follow_ups (order_ref, account, effect, purpose) SELECT id, 'main', 'pay', 'full' FROM orders;
INSERT INTO follow_up_attempts (follow_up_id, claim_token, operation, amount_minor, evidence, sent_at)
SELECT id, '00000000-0000-0000-0000-000000000001', 'order_pay', 5, '{"plan_version": 3}', '2026-01-01T00:00:00Z'
FROM follow_ups;
INSERT INTO approvals (follow_up_id, decision, amount_minor, actor, reason)
SELECT id, 'approve', 5, 'ann', 'fine' FROM follow_ups;
INSERT INTO pauses (account, reason, actor, created_at) VALUES ('main', 'stop', 'ann', '2026-01-01T00:00:00Z')
"""


async def test_the_ledger_is_read_in_one_statement(engine: AsyncEngine) -> None:
    for statement in WRITTEN.split(";"):
        await execute(engine, statement)
    async with engine.connect() as connection:
        ledger = read_ledger((await connection.execute(text(LEDGER))).scalar_one())
        for statement in (changes.MADE, rest.LEFT, rest.MUTE, rest.LETTERS):
            await connection.execute(text(statement))
    (follow_up,), (attempt,), (pause,) = ledger.follow_ups, ledger.attempts, ledger.pauses
    assert (follow_up.order_id, follow_up.effect, follow_up.state) == ("1", "pay", "planned")
    assert (attempt.follow_up_id, attempt.plan_version, attempt.sent_at) == (follow_up.id, 3, 1_767_225_600_000)
    assert (pause.opened_at, pause.lifted_at) == (1_767_225_600_000, None)
    assert [word.actor for word in ledger.approvals] == ["ann"]
    assert ledger.spendings == []


HELD_BACK = """
INSERT INTO orders (account, platform, order_id, status, evidence)
VALUES ('main', '1688', '1', 'awaiting_payment', '{}');
INSERT INTO follow_ups (order_ref, account, effect, purpose, state, budget_refusals, reason, updated_at, due_at)
SELECT id, 'main', 'pay', 'full', 'planned', 1, 'the account''s daily budget does not allow it now',
    now() - interval '1 minute', now() + interval '9 minutes' FROM orders
"""
ALERT = """
INSERT INTO alerts (cause, kind, severity, title, details)
VALUES ('daily', 'budget_exhausted', 'critical', 'Payments wait.', jsonb_build_object('account', 'main'))
"""
RELEASED = """
INSERT INTO spendings (claim_token, follow_up_id, account, amount_minor, spent_at, released_at)
SELECT '00000000-0000-0000-0000-000000000002', id, 'main', 5, now(), now() FROM follow_ups
"""


async def words(engine: AsyncEngine, statement: str) -> list[str]:
    async with engine.connect() as connection:
        return [row[0] for row in await connection.execute(text(statement))]


async def test_what_the_budget_holds_back_is_at_rest_but_never_silently(engine: AsyncEngine) -> None:
    for statement in HELD_BACK.split(";"):
        await execute(engine, statement)
    assert await words(engine, rest.LEFT) == []
    assert await words(engine, rest.MUTE) == ["what is over budget, pay of 1,"]
    await execute(engine, ALERT)
    assert await words(engine, rest.MUTE) == []


async def test_once_money_is_free_again_what_was_held_back_is_work_that_is_left(engine: AsyncEngine) -> None:
    for statement in HELD_BACK.split(";"):
        await execute(engine, statement)
    await execute(engine, RELEASED)
    assert len(await words(engine, rest.LEFT)) == 1
    await execute(engine, "DELETE FROM spendings")
    await execute(engine, "UPDATE follow_ups SET due_at = now(), updated_at = now()")
    assert len(await words(engine, rest.LEFT)) == 1, "it was woken, and is to be judged again"
