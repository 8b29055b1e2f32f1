"""A worker killed in the middle of its work and started again loses nothing and doubles nothing."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.conftest import CreateTopics
from tests.delivery.offsets import committed
from tests.delivery.programs import program, started, worker_env
from tests.outbound.topic import linked
from tests.reconcile.stage import expected, folded, order, stored
from tests.reconcile.test_convergence import life
from tests.storage.database import rows, value
from tests.waiting import until
from worker.broker.envelope import fact_event
from worker.broker.topics import INBOUND
from worker.composition import GROUP
from worker.domain.facts import Fact

ORDERS = 40
PARTITIONS = 2


@pytest.fixture
def facts() -> list[Fact]:
    return [fact for number in range(ORDERS) for fact in life(number)]


@pytest.mark.usefixtures("apache")
async def test_every_fact_sent_is_recorded_once_whenever_the_worker_is_killed(
    engine: AsyncEngine,
    database: str,
    kafka_bootstrap: str,
    topic_prefix: str,
    create_topics: CreateTopics,
    tmp_path: Path,
    facts: list[Fact],
) -> None:
    topics = await create_topics(dict.fromkeys(INBOUND, PARTITIONS))
    async with linked(kafka_bootstrap, topic_prefix) as link:
        await link.send_all([fact_event(fact) for fact in facts], 30.0)
    # One record per transaction: there is a middle in which to be killed.
    env = worker_env(
        tmp_path, database, kafka_bootstrap, topic_prefix=topic_prefix, batch_max_records=1, clock_skew_allowance_s=5
    )

    async def recorded(count: int) -> bool:
        return bool(await value(engine, "SELECT count(*) FROM facts") >= count)

    for killed_at in (60, 200, None):
        async with program(tmp_path / "worker.log", "run", "--role", "reconcile", env=env) as worker:
            await until(lambda at=killed_at: recorded(at or len(facts)), 60)  # type: ignore[misc]  # mypy sees no default
            if killed_at is not None:
                await worker.kill()
                assert not await recorded(len(facts)), "it was killed in the middle"
                continue
            await started(worker)
            await until(lambda: all_committed(kafka_bootstrap, topic_prefix + GROUP, topics, len(facts)), 20)
            status, _ = await worker.terminate()
            assert status == 0
    found = await rows(engine, "SELECT fact_id, deliveries FROM facts")
    assert sorted(row["fact_id"] for row in found) == sorted(fact.derive_id() for fact in facts)
    assert await value(engine, "SELECT count(*) FROM dead_letters") == 0
    for number in range(ORDERS):
        assert await stored(engine, order(number)) == expected(folded(order(number), life(number)))
    gaps = await rows(
        engine,
        "SELECT o.order_id FROM orders o JOIN outbox b ON b.order_ref = o.id GROUP BY o.id, o.order_id, o.sequence"
        " HAVING count(*) <> o.sequence OR max(b.sequence) <> o.sequence",
    )
    assert gaps == []


async def all_committed(kafka_bootstrap: str, group: str, topics: dict[str, Any], count: int) -> bool:
    offsets = [await committed(kafka_bootstrap, group, topic, PARTITIONS) for topic in topics.values()]
    return sum(sum(one) for one in offsets) == count
