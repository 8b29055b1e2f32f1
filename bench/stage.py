"""What the benchmarks run on: Apache Kafka with our topics, and Postgres with our schema."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from aiokafka.admin import AIOKafkaAdminClient

from tools.kafka import ApacheKafka
from tools.kafka.cluster import FULL_SPEED
from worker.broker.topics import TopicNames, ensure_topics
from worker.embedded import EmbeddedPostgres
from worker.storage import schema

PARTITIONS = 6


@contextlib.asynccontextmanager
async def kafka() -> AsyncIterator[str]:
    """Run one Apache Kafka broker; yields its address."""
    reason = ApacheKafka.missing()
    if reason is not None:
        raise SystemExit(f"benchmarks are taken against Apache Kafka: {reason}")
    async with ApacheKafka(java_options=FULL_SPEED) as cluster:
        await make_topics(cluster.bootstrap_servers, TopicNames())
        yield cluster.bootstrap_servers


async def make_topics(servers: str, names: TopicNames) -> None:
    """Create the topics as `ordersync topics` does."""
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        await ensure_topics(admin, names, partitions=PARTITIONS, replication=1, create=True)
    finally:
        await admin.close()


@contextlib.asynccontextmanager
async def postgres() -> AsyncIterator[EmbeddedPostgres]:
    """Run Postgres with fsync on and our schema in the database `postgres`."""
    async with EmbeddedPostgres({"shared_buffers": "256MB", "max_wal_size": "4GB"}, durable=True) as server:
        await asyncio.to_thread(schema.upgrade, server.dsn())
        yield server
