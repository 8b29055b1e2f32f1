"""Pushes that did not reach us: safe with us first, confirmed then, so that a crash repeats and never loses."""

import random
from dataclasses import dataclass, field
from typing import cast

import pytest
from prometheus_client import REGISTRY
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.bare_marketplace import BareMarketplace
from tests.intake.stage import NOT_DURABLE, NOW, Clock, Kept
from tests.intake.test_poller import Ended
from tests.storage.database import connected
from worker.broker.durable import DurablePublisher
from worker.broker.envelope import Event
from worker.domain.facts import Fact, Source, StatusSeen
from worker.domain.identity import OrderKey, Platform
from worker.intake.messages import MAX_ROUNDS, MessagePoller
from worker.intake.polling import BACKFILL_PAUSE_S
from worker.marketplaces.port import FailedMessages, RetryableError, ThrottledError

PAGE_SIZE = 4


@dataclass
class Queue(BareMarketplace):
    """Keeps pushes until they are confirmed; `journal` is what happened, in order."""

    waiting: list[str] = field(default_factory=list)
    poison: frozenset[str] = frozenset()
    journal: list[str] = field(default_factory=list)
    confirm_fails: int = 0
    is_slow: bool = False

    async def failed_messages(self) -> FailedMessages:
        page = self.waiting[:PAGE_SIZE]
        self.journal.append("read")
        return FailedMessages(
            tuple(self._fact(one) for one in page if one not in self.poison),
            tuple(("no orderId", one.encode()) for one in page if one in self.poison),
            tuple(page),
        )

    async def confirm_messages(self, message_ids: tuple[str, ...]) -> None:
        if self.confirm_fails:
            self.confirm_fails -= 1
            raise RetryableError("HTTP 502")
        self.journal += [f"confirm {one}" for one in message_ids]
        if not self.is_slow:
            self.waiting = [one for one in self.waiting if one not in message_ids]

    def _fact(self, name: str) -> Fact:
        key = OrderKey("main", Platform.ALIBABA_1688, name)
        return Fact(key, Source.CALLBACK, StatusSeen("waitsellersend"), observed_at=NOW, provider_time=NOW)


class Journal(Kept):
    """Writes into the queue's journal what was made durable."""

    def __init__(self, queue: Queue) -> None:
        super().__init__()
        self.queue = queue

    async def publish(self, event: Event) -> None:
        await super().publish(event)
        self.queue.journal.append(f"keep {event.key.rpartition('/')[2]}")


def make_poller(queue: Queue, kept: Kept, engine: AsyncEngine, sleeps: list[float] | None = None) -> MessagePoller:
    slept = sleeps if sleeps is not None else []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        raise Ended

    jitter = random.Random(1)  # noqa: S311 - pauses
    publisher = cast("DurablePublisher", kept)
    return MessagePoller("main", 60.0, queue, publisher, engine, Clock(), sleep=sleep, jitter=jitter)


def names(count: int) -> list[str]:
    return [f"m{number}" for number in range(count)]


async def test_all_are_taken_and_each_is_kept_before_it_is_confirmed(engine: AsyncEngine) -> None:
    queue = Queue(names(11))
    assert await make_poller(queue, Journal(queue), engine).poll_once() == 11
    assert queue.waiting == []
    for name in names(11):
        assert queue.journal.index(f"keep {name}") < queue.journal.index(f"confirm {name}")


async def test_what_is_not_kept_is_not_confirmed(engine: AsyncEngine) -> None:
    queue = Queue(names(3))
    with pytest.raises(type(NOT_DURABLE)):
        await make_poller(queue, Kept(fails_with=NOT_DURABLE), engine).poll_once()
    assert queue.journal == ["read"]
    assert queue.waiting == names(3)


async def test_one_that_cannot_be_kept_holds_back_the_confirmation_of_its_page(engine: AsyncEngine) -> None:
    class FailsOnOne(Kept):
        async def publish(self, event: Event) -> None:
            if event.key.endswith("/m2"):
                raise NOT_DURABLE
            await super().publish(event)

    queue = Queue(names(3))
    with pytest.raises(type(NOT_DURABLE)):
        await make_poller(queue, FailsOnOne(), engine).poll_once()
    assert queue.waiting == names(3)


async def test_a_crash_between_keeping_and_confirming_only_repeats(engine: AsyncEngine) -> None:
    queue, kept = Queue(names(3), confirm_fails=1), Kept()
    with pytest.raises(RetryableError):
        await make_poller(queue, kept, engine).poll_once()
    assert await make_poller(queue, kept, engine).poll_once() == 3
    assert queue.waiting == []
    ids = [event.headers["ce_id"] for event in kept.events]
    assert (len(ids), len(set(ids))) == (6, 3), "the second time they are the same facts"


async def test_a_message_that_is_not_understood_is_set_aside_and_does_not_come_again(engine: AsyncEngine) -> None:
    queue, kept = Queue(names(5), frozenset({"m1", "m4"})), Kept()
    assert await make_poller(queue, kept, engine).poll_once() == 5
    assert {one.body for one in kept.unrecognised} == {b"m1", b"m4"}
    assert {one.reason for one in kept.unrecognised} == {"failed push: no orderId"}
    assert queue.waiting == []


async def test_a_queue_that_is_slow_to_see_confirmations_ends_the_round(engine: AsyncEngine) -> None:
    queue = Queue(names(3), is_slow=True)
    poller = make_poller(queue, Kept(), engine)
    assert await poller.poll_once() == 3
    assert queue.journal.count("read") == 2
    assert not poller.is_behind


async def test_a_round_is_bounded_and_the_rest_follows_soon(engine: AsyncEngine) -> None:
    queue, sleeps = Queue(names(PAGE_SIZE * MAX_ROUNDS + 1)), list[float]()
    poller = make_poller(queue, Kept(), engine, sleeps)
    with pytest.raises(Ended):
        await poller.run()
    assert queue.waiting == [f"m{PAGE_SIZE * MAX_ROUNDS}"]
    assert poller.is_behind
    assert sleeps[0] <= BACKFILL_PAUSE_S * 1.1
    assert await poller.poll_once() == 1
    assert not poller.is_behind


async def test_of_two_processes_one_takes_them(engine: AsyncEngine, database: str) -> None:
    queue, other = Queue(names(2)), Queue(names(2))

    class Beside(Journal):
        """While a message is being kept, another process polls."""

        async def publish(self, event: Event) -> None:
            async with connected(database) as elsewhere:
                assert await make_poller(other, Kept(), elsewhere).poll_once() is None
            await super().publish(event)

    assert await make_poller(queue, Beside(queue), engine).poll_once() == 2
    assert other.journal == []


async def test_being_throttled_does_not_end_the_loop(engine: AsyncEngine) -> None:
    class Throttled(Queue):
        async def failed_messages(self) -> FailedMessages:
            raise ThrottledError("HTTP 429")

    sleeps: list[float] = []
    labels = {"account": "main", "stream": "messages", "error": "ThrottledError"}
    before = REGISTRY.get_sample_value("ordersync_poll_failures_total", labels) or 0
    with pytest.raises(Ended):
        await make_poller(Throttled(), Kept(), engine, sleeps).run()
    assert sleeps[0] > 3 * 60
    assert REGISTRY.get_sample_value("ordersync_poll_failures_total", labels) == before + 1
