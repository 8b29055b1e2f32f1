"""Kafka goes away and comes back: nothing that was answered 200 is lost, and it arrives in order of arrival."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaConsumer
from prometheus_client import REGISTRY
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.intake.stage import ORDER_ID, PAID, TOKEN, call, make_app
from tests.intake.test_durable import Ticks
from tests.storage.database import rows, value
from tests.waiting import until
from worker.broker.durable import KAFKA_PAUSE_S, DurablePublisher
from worker.broker.envelope import read_fact, read_headers
from worker.broker.producer import KafkaLink, KafkaUnavailableError
from worker.broker.topics import STATUS, TopicNames
from worker.embedded import EmbeddedKafka
from worker.intake import spool as spool_module
from worker.intake.spool import PostgresSpool, SpoolDrain
from worker.storage.wakeup import Wakeups

KAFKA_TIMEOUT_S = 0.3
SPOOL_TIMEOUT_S = 10.0
"""Long: these tests are about order, not about time, and the machine may be busy."""


@pytest.fixture
def kafka() -> Iterator[EmbeddedKafka]:
    """A broker of this test alone: it goes down."""
    with EmbeddedKafka({STATUS: 1}) as broker:
        yield broker


@asynccontextmanager
async def linked(bootstrap: str) -> AsyncIterator[KafkaLink]:
    link = KafkaLink(bootstrap, TopicNames())
    link.start()
    await link.wait_connected()
    try:
        yield link
    finally:
        await link.stop()


def words(number: int) -> bytes:
    """The number-th callback of one order."""
    return PAID.replace(b"1767233100000", str(1_767_233_100_000 + number).encode())


async def times(bootstrap: str, count: int) -> list[int]:
    """The numbers of the first `count` different callbacks in Kafka, in the order in which each came first."""
    consumer = AIOKafkaConsumer(STATUS, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    found: list[int] = []
    try:
        async with asyncio.timeout(20):
            while len(found) < count:
                record = await consumer.getone()
                fact = read_fact(read_headers(record.headers), record.value)
                assert isinstance(fact, tuple)
                assert fact[1].key.order_id == ORDER_ID
                number = (fact[1].provider_time or 0) - 1_767_233_100_000
                found += [number] if number not in found else []
    finally:
        await consumer.stop()
    return found


async def drained(drain: SpoolDrain) -> bool:
    try:
        return await drain.drain_once() > 0
    except KafkaUnavailableError:
        return False


async def test_callbacks_taken_while_kafka_was_away_follow_in_order_of_arrival(
    kafka: EmbeddedKafka, database: str, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_module, "DRAIN_TIMEOUT_S", KAFKA_TIMEOUT_S)
    ticks = Ticks()
    async with linked(kafka.bootstrap_servers) as link:
        made = DurablePublisher(
            link,
            PostgresSpool(engine),
            kafka_timeout_s=KAFKA_TIMEOUT_S,
            spool_timeout_s=SPOOL_TIMEOUT_S,
            now=ticks,
        )
        app = make_app(made)
        drain = SpoolDrain(engine, link, Wakeups(database), idle_s=2.0)
        await until(lambda: callback(app, 0), what="the first callback reaches Kafka")
        assert await value(engine, "SELECT count(*) FROM spool") == 0

        kafka.set_down()
        for number in range(1, 6):
            assert await callback(app, number)
        assert await value(engine, "SELECT count(*) FROM spool") == 5
        assert not await drained(drain)
        assert await value(engine, "SELECT count(*) FROM spool") == 5, "nothing is deleted that Kafka did not confirm"

        kafka.set_up()
        monkeypatch.undo()
        await until(lambda: drained(drain), seconds=30, what="the spool is drained")
        assert await value(engine, "SELECT count(*) FROM spool") == 0
        ticks.now += KAFKA_PAUSE_S
        assert await callback(app, 6)
        assert await value(engine, "SELECT count(*) FROM spool") == 0
        assert await times(kafka.bootstrap_servers, 7) == list(range(7))


async def callback(app: object, number: int) -> bool:
    return (await call(app, f"/callbacks/main/{TOKEN}", words(number))).status == 200  # type: ignore[arg-type]  # an app


async def test_a_link_that_is_not_connected_yet_spools_at_once(database: str, engine: AsyncEngine) -> None:
    """A start must not wait for a broker that is away."""
    link = KafkaLink("127.0.0.1:1", TopicNames())
    link.start()
    try:
        made = DurablePublisher(
            link, PostgresSpool(engine), kafka_timeout_s=60, spool_timeout_s=SPOOL_TIMEOUT_S, now=Ticks()
        )
        async with asyncio.timeout(SPOOL_TIMEOUT_S):
            assert await callback(make_app(made), 1)
        assert not link.connected
        (row,) = await rows(engine, "SELECT topic, key FROM spool")
        assert row == {"topic": STATUS, "key": f"main/1688/{ORDER_ID}"}
    finally:
        await link.stop()


async def test_only_one_process_drains_at_a_time(kafka: EmbeddedKafka, database: str, engine: AsyncEngine) -> None:
    async with linked(kafka.bootstrap_servers) as link:
        spool = PostgresSpool(engine)
        made = DurablePublisher(
            KafkaLink("127.0.0.1:1", TopicNames()),
            spool,
            kafka_timeout_s=KAFKA_TIMEOUT_S,
            spool_timeout_s=SPOOL_TIMEOUT_S,
            now=Ticks(),
        )
        app = make_app(made)
        for number in range(20):
            assert await callback(app, number)
        drains = [SpoolDrain(engine, link, Wakeups(database), idle_s=2.0) for _ in range(3)]
        async with asyncio.timeout(30):
            moved = 0
            while moved < 20:
                moved += sum(await asyncio.gather(*(drain.drain_once() for drain in drains)))
        assert moved == 20
        assert await times(kafka.bootstrap_servers, 20) == list(range(20))


async def test_a_spool_larger_than_a_batch_is_drained_oldest_first(
    kafka: EmbeddedKafka, database: str, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_module, "DRAIN_BATCH", 4)
    async with linked(kafka.bootstrap_servers) as link:
        unconnected = KafkaLink("127.0.0.1:1", TopicNames())
        made = DurablePublisher(
            unconnected, PostgresSpool(engine), kafka_timeout_s=1, spool_timeout_s=SPOOL_TIMEOUT_S, now=Ticks()
        )
        for number in range(10):
            assert await callback(make_app(made), number)
        drain = SpoolDrain(engine, link, Wakeups(database), idle_s=2.0)
        assert [await drain.drain_once() for _ in range(4)] == [4, 4, 2, 0]
        assert await times(kafka.bootstrap_servers, 10) == list(range(10))
        assert REGISTRY.get_sample_value("ordersync_spool_waiting") == 0
