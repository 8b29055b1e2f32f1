"""SIGTERM ends a worker within 20 s, whatever it is doing and whatever is away; a worker that gave up steps aside."""

import asyncio
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.conftest import CreateTopics
from tests.delivery.offsets import committed
from tests.delivery.programs import STOPS_WITHIN_S, program, started, worker_env
from tests.domain.examples import status
from tests.infrastructure import migrate
from tests.outbound.topic import linked
from tests.reconcile.stage import of, order
from tests.storage.database import rows, value
from tests.waiting import until
from worker.broker.consumer import BatchConsumer, Standing
from worker.broker.envelope import Event, fact_event
from worker.broker.topics import INBOUND, STATUS
from worker.composition import GROUP, outside
from worker.composition import worker as composition
from worker.demo.stage import DemoSettings
from worker.embedded import EmbeddedPostgres
from worker.embedded.ports import free_port


async def test_a_worker_without_kafka_starts_and_stops_in_time(database: str, tmp_path: Path) -> None:
    env = worker_env(tmp_path, database, f"127.0.0.1:{free_port()}")
    async with program(tmp_path / "worker.log", "run", env=env) as worker:
        await started(worker)
        status, seconds = await worker.terminate()
    assert status == 0, worker.text[-3_000:]
    assert seconds < STOPS_WITHIN_S


async def test_a_worker_whose_database_went_away_stops_in_time(
    kafka_bootstrap: str, topic_prefix: str, create_topics: CreateTopics, tmp_path: Path
) -> None:
    await create_topics(dict.fromkeys(INBOUND, 1))
    with EmbeddedPostgres() as postgres:
        await migrate(postgres.dsn())
        env = worker_env(tmp_path, postgres.dsn(), kafka_bootstrap, topic_prefix=topic_prefix)
        async with program(tmp_path / "worker.log", "run", env=env) as worker:
            await started(worker)
            await asyncio.to_thread(postgres.stop)
            await worker.wrote("loop failed and starts again", 30)
            status, seconds = await worker.terminate()
    assert status == 0, worker.text[-3_000:]
    assert seconds < STOPS_WITHIN_S


@pytest.mark.usefixtures("apache")
async def test_a_worker_that_stopped_consuming_leaves_its_partitions_to_the_others(
    engine: AsyncEngine,
    database: str,
    kafka_bootstrap: str,
    topic_prefix: str,
    create_topics: CreateTopics,
    tmp_path: Path,
) -> None:
    """A bad deploy stops at its limit; the next start, mended (here: with a higher limit), works off what it left."""
    topics = await create_topics(dict.fromkeys(INBOUND, 1))
    async with linked(kafka_bootstrap, topic_prefix) as link:
        broken = [Event(STATUS, str(order(1)), {"ce_type": "ordersync.fact.status.v1"}, b"{") for _ in range(3)]
        await link.send_all([*broken, fact_event(of(order(1), status("waitbuyerpay", 0))[0])], 30.0)
    bad = worker_env(
        tmp_path,
        database,
        kafka_bootstrap,
        topic_prefix=topic_prefix,
        dead_letter_limit=2,
        consumer_instance="",
    )
    mended = bad | {"ORDERSYNC_DEAD_LETTER_LIMIT": "100"}
    async with program(tmp_path / "bad.log", "run", "--role", "reconcile", env=bad) as stopped:
        await stopped.wrote("consumption stopped")
        assert await rows(engine, "SELECT kind, resolved_at FROM alerts") == [
            {"kind": "consumption_stopped", "resolved_at": None}
        ]
        assert await value(engine, "SELECT (SELECT count(*) FROM facts) + (SELECT count(*) FROM dead_letters)") == 0
        assert await committed(kafka_bootstrap, topic_prefix + GROUP, topics[STATUS]) == [0]
        async with program(tmp_path / "mended.log", "run", "--role", "reconcile", env=mended):

            async def worked_off() -> bool:
                return bool(await value(engine, "SELECT count(*) = 1 FROM facts"))

            await until(worked_off, 60)
        assert await value(engine, "SELECT count(*) FROM dead_letters") == 3
        assert stopped.running, "it still answers, and says that it is stopped"


class Unwatchable(BatchConsumer):
    """Its first look at the brokers fails in a way that nobody foresaw."""

    looks = 0

    async def look(self) -> Standing:
        type(self).looks += 1
        if self.looks == 1:
            raise LookupError("nobody foresaw it")
        return await super().look()


@pytest.mark.usefixtures("apache")
async def test_a_consumer_that_is_started_again_is_not_there_twice(
    database: str,
    kafka_bootstrap: str,
    topic_prefix: str,
    create_topics: CreateTopics,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await create_topics(dict.fromkeys(INBOUND, 1))
    monkeypatch.setattr(outside, "BatchConsumer", Unwatchable)
    settings = DemoSettings(
        database_url=SecretStr(database),
        kafka_bootstrap_servers=kafka_bootstrap,
        accounts_file=Path("unused"),
        topic_prefix=topic_prefix,
        http_port=0,
    )
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    try:
        async with composition.running(composition.Worker(settings, (), (composition.Role.RECONCILE,))):
            await until(lambda: Unwatchable.looks >= 2, 30)
            (answer,) = await admin.describe_consumer_groups([topic_prefix + GROUP])
    finally:
        await admin.close()
    (group,) = answer.groups
    members = group[5]
    assert len(members) == 1
