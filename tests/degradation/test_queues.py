"""Every queue has an end: what does not fit is refused with a word, or waits where nothing is lost."""

import asyncio
from typing import Any, cast

import httpx2
import pytest
from aiokafka import AIOKafkaProducer
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.dead_letters.stage import all_of, ask, good, poisoned, reconciler, states
from tests.intake.stage import call, make_app
from tests.reconcile.stage import Topic
from tests.storage.database import execute, value
from worker.broker import producer as producer_module
from worker.broker.durable import DurablePublisher, NotDurableError
from worker.broker.envelope import Event
from worker.broker.producer import KafkaLink, KafkaUnavailableError
from worker.broker.topics import TopicNames
from worker.domain.facts import Fact
from worker.http_server import HttpServer, Receive, Scope, Send
from worker.intake import polling
from worker.intake import spool as spool_module
from worker.intake.spool import PostgresSpool, ReadersSpool, SpoolFullError
from worker.settings import Settings
from worker.storage import dead_letter_replays

EVENT = Event("orders.status.v1", "main/1688/1", {"ce_id": "1"}, b"{}")


def settled(ends: list[Any]) -> tuple[int, int]:
    """How many went through, and how many were refused for want of room."""
    return sum(end is None for end in ends), sum(isinstance(end, SpoolFullError) for end in ends)


async def test_the_spool_table_has_an_end_and_the_sender_is_told_to_come_again(engine: AsyncEngine) -> None:
    spool = PostgresSpool(engine, max_events=5)
    ends = await asyncio.gather(*(spool.put(EVENT) for _ in range(8)), return_exceptions=True)
    assert settled(ends) == (5, 3)
    nowhere = KafkaLink("127.0.0.1:1", TopicNames())
    publisher = DurablePublisher(nowhere, spool, kafka_timeout_s=0.1, spool_timeout_s=5, now=lambda: 0.0)
    assert (await call(make_app(publisher))).status == 503
    assert await value(engine, "SELECT count(*) FROM spool") == 5
    await execute(engine, "DELETE FROM spool")
    assert (await call(make_app(publisher))).status == 200


async def test_what_can_be_read_again_leaves_room_for_callbacks(engine: AsyncEngine) -> None:
    spool = PostgresSpool(engine, max_events=10)
    readers = ReadersSpool(spool)
    lists = await asyncio.gather(*(readers.put(EVENT) for _ in range(9)), return_exceptions=True)
    assert settled(lists) == (5, 4)
    callbacks = await asyncio.gather(*(spool.put(EVENT) for _ in range(7)), return_exceptions=True)
    assert settled(callbacks) == (5, 2)


async def test_no_more_wait_for_the_spool_than_may(engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_module, "MAX_WAITING", 6)
    monkeypatch.setattr(spool_module, "WRITE_BATCH", 4)
    spool = PostgresSpool(engine)
    ends = await asyncio.gather(*(spool.put(EVENT) for _ in range(10)), return_exceptions=True)
    assert settled(ends) == (6, 4)
    assert await value(engine, "SELECT count(*) FROM spool") == 6


class Hanging:
    """A broker that takes nothing: an aiokafka producer as far as the link uses it."""

    async def partitions_for(self, _topic: str) -> set[int]:
        return {0}

    def create_batch(self) -> "_OneRecord":
        return _OneRecord()

    async def send_batch(self, *_: Any, **__: Any) -> Any:
        await asyncio.get_running_loop().create_future()


class _OneRecord:
    """A batch with room for one record."""

    def __init__(self) -> None:
        self._full = False

    def append(self, **_: Any) -> object | None:
        was_full, self._full = self._full, True
        return None if was_full else object()


async def test_no_more_wait_for_a_partition_than_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(producer_module, "MAX_WAITING", 5)
    link = KafkaLink("127.0.0.1:1", TopicNames())
    link._producer = cast("AIOKafkaProducer", Hanging())
    ends = await asyncio.gather(*(link.send(EVENT, 0.2) for _ in range(20)), return_exceptions=True)
    refused = [str(end) for end in ends if isinstance(end, KafkaUnavailableError)]
    assert len(refused) == 20, "the broker takes nothing"
    assert sum("wait for" in text for text in refused) == 15
    for lane in link._lanes.values():
        if lane.task is not None:
            lane.task.cancel()


async def test_more_requests_at_once_than_may_are_refused_at_once() -> None:
    going_on, inside = asyncio.Event(), 0

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        nonlocal inside
        inside += 1
        await going_on.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    server = HttpServer(app, "127.0.0.1", 0, max_concurrency=4, shutdown_timeout_s=1)
    await server.start()
    try:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", trust_env=False) as client:
            asked = [asyncio.create_task(client.get("/")) for _ in range(10)]
            done, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
            while len(done) < 10 - inside:
                done, _ = await asyncio.wait(asked, timeout=0.1)
            going_on.set()
            statuses = sorted([(await one).status_code for one in asked])
    finally:
        going_on.set()
        await server.stop()
    assert inside < 4 + 1
    assert statuses == [200] * inside + [503] * (10 - inside)


async def test_a_poller_publishes_so_many_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "PUBLISHED_AT_ONCE", 3)
    at_once, most = 0, 0

    class Slow:
        async def publish(self, _event: Event) -> None:
            nonlocal at_once, most
            at_once += 1
            most = max(most, at_once)
            await asyncio.sleep(0)
            at_once -= 1

    facts: list[Fact] = [good(number) for number in range(10)]
    await polling.publish(cast("DurablePublisher", Slow()), "main", facts, (), 0)
    assert most == 3


async def test_one_replay_takes_so_many_letters_and_says_how_many_are_left(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letter_replays, "MAX_LETTERS", 3)
    await reconciler(engine).handle(all_of(Topic(), poisoned(*(good(number) for number in range(7)))))
    first = await ask(engine, reason_contains="envelope")
    assert (first.report.taken, first.report.left) == (3, 4)
    second = await ask(engine, "second-nonce", reason_contains="envelope")
    assert (second.report.taken, second.report.left, second.report.skipped) == (3, 1, {"being_replayed": 3})
    assert (await states(engine)).count("open") == 1


def test_the_endpoints_own_time_outs_leave_the_sender_time() -> None:
    """The marketplace waits for 1000 ms; body, Kafka and spool, each at its longest, are over before."""
    fields = Settings.model_fields
    names = ("callback_body_timeout_s", "callback_kafka_timeout_s", "callback_spool_timeout_s")
    assert sum(fields[name].default for name in names) <= 0.9


async def test_an_error_of_the_spool_is_told_to_everybody_who_waits() -> None:
    class Broken:
        async def put(self, _event: Event) -> None:
            raise SpoolFullError("5 events are in the spool")

    nowhere = KafkaLink("127.0.0.1:1", TopicNames())
    publisher = DurablePublisher(nowhere, Broken(), kafka_timeout_s=0.1, spool_timeout_s=1, now=lambda: 0.0)
    with pytest.raises(NotDurableError, match="SpoolFullError"):
        await publisher.publish(EVENT)
