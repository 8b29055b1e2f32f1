"""Through Kafka: a letter goes back to its topic under its key, and reconcile settles it; an outage loses none."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.conftest import CreateTopics
from tests.dead_letters.stage import ANN, NONCE, Fixable, ask, good, letters, reconciler, states
from tests.outbound.topic import linked
from tests.reconcile.stage import Topic
from tests.storage.database import connected, execute, value
from tests.waiting import until
from worker.broker.envelope import fact_event
from worker.broker.producer import KafkaLink, KafkaUnavailableError
from worker.broker.topics import STATUS, TopicNames
from worker.operations.dead_letters import service
from worker.operations.dead_letters.replayer import Replayer
from worker.storage.dead_letter_replays import Selection
from worker.storage.wakeup import Wakeups


@pytest.fixture
async def kafka(kafka_bootstrap: str, topic_prefix: str) -> AsyncIterator[KafkaLink]:
    async with linked(kafka_bootstrap, topic_prefix) as link:
        yield link


async def read_all(bootstrap: str, topic: str, count: int) -> list[Any]:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        found: list[Any] = []
        while len(found) < count:
            for records in (await consumer.getmany(timeout_ms=500)).values():
                found += records
        return found
    finally:
        await consumer.stop()


async def test_a_letter_goes_through_kafka_where_it_came_from_and_is_settled(
    engine: AsyncEngine,
    kafka: KafkaLink,
    kafka_bootstrap: str,
    topic_prefix: str,
    create_topics: CreateTopics,
    database: str,
) -> None:
    topic = (await create_topics({STATUS: 3}))[STATUS]
    policy = Fixable()
    names = TopicNames(topic_prefix)
    handle = reconciler(engine, policy).handle
    for n in range(6):
        await kafka.send(fact_event(good(n)), 5.0)
    before = await read_all(kafka_bootstrap, topic, 6)
    await handle(before)
    assert await states(engine) == ["open"] * 6
    policy.broken = False
    wakeups = Wakeups(database)
    replayer = Replayer(engine, kafka, names, wakeups, idle_s=60)
    tasks = [asyncio.create_task(wakeups.run()), asyncio.create_task(replayer.run())]
    try:
        await service.replay(
            engine, ANN, Selection(topic=topic), reason="it is mended", nonce=NONCE, topics=names.inbound
        )
        after = await read_all(kafka_bootstrap, topic, 12)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    again = [
        record
        for record in after
        if (record.partition, record.offset) not in {(one.partition, one.offset) for one in before}
    ]
    places = {record.key: record.partition for record in before}
    assert {record.key: record.partition for record in again} == places
    await handle(again)
    assert await states(engine) == ["resolved"] * 6
    assert await value(engine, "SELECT count(*) FROM orders") == 6


async def test_while_kafka_is_away_nothing_counts_as_sent(engine: AsyncEngine) -> None:
    policy = Fixable()
    await reconciler(engine, policy).handle(Topic().take(good(1)))
    await ask(engine, topic="orders.status.v1")
    nowhere = KafkaLink("127.0.0.1:1", TopicNames())
    replayer = Replayer(engine, nowhere, TopicNames(), Wakeups("postgresql://unused"), idle_s=60)
    with pytest.raises(KafkaUnavailableError):
        await replayer.send_once()
    assert await value(engine, "SELECT count(*) FROM dead_letter_replay_items WHERE sent_at IS NULL") == 1


async def test_the_loop_outlives_an_outage(engine: AsyncEngine, database: str) -> None:
    await reconciler(engine, Fixable()).handle(Topic().take(good(1)))
    await ask(engine, topic="orders.status.v1")
    tries: list[int] = []

    class Away(KafkaLink):
        async def send_all(self, events: list[Any], timeout_s: float) -> None:  # noqa: ARG002 - as in the link
            tries.append(len(events))
            raise KafkaUnavailableError("away")

    wakeups = Wakeups(database)
    replayer = Replayer(engine, Away("127.0.0.1:1", TopicNames()), TopicNames(), wakeups, idle_s=60)
    task = asyncio.create_task(replayer.run())
    await until(lambda: len(tries) == 1)
    wakeups.wake()
    await until(lambda: len(tries) == 2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert tries == [1, 1]


async def test_a_letter_that_was_settled_before_it_counts_as_sent_blocks_nobody(
    engine: AsyncEngine, database: str
) -> None:
    """Kafka is fast: reconcile has the replay while its sender's transaction is still open."""
    policy = Fixable()
    await reconciler(engine, policy).handle(Topic().take(good(1)))
    await ask(engine, topic="orders.status.v1")
    policy.broken = False

    class Fast(KafkaLink):
        async def send_all(self, events: list[Any], timeout_s: float) -> None:  # noqa: ARG002 - as in the link
            async with connected(database) as other, asyncio.timeout(5):
                await reconciler(other, policy).handle([Topic("again").put(event) for event in events])

    replayer = Replayer(engine, Fast("127.0.0.1:1", TopicNames()), TopicNames(), Wakeups("postgresql://x"), idle_s=60)
    assert await replayer.send_once() == 1
    assert await states(engine) == ["resolved"]
    assert await replayer.send_once() == 0


async def test_a_letter_without_a_key_can_be_sent_too(engine: AsyncEngine) -> None:
    await reconciler(engine, Fixable()).handle(Topic().take(good(1)))
    await execute(engine, "UPDATE dead_letters SET key = NULL")
    await ask(engine, topic="orders.status.v1")
    sent: list[str] = []

    class Noting(KafkaLink):
        async def send_all(self, events: list[Any], timeout_s: float) -> None:  # noqa: ARG002 - as in the link
            sent.extend(event.key for event in events)

    replayer = Replayer(engine, Noting("127.0.0.1:1", TopicNames()), TopicNames(), Wakeups("postgresql://x"), idle_s=60)
    await replayer.send_once()
    assert sent == [""]
    assert len(await letters(engine)) == 1
