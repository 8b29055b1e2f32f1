"""The shared fixtures keep what the other tests rely on."""

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from alembic.config import Config
from alembic.script import ScriptDirectory

from tests.conftest import CreateTopics
from tests.infrastructure import ROOT, Kind

_seen: set[str] = set()


@pytest.mark.parametrize("turn", [1, 2])
async def test_each_test_has_a_database_of_its_own(turn: int, database: str) -> None:
    connection = await asyncpg.connect(database)
    try:
        await connection.execute(f"CREATE TABLE mine AS SELECT {turn} AS turn")
    finally:
        await connection.close()
    assert database not in _seen
    _seen.add(database)


async def test_the_database_has_the_newest_schema(database: str) -> None:
    newest = ScriptDirectory.from_config(Config(ROOT / "alembic.ini")).get_current_head()
    connection = await asyncpg.connect(database)
    try:
        assert await connection.fetchval("SELECT version_num FROM alembic_version") == newest
    finally:
        await connection.close()


async def test_a_forgotten_connection_does_not_keep_the_database(database: str) -> None:
    connection = await asyncpg.connect(database)
    connection.terminate()


async def test_topics_of_a_test_are_its_own_on_either_kafka(
    kafka_bootstrap: str, kafka_kind: Kind, topic_prefix: str, create_topics: CreateTopics
) -> None:
    topics = await create_topics({"orders.status.v1": 3})
    name = topics["orders.status.v1"]
    assert name == f"{topic_prefix}orders.status.v1"
    assert kafka_kind in {"apache", "embedded"}
    producer = AIOKafkaProducer(bootstrap_servers=kafka_bootstrap, acks="all", enable_idempotence=True)
    consumer = AIOKafkaConsumer(name, bootstrap_servers=kafka_bootstrap, group_id=topic_prefix + "group")
    async with producer, consumer:
        assert await producer.partitions_for(name) == {0, 1, 2}
        assert len(consumer.assignment()) == 3
