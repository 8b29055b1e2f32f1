"""The database dies without a word between "sent" and "answered", and comes back with what it had committed."""

import asyncio

import httpx2

from tests.effects.market import Market
from tests.effects.test_impossible import PAYING, is_pay, once_paid, unpaid
from tests.effects.world import World, connected
from tests.infrastructure import migrate
from worker.domain.policy import Effect
from worker.embedded import EmbeddedPostgres


async def test_a_payment_that_was_sent_is_known_after_the_database_came_back() -> None:
    with EmbeddedPostgres() as server:
        await migrate(server.dsn())
        market = Market(orders=5)
        async with connected(server.dsn()) as engine:
            world = World(engine, server.dsn(), market, PAYING)
            order_id = await unpaid(world)

            async def power_cut(request: httpx2.Request, answer: httpx2.Response) -> httpx2.Response:
                if is_pay(request):
                    market.spoil = None
                    await asyncio.to_thread(server.kill)
                return answer

            market.spoil = power_cut
            worked = await asyncio.gather(world.survivor.work(Effect.PAY), return_exceptions=True)
            assert isinstance(worked[0], Exception), "the answer could not be recorded"
        await asyncio.to_thread(server.restart)
        async with connected(server.dsn()) as engine:
            world = World(engine, server.dsn(), market, PAYING)
            assert await world.states(Effect.PAY, order_id) == ["sending"], "what was committed is still there"
            await world.step()
            assert len(market.taken(order_id)) == 1
            async with engine.begin() as connection:
                await connection.exec_driver_sql("UPDATE follow_ups SET claimed_until = now() - interval '1 second'")
            await world.calm()
            once_paid(world, order_id)
            assert await world.states(Effect.PAY, order_id) == ["succeeded"]
            assert await world.open_alerts() == []
