"""The broker inside our process speaks enough Kafka for the worker: produce, consume, commit, resume."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from worker.embedded import EmbeddedError, EmbeddedKafka
from worker.embedded.kafka import Api, Fault

TOPIC = "orders.status.v1"
JOIN_SECONDS = 1.0


@pytest.fixture
def kafka() -> Iterator[EmbeddedKafka]:
    with EmbeddedKafka({TOPIC: 6}) as broker:
        yield broker


@asynccontextmanager
async def producing(kafka: EmbeddedKafka) -> AsyncIterator[Any]:
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


@asynccontextmanager
async def consuming(kafka: EmbeddedKafka, group: str, **settings: Any) -> AsyncIterator[Any]:
    consumer = AIOKafkaConsumer(
        TOPIC,
        bootstrap_servers=kafka.bootstrap_servers,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=1500,
        heartbeat_interval_ms=300,
        retry_backoff_ms=20,
        **settings,
    )
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def take(consumer: Any, count: int) -> list[bytes]:
    """Return the values of the next `count` messages, sorted; pytest's time-out ends a vain wait."""
    values: list[bytes] = []
    while len(values) < count:
        for messages in (await consumer.getmany(timeout_ms=200)).values():
            values += [message.value for message in messages]
    return sorted(values)


@pytest.mark.parametrize(
    ("topics", "brokers", "complaint"),
    [
        ({"no spaces": 1}, 1, "not a topic name"),
        ({"a": 0}, 1, "1 to 100 partitions, not 0"),
        ({"a": 101}, 1, "1 to 100 partitions, not 101"),
        ({"a": 1}, 0, "brokers must be 1 to 9"),
        ({"a": 1}, 10, "brokers must be 1 to 9"),
    ],
)
def test_what_cannot_be_had_is_refused_at_once(topics: dict[str, int], brokers: int, complaint: str) -> None:
    with pytest.raises(EmbeddedError, match=complaint):
        EmbeddedKafka(topics, brokers=brokers)


def test_what_was_not_started_has_no_address() -> None:
    with pytest.raises(EmbeddedError, match="not started"):
        _ = EmbeddedKafka().bootstrap_servers


def test_a_broker_runs_once_and_stops_twice(kafka: EmbeddedKafka) -> None:
    with pytest.raises(EmbeddedError, match="runs already"):
        kafka.start()
    kafka.stop()
    kafka.stop()
    with pytest.raises(EmbeddedError, match="not started"):
        kafka.set_down()


def test_a_topic_that_exists_and_a_broker_that_does_not_are_named(kafka: EmbeddedKafka) -> None:
    with pytest.raises(EmbeddedError, match=f"topic {TOPIC} was not created: .*already exists"):
        kafka.create_topic(TOPIC, 6)
    with pytest.raises(EmbeddedError, match="broker 7 cannot go down"):
        kafka.set_down(7)


async def test_two_groups_get_every_message_with_key_and_headers(kafka: EmbeddedKafka) -> None:
    sent = [b"%03d" % number for number in range(100)]
    async with producing(kafka) as producer:
        for value in sent:
            await producer.send_and_wait(TOPIC, value, key=value, headers=[("ce_id", value)])
    async with consuming(kafka, "one") as one, consuming(kafka, "two") as two:
        assert await take(one, 100) == sent
        assert await take(two, 100) == sent
    async with consuming(kafka, "three") as three:
        message = await three.getone()
        assert message.headers == (("ce_id", message.value),)
        assert message.key == message.value


async def test_a_member_joins_a_new_group_within_a_second(kafka: EmbeddedKafka) -> None:
    async with asyncio.timeout(JOIN_SECONDS), consuming(kafka, "group") as consumer:
        assert len(consumer.assignment()) == 6


async def test_a_group_resumes_where_it_committed(kafka: EmbeddedKafka) -> None:
    async with producing(kafka) as producer:
        await producer.send_and_wait(TOPIC, b"committed", partition=0)
        async with consuming(kafka, "group") as consumer:
            assert await take(consumer, 1) == [b"committed"]
            await consumer.commit()
            await producer.send_and_wait(TOPIC, b"read only", partition=0)
            assert await take(consumer, 1) == [b"read only"]
        async with consuming(kafka, "group") as consumer:
            assert await take(consumer, 1) == [b"read only"]


async def test_a_static_member_comes_back_to_its_offsets(kafka: EmbeddedKafka) -> None:
    async with producing(kafka) as producer:
        await producer.send_and_wait(TOPIC, b"first", partition=0)
        async with consuming(kafka, "group", group_instance_id="worker-1") as consumer:
            assert await take(consumer, 1) == [b"first"]
            await consumer.commit()
        await producer.send_and_wait(TOPIC, b"second", partition=0)
        async with consuming(kafka, "group", group_instance_id="worker-1") as consumer:
            assert await take(consumer, 1) == [b"second"]


async def test_an_outage_loses_nothing_and_ends_at_the_same_address(kafka: EmbeddedKafka) -> None:
    async with producing(kafka) as producer, consuming(kafka, "group") as consumer:
        await producer.send_and_wait(TOPIC, b"before")
        assert await take(consumer, 1) == [b"before"]
        address = kafka.bootstrap_servers
        kafka.set_down()
        late = await producer.send(TOPIC, b"during")
        with pytest.raises(OSError, match=r"refused|Connect call failed"):
            await asyncio.open_connection(*address.split(":"))
        kafka.set_up()
        await late
        assert kafka.bootstrap_servers == address
        assert await take(consumer, 1) == [b"during"]
        await consumer.commit()


async def test_a_fault_is_met_once_and_retried_without_a_duplicate(kafka: EmbeddedKafka) -> None:
    async with producing(kafka) as producer, consuming(kafka, "group") as consumer:
        kafka.fail_next(Api.PRODUCE, [Fault.NOT_ENOUGH_REPLICAS, Fault.DISCONNECT])
        await producer.send_and_wait(TOPIC, b"once", partition=0)
        await producer.send_and_wait(TOPIC, b"then", partition=0)
        assert await take(consumer, 2) == [b"once", b"then"]
        end = await consumer.end_offsets([TopicPartition(TOPIC, 0)])
        assert list(end.values()) == [2]


async def test_a_failed_commit_reaches_the_caller_until_faults_are_cleared(kafka: EmbeddedKafka) -> None:
    async with producing(kafka) as producer, consuming(kafka, "group") as consumer:
        await producer.send_and_wait(TOPIC, b"x")
        await take(consumer, 1)
        kafka.fail_next(Api.OFFSET_COMMIT, [29] * 50)  # 29: TOPIC_AUTHORIZATION_FAILED, which nobody retries
        with pytest.raises(KafkaError):
            await consumer.commit()
        kafka.clear_faults(Api.OFFSET_COMMIT)
        await consumer.commit()


async def test_an_answer_can_be_delayed(kafka: EmbeddedKafka) -> None:
    async with producing(kafka) as producer:
        await producer.send_and_wait(TOPIC, b"warm")
        loop = asyncio.get_running_loop()
        kafka.set_delay(200)
        began = loop.time()
        await producer.send_and_wait(TOPIC, b"slow")
        assert loop.time() - began >= 0.2


async def test_a_partition_keeps_its_newest_five_megabytes(kafka: EmbeddedKafka) -> None:
    """The documented limit: whoever needs more must use Apache Kafka."""
    partition = TopicPartition(TOPIC, 0)
    async with producing(kafka) as producer, consuming(kafka, "group") as consumer:
        for _ in range(16):
            await producer.send_and_wait(TOPIC, bytes(500_000), partition=0)
        first = (await consumer.beginning_offsets([partition]))[partition]
        last = (await consumer.end_offsets([partition]))[partition]
        assert last == 16
        assert 8 <= last - first <= 12


def test_several_run_at_once_each_with_its_brokers() -> None:
    with EmbeddedKafka({TOPIC: 1}) as one, EmbeddedKafka({TOPIC: 1}, brokers=3) as three:
        addresses = [one.bootstrap_servers, *three.bootstrap_servers.split(",")]
    assert len(set(addresses)) == 4
    assert all(address.startswith("127.0.0.1:") for address in addresses)


def test_the_library_prints_nothing() -> None:
    program = """
from worker.embedded import EmbeddedKafka
with EmbeddedKafka({"a": 1}) as kafka:
    kafka.set_down()
    kafka.set_up()
"""
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)  # noqa: S603 - our own
    assert (said.stdout, said.stderr) == (b"", b"")
