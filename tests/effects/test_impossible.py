"""What must be impossible, held against the marketplace's own books: money that moves twice, or without leave."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx2
import msgspec
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.effects.market import HOUR_MS, Market, MovedClock
from tests.effects.world import Hands, World, connected, key_of
from tests.storage.database import execute, rows, value
from worker.broker.envelope import fact_event
from worker.domain.facts import Fact, Source, StatusSeen
from worker.domain.identity import Platform
from worker.domain.operators import Actor, Role
from worker.domain.plans import Plan
from worker.domain.policy import Effect, Policy, SecondAttempt
from worker.storage import decision_store, pause_store, plan_store
from worker.storage.engine import transaction
from worker.storage.pause_store import Scope

ANN = Actor("ann", frozenset({Role.APPROVER, Role.OPERATOR}))
PAYING = Policy(auto_pay=True, auto_pay_limit=10_000_000, price_tolerance=Decimal("0.02"))
TWICE = SecondAttempt(attempts=2, quiet=0, reads=2)


class Stop(httpx2.ReadError):
    """The connection broke after the marketplace had acted."""


def is_pay(request: httpx2.Request) -> bool:
    return "/pay" in request.url.path


@pytest.fixture
def market() -> Market:
    return Market(orders=20)


@pytest.fixture
def world(engine: AsyncEngine, database: str, market: Market) -> World:
    return World(engine, database, market, PAYING)


async def unpaid(world: World) -> str:
    order_id = next(order.order_id for order in world.market.orders() if order.payable)
    await world.introduce(order_id)
    assert await world.states(Effect.PAY, order_id) == ["planned"]
    return order_id


def once_paid(world: World, order_id: str) -> None:
    total = world.market.sandbox.world.orders[order_id].total_fen
    assert world.market.taken(order_id) == [total]


async def lose_answers(request: httpx2.Request, answer: httpx2.Response) -> httpx2.Response:
    if is_pay(request):
        raise Stop("the answer is lost")
    return answer


async def test_the_answer_is_lost(world: World) -> None:
    order_id = await unpaid(world)
    world.market.spoil = lose_answers
    await world.calm()
    once_paid(world, order_id)
    assert await world.states(Effect.PAY, order_id) == ["succeeded"]
    assert await world.open_alerts() == []


async def test_the_answer_says_failed_though_the_money_was_taken(world: World) -> None:
    order_id = await unpaid(world)
    world.policy = msgspec.structs.replace(PAYING, second_attempt=TWICE)

    async def say_failed(request: httpx2.Request, answer: httpx2.Response) -> httpx2.Response:
        refusal = b'{"requestId":"1","code":50010,"developId":null,"msg":"payment failed","data":null}'
        return httpx2.Response(200, content=refusal) if is_pay(request) else answer

    world.market.spoil = say_failed
    await world.calm()
    once_paid(world, order_id)
    assert await world.states(Effect.PAY, order_id) == ["succeeded"]


async def test_the_callback_and_our_answer_race(world: World) -> None:
    """The callback, and even a read that shows the order as paid, are reconciled before the answer, which is lost."""
    order_id = await unpaid(world)

    async def tell_first(request: httpx2.Request, answer: httpx2.Response) -> httpx2.Response:
        if is_pay(request):
            world.market.spoil = None
            now = MovedClock().now_ms()
            paid = Fact(key_of(order_id), Source.CALLBACK, StatusSeen("waitsellersend"), now, now)
            hands = world.survivor
            await hands.publisher.publish(fact_event(paid))
            await world.catch_up()
            await world.introduce(order_id)
            assert await world.states(Effect.PAY, order_id) == ["sending"], "only its executor ends a call"
            raise Stop("the answer comes last, and broken")
        return answer

    world.market.spoil = tell_first
    await world.calm()
    once_paid(world, order_id)
    assert await world.states(Effect.PAY, order_id) == ["succeeded"]
    assert await world.open_alerts() == []


async def test_a_zombie_that_wakes_after_its_lease_and_after_another_has_paid(world: World) -> None:
    order_id = await unpaid(world)
    stopped, wake = asyncio.Event(), asyncio.Event()

    async def hold_the_read(request: httpx2.Request, answer: httpx2.Response) -> httpx2.Response:
        if not is_pay(request) and not stopped.is_set():
            stopped.set()
            await wake.wait()
        return answer

    world.market.spoil = hold_the_read
    zombie = asyncio.create_task(world.survivor.work(Effect.PAY))
    await asyncio.wait_for(stopped.wait(), 10)
    await execute(world.engine, "UPDATE follow_ups SET claimed_until = now() - interval '1 s' WHERE effect = 'pay'")
    await world.survivor.work(Effect.PAY)
    wake.set()
    await zombie
    await world.calm()
    once_paid(world, order_id)
    assert await value(world.engine, "SELECT count(*) FROM follow_up_attempts") == 1


async def test_one_whose_presence_was_lost_answers_after_the_recovery(world: World) -> None:
    """Its call is under way when its lock is gone: it is unknown at once, and its late answer changes nothing."""
    order_id = await unpaid(world)
    called, go_on = asyncio.Event(), asyncio.Event()

    async def hold_the_answer(request: httpx2.Request, answer: httpx2.Response) -> httpx2.Response:
        if is_pay(request):
            called.set()
            await go_on.wait()
        return answer

    class Gone:
        holder = 4711

    world.market.spoil = hold_the_answer
    hands = world.survivor
    hands.presence = Gone()  # type: ignore[assignment]  # a number under which no lock is held any more
    paying = asyncio.create_task(hands.work(Effect.PAY))
    await asyncio.wait_for(called.wait(), 10)
    assert await world.recovery().recover_once() == 1
    assert await world.states(Effect.PAY, order_id) == ["unknown"]
    go_on.set()
    await asyncio.wait_for(paying, 10)
    world.market.spoil = None
    await world.calm()
    once_paid(world, order_id)
    assert await world.states(Effect.PAY, order_id) == ["succeeded"]


async def test_reads_that_are_stale_for_a_minute_allow_no_second_payment(engine: AsyncEngine, database: str) -> None:
    """Second attempts are allowed, and the reads say "unpaid" for as long as they lag: the quiet time covers that."""
    market = Market(orders=5, stale_reads_s=60.0)
    two_minutes = SecondAttempt(attempts=2, quiet=120_000, reads=2)
    world = World(engine, database, market, msgspec.structs.replace(PAYING, second_attempt=two_minutes))
    market.clock.shift = 70_000  # the sandbox's histories are long enough by now
    market.run_due()
    order_id = await unpaid(world)
    market.spoil = lose_answers
    for _ in range(6):
        await world.step()
        assert len(market.taken(order_id)) == 1
    unknown = await rows(engine, "SELECT state, not_done_reads FROM follow_ups WHERE effect = 'pay'")
    assert unknown[0]["state"] == "unknown"
    assert unknown[0]["not_done_reads"] >= 2, "the reads did say that nothing had happened"
    market.clock.shift += 70_000
    market.spoil = None
    await world.calm()
    once_paid(world, order_id)
    assert await world.states(Effect.PAY, order_id) == ["succeeded"]


@pytest.mark.parametrize("hours", [1, -1])
async def test_the_workers_clock_jumps_an_hour(engine: AsyncEngine, database: str, hours: int) -> None:
    """With the clock ahead, reads seem to be asked an hour after the call: they must not count as a quiet hour."""
    market = Market(orders=5, stale_reads_s=60.0)
    market.clock.shift = 70_000
    market.run_due()
    rule = SecondAttempt(attempts=2, quiet=HOUR_MS, reads=2)
    world = World(engine, database, market, msgspec.structs.replace(PAYING, second_attempt=rule))
    order_id = await unpaid(world)
    market.spoil = lose_answers
    await world.survivor.work(Effect.PAY)
    assert await world.states(Effect.PAY, order_id) == ["unknown"]
    client = market.client()
    read = client.read_order
    reads = 0

    async def misdated(platform: Platform, order_id: str, source: Source) -> Fact:
        nonlocal reads
        reads += 1
        fact = await read(platform, order_id, source)
        return msgspec.structs.replace(fact, observed_at=fact.observed_at + hours * HOUR_MS)

    client.read_order = misdated  # type: ignore[method-assign]
    wrong = Hands(engine, client, world.policy, clock=MovedClock(hours * HOUR_MS))
    for _ in range(3):
        await world.step(wrong)
    assert reads >= 3
    assert len(market.taken(order_id)) == 1
    assert await value(engine, "SELECT not_done_reads FROM follow_ups WHERE effect = 'pay'") == 0
    market.clock.shift += 70_000
    market.spoil = None
    await execute(engine, "UPDATE follow_ups SET wanted_after = now() WHERE effect = 'refresh'")
    await world.calm()
    once_paid(world, order_id)


async def test_the_databases_clock_jumps_an_hour_during_the_call(world: World) -> None:
    """To the database every lease is over while the call is under way."""
    order_id = await unpaid(world)

    async def jump(request: httpx2.Request, answer: httpx2.Response) -> httpx2.Response:
        if is_pay(request):
            world.market.spoil = None
            await execute(
                world.engine,
                "UPDATE follow_ups SET claimed_until = claimed_until - interval '1 hour' WHERE effect = 'pay'",
            )
            await world.step()
        return answer

    world.market.spoil = jump
    await world.survivor.work(Effect.PAY)
    await world.calm()
    once_paid(world, order_id)
    assert await world.states(Effect.PAY, order_id) == ["succeeded"]


@pytest.mark.parametrize("seconds", [-3_600, 3_600])
async def test_what_waits_does_not_depend_on_the_workers_clock(world: World, seconds: int) -> None:
    await unpaid(world)
    world.policy = msgspec.structs.replace(PAYING, daily_budget=1)
    jumped = MovedClock(seconds * 1_000)
    hands = Hands(world.engine, world.market.client(), world.policy, clock=jumped)
    await hands.work(Effect.PAY)
    (waits,) = await rows(world.engine, "SELECT due_at - now() AS left FROM follow_ups WHERE effect = 'pay'")
    assert timedelta(seconds=500) < waits["left"] <= timedelta(seconds=600)


async def test_an_operator_approves_twice(world: World) -> None:
    world.policy = msgspec.structs.replace(PAYING, auto_pay_limit=1)
    order_id = next(order.order_id for order in world.market.orders() if order.payable)
    await world.introduce(order_id)
    (held,) = await rows(world.engine, "SELECT id, amount_minor, state FROM follow_ups WHERE effect = 'pay'")
    assert held["state"] == "awaiting_approval"

    async def approve() -> bool:
        decided = await decision_store.approve(
            world.engine, held["id"], ANN, seen=held["amount_minor"], reason="fine", policy_of=lambda _: world.policy
        )
        return decided.changed

    first = await asyncio.gather(approve(), approve())
    working = [world.survivor.work(Effect.PAY) for _ in range(3)]
    again, *_ = await asyncio.gather(approve(), *working)
    await world.calm()
    assert [*first, again].count(True) == 1
    once_paid(world, order_id)
    assert await value(world.engine, "SELECT count(*) FROM approvals") == 1


async def test_an_approval_is_too_small_once_the_price_rises(world: World) -> None:
    world.policy = msgspec.structs.replace(PAYING, auto_pay_limit=1)
    order = next(order for order in world.market.orders() if order.payable)
    await world.introduce(order.order_id)
    (held,) = await rows(world.engine, "SELECT id, amount_minor FROM follow_ups WHERE effect = 'pay'")
    await decision_store.approve(
        world.engine, held["id"], ANN, seen=held["amount_minor"], reason="fine", policy_of=lambda _: world.policy
    )
    dearer(world.market, order.order_id, 1)
    await world.calm()
    assert world.market.taken(order.order_id) == []
    assert await world.states(Effect.PAY, order.order_id) == ["awaiting_approval"]
    assert await world.open_alerts() == ["price_beyond_tolerance"]


def dearer(market: Market, order_id: str, fen: int) -> None:
    """The seller changes the postage, as the marketplace shows at once."""
    order = market.sandbox.world.orders[order_id]

    def change(now_ms: int) -> list[Any]:
        order.shipping_fen += fen
        order.modified_ms = now_ms
        return []

    market.sandbox.world.change(order, change)


async def test_the_price_rises_between_the_read_and_the_payment(world: World) -> None:
    """Nothing can know of it but the marketplace: what is paid is what was judged, or nothing where that is known."""
    order_id = await unpaid(world)

    async def hear_of_it(request: httpx2.Request, answer: httpx2.Response) -> httpx2.Response:
        if not is_pay(request):
            world.market.spoil = None
            dearer(world.market, order_id, 10_000_000)
            await world.introduce(order_id)
        return answer

    world.market.spoil = hear_of_it
    await world.survivor.work(Effect.PAY)
    assert world.market.taken(order_id) == []
    await world.calm()
    assert world.market.taken(order_id) == []
    assert await world.states(Effect.PAY, order_id) == ["awaiting_approval"]


async def test_fifty_executors_at_a_budget_for_seven(engine: AsyncEngine, database: str) -> None:
    market = Market(orders=60)
    total = 5_000
    chosen = [order.order_id for order in market.orders() if order.payable][:50]
    for order_id in chosen:
        dearer(market, order_id, total - market.sandbox.world.orders[order_id].total_fen)
    policy = msgspec.structs.replace(PAYING, daily_budget=7 * total + total - 1)
    world = World(engine, database, market, policy)
    for order_id in chosen:
        await world.introduce(order_id)
    engines = [connected(database, pool_size=2) for _ in range(10)]
    opened = [await one.__aenter__() for one in engines]
    try:
        hands = [Hands(opened[number % 10], market.client(), policy) for number in range(50)]
        await asyncio.gather(*(one.work(Effect.PAY, at_once=1) for one in hands))
        assert len(market.sandbox.ledgers.payments) == 7
        await world.make_due()
        await asyncio.gather(*(one.work(Effect.PAY, at_once=1) for one in hands))
    finally:
        for one in engines:
            await one.__aexit__(None, None, None)
    assert len(market.sandbox.ledgers.payments) == 7
    assert market.spent() == 7 * total == await world.spending()
    states = await rows(
        engine, "SELECT state, count(*) AS n FROM follow_ups WHERE effect = 'pay' GROUP BY 1 ORDER BY 1"
    )
    assert [(row["state"], row["n"]) for row in states] == [("planned", 43), ("succeeded", 7)]
    await world.recovery().recover_once()
    assert await world.open_alerts() == ["budget_exhausted"]
    assert await value(engine, "SELECT count(*) FROM follow_ups WHERE budget_refusals > 0") == 43


async def test_a_pause_in_the_middle_of_a_batch_stops_the_rest(world: World) -> None:
    """The second of two that come one after the other begins after the pause was committed."""
    first, second = [order.order_id for order in world.market.orders() if order.payable][:2]
    for order_id in (first, second):
        await world.introduce(order_id)

    async def pull_the_switch(request: httpx2.Request, answer: httpx2.Response) -> httpx2.Response:
        if is_pay(request):
            await pause_store.pause(world.engine, ANN, Scope("main"), reason="something is wrong")
        return answer

    world.market.spoil = pull_the_switch
    await world.survivor.work(Effect.PAY, at_once=1)
    await world.step()
    assert len(world.market.sandbox.ledgers.payments) == 1
    assert await value(world.engine, "SELECT count(*) FROM follow_up_attempts") == 1
    open_pause = await value(world.engine, "SELECT id FROM pauses WHERE lifted_at IS NULL")
    world.market.spoil = None
    await pause_store.resume(world.engine, ANN, open_pause, reason="it was nothing")
    await world.calm()
    once_paid(world, first)
    once_paid(world, second)


async def test_a_plan_that_changes_between_claim_and_begin_is_judged_anew(world: World) -> None:
    order_id = await unpaid(world)

    async def plan(request: httpx2.Request, answer: httpx2.Response) -> httpx2.Response:
        if not is_pay(request):
            world.market.spoil = None
            async with transaction(world.engine) as connection:
                asked = Plan(planned_total=1)
                await plan_store.put(connection, key_of(order_id), asked, requested_by="shop", reason="cheaper")
        return answer

    world.market.spoil = plan
    await world.survivor.work(Effect.PAY)
    assert world.market.taken(order_id) == []
    await world.calm()
    assert world.market.taken(order_id) == []
    assert await world.states(Effect.PAY, order_id) == ["awaiting_approval"]


async def test_pay_against_cancel_never_both(world: World) -> None:
    """A payment whose answer is lost keeps the cancellation away for as long as nobody knows, and then for good."""
    order_id = await unpaid(world)

    async def cancel_now(request: httpx2.Request, answer: httpx2.Response) -> httpx2.Response:
        if is_pay(request):
            async with transaction(world.engine) as connection:
                unwanted = Plan(cancel_reason="bought elsewhere")
                await plan_store.put(connection, key_of(order_id), unwanted, requested_by="shop", reason="test")
            raise Stop("lost")
        return answer

    world.market.spoil = cancel_now
    await world.survivor.work(Effect.PAY)
    await world.calm()
    once_paid(world, order_id)
    assert world.market.sandbox.ledgers.cancels == []
    assert await world.states(Effect.CANCEL, order_id) in ([], ["cancelled"])
    assert await world.stuck() == []
