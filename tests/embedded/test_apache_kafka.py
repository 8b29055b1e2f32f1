"""Apache Kafka without Docker: it starts, keeps what it acknowledged, and ends with its owner."""

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from tests.embedded.processes import first_line, linux_only, owner, watched_descendants
from tests.infrastructure import KafkaChoice, NoKafkaError, SessionKafka, choose_kafka, chosen_kafka, make_topics
from tools.kafka import ApacheKafka
from worker.embedded import EmbeddedError

needs_apache = pytest.mark.skipif(
    chosen_kafka().kind != "apache", reason="no Apache Kafka in this run (CI refuses to go on without it)"
)


@pytest.fixture(scope="module")
def own_kafka() -> Iterator[ApacheKafka]:
    """A broker that these tests may kill."""
    with ApacheKafka() as kafka:
        yield kafka


@pytest.fixture
async def topic(own_kafka: ApacheKafka, topic_prefix: str) -> str:
    name = topic_prefix + "orders"
    await make_topics(SessionKafka("apache", "", own_kafka.bootstrap_servers, None), {name: 3})
    return name


async def send(kafka: ApacheKafka, topic: str, values: list[bytes]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        for value in values:
            await producer.send_and_wait(topic, value)
    finally:
        await producer.stop()


async def receive(kafka: ApacheKafka, topic: str, count: int) -> list[bytes]:
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=kafka.bootstrap_servers,
        group_id=topic,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=1500,
        heartbeat_interval_ms=300,
    )
    await consumer.start()
    try:
        values = [(await consumer.getone()).value for _ in range(count)]
        await consumer.commit()
    finally:
        await consumer.stop()
    return sorted(values)


@pytest.mark.parametrize(
    ("wanted", "ci", "missing", "expected"),
    [
        ("auto", False, None, KafkaChoice("apache", "Java and Maven are here", may_fall_back=True)),
        ("auto", True, None, KafkaChoice("apache", "Java and Maven are here")),
        ("apache", False, None, KafkaChoice("apache", "Java and Maven are here")),
        ("auto", False, "Java is missing", KafkaChoice("embedded", "Java is missing")),
        ("embedded", True, None, KafkaChoice("embedded", "ORDERSYNC_TEST_KAFKA=embedded")),
    ],
)
def test_the_kafka_of_a_run(wanted: str, *, ci: bool, missing: str | None, expected: KafkaChoice) -> None:
    assert choose_kafka(wanted, ci=ci, missing=missing) == expected


@pytest.mark.parametrize(
    ("wanted", "ci", "complaint"),
    [
        ("auto", True, "needs Apache Kafka: no Java"),
        ("apache", False, "needs Apache Kafka: no Java"),
        ("redpanda", False, "expected auto, apache or embedded"),
    ],
)
def test_a_run_that_cannot_have_its_kafka_fails(wanted: str, *, ci: bool, complaint: str) -> None:
    with pytest.raises(NoKafkaError, match=complaint):
        choose_kafka(wanted, ci=ci, missing="no Java")


@pytest.mark.parametrize("brokers", [0, 10])
def test_an_impossible_number_of_brokers_is_refused(brokers: int) -> None:
    with pytest.raises(EmbeddedError, match="brokers must be 1 to 9"):
        ApacheKafka(brokers)


def test_what_was_not_started_has_no_address_and_no_brokers() -> None:
    kafka = ApacheKafka()
    with pytest.raises(EmbeddedError, match="not started"):
        _ = kafka.bootstrap_servers
    with pytest.raises(EmbeddedError, match="no broker 1"):
        kafka.kill_broker(1)


@needs_apache
def test_a_setting_that_kafka_refuses_is_reported_with_its_words() -> None:
    kafka = ApacheKafka(settings={"num.io.threads": "many"})
    with pytest.raises(EmbeddedError, match=r"(?s)broker 1.*num\.io\.threads"):
        kafka.start()


@needs_apache
async def test_what_it_acknowledged_survives_a_kill_at_the_same_address(own_kafka: ApacheKafka, topic: str) -> None:
    address = own_kafka.bootstrap_servers
    await send(own_kafka, topic, [b"1", b"2"])
    assert await receive(own_kafka, topic, 2) == [b"1", b"2"]
    await asyncio.to_thread(own_kafka.kill_broker, 1)
    assert own_kafka.running == []
    await asyncio.to_thread(own_kafka.start_broker, 1)
    await send(own_kafka, topic, [b"3"])
    assert own_kafka.bootstrap_servers == address
    assert await receive(own_kafka, topic, 1) == [b"3"]


@needs_apache
async def test_a_running_cluster_is_not_started_twice(own_kafka: ApacheKafka) -> None:
    with pytest.raises(EmbeddedError, match="runs already"):
        own_kafka.start()
    with pytest.raises(EmbeddedError, match="broker 1 runs already"):
        own_kafka.start_broker(1)


@needs_apache
@linux_only
@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM])
def test_the_command_ends_with_its_brokers_and_its_port_file(ending: signal.Signals, tmp_path: Path) -> None:
    port_file = tmp_path / "servers"
    with owner(["-m", "tools.kafka", "--port-file", str(port_file)]) as process:
        assert first_line(process).startswith("ORDERSYNC_KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:")
        with watched_descendants(process.pid) as brokers:
            assert len(brokers) == 2  # a guard and its Java
            process.send_signal(ending)
            process.wait(30)
            assert all(broker.await_end() for broker in brokers)
        assert port_file.exists() == (ending == signal.SIGKILL)


@needs_apache
async def test_a_cluster_kept_on_disk_comes_back_with_its_messages(tmp_path: Path, topic_prefix: str) -> None:
    topic = topic_prefix + "kept"
    async with ApacheKafka(data=tmp_path / "logs") as first:
        await make_topics(SessionKafka("apache", "", first.bootstrap_servers, None), {topic: 1})
        await send(first, topic, [b"kept"])
    async with ApacheKafka(data=tmp_path / "logs") as second:
        assert await receive(second, topic, 1) == [b"kept"]
    with pytest.raises(EmbeddedError, match="holds a cluster of 1 brokers, not 3"):
        ApacheKafka(3, data=tmp_path / "logs").start()


def test_a_listener_behind_proxies_needs_a_port_per_broker() -> None:
    with pytest.raises(EmbeddedError, match="a port per broker, 3, not 1"):
        ApacheKafka(3, advertised=[12345])
