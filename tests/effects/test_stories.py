"""Stories told at random about one order: facts, deaths, lost answers, prices, plans, people, the kill switch.

Whatever happens, money moves once and never beyond its limits, and in the end nothing is stuck without an alert.
"""

import random
from collections.abc import Awaitable, Callable
from decimal import Decimal

import httpx2
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.effects.market import Market, MovedClock
from tests.effects.mortal import Life, walked
from tests.effects.test_impossible import ANN, dearer, is_pay
from tests.effects.world import World, key_of, live_on, mortal_hands
from tests.storage.database import execute, rows, value
from worker.broker.envelope import fact_event
from worker.domain.facts import Fact, Source, StatusSeen
from worker.domain.operators import RefusedError
from worker.domain.plans import Plan
from worker.domain.policy import Effect, Policy, SecondAttempt
from worker.storage import decision_store, pause_store, plan_store
from worker.storage.engine import transaction
from worker.storage.pause_store import Scope

DEEDS = 25
AWAIT_POINTS = 90
PLANS = (Plan(), Plan(auto_pay=False), Plan(cancel_reason="bought elsewhere"), Plan(planned_total=1))


class Story:
    def __init__(self, world: World, order_id: str, rng: random.Random) -> None:
        self.world = world
        self.order_id = order_id
        self.rng = rng
        self.approved = 0
        self.limit = world.policy.auto_pay_limit
        world.market.spoil = self.lose_some

    def deeds(self) -> list[Callable[[], Awaitable[object]]]:
        deaths = [self.die] * 3
        people = [self.plan, self.approve, self.pause, self.resume]
        return [self.read, self.hear, self.world.step, self.price, self.end_leases, *deaths, *people]

    async def lose_some(self, request: httpx2.Request, answer: httpx2.Response) -> httpx2.Response:
        if is_pay(request) and self.rng.random() < 0.4:
            raise httpx2.ReadError("lost")
        return answer

    async def read(self) -> None:
        await self.world.introduce(self.order_id)

    async def hear(self) -> None:
        now = MovedClock().now_ms()
        word = self.rng.choice(["waitbuyerpay", "waitsellersend", "no such word"])
        fact = Fact(key_of(self.order_id), Source.CALLBACK, StatusSeen(word), now, now)
        await self.world.survivor.publisher.publish(fact_event(fact))
        await self.world.catch_up()

    async def die(self) -> None:
        await self.world.make_due()
        life = Life(self.rng.randrange(1, AWAIT_POINTS))
        async with mortal_hands(self.world, life, self.world.policy) as hands:
            await live_on(self.world, life, hands, self.rng.choice([Effect.PAY, Effect.PAY, Effect.CANCEL]))

    async def price(self) -> None:
        if self.world.market.sandbox.world.orders[self.order_id].payable:
            dearer(self.world.market, self.order_id, self.rng.choice([-5, 5, 100_000]))

    async def plan(self) -> None:
        async with transaction(self.world.engine) as connection:
            plan = self.rng.choice(PLANS)
            await plan_store.put(connection, key_of(self.order_id), plan, requested_by="shop", reason="test")

    async def approve(self) -> None:
        for held in await rows(self.world.engine, "SELECT id, amount_minor FROM follow_ups WHERE effect = 'pay'"):
            try:
                decided = await decision_store.approve(
                    self.world.engine, held["id"], ANN, seen=held["amount_minor"], reason="fine",
                    policy_of=lambda _: self.world.policy,
                )  # fmt: skip
            except RefusedError:
                continue
            self.approved = max(self.approved, decided.approved_minor or 0)

    async def pause(self) -> None:
        await pause_store.pause(self.world.engine, ANN, Scope("main"), reason="look")

    async def resume(self) -> None:
        number = await value(self.world.engine, "SELECT id FROM pauses WHERE lifted_at IS NULL")
        if number is not None:
            await pause_store.resume(self.world.engine, ANN, number, reason="fine")

    async def end_leases(self) -> None:
        await execute(self.world.engine, "UPDATE follow_ups SET claimed_until = now() WHERE claimed_until > now()")

    async def check(self) -> None:
        ledgers = self.world.market.sandbox.ledgers
        taken = self.world.market.taken(self.order_id)
        assert len(taken) + len(ledgers.cancels) <= 1
        assert all(amount <= max(self.limit, self.approved) for amount in taken)
        assert sum(taken) <= await self.world.spending()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(6))
async def test_whatever_happens_money_moves_once_and_nothing_is_stuck(
    engine: AsyncEngine, database: str, seed: int
) -> None:
    rng = random.Random(seed)  # noqa: S311 - a shuffled story
    market = Market(orders=3, seed=seed + 1)
    order_id = next(order.order_id for order in market.orders() if order.payable)
    total = market.sandbox.world.orders[order_id].total_fen
    rule = SecondAttempt(attempts=2, quiet=0, reads=2)
    policy = Policy(
        auto_pay=True, auto_pay_limit=total + 1_000, price_tolerance=Decimal("0.02"), second_attempt=rule,
        daily_budget=10_000_000,
    )  # fmt: skip
    story = Story(World(engine, database, market, policy), order_id, rng)
    with walked():
        await story.read()
        for _ in range(DEEDS):
            await rng.choice(story.deeds())()
            await story.check()
    await story.resume()
    await story.world.calm()
    await story.check()
    assert await story.world.stuck() == []
