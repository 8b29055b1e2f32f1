"""Every change is published at least once, per order in sequence, without gaps, whatever dies or competes."""

import asyncio
from collections.abc import AsyncIterator, Callable

import msgspec
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.conftest import CreateTopics
from tests.domain.examples import price, read, status
from tests.outbound.topic import linked, published, seen_by_consumer
from tests.reconcile.stage import Topic, chunks, make_reconciler, of, order
from tests.storage.database import add_order, execute, value
from tests.waiting import until
from worker.broker.envelope import Event
from worker.broker.producer import KafkaLink, KafkaUnavailableError
from worker.broker.topics import CHANGES, TopicNames
from worker.domain.facts import Fact, Lifecycle, Line, Snapshot, Source
from worker.outbound.relay import RELAY_BATCH, Relay
from worker.storage.wakeup import Wakeups

ORDERS = 6
_INSERT = """
    INSERT INTO outbox (order_ref, key, sequence, type, payload)
    VALUES (:ref, :key, :sequence, 'status_changed', '{}')
"""
MakeRelay = Callable[[KafkaLink], Relay]


@pytest.fixture
async def topic(create_topics: CreateTopics) -> str:
    return (await create_topics({CHANGES: 3}))[CHANGES]


@pytest.fixture
async def kafka(kafka_bootstrap: str, topic_prefix: str) -> AsyncIterator[KafkaLink]:
    async with linked(kafka_bootstrap, topic_prefix) as link:
        yield link


@pytest.fixture
def relay_of(engine: AsyncEngine) -> MakeRelay:
    return lambda link: Relay(engine, link, Wakeups("postgresql://unused"), idle_s=0.05)


async def waiting(engine: AsyncEngine) -> int:
    return int(await value(engine, "SELECT count(*) FROM outbox WHERE published_at IS NULL"))


async def fill(engine: AsyncEngine, *counts: int) -> None:
    """Orders with so many changes each, as their rows would have been written one after another."""
    refs = [await add_order(engine, str(number)) for number in range(len(counts))]
    for sequence in range(1, max(counts) + 1):
        for number, ref in enumerate(refs):
            if sequence <= counts[number]:
                await execute(engine, _INSERT, ref=ref, key=f"main/1688/{number}", sequence=sequence)


def complete(*counts: int) -> dict[str, list[int]]:
    return {f"main/1688/{number}": list(range(1, count + 1)) for number, count in enumerate(counts)}


def life(number: int) -> list[Fact]:
    return of(
        order(number),
        status("waitbuyerpay", 0),
        read("waitbuyerpay", 10, modified=1),
        *(price(10_000 + turn, 20 + turn) for turn in range(5)),
        read("waitsellersend", 60, modified=50, paid=True),
    )


async def test_what_several_reconcilers_write_arrives_in_sequence_and_complete(
    engine: AsyncEngine, kafka: KafkaLink, relay_of: MakeRelay, kafka_bootstrap: str, topic: str
) -> None:
    """They write while the relay runs, each of them facts of all orders."""
    source = Topic()
    shares = [
        [source.take(fact)[0] for number in range(ORDERS) for fact in life(number)[start::3]] for start in range(3)
    ]
    relaying = asyncio.create_task(relay_of(kafka).run())

    async def write(share: list[object]) -> None:
        reconciler = make_reconciler(engine)
        for batch in chunks(share, 4):  # type: ignore[arg-type]  # records
            await reconciler.handle(batch)

    try:
        await asyncio.gather(*(write(list(share)) for share in shares))
        await until(lambda: nothing_waits(engine))
    finally:
        relaying.cancel()
        await asyncio.gather(relaying, return_exceptions=True)
    changes = await published(kafka_bootstrap, topic)
    made = await value(engine, "SELECT sum(sequence) FROM orders")
    assert len(changes) == made
    for number in range(ORDERS):
        of_order = [change.sequence for change in changes if change.key == str(order(number))]
        assert of_order == list(range(1, len(of_order) + 1))


async def nothing_waits(engine: AsyncEngine) -> bool:
    return await waiting(engine) == 0


async def test_an_event_says_what_changed_in_cloudevents(
    engine: AsyncEngine, kafka: KafkaLink, relay_of: MakeRelay, kafka_bootstrap: str, topic: str
) -> None:
    await make_reconciler(engine).handle(Topic().take(*life(1)[:1]))
    await relay_of(kafka).relay_once()
    (change,) = await published(kafka_bootstrap, topic)
    assert change.headers["ce_specversion"] == "1.0"
    assert change.headers["ce_id"] == "main/1688/1/1"
    assert change.headers["ce_type"] == "ordersync.order.status_changed.v1"
    assert change.headers["ce_subject"] == change.key == "main/1688/1"
    assert change.headers["content-type"] == "application/json"
    assert (change.data["before"], change.data["after"], change.data["sequence"]) == ("unknown", "awaiting_payment", 1)


class DiesAfterSending(KafkaLink):
    """The process dies between Kafka's confirmation and the mark in Postgres."""

    async def send_all(self, events: list[Event], timeout_s: float) -> None:
        await super().send_all(events, timeout_s)
        raise asyncio.CancelledError


async def test_a_crash_after_publishing_repeats_changes_and_loses_none(
    engine: AsyncEngine, kafka: KafkaLink, relay_of: MakeRelay, kafka_bootstrap: str, topic_prefix: str, topic: str
) -> None:
    await fill(engine, 3, 2)
    async with linked(kafka_bootstrap, topic_prefix, DiesAfterSending) as dying:
        with pytest.raises(asyncio.CancelledError):
            await relay_of(dying).relay_once()
    assert await waiting(engine) == 5
    assert await relay_of(kafka).relay_once() == 5
    assert await waiting(engine) == 0
    changes = await published(kafka_bootstrap, topic)
    assert len(changes) == 10
    assert seen_by_consumer(changes) == complete(3, 2)


async def test_several_relays_at_once_publish_each_change_once_and_in_order(
    engine: AsyncEngine, kafka_bootstrap: str, topic_prefix: str, topic: str, relay_of: MakeRelay
) -> None:
    await fill(engine, 20, 20, 20)
    async with (
        linked(kafka_bootstrap, topic_prefix) as one,
        linked(kafka_bootstrap, topic_prefix) as two,
        linked(kafka_bootstrap, topic_prefix) as three,
    ):
        relays = [relay_of(link) for link in (one, two, three)]
        await asyncio.gather(*(relay.relay_once() for _ in range(4) for relay in relays))
    changes = await published(kafka_bootstrap, topic)
    assert len(changes) == 60
    assert seen_by_consumer(changes) == complete(20, 20, 20)


async def test_a_row_that_commits_late_is_not_skipped(
    engine: AsyncEngine, kafka: KafkaLink, relay_of: MakeRelay, kafka_bootstrap: str, topic: str
) -> None:
    """Its id was taken first; by the time it is committed, higher ids are published and marked."""
    late, early = await add_order(engine, "late"), await add_order(engine, "early")
    relay = relay_of(kafka)
    async with engine.connect() as connection, connection.begin():
        await connection.execute(text(_INSERT), {"ref": late, "key": "main/1688/late", "sequence": 1})
        await execute(engine, _INSERT, ref=early, key="main/1688/early", sequence=1)
        assert await relay.relay_once() == 1
    assert await relay.relay_once() == 1
    assert [change.key for change in await published(kafka_bootstrap, topic)].count("main/1688/late") == 1


async def test_while_kafka_is_away_nothing_is_marked(engine: AsyncEngine, relay_of: MakeRelay) -> None:
    await fill(engine, 2)
    away = KafkaLink("127.0.0.1:1", TopicNames())
    with pytest.raises(KafkaUnavailableError):
        await relay_of(away).relay_once()
    assert await waiting(engine) == 2
    relaying = asyncio.create_task(relay_of(away).run())
    done, _ = await asyncio.wait([relaying], timeout=0.3)
    assert not done, "the loop goes on and tries again"
    relaying.cancel()
    await asyncio.gather(relaying, return_exceptions=True)


async def test_a_backlog_is_worked_off_batch_by_batch(
    engine: AsyncEngine, kafka: KafkaLink, relay_of: MakeRelay, kafka_bootstrap: str, topic: str
) -> None:
    ref = await add_order(engine, "0")
    await execute(
        engine,
        "INSERT INTO outbox (order_ref, key, sequence, type, payload)"
        " SELECT :ref, 'main/1688/0', n, 'status_changed', '{}' FROM generate_series(1, :count) n",
        ref=ref,
        count=RELAY_BATCH + 5,
    )
    relay = relay_of(kafka)
    assert [await relay.relay_once() for _ in range(3)] == [RELAY_BATCH, 5, 0]
    assert seen_by_consumer(await published(kafka_bootstrap, topic)) == complete(RELAY_BATCH + 5)


async def test_a_change_too_large_for_kafka_is_published_without_its_content_and_stops_no_other(
    engine: AsyncEngine, kafka: KafkaLink, relay_of: MakeRelay, kafka_bootstrap: str, topic: str
) -> None:
    many = tuple(Line(f"l{number}", name="名" * 400) for number in range(1_000))
    huge = Fact(order(1), Source.RESPONSE, Snapshot(Lifecycle("waitbuyerpay"), lines=many), observed_at=0)
    await make_reconciler(engine).handle(Topic().take(huge, *life(2)))
    await relay_of(kafka).relay_once()
    assert await waiting(engine) == 0
    changes = await published(kafka_bootstrap, topic)
    (left_out,) = [change for change in changes if change.data["change"] == "lines_changed"]
    assert (left_out.key, left_out.data["before"], left_out.data["after"]) == ("main/1688/1", None, None)
    assert left_out.data["left_out"] > 400_000
    assert len(msgspec.json.encode(left_out.data)) < 1_000
