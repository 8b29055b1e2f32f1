"""Plans through a real broker: each applied once, in order, and what is no plan is kept where people see it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.conftest import CreateTopics
from tests.delivery.offsets import committed, consuming
from tests.delivery.programs import program, started, worker_env
from tests.storage.database import add_order, connected, rows, value
from tests.waiting import until
from worker.broker.topics import PLANS, TOPICS
from worker.intake.plans import PlanIntake, Record

KEY = "main/1688/123"


@dataclass
class Written:
    """A record that did not come through the broker."""

    value: bytes | None
    key: bytes | None = KEY.encode()
    headers: list[tuple[str, bytes | None]] = field(default_factory=list)
    offset: int = 1_000
    topic: str = PLANS
    partition: int = 0
    timestamp: int = 0


LATER = Written(b'{"planned_total": "9.00"}')


@pytest.fixture
async def topic(create_topics: CreateTopics) -> str:
    return (await create_topics({PLANS: 1}))[PLANS]


@pytest.fixture
def group(topic_prefix: str) -> str:
    return f"{topic_prefix}plans"


async def send(servers: str, topic: str, *sent: tuple[str | None, Any, dict[str, str]]) -> None:
    """Write records (key, document or bytes, headers), as another system would."""
    producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        for key, document, headers in sent:
            raw = document if isinstance(document, bytes | None) else json.dumps(document).encode()
            packed = [(name, text.encode()) for name, text in headers.items()]
            await producer.send_and_wait(topic, raw, key=key and key.encode(), headers=packed)
    finally:
        await producer.stop()


async def planned(engine: AsyncEngine) -> list[tuple[Any, ...]]:
    query = "SELECT order_id, version, planned_total_minor, requested_by FROM plans ORDER BY order_id"
    return [tuple(row.values()) for row in await rows(engine, query)]


async def test_what_is_no_plan_becomes_a_dead_letter_and_the_plans_around_it_are_taken(
    engine: AsyncEngine, kafka_bootstrap: str, topic: str, group: str
) -> None:
    await send(
        kafka_bootstrap,
        topic,
        (KEY, {"planned_total": "1.00"}, {"ce_source": "/shop"}),
        (KEY, {"planned_total": 1.5, "receiver": {"name": "Jo Doe"}}, {}),
        ("elsewhere/1688/1", {}, {}),
        (None, {}, {}),
        (KEY, b"{", {}),
        (KEY, None, {}),
        ("main/1688/124", {"planned_total": "2.00"}, {}),
    )
    async with consuming(kafka_bootstrap, [topic], group, PlanIntake(engine, ["main"]).handle):

        async def all_handled() -> bool:
            return await committed(kafka_bootstrap, group, topic) == [7]

        await until(all_handled, 30)
    assert await planned(engine) == [("123", 1, 100, "kafka:/shop"), ("124", 1, 200, "kafka")]
    letters = await rows(engine, 'SELECT "offset", reason, value FROM dead_letters ORDER BY "offset"')
    assert [letter["offset"] for letter in letters] == [1, 2, 3, 4, 5]
    assert all(letter["reason"].startswith("plan: ") for letter in letters)
    assert b"Jo Doe" in letters[0]["value"], "kept whole"
    assert "Jo Doe" not in letters[0]["reason"]
    alerts = await rows(engine, "SELECT kind, title FROM alerts WHERE resolved_at IS NULL")
    assert {alert["kind"] for alert in alerts} == {"dead_letters"}
    assert not [alert for alert in alerts if "Jo Doe" in alert["title"]]


async def test_a_batch_that_comes_again_takes_no_later_plan_back(
    engine: AsyncEngine, database: str, kafka_bootstrap: str, topic: str, group: str
) -> None:
    """The database goes away in the middle of the batch, after a part of it was stored; then somebody plans anew."""
    await add_order(engine, "123")
    taken: list[Sequence[Record]] = []

    async def fails_after_storing(records: Sequence[Record]) -> None:
        taken.append(records)
        await PlanIntake(engine, ["main"]).handle(records)
        if len(taken) == 1:
            async with connected(database) as other:
                await PlanIntake(other, ["main"]).handle([LATER])
            raise OSError("the database is away")

    sent = [(KEY, {"planned_total": total}, {"ce_id": total}) for total in ("1.00", "2.00", "2.00")]
    await send(kafka_bootstrap, topic, *sent, sent[0])
    async with consuming(kafka_bootstrap, [topic], group, fails_after_storing):

        async def all_handled() -> bool:
            return await committed(kafka_bootstrap, group, topic) == [4]

        await until(all_handled, 30)
    assert len(taken) >= 2
    assert await planned(engine) == [("123", 3, 900, "kafka")]
    totals = "SELECT content->>'planned_total' AS total FROM plan_versions ORDER BY version"
    assert [row["total"] for row in await rows(engine, totals)] == ["1.00", "2.00", "9.00"]
    assert await value(engine, "SELECT state FROM follow_ups WHERE effect = 'refresh'") == "planned"


async def test_a_running_worker_takes_plans(
    engine: AsyncEngine,
    database: str,
    kafka_bootstrap: str,
    topic_prefix: str,
    create_topics: CreateTopics,
    tmp_path: Path,
) -> None:
    topics = await create_topics({spec.name: 1 for spec in TOPICS})
    env = worker_env(tmp_path, database, kafka_bootstrap, topic_prefix=topic_prefix)
    async with program(tmp_path / "worker.log", "run", "--role", "intake", env=env) as worker:
        await started(worker)
        await send(kafka_bootstrap, topics[PLANS], (KEY, {"planned_total": "1.00"}, {}), ("x", {}, {}))

        async def taken() -> bool:
            return await value(engine, "SELECT count(*) FROM plans") == 1 and bool(
                await value(engine, "SELECT count(*) FROM dead_letters")
            )

        await until(taken, 60)
        status, _ = await worker.terminate()
    assert status == 0, worker.text[-3_000:]
