"""A plan that was set aside can be sent again once what it lacked is there; the letter learns what came of it."""

import uuid

from sqlalchemy.ext.asyncio import AsyncEngine

from tests.intake.test_plan_records import Written
from tests.ledger.stage import OLE
from tests.storage.database import rows
from worker.broker.envelope import REPLAY_HEADER
from worker.broker.topics import CONSUMED, PLANS, TopicNames
from worker.intake.plans import PlanIntake
from worker.operations.dead_letters import service
from worker.storage.dead_letter_replays import Selection


async def states(engine: AsyncEngine) -> list[str]:
    return [row["state"] for row in await rows(engine, "SELECT state FROM dead_letters ORDER BY id")]


async def replayed(engine: AsyncEngine) -> Written:
    """The record as a replay of the only letter sends it."""
    await service.replay(
        engine, OLE, Selection(topic=PLANS), reason="the account is there now", nonce=str(uuid.uuid4()), topics=CONSUMED
    )
    (letter,) = await rows(engine, "SELECT id, replay_id FROM dead_letters")
    return Written(headers=[(REPLAY_HEADER, f"{letter['id']}/{letter['replay_id']}".encode())], offset=7)


async def test_a_letter_is_settled_by_the_plan_that_was_taken(engine: AsyncEngine) -> None:
    await PlanIntake(engine, ["second"]).handle([Written()])
    assert await states(engine) == ["open"]
    again = await replayed(engine)
    assert await states(engine) == ["replaying"]
    await PlanIntake(engine, ["main"]).handle([again])
    assert await states(engine) == ["resolved"]
    assert [row["version"] for row in await rows(engine, "SELECT version FROM plans")] == [1]


async def test_a_replay_that_fails_again_opens_its_letter_and_makes_no_second_one(engine: AsyncEngine) -> None:
    await PlanIntake(engine, ["second"]).handle([Written()])
    await PlanIntake(engine, ["second"]).handle([await replayed(engine)])
    assert await states(engine) == ["open"]
    assert await rows(engine, "SELECT version FROM plans") == []


async def test_a_replay_of_a_letter_that_nobody_has_is_kept_as_one(engine: AsyncEngine) -> None:
    stray = Written(headers=[(REPLAY_HEADER, b"99/1")])
    await PlanIntake(engine, ["second"]).handle([stray])
    assert await states(engine) == ["open"]


def test_plans_can_be_replayed_like_facts() -> None:
    assert TopicNames("shop.").consumed[-1] == "shop.orders.plans.v1"
