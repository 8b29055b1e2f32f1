"""When nobody knows whether the money moved: never a second call, only reads, until the marketplace tells."""

import asyncio
import random

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.followups.stage import NEEDS_PERSON, PAID, UNCLEAR, FakeMarketplace, Stage, answering, paused_call
from tests.storage.database import execute, rows, value
from worker.domain.effects import EffectState
from worker.followups.executor import LEASE_S
from worker.marketplaces.port import EffectAnswer, EffectOutcome, NotSentError
from worker.storage import follow_up_claims
from worker.storage.engine import transaction
from worker.storage.follow_up_claims import Claim
from worker.storage.follow_up_sending import Beginning, Ending, begin_many, end_many

UNCLEAR_ANSWERS: dict[str, EffectAnswer | Exception] = {
    "a time-out": EffectAnswer(EffectOutcome.UNCLEAR, "RetryableError: no answer: TimeoutError"),
    "a refusal, which has been said of money that was taken": EffectAnswer(
        EffectOutcome.UNCLEAR, "RejectedError: code 400"
    ),
    "an answer nobody can read": EffectAnswer(
        EffectOutcome.UNCLEAR, "UnreadableError: HTTP 200 with a body that is no JSON"
    ),
    "a bug of ours after the call": ZeroDivisionError("division by zero"),
}


@pytest.fixture
async def stage(engine: AsyncEngine) -> Stage:
    return Stage(engine)


async def everything_else(stage: Stage) -> None:
    """All that could tempt a worker into paying again."""
    for total in (10_000, 60_000, 9_000):
        stage.market.show("1", "waitbuyerpay", total)
        await stage.hear("waitbuyerpay")
        await stage.read_due()
        await stage.make_due()
        await stage.recovery.recover_once()
        await stage.end_leases()
        await stage.pay_due()
        await stage.beside().pay_due()


@pytest.mark.parametrize("name", UNCLEAR_ANSWERS)
async def test_an_answer_that_is_not_definite_makes_it_unknown_for_good(stage: Stage, name: str) -> None:
    await stage.unpaid_order()
    stage.market.pay_call = answering(UNCLEAR_ANSWERS[name])
    await stage.pay_due()
    assert await stage.state() == "unknown"
    assert await stage.open_alerts() == ["payment_unknown"]
    (attempt,) = await stage.attempts()
    assert attempt["outcome"] == "unclear"
    assert attempt["finished_at"] is not None
    stage.market.pay_call = answering(PAID)
    await everything_else(stage)
    assert stage.market.calls == ["1"]
    assert await stage.state() == "unknown"
    assert await stage.open_alerts() == ["payment_unknown"]


@pytest.mark.parametrize(
    ("word", "paid", "state"),
    [("waitsellersend", True, "succeeded"), ("waitbuyerpay", True, "succeeded"), ("cancel", False, "rejected")],
)
async def test_a_read_settles_it_and_resolves_the_alert(stage: Stage, word: str, paid: bool, state: str) -> None:  # noqa: FBT001 - a table of cases
    await stage.unpaid_order()
    stage.market.pay_call = answering(UNCLEAR)
    await stage.pay_due()
    stage.market.show("1", word, paid=paid)
    await stage.read_due()
    assert await stage.state() == state
    assert await stage.open_alerts() == []
    actions = [row["action"] for row in await rows(stage.engine, "SELECT action FROM alert_notices ORDER BY id")]
    assert actions == ["opened", "resolved"]
    await everything_else(stage)
    assert stage.market.calls == ["1"]


async def test_a_callback_alone_settles_nothing(stage: Stage) -> None:
    await stage.unpaid_order()
    stage.market.pay_call = answering(UNCLEAR)
    await stage.pay_due()
    await stage.hear("waitsellersend")
    assert await stage.state() == "unknown"


async def test_it_is_read_at_once_and_then_more_and_more_rarely(stage: Stage) -> None:
    await stage.unpaid_order()
    stage.market.pay_call = answering(UNCLEAR)
    await stage.pay_due()
    pauses = []
    for _ in range(14):
        await stage.make_due()
        await stage.recovery.recover_once()
        assert await stage.wanted_reads() == 1
        await stage.read_due()
        payment = await stage.payment()
        pauses.append((payment["due_at"] - payment["updated_at"]).total_seconds())
    assert pauses[:4] == [1, 2, 4, 8]
    assert max(pauses) == pauses[-1] == 3600
    assert stage.market.calls == ["1"]


async def test_a_worker_killed_during_the_call_leaves_an_unknown_once_its_lease_is_over(stage: Stage) -> None:
    await stage.unpaid_order()
    async with paused_call(stage) as (paying, _):
        paying.cancel()
        await asyncio.wait([paying])
    assert await stage.state() == "sending"
    assert await stage.recovery.recover_once() == 0, "the lease is not over"
    await stage.pay_due()
    assert stage.market.calls == ["1"]
    await stage.end_leases()
    assert await stage.recovery.recover_once() == 1
    assert await stage.state() == "unknown"
    assert await stage.open_alerts() == ["payment_unknown"]
    (attempt,) = await stage.attempts()
    assert attempt["outcome"] == "unknown"
    await everything_else(stage)
    assert stage.market.calls == ["1"]
    stage.market.show("1", "waitsellersend", paid=True)
    await stage.hear("waitsellersend")
    await stage.read_due()
    assert await stage.state() == "succeeded"
    assert await stage.open_alerts() == []


async def test_an_answer_after_the_lease_changes_nothing(stage: Stage) -> None:
    """The zombie's answer may be right, yet somebody else has taken over: the next read tells."""
    await stage.unpaid_order()
    async with paused_call(stage) as (paying, go_on):
        await stage.end_leases()
        await stage.recovery.recover_once()
        go_on.set()
        await paying
    assert await stage.state() == "unknown"
    (attempt,) = await stage.attempts()
    assert (attempt["outcome"], attempt["answer"]) == ("unknown", None)
    assert await stage.wanted_reads() == 1
    stage.market.show("1", "waitsellersend", paid=True)
    await stage.read_due()
    assert await stage.state() == "succeeded"


async def test_several_recoveries_at_once_make_one_unknown_and_one_alert(stage: Stage) -> None:
    for number in ("1", "2", "3"):
        await stage.unpaid_order(number)
    async with paused_call(stage) as (paying, _):
        paying.cancel()
        await asyncio.wait([paying])
    await stage.end_leases()
    # Written as sent, and perhaps not called yet when the executor died: nobody can tell, so both are unknown.
    abandoned = await value(stage.engine, "SELECT count(*) FROM follow_ups WHERE state = 'sending'")
    assert abandoned >= len(stage.market.calls) >= 1
    expired = await asyncio.gather(*(stage.beside().recovery.recover_once() for _ in range(5)))
    sending = await value(stage.engine, "SELECT count(*) FROM follow_ups WHERE state = 'sending'")
    assert (sum(expired), sending) == (abandoned, 0)
    assert await value(stage.engine, "SELECT count(*) FROM alert_notices") == abandoned


def ending(held: Claim, state: EffectState = EffectState.SUCCEEDED) -> Ending:
    return Ending(held, state, "late", 0, "done")


async def begin(stage: Stage, held: Claim) -> bool:
    async with transaction(stage.engine) as connection:
        call = Beginning(held, "order_pay", {}, {}, 10_000, spends=True)
        return held.id in await begin_many(connection, [call], lease_s=LEASE_S)


async def end(stage: Stage, held: Claim) -> bool:
    async with transaction(stage.engine) as connection:
        return held.id in await end_many(connection, [ending(held)])


async def test_a_zombie_whose_lease_ended_may_not_begin(stage: Stage) -> None:
    await stage.unpaid_order()
    (held,) = await stage.executor_claims()
    await stage.end_leases()
    assert await begin(stage, held) is False
    await stage.pay(held)
    assert stage.market.calls == []
    assert await stage.attempts() == []


async def test_a_zombie_whose_claim_was_taken_over_may_neither_begin_nor_end_nor_release(stage: Stage) -> None:
    await stage.unpaid_order()
    (zombie,) = await stage.executor_claims()
    await stage.end_leases()
    (held,) = await stage.executor_claims()
    assert await begin(stage, zombie) is False
    assert await begin(stage, held) is True
    assert await begin(stage, held) is False, "an attempt is begun once"
    assert await end(stage, zombie) is False
    async with transaction(stage.engine) as connection:
        assert not await follow_up_claims.release(
            connection, zombie, state=EffectState.PLANNED, reason=None, pause=0, failed=False
        )
    assert await stage.state() == "sending"
    assert await end(stage, held) is True
    assert await end(stage, held) is False
    assert len(await stage.attempts()) == 1


async def test_a_claim_is_of_one_executor_alone(stage: Stage) -> None:
    for number in range(9):
        await stage.unpaid_order(str(number))
    claimed = await asyncio.gather(*(stage.beside().executor_claims() for _ in range(6)))
    ids = [held.id for held_by_one in claimed for held in held_by_one]
    assert len(ids) == len(set(ids)) == 9


async def test_the_database_going_away_after_the_call_leaves_it_to_recovery(stage: Stage) -> None:
    """Every connection of the worker is cut while the marketplace answers "paid"."""
    await stage.unpaid_order()

    async def cut(_order_id: str) -> EffectAnswer:
        await execute(stage.engine, "ALTER TABLE follow_up_attempts RENAME TO gone")
        return PAID

    stage.market.pay_call = cut
    with pytest.raises(Exception, match="follow_up_attempts"):
        await stage.pay_due()
    await execute(stage.engine, "ALTER TABLE gone RENAME TO follow_up_attempts")
    assert await stage.state() == "sending"
    await stage.end_leases()
    await stage.recovery.recover_once()
    assert await stage.state() == "unknown"
    assert stage.market.calls == ["1"]


ANSWERS: tuple[EffectAnswer | Exception, ...] = (
    PAID,
    UNCLEAR,
    NEEDS_PERSON,
    NotSentError("no connection"),
    KeyError("x"),
)


@pytest.mark.parametrize("seed", range(8))
async def test_whatever_happens_in_whatever_order_money_is_asked_for_once(engine: AsyncEngine, seed: int) -> None:
    """Thirty deeds at random, two workers, one order. The fake counts the calls that may have moved money."""
    rng = random.Random(seed)  # noqa: S311 - a shuffled story
    asked_for: list[int] = []
    market = FakeMarketplace()
    stage = Stage(engine, market)
    other = stage.beside()
    await stage.unpaid_order()

    async def call(order_id: str) -> EffectAnswer:
        answer = rng.choice(ANSWERS)
        if isinstance(answer, NotSentError):
            raise answer
        amounts = market.shown[order_id].amounts
        assert amounts is not None
        asked_for.append(amounts.total)
        if rng.random() < 0.4:
            market.show(order_id, "waitsellersend", amounts.total, paid=True)
        return await answering(answer)(order_id)

    market.pay_call = call

    async def price(total: int) -> None:
        life = market.shown["1"].lifecycle
        if life is not None and life.word == "waitbuyerpay":
            market.show("1", "waitbuyerpay", total)

    async def both() -> None:
        await asyncio.gather(stage.pay_due(), other.pay_due(), return_exceptions=True)

    async def die() -> None:
        paying = asyncio.create_task(stage.pay_due())
        for _ in range(rng.randrange(40)):
            await asyncio.sleep(0)
        paying.cancel()
        await asyncio.gather(paying, return_exceptions=True)

    deeds = (
        lambda: stage.hear(rng.choice(["waitbuyerpay", "waitsellersend", "no such word"])),
        lambda: price(rng.choice([10_000, 10_200, 9_000, 10_201, 60_000])),
        stage.read_due,
        other.read_due,
        stage.make_due,
        stage.end_leases,
        stage.recovery.recover_once,
        both,
        both,
        die,
        stage.catch_up,
    )
    for _ in range(30):
        await rng.choice(deeds)()
    assert len(asked_for) <= 1
    assert all(total <= 10_200 for total in asked_for)
    attempts = await stage.attempts()
    assert len([attempt for attempt in attempts if attempt["outcome"] != "not_sent"]) <= 1
