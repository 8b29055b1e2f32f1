"""Kafka first, then the spool, then an honest no: each within its time, whatever the two are doing."""

import asyncio
import time
from typing import Any, cast

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.intake.stage import PAID, TOKEN, call, frozen_way, make_app
from tests.storage.database import connected, value
from tests.waiting import until
from worker.broker.durable import KAFKA_PAUSE_S, MAX_EVENT_BYTES, DurablePublisher, NotDurableError
from worker.broker.envelope import Event
from worker.broker.producer import KafkaLink, KafkaUnavailableError
from worker.intake import spool as spool_module
from worker.intake.spool import PostgresSpool

TIMEOUT_S = 0.1
EVENT = Event("orders.status.v1", "main/1688/1", {"ce_id": "1"}, b"{}")


class Store:
    """Stands for Kafka or for the spool: keeps events, fails, or hangs."""

    def __init__(self, *, fails_with: Exception | None = None, hangs: bool = False) -> None:
        self.kept: list[Event] = []
        self.asked = 0
        self.fails_with = fails_with
        self.hangs = hangs

    async def put(self, event: Event) -> None:
        self.asked += 1
        if self.hangs:
            await asyncio.get_running_loop().create_future()
        if self.fails_with is not None:
            raise self.fails_with
        self.kept.append(event)

    async def send(self, event: Event, timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                await self.put(event)
        except TimeoutError as error:
            raise KafkaUnavailableError("Kafka did not confirm: TimeoutError") from error


class Ticks:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def publisher(kafka: Store, spool: Any, ticks: Ticks | None = None, **more: Any) -> DurablePublisher:
    return DurablePublisher(
        cast("KafkaLink", kafka),
        spool,
        kafka_timeout_s=TIMEOUT_S,
        spool_timeout_s=TIMEOUT_S,
        now=ticks or Ticks(),
        **more,
    )


async def test_what_kafka_took_is_not_spooled() -> None:
    kafka, spool = Store(), Store()
    await publisher(kafka, spool).publish(EVENT)
    assert (kafka.kept, spool.asked) == ([EVENT], 0)


@pytest.mark.parametrize(
    "failure",
    [KafkaUnavailableError("no"), RuntimeError("a bug of the client"), OSError("reset"), AssertionError(), KeyError(1)],
)
async def test_whatever_kafkas_client_fails_with_the_event_is_kept(failure: Exception) -> None:
    kafka, spool = Store(fails_with=failure), Store()
    woken: list[int] = []
    await publisher(kafka, spool, on_spooled=lambda: woken.append(1)).publish(EVENT)
    assert (spool.kept, woken) == ([EVENT], [1])


async def test_after_a_failure_kafka_rests_so_that_not_everybody_waits_for_the_same_time_out() -> None:
    kafka, spool, ticks = Store(hangs=True), Store(), Ticks()
    made = publisher(kafka, spool, ticks)
    for _ in range(5):
        await made.publish(EVENT)
    assert (kafka.asked, len(spool.kept)) == (1, 5)
    ticks.now += KAFKA_PAUSE_S - 0.01
    await made.publish(EVENT)
    assert kafka.asked == 1
    ticks.now += 0.02
    kafka.hangs = False
    await made.publish(EVENT)
    await made.publish(EVENT)
    assert (kafka.asked, len(kafka.kept), len(spool.kept)) == (3, 2, 6)


@pytest.mark.parametrize("spool", [Store(fails_with=OSError("no database")), Store(hangs=True)])
async def test_when_both_are_down_the_sender_is_told_within_both_time_outs(spool: Store) -> None:
    made = publisher(Store(hangs=True), spool)
    began = time.monotonic()
    with pytest.raises(NotDurableError, match="neither Kafka nor the spool"):
        await made.publish(EVENT)
    assert time.monotonic() - began < 5 * TIMEOUT_S
    assert (await call(make_app(made))).status == 503


async def test_an_event_that_kafka_will_never_take_does_not_stop_the_drain_for_all_others() -> None:
    kafka, spool = Store(), Store()
    huge = Event("orders.status.v1", "k", {"ce_id": "1"}, b"x" * (MAX_EVENT_BYTES + 1))
    with pytest.raises(NotDurableError, match=str(MAX_EVENT_BYTES)):
        await publisher(kafka, spool).publish(huge)
    assert (kafka.asked, spool.asked) == (0, 0)


async def test_many_events_of_one_message_take_no_longer_than_one() -> None:
    rows = b",".join(b'{"orderId":%d}' % number for number in range(1, 51))
    body = b'{"messageType":"1688_ORDER_BATCH_PAY","messageBody":{"batchPay":[%s]}}' % rows
    began = time.monotonic()
    assert (await call(make_app(publisher(Store(hangs=True), Store(hangs=True))), body=body)).status == 503
    assert time.monotonic() - began < 10 * TIMEOUT_S


async def test_a_database_that_is_not_there_is_no_spool() -> None:
    async with connected("postgresql://nobody@127.0.0.1:1/nothing") as nowhere:
        began = time.monotonic()
        reply = await call(make_app(publisher(Store(hangs=True), PostgresSpool(nowhere))))
        assert reply.status == 503
        assert time.monotonic() - began < 10 * TIMEOUT_S


async def taken(made: DurablePublisher) -> bool:
    return (await call(make_app(made))).status == 200


async def test_a_database_that_no_longer_answers_holds_nobody_up(database: str, engine: AsyncEngine) -> None:
    """A network that swallows everything: asyncpg waits for its own cancellation, we must not."""
    async with frozen_way(database) as (dsn, freezer), connected(dsn, pool_size=2) as frozen:
        spool = PostgresSpool(frozen)
        made = publisher(Store(hangs=True), spool)
        await until(lambda: taken(made), seconds=20, what="a connection is made")
        freezer.freeze()
        for _ in range(3):
            began = time.monotonic()
            assert (await call(make_app(made), f"/callbacks/main/{TOKEN}", PAID)).status == 503
            assert time.monotonic() - began < 5 * TIMEOUT_S
        freezer.thaw()
        await until(lambda: taken(made), seconds=20, what="the thawed database takes events again")
        assert await value(engine, "SELECT count(*) FROM spool") >= 2


async def test_a_connection_that_the_network_lost_does_not_stop_the_spool_for_hours(
    database: str, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody says that it is lost: only a time limit of our own ends a write on it, and the next one gets another."""
    monkeypatch.setattr(spool_module, "WRITE_TIMEOUT_S", TIMEOUT_S)
    async with frozen_way(database) as (dsn, freezer), connected(dsn, pool_size=2) as lossy:
        made = publisher(Store(hangs=True), PostgresSpool(lossy))
        await until(lambda: taken(made), seconds=20, what="a connection is made")
        freezer.strand()
        assert not await taken(made)
        await until(lambda: taken(made), seconds=20, what="a new connection takes over")
