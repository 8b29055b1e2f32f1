"""A producer of the simulated Kafka, with the part of aiokafka's interface that the link for writing uses."""

from __future__ import annotations

import asyncio
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError, KafkaTimeoutError, OutOfOrderSequenceNumber

from worker.simulator.kafka import Cluster, Header

SEND_S = (0.001, 0.02)
LATE_S = (0.3, 3.0)
LOOK_AGAIN_S = 0.5
_ROOM_PER_RECORD = 100


class Batch:
    """Records for one partition."""

    def __init__(self, limit: int) -> None:
        self._room = limit
        self.rows: list[tuple[bytes | None, bytes | None, list[Header]]] = []

    def append(
        self, *, timestamp: int | None, key: bytes | None, value: bytes | None, headers: list[Header]
    ) -> object | None:
        """Take one record; None if the batch is full."""
        del timestamp
        size = len(key or b"") + len(value or b"") + _ROOM_PER_RECORD
        if self.rows and size > self._room:
            return None
        self._room -= size
        self.rows.append((key, value, headers))
        return self


class Producer:
    """One idempotent producer: a batch is written once, however often it is sent, or not at all."""

    def __init__(self, cluster: Cluster, machine: Any, **options: Any) -> None:
        self._cluster = cluster
        self._machine = machine
        self._limit = int(options.get("max_batch_size", 131_072))
        self._timeout_s = options.get("request_timeout_ms", 15_000) / 1_000

    async def start(self) -> None:
        """Connect. Raises KafkaConnectionError while the brokers are away."""
        await asyncio.sleep(self._delay())
        if self._cluster.is_away:
            raise KafkaConnectionError

    async def stop(self) -> None:
        """Nothing is buffered here."""

    async def partitions_for(self, topic: str) -> set[int]:
        """Return the numbers of a topic's partitions; waits while the brokers are away."""
        while self._cluster.is_away:  # noqa: ASYNC110 - a client asks again and again, too
            await asyncio.sleep(LOOK_AGAIN_S)
        return {partition.partition for partition in self._cluster.partitions_of(topic)}

    def create_batch(self) -> Batch:
        """Return an empty batch."""
        return Batch(self._limit)

    async def send_batch(self, batch: Batch, topic: str, *, partition: int) -> asyncio.Future[None]:
        """Send; the future ends with the confirmation, or with what became of it."""
        loop = self._cluster.loop
        confirmed: asyncio.Future[None] = loop.create_future()
        confirmed.add_done_callback(_look_at)
        place = TopicPartition(topic, partition)
        dice = self._cluster.dice
        if dice.falls("send refused"):
            loop.call_later(self._delay(), _fail, confirmed, OutOfOrderSequenceNumber())
        elif dice.falls("send late"):  # it arrives long after its sender took another way
            self._world(dice.between("late", *LATE_S), batch, place, confirmed, loop.time() + self._timeout_s)
        elif dice.falls("confirmation lost"):
            self._world(self._delay(), batch, place, None, loop.time() + self._timeout_s)
            loop.call_later(self._timeout_s, _fail, confirmed, KafkaTimeoutError())
        else:
            self._world(self._delay(), batch, place, confirmed, loop.time() + self._timeout_s)
        return confirmed

    def _world(
        self, delay_s: float, batch: Batch, place: TopicPartition, confirmed: asyncio.Future[None] | None, until: float
    ) -> None:
        """Let the batch arrive after a while, whatever became of its sender's machine meanwhile."""
        self._cluster.later(delay_s, lambda: self._arrive(batch, place, confirmed, until))

    def _arrive(
        self, batch: Batch, place: TopicPartition, confirmed: asyncio.Future[None] | None, until: float
    ) -> None:
        cluster = self._cluster
        if cluster.is_away:
            if not self._machine.alive:
                return  # it was still in the buffer of a process that died
            if cluster.loop.time() >= until:
                if confirmed is not None:
                    _fail(confirmed, KafkaTimeoutError())
                return
            self._world(LOOK_AGAIN_S, batch, place, confirmed, until)
            return
        cluster.append(place, batch.rows)
        if confirmed is not None:
            cluster.later(self._delay(), lambda: _succeed(confirmed))

    def _delay(self) -> float:
        return self._cluster.dice.between("send", *SEND_S)


def _succeed(confirmed: asyncio.Future[None]) -> None:
    if not confirmed.done():
        confirmed.set_result(None)


def _fail(confirmed: asyncio.Future[None], error: Exception) -> None:
    if not confirmed.done():
        confirmed.set_exception(error)


def _look_at(confirmed: asyncio.Future[None]) -> None:
    if not confirmed.cancelled():
        confirmed.exception()
