"""Two people, or one person twice, at the same moment: one after the other, never both of two contradicting words."""

import asyncio

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.ledger.stage import ANN, BOB, CID, OLE, add_follow_up, deeds, follow_up, four_eyes, one_is_enough
from tests.storage.database import value
from worker.domain.effects import EffectState
from worker.domain.operators import RefusedError
from worker.storage.decision_store import Decided, approve, reject, retry


@pytest.mark.parametrize("_round", range(5))
async def test_two_approvers_at_once_are_two(engine: AsyncEngine, _round: int) -> None:
    an_id = await add_follow_up(engine)
    decided = await asyncio.gather(
        approve(engine, an_id, ANN, seen=10_000, reason="ok", policy_of=four_eyes),
        approve(engine, an_id, BOB, seen=10_000, reason="ok", policy_of=four_eyes),
    )
    assert sorted(one.state for one in decided) == [EffectState.AWAITING_APPROVAL, EffectState.PLANNED]
    assert (await follow_up(engine, an_id))["approved_minor"] == 10_000


@pytest.mark.parametrize("_round", range(5))
async def test_one_approver_many_times_at_once_is_still_one(engine: AsyncEngine, _round: int) -> None:
    an_id = await add_follow_up(engine)
    decided = await asyncio.gather(
        *(approve(engine, an_id, ANN, seen=10_000, reason="ok", policy_of=four_eyes) for _ in range(5))
    )
    assert sum(one.changed for one in decided) == 1
    assert {(one.state, one.missing) for one in decided} == {(EffectState.AWAITING_APPROVAL, 1)}
    assert await value(engine, "SELECT count(*) FROM approvals") == 1
    assert len(await deeds(engine)) == 1


@pytest.mark.parametrize("_round", range(5))
async def test_approve_against_reject_ends_in_the_order_of_the_log(engine: AsyncEngine, _round: int) -> None:
    an_id = await add_follow_up(engine)
    ends = await asyncio.gather(
        approve(engine, an_id, ANN, seen=10_000, reason="ok", policy_of=one_is_enough),
        reject(engine, an_id, OLE, reason="no"),
        return_exceptions=True,
    )
    row = await follow_up(engine, an_id)
    logged = [deed[1] for deed in await deeds(engine)]
    # A rejection is possible before and after an approval; an approval only before the rejection.
    assert (row["state"], row["approved_minor"]) == ("rejected", None)
    if logged == ["reject"]:
        assert isinstance(ends[0], RefusedError)
    else:
        assert logged == ["approve", "reject"]
        assert isinstance(ends[0], Decided)


@pytest.mark.parametrize("_round", range(5))
async def test_an_approval_that_waited_behind_a_rejection_does_not_outlive_it(engine: AsyncEngine, _round: int) -> None:
    """Both begun before either has the lock: the times that count are those of the deeds."""
    an_id = await add_follow_up(engine)
    await asyncio.gather(
        approve(engine, an_id, ANN, seen=10_000, reason="ok", policy_of=four_eyes),
        reject(engine, an_id, OLE, reason="no"),
        return_exceptions=True,
    )
    await retry(engine, an_id, OLE, reason="again")
    async with engine.begin() as connection:
        await connection.exec_driver_sql("UPDATE follow_ups SET state = 'awaiting_approval'")
    decided = await approve(engine, an_id, BOB, seen=10_000, reason="ok", policy_of=four_eyes)
    assert (decided.state, decided.missing) == (EffectState.AWAITING_APPROVAL, 1)


async def test_many_retries_at_once_are_one(engine: AsyncEngine) -> None:
    an_id = await add_follow_up(engine, state="rejected")
    ends = await asyncio.gather(*(retry(engine, an_id, CID, reason="again") for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(end, Decided) for end in ends) == 1
    assert sum(isinstance(end, RefusedError) for end in ends) == 4
    assert len(await deeds(engine)) == 1
