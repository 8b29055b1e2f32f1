"""What is read off Postgres, Kafka and the sandbox, on the real ones."""

from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from sqlalchemy.ext.asyncio import AsyncEngine

from proof.soak.lag import LagMeter
from proof.soak.sender import SenderMeter
from proof.soak.standing import largest_tables, read_standing
from tests.conftest import CreateTopics
from tests.delivery.offsets import produce
from tests.embedded.test_apache_kafka import needs_apache
from tests.sandbox.stage import Stage
from tests.storage.database import add_order, connected, execute
from tests.waiting import until
from worker.storage.engine import create_engine

TOPIC = "soak"


async def test_what_waits_in_postgres_is_counted(database: str, engine: AsyncEngine) -> None:
    before = await read_standing(engine)
    assert (before["spool_waiting"], before["outbox_waiting"], before["outbox_oldest_s"]) == (0, 0, 0.0)
    order = await add_order(engine, "7001")
    change = (
        "INSERT INTO outbox (order_ref, key, sequence, type, payload, created_at)"
        " VALUES (:ref, 'k', :sequence, 'status_changed', '{}', now() - interval '30 s')"
    )
    for sequence in (1, 2):
        await execute(engine, change, ref=order, sequence=sequence)
    await execute(engine, "UPDATE outbox SET published_at = now() WHERE sequence = 1")
    await execute(engine, "INSERT INTO spool (topic, key, headers, value) VALUES ('t', 'k', '{}', '')")
    async with connected(database) as other, other.connect():
        found = await read_standing(engine)
    assert (found["spool_waiting"], found["outbox_waiting"]) == (1, 1)
    assert 29 < (found["outbox_oldest_s"] or 0) < 60
    assert (found["database_mib"] or 0) > 1
    assert (found["server_connections"] or 0) >= 2
    assert "facts" in await largest_tables(engine)


async def test_a_postgres_that_is_away_is_no_reading() -> None:
    nobody = create_engine("postgresql://u:p@127.0.0.1:9/x", application="test")
    assert await read_standing(nobody) == {}


@needs_apache
async def test_lag_is_asked_of_the_broker_whoever_consumes(
    kafka_bootstrap: str, create_topics: CreateTopics, topic_prefix: str
) -> None:
    topic = (await create_topics({TOPIC: 2}))[TOPIC]
    group = topic_prefix + "group"
    await produce(kafka_bootstrap, topic, range(10), partitions=2)
    async with LagMeter(kafka_bootstrap, group, [topic], 2) as lag:
        assert await until(lag.read, 20, what="the group's coordinator, which a fresh broker makes first") == 10
        member = AIOKafkaConsumer(bootstrap_servers=kafka_bootstrap, group_id=group, enable_auto_commit=False)
        await member.start()
        member.assign([TopicPartition(topic, number) for number in range(2)])
        await member.commit({TopicPartition(topic, 0): 5, TopicPartition(topic, 1): 2})
        await member.stop()
        assert await lag.read() == 3


def told(stage: Stage) -> dict[str, Any]:
    """The answer of /_sandbox/stats."""
    found: dict[str, Any] = msgspec.to_builtins(stage.sandbox.stats())
    return found


def test_the_sender_s_counters_are_told_since_the_last_look() -> None:
    stage = Stage(orders=20)
    stage.sandbox.start()
    meter = SenderMeter()
    stage.advance(1)
    first = meter.read(told(stage), 10.0)
    assert first["callbacks_per_s"] is None
    assert first["orders"] == 20
    sent = stage.sandbox.outbox.tally.sent
    for took_ms in (1, 8, 8, 400):
        stage.sandbox.outbox.tally.note_answer(200, took_ms)
    stage.advance(6 * 3_600)
    now = stage.sandbox.outbox.tally.sent
    assert now > sent
    second = meter.read(told(stage), 20.0)
    assert second["callbacks_per_s"] == (now - sent) / 10
    assert 5 < (second["callback_p50_ms"] or 0) <= 10
    assert 350 < (second["callback_p99_ms"] or 0) <= 500
    third = meter.read(told(stage), 30.0)
    assert third["callback_p50_ms"] is None, "nothing was answered since"
    assert third["callbacks_per_s"] == 0
