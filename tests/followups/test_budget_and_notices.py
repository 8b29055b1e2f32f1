"""Budgets at the borders of Beijing's days and months, and the warehouse told once per change."""

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.followups.stage import Stage
from tests.storage.database import execute, rows, value
from worker.domain.clock import SystemClock, to_datetime
from worker.storage import budget_store, follow_up_wants
from worker.storage.engine import transaction

NOTICE = "update_domestic_logistics"


@pytest.fixture
async def stage(engine: AsyncEngine) -> Stage:
    stage = Stage(engine)
    await stage.unpaid_order()
    return stage


async def spend(stage: Stage, amount: int, when: str) -> None:
    """`when`: SQL over `day` and `month`, the beginnings of Beijing's day and month."""
    await execute(
        stage.engine,
        "INSERT INTO spendings (claim_token, follow_up_id, account, amount_minor, spent_at)"  # noqa: S608 - our own words
        f" SELECT gen_random_uuid(), f.id, 'main', {amount}, {when} FROM follow_ups f,"
        " (SELECT date_trunc('day', now(), 'Asia/Shanghai') AS day, date_trunc('month', now(), 'Asia/Shanghai') AS"
        " month) AS b WHERE f.effect = 'pay'",
    )


async def test_days_and_months_begin_at_midnight_in_beijing(stage: Stage) -> None:
    await spend(stage, 1, "day")
    await spend(stage, 10, "greatest(day - interval '1 microsecond', month)")
    await spend(stage, 100, "month - interval '1 microsecond'")
    await spend(stage, 1_000, "now()")
    first_day = await value(
        stage.engine,
        "SELECT date_trunc('day', now(), 'Asia/Shanghai') = date_trunc('month', now(), 'Asia/Shanghai')",
    )
    async with stage.engine.connect() as connection:
        spent = await budget_store.spent(connection, "main")
        other = await budget_store.spent(connection, "other")
        left = await connection.exec_driver_sql(
            "SELECT extract(epoch FROM date_trunc('day', now() + interval '1 day', 'Asia/Shanghai') - now()) * 1000"
        )
        assert spent.day_ends_in == pytest.approx(float(left.scalar_one()), abs=2)
    assert (spent.day, spent.month) == (1_011 if first_day else 1_001, 1_011)
    assert (other.day, other.month) == (0, 0)
    assert 0 < spent.day_ends_in <= 86_400_000
    assert spent.day_ends_in <= spent.month_ends_in <= 31 * 86_400_000


async def test_what_was_released_does_not_count(stage: Stage) -> None:
    await spend(stage, 5, "now()")
    await execute(stage.engine, "UPDATE spendings SET released_at = now()")
    async with stage.engine.connect() as connection:
        assert (await budget_store.spent(connection, "main")).day == 0


class Notices:
    """An order whose parcels change, and a warehouse that is told of it at once."""

    def __init__(self, stage: Stage) -> None:
        self.engine = stage.engine

    async def parcels_are(self, purpose: str, *, tell: bool = True) -> list[str]:
        """Reconcile twice what is wanted now; which notices were sent of it."""
        for _ in range(2):
            ref = int(await value(self.engine, "SELECT id FROM orders"))
            due = to_datetime(SystemClock().now_ms())
            async with transaction(self.engine) as connection:
                row = (ref, "main", NOTICE, purpose, None, None, due, None)
                await follow_up_wants.cancel_unwanted(connection, [ref], [(ref, NOTICE, purpose)])
                await follow_up_wants.want_effects(connection, [row])
            if tell:
                await self.send()
        return [
            row["purpose"].partition("#")[0]
            for row in await rows(
                self.engine,
                "SELECT purpose FROM follow_ups f JOIN follow_up_attempts a ON a.follow_up_id = f.id ORDER BY a.id",
            )
        ]

    async def send(self) -> None:
        due = f"effect = '{NOTICE}' AND state = 'planned'"
        await execute(
            self.engine,
            "INSERT INTO follow_up_attempts (follow_up_id, claim_token, operation, evidence, finished_at)"  # noqa: S608
            f" SELECT id, gen_random_uuid(), 'x', '{{}}', now() FROM follow_ups WHERE {due}",
        )
        await execute(self.engine, f"UPDATE follow_ups SET state = 'sending', attempts = attempts + 1 WHERE {due}")  # noqa: S608
        await execute(self.engine, "UPDATE follow_ups SET state = 'succeeded' WHERE state = 'sending'")


@pytest.mark.parametrize(
    ("story", "told"),
    [
        ("A", "A"),
        ("AA", "A"),
        ("ABA", "ABA"),
        ("ABAB", "ABAB"),
        ("ABABA", "ABABA"),
        ("AbA", "A"),
        ("AbB", "AB"),
        ("AbCB", "ACB"),
        ("AbCBCB", "ACBCB"),
        ("AbcaB", "AB"),
        ("ABbaA", "ABA"),
    ],
)
async def test_the_warehouse_is_told_once_per_change(stage: Stage, story: str, told: str) -> None:
    """A letter is what the parcels are; a small one: they changed again before the warehouse could be told."""
    notices = Notices(stage)
    sent: list[str] = []
    for parcels in story:
        sent = await notices.parcels_are(parcels.upper(), tell=parcels.isupper())
    assert sent == list(told)
