"""What the shared fixtures are made of: which Kafka this run uses, and databases cloned from a migrated template."""

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from alembic import command
from alembic.config import Config

from tools.kafka import ApacheKafka
from worker.embedded import EmbeddedError, EmbeddedKafka, EmbeddedPostgres

ROOT = Path(__file__).resolve().parent.parent
CHOICE_VARIABLE = "ORDERSYNC_TEST_KAFKA"
TOPICS = {
    "orders.status.v1": 6,
    "orders.price.v1": 6,
    "orders.refund.v1": 6,
    "orders.plans.v1": 6,
    "orders.changes.v1": 6,
    "ops.alerts.v1": 1,
}
_VISIBLE_SECONDS = 20.0
_POLL_SECONDS = 0.01

Kind = Literal["apache", "embedded"]


class NoKafkaError(Exception):
    """The Kafka that this run insists on cannot be had."""


@dataclass(frozen=True, slots=True)
class KafkaChoice:
    """Which Kafka, and why. `may_fall_back`: without the jars (no network) the embedded broker serves instead."""

    kind: Kind
    reason: str
    may_fall_back: bool = False


@dataclass(frozen=True, slots=True)
class SessionKafka:
    """The broker of this test session. `create_here` makes topics where there is no CreateTopics request."""

    kind: Kind
    reason: str
    bootstrap_servers: str
    create_here: Callable[[str, int], None] | None


def choose_kafka(wanted: str, *, ci: bool, missing: str | None) -> KafkaChoice:
    """Decide on the Kafka of this run; `missing` says what Apache Kafka lacks on this machine.

    Proofs of delivery need the real thing, so in CI its absence fails the run instead of weakening it.
    """
    if wanted not in {"auto", "apache", "embedded"}:
        raise NoKafkaError(f"{CHOICE_VARIABLE}={wanted}: expected auto, apache or embedded")
    if wanted == "embedded":
        return KafkaChoice("embedded", f"{CHOICE_VARIABLE}=embedded")
    if missing is None:
        forced = wanted == "apache" or ci
        return KafkaChoice("apache", "Java and Maven are here", may_fall_back=not forced)
    if wanted == "apache" or ci:
        raise NoKafkaError(f"this run needs Apache Kafka: {missing}")
    return KafkaChoice("embedded", missing)


def chosen_kafka() -> KafkaChoice:
    """Return the choice for this process's environment."""
    ci = os.environ.get("CI", "").lower() in {"1", "true", "yes"}
    return choose_kafka(os.environ.get(CHOICE_VARIABLE, "auto"), ci=ci, missing=ApacheKafka.missing())


@contextmanager
def running_kafka(choice: KafkaChoice) -> Iterator[SessionKafka]:
    """Run the chosen Kafka; the embedded one has our topics, on Apache's the tests create theirs."""
    if choice.kind == "apache":
        try:
            ApacheKafka.prepare()
        except EmbeddedError as error:
            if not choice.may_fall_back:
                raise
            choice = KafkaChoice("embedded", str(error))
        else:
            with ApacheKafka() as apache:
                yield SessionKafka("apache", choice.reason, apache.bootstrap_servers, None)
            return
    with EmbeddedKafka(TOPICS) as embedded:
        yield SessionKafka("embedded", choice.reason, embedded.bootstrap_servers, embedded.create_topic)


async def make_topics(kafka: SessionKafka, topics: Mapping[str, int]) -> None:
    """Create topics and wait until every partition has a leader that clients can see.

    Apache Kafka answers CreateTopics before its brokers know the topic; a consumer that subscribes in that moment gets
    no partitions until its next metadata refresh, minutes later.
    """
    if kafka.create_here is not None:
        for name, partitions in topics.items():
            kafka.create_here(name, partitions)
        return
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    try:
        answer = await admin.create_topics([NewTopic(name, partitions, 1) for name, partitions in topics.items()])
        for name, code, message in answer.topic_errors:
            if code != 0:
                raise NoKafkaError(f"topic {name} was not created: {message}")
        async with asyncio.timeout(_VISIBLE_SECONDS):
            while not _led(await admin.describe_topics(list(topics)), topics):  # noqa: ASYNC110 - nothing to wait on
                await asyncio.sleep(_POLL_SECONDS)
    finally:
        await admin.close()


def _led(described: list[dict[str, Any]], topics: Mapping[str, int]) -> bool:
    led = {topic["topic"]: sum(part["leader"] >= 0 for part in topic["partitions"]) for topic in described}
    return led == topics


async def administer(postgres: EmbeddedPostgres, statement: str) -> None:
    """Run one statement that must stand outside of any transaction, such as CREATE DATABASE."""
    connection = await asyncpg.connect(postgres.dsn())
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def migrate(dsn: str) -> None:
    """Bring the database to the newest revision. In a thread: migrations/env.py runs an event loop of its own."""
    if not any((ROOT / "migrations" / "versions").glob("*.py")):
        return
    config = Config(ROOT / "alembic.ini")
    config.attributes["database_url"] = dsn
    await asyncio.to_thread(command.upgrade, config, "head")
