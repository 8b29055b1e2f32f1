"""The watchdog pulls the kill switch once, says so, and only a person lets the account go on."""

import asyncio

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.followups.stage import UNCLEAR, Stage, answering
from tests.reconcile.stage import PAYING
from tests.storage.database import execute, rows, value
from worker.domain.operators import Actor, Role
from worker.domain.policy import Breakers, Policy
from worker.followups.watchdog import Watchdog
from worker.storage import pause_store

OLE = Actor("ole", frozenset({Role.OPERATOR}))


@pytest.fixture
async def stage(engine: AsyncEngine) -> Stage:
    return Stage(engine)


def watchdog(stage: Stage, breakers: Breakers) -> Watchdog:
    return Watchdog(stage.engine, {"main": Policy(breakers=breakers)}, interval_s=1.0, sleep=asyncio.sleep)


async def resume(stage: Stage) -> None:
    number = await value(stage.engine, "SELECT id FROM pauses WHERE lifted_at IS NULL")
    await pause_store.resume(stage.engine, OLE, number, reason="looked at it")


async def unknowns(stage: Stage, *order_ids: str) -> None:
    stage.market.pay_call = answering(UNCLEAR)
    for order_id in order_ids:
        await stage.unpaid_order(order_id)
    await stage.pay_due()


async def test_too_many_unknowns_stop_the_account_once(stage: Stage) -> None:
    dog = watchdog(stage, Breakers(unknowns=2, hourly_factor=0))
    await unknowns(stage, "1")
    assert await dog.look_once() == ()
    await unknowns(stage, "2")
    both = await asyncio.gather(dog.look_once(), watchdog(stage, Breakers(unknowns=2, hourly_factor=0)).look_once())
    assert sorted(both) == [(), ("main",)]
    assert await dog.look_once() == ()
    assert (await stage.open_alerts()).count("effects_stopped") == 1
    await stage.unpaid_order("3")
    await stage.pay_due()
    assert sorted(stage.market.calls) == ["1", "2"]
    (pause,) = await rows(stage.engine, "SELECT account, effect, automatic, actor, lifted_at FROM pauses")
    assert pause == {"account": "main", "effect": None, "automatic": True, "actor": "worker", "lifted_at": None}


async def test_after_a_person_resumed_only_new_unknowns_stop_it_again(stage: Stage) -> None:
    dog = watchdog(stage, Breakers(unknowns=2, hourly_factor=0))
    await unknowns(stage, "1", "2")
    assert await dog.look_once() == ("main",)
    await resume(stage)
    assert "effects_stopped" not in await stage.open_alerts()
    assert await dog.look_once() == ()
    await unknowns(stage, "3")
    assert await dog.look_once() == ()
    await unknowns(stage, "4")
    assert await dog.look_once() == ("main",)


async def test_money_that_leaves_faster_than_usual_stops_the_account(stage: Stage) -> None:
    dog = watchdog(stage, Breakers(unknowns=0, hourly_factor=2, hourly_floor=25_000))
    for order_id in ("1", "2"):
        await stage.unpaid_order(order_id)
    await stage.pay_due()
    assert await dog.look_once() == (), "20 000 are not above the floor"
    await stage.unpaid_order("3")
    await stage.pay_due()
    assert await dog.look_once() == ("main",)
    await resume(stage)
    assert await dog.look_once() == (), "who resumes has seen what was spent before"


async def test_what_is_usual_is_the_mean_hour_of_the_week_before(stage: Stage) -> None:
    await stage.unpaid_order("1")
    await stage.pay_due()
    await execute(
        stage.engine,
        "INSERT INTO spendings (claim_token, follow_up_id, account, amount_minor, spent_at)"
        " SELECT gen_random_uuid(), id, account, 167 * 6000, now() - interval '2 days' FROM follow_ups"
        " WHERE effect = 'pay'",
    )
    assert await watchdog(stage, Breakers(unknowns=0, hourly_factor=2)).look_once() == (), "10 000 against 2 * 6 000"
    await execute(stage.engine, "UPDATE spendings SET released_at = now() WHERE amount_minor > 10000")
    assert await watchdog(stage, Breakers(unknowns=0, hourly_factor=2)).look_once() == ("main",)


async def test_rules_that_are_off_stop_nothing(stage: Stage) -> None:
    await unknowns(stage, "1", "2", "3")
    assert await watchdog(stage, Breakers(unknowns=0, hourly_factor=0)).look_once() == ()
    assert PAYING.breakers.unknowns > 3
