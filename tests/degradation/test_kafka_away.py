"""Apache Kafka goes away for ten minutes: every callback still gets its 200, and none is lost or out of order."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiokafka.errors import KafkaError
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.degradation.stage import KAFKA_TIMEOUT_S, Minutes, intake, linked, numbers, push, topics
from tests.embedded.test_apache_kafka import needs_apache
from tests.storage.database import rows, value
from tests.waiting import until
from tools.kafka import ApacheKafka
from worker.broker.durable import KAFKA_PAUSE_S
from worker.broker.producer import KafkaUnavailableError
from worker.intake.spool import PostgresSpool, SpoolDrain
from worker.storage.wakeup import Wakeups

pytestmark = needs_apache
ORDERS = range(7_001, 7_013)
ROUND_S = 20
AWAY_S = 600
PATIENCE_S = 0.9
"""Of the endpoint: the marketplace waits for 1 s."""


@pytest.fixture
async def kafka() -> AsyncIterator[ApacheKafka]:
    """A broker of this test alone: it goes away."""
    async with ApacheKafka() as broker:
        await topics(broker)
        yield broker


async def moved(drain: SpoolDrain) -> bool:
    try:
        return await drain.drain_once() > 0
    except (KafkaUnavailableError, KafkaError):
        return False


@pytest.mark.timeout(240)
async def test_ten_minutes_without_kafka_lose_nothing_and_keep_the_order_of_arrival(
    kafka: ApacheKafka, database: str, engine: AsyncEngine
) -> None:
    minutes, spool = Minutes(), PostgresSpool(engine)
    sent: list[tuple[int, int]] = []
    async with linked(kafka) as link:
        app = intake(link, spool, minutes)
        drain = SpoolDrain(engine, link, Wakeups(database), idle_s=2.0)

        async def all_orders(number: int) -> list[float]:
            answers = await asyncio.gather(*(push(app, order_id, number) for order_id in ORDERS))
            assert {status for status, _ in answers} == {200}
            sent.extend((order_id, number) for order_id in ORDERS)
            return [seconds for _, seconds in answers]

        await all_orders(0)
        assert await value(engine, "SELECT count(*) FROM spool") == 0
        await asyncio.to_thread(kafka.kill_broker, 1)
        took: list[float] = []
        for number in range(1, AWAY_S // ROUND_S + 1):
            minutes.now += ROUND_S
            took += await all_orders(number)
        # Each round finds the pause after the last failure over, and asks Kafka in vain: the slowest case there is.
        assert ROUND_S > KAFKA_PAUSE_S
        assert sorted(took)[int(len(took) * 0.9)] < PATIENCE_S, f"the slowest took {max(took):.2f} s"
        assert max(took) >= KAFKA_TIMEOUT_S * 0.9, "Kafka was asked"
        assert await value(engine, "SELECT count(*) FROM spool") == len(ORDERS) * AWAY_S // ROUND_S
        assert not await moved(drain)
        assert await value(engine, "SELECT count(*) FROM spool") == len(ORDERS) * AWAY_S // ROUND_S

        await asyncio.to_thread(kafka.start_broker, 1)
        await until(lambda: moved(drain), 60, what="the spool is drained")
        while await moved(drain):
            pass
        assert await rows(engine, "SELECT id FROM spool") == []
        minutes.now += KAFKA_PAUSE_S
        await all_orders(AWAY_S // ROUND_S + 1)
        assert await value(engine, "SELECT count(*) FROM spool") == 0, "what comes now goes straight to Kafka"
        found = await numbers(kafka, sent)
    assert set(found) == set(ORDERS)
    assert all(seen == list(range(AWAY_S // ROUND_S + 2)) for seen in found.values())
