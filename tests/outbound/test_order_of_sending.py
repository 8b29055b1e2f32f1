"""A batch that Kafka refuses takes what waits behind it along: nothing may arrive before what came before it."""

import asyncio
from typing import Any

import pytest

from worker.broker.envelope import change_event
from worker.broker.producer import KafkaLink, KafkaUnavailableError
from worker.broker.topics import TopicNames


class OneByOne:
    """A batch of one record."""

    def __init__(self) -> None:
        self.key: bytes | None = None

    def append(self, *, headers: list[tuple[str, bytes]], **_: Any) -> object:
        if self.key is not None:
            return None
        self.key = dict(headers)["ce_sequence"]
        return object()


class FailingOnce:
    """A producer whose second batch fails, with an error that leaves it as good as it was."""

    def __init__(self) -> None:
        self.sent: list[int] = []
        self.batches = 0

    async def partitions_for(self, _topic: str) -> set[int]:
        return {0}

    def create_batch(self) -> OneByOne:
        return OneByOne()

    async def send_batch(self, batch: OneByOne, _topic: str, **_: Any) -> asyncio.Future[None]:
        self.batches += 1
        confirmed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.batches == 2:
            confirmed.set_exception(ConnectionError("the broker hung up"))
        else:
            self.sent.append(int(batch.key or b"0"))
            confirmed.set_result(None)
        return confirmed

    async def stop(self) -> None:
        pass


async def test_what_waits_behind_a_batch_that_failed_is_not_sent_before_it() -> None:
    link = KafkaLink("127.0.0.1:1", TopicNames())
    producer: Any = FailingOnce()
    link._producer = producer
    events = [change_event("main/1688/1", number, "status_changed", "{}", "") for number in range(1, 6)]
    with pytest.raises(KafkaUnavailableError):
        await link.send_all(events, 5.0)
    assert producer.sent == [1]
    await link.send_all(events, 5.0)
    assert producer.sent == [1, 1, 2, 3, 4, 5]
    await link.stop()
