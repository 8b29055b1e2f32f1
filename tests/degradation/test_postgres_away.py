"""Postgres goes away: callbacks get their 200 by Kafka, reconcile waits for it and skips nothing; without both, 503."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.degradation.stage import KAFKA_TIMEOUT_S, Minutes, intake, linked, numbers, push, topics
from tests.delivery.offsets import consuming
from tests.embedded.test_apache_kafka import needs_apache
from tests.infrastructure import migrate
from tests.reconcile.stage import make_reconciler
from tests.storage.database import connected, rows, value
from tests.waiting import until
from tools.kafka import ApacheKafka
from worker.broker.topics import STATUS
from worker.embedded import EmbeddedPostgres
from worker.intake.spool import PostgresSpool

pytestmark = needs_apache
ORDERS = range(8_001, 8_011)


@pytest.fixture
async def kafka() -> AsyncIterator[ApacheKafka]:
    async with ApacheKafka() as broker:
        await topics(broker)
        yield broker


@pytest.fixture
async def postgres_of_its_own() -> AsyncIterator[EmbeddedPostgres]:
    """A server of this test alone: it goes away."""
    async with EmbeddedPostgres() as server:
        await migrate(server.dsn())
        yield server


@pytest.fixture
async def own_engine(postgres_of_its_own: EmbeddedPostgres) -> AsyncIterator[AsyncEngine]:
    async with connected(postgres_of_its_own.dsn()) as engine:
        yield engine


@pytest.mark.timeout(240)
async def test_postgres_away_is_no_concern_of_callbacks_and_both_away_is_503_in_time(
    kafka: ApacheKafka, postgres_of_its_own: EmbeddedPostgres, own_engine: AsyncEngine
) -> None:
    minutes = Minutes()
    spool_timeout_s = 0.2
    async with linked(kafka) as link:
        app = intake(link, PostgresSpool(own_engine), minutes, spool_timeout_s=spool_timeout_s)
        assert (await push(app, 8_001, 0))[0] == 200
        await asyncio.to_thread(postgres_of_its_own.kill)
        answers = await asyncio.gather(*(push(app, order_id, 1) for order_id in ORDERS))
        assert {status for status, _ in answers} == {200}
        assert set(await numbers(kafka, [(order_id, 1) for order_id in ORDERS])) == set(ORDERS)

        await asyncio.to_thread(kafka.kill_broker, 1)
        for _ in range(3):
            minutes.now += 60
            started = time.monotonic()
            answers = await asyncio.gather(*(push(app, order_id, 2) for order_id in ORDERS))
            assert {status for status, _ in answers} == {503}
            assert time.monotonic() - started < KAFKA_TIMEOUT_S + spool_timeout_s + 0.35, "together, not one by one"

        await asyncio.to_thread(postgres_of_its_own.restart)

        async def taken() -> bool:
            return (await push(app, 8_001, 3))[0] == 200

        await until(taken, 30, what="the spool takes callbacks again")
        assert await value(own_engine, "SELECT count(*) FROM spool") >= 1
        await asyncio.to_thread(kafka.start_broker, 1)  # or the link would wait for it at its end


@pytest.mark.timeout(240)
async def test_reconcile_waits_for_postgres_and_records_everything_once(
    kafka: ApacheKafka, postgres_of_its_own: EmbeddedPostgres, own_engine: AsyncEngine
) -> None:
    failed = asyncio.Event()

    async def pause() -> None:
        failed.set()
        await asyncio.sleep(0.05)

    async def recorded(count: int) -> bool:
        return bool(await value(own_engine, "SELECT count(*) FROM facts") == count)

    async with linked(kafka) as link:
        app = intake(link, PostgresSpool(own_engine), Minutes())
        reconciler = make_reconciler(own_engine)
        servers = kafka.bootstrap_servers
        async with consuming(servers, [STATUS], "reconcile", reconciler.handle, max_records=3, pause=pause):
            for order_id in ORDERS:
                assert (await push(app, order_id, 0))[0] == 200
            await until(lambda: recorded(len(ORDERS)), 30)
            await asyncio.to_thread(postgres_of_its_own.kill)
            for number in (1, 2):
                for order_id in ORDERS:
                    assert (await push(app, order_id, number))[0] == 200
            await asyncio.wait_for(failed.wait(), 30)
            await asyncio.to_thread(postgres_of_its_own.restart)
            await until(lambda: recorded(3 * len(ORDERS)), 60, what="everything is recorded")
    found = await rows(
        own_engine,
        "SELECT o.order_id, array_agg(f.id ORDER BY f.id) = array_agg(f.id ORDER BY f.provider_time) AS in_order"
        " FROM facts f JOIN orders o ON o.id = f.order_ref GROUP BY 1",
    )
    assert len(found) == len(ORDERS)
    assert all(row["in_order"] for row in found), "rewound as a whole, nothing overtakes"
    assert await value(own_engine, "SELECT count(*) FROM dead_letters") == 0
