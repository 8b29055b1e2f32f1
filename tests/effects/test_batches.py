"""Payments that are submitted together: what a person decides in the middle of one submission counts for the next."""

from decimal import Decimal

import httpx2
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.effects.market import Market
from tests.effects.world import Hands, World
from tests.storage.database import value
from tests.waiting import until
from worker.domain.operators import Actor, Role
from worker.domain.policy import Effect, Policy
from worker.storage import pause_store
from worker.storage.pause_store import Scope

ANN = Actor("ann", frozenset({Role.APPROVER, Role.OPERATOR}))
PAYING = Policy(auto_pay=True, auto_pay_limit=10_000_000, price_tolerance=Decimal("0.02"))


async def test_a_pause_in_the_middle_of_a_batch_stops_the_payments_behind_it(
    engine: AsyncEngine, database: str
) -> None:
    """All were written down as sent before; two are on their way, the others wait behind them and never leave."""
    world = World(engine, database, Market(orders=20), PAYING)
    chosen = [order.order_id for order in world.market.orders() if order.payable][:4]
    for order_id in chosen:
        await world.introduce(order_id)
    hands = Hands(world.engine, world.market.client(batch=2), PAYING, batch=2)
    submitted = "SELECT count(*) FROM follow_up_attempts"

    async def all_begun() -> bool:
        return bool(await value(world.engine, submitted) == len(chosen))

    async def pull_the_switch(request: httpx2.Request, answer: httpx2.Response) -> httpx2.Response:
        if request.url.path.endswith("/batch/submit/to/pay"):
            await until(all_begun, what="the others are written down as sent")
            await pause_store.pause(world.engine, ANN, Scope("main", "pay"), reason="something is wrong")
        return answer

    world.market.spoil = pull_the_switch
    await hands.work(Effect.PAY, at_once=4)
    paid = [payment.order_id for payment in world.market.sandbox.ledgers.payments]
    assert len(paid) == 2
    states = {order_id: await world.states(Effect.PAY, order_id) for order_id in chosen}
    assert {tuple(states[order_id]) for order_id in paid} == {("succeeded",)}
    assert {tuple(states[order_id]) for order_id in chosen if order_id not in paid} == {("planned",)}
    assert await world.spending() == world.market.spent(), "what never left does not count"
    await world.step()
    assert len(world.market.sandbox.ledgers.payments) == 2, "paused is paused"
    open_pause = await value(world.engine, "SELECT id FROM pauses WHERE lifted_at IS NULL")
    world.market.spoil = None
    await pause_store.resume(world.engine, ANN, open_pause, reason="it was nothing")
    await world.calm()
    totals = {order_id: world.market.sandbox.world.orders[order_id].total_fen for order_id in chosen}
    assert {order_id: world.market.taken(order_id) for order_id in chosen} == {
        order_id: [total] for order_id, total in totals.items()
    }
