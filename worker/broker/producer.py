"""The link to Kafka for writing. It connects in the background: a start must not wait for a broker that is away."""

from __future__ import annotations

import asyncio
import contextlib
import random
import zlib
from collections import deque
from collections.abc import Callable

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, KafkaTimeoutError
from aiokafka.producer.message_accumulator import BatchBuilder

from worker.broker.envelope import Event
from worker.broker.topics import MAX_MESSAGE_BYTES, TopicNames

RECONNECT_FIRST_S = 0.5
RECONNECT_MAX_S = 10.0
COUNT_KNOWN_S = 60.0
MAX_WAITING = 10_000
"""Events that may wait for one partition; more means that Kafka cannot keep up, and the sender has to know."""

_log = structlog.get_logger()


class KafkaUnavailableError(RuntimeError):
    """Kafka did not confirm in time. The event may still arrive; publishing it again is harmless by its id."""


class Lane:
    """The events that wait for one partition, in order."""

    def __init__(self, topic: str, partition: int) -> None:
        self.topic = topic
        self.partition = partition
        self.waiting: deque[tuple[bytes, Event, asyncio.Future[None]]] = deque()
        self.task: asyncio.Task[None] | None = None

    def fill(self, batch: BatchBuilder) -> list[asyncio.Future[None]]:
        """Move what fits into the batch; what nobody waits for any more went another way and is left out."""
        taken = []
        while self.waiting:
            key, event, waiter = self.waiting[0]
            if not waiter.done():
                headers = [(name, value.encode()) for name, value in event.headers.items()]
                if batch.append(timestamp=None, key=key, value=event.value, headers=headers) is None:
                    break
                taken.append(waiter)
            self.waiting.popleft()
        return taken

    def fail(self, error: KafkaUnavailableError) -> None:
        """Tell everybody who waits."""
        while self.waiting:
            _, _, waiter = self.waiting.popleft()
            if not waiter.done():
                waiter.set_exception(error)


class KafkaLink:
    """One idempotent producer with acks=all; one that a broker has refused for good is replaced by a new one.

    A batch that is refused has used up its sequence numbers, and aiokafka never begins a new sequence: every later
    batch of that partition would be refused as out of order.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        names: TopicNames,
        *,
        client_id: str = "ordersync",
        make_producer: Callable[..., AIOKafkaProducer] = AIOKafkaProducer,
    ) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._make_producer = make_producer
        self._client_id = client_id
        self._names = names
        self._producer: AIOKafkaProducer | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._discarded: set[asyncio.Task[None]] = set()
        self._lanes: dict[tuple[str, int], Lane] = {}
        self._counts: dict[str, tuple[int, float]] = {}

    @property
    def connected(self) -> bool:
        """Tell whether the producer has been started (not whether the brokers answer right now)."""
        return self._producer is not None

    def start(self) -> None:
        """Begin to connect in the background."""
        self._connecting = asyncio.create_task(self._connect(), name="kafka-connect")

    async def wait_connected(self) -> None:
        """Return once connected."""
        if self._connecting is not None:
            await asyncio.shield(self._connecting)

    def _replace(self, refused: AIOKafkaProducer, error: KafkaError) -> None:
        if self._producer is not refused:
            return  # somebody else saw it first
        _log.warning("kafka refused for good; the producer is replaced", error=type(error).__name__)
        self._producer = None
        discarded = asyncio.create_task(_discard(refused), name="kafka-discard")
        self._discarded.add(discarded)
        discarded.add_done_callback(self._discarded.discard)
        self.start()

    async def stop(self) -> None:
        """Flush what is under way and close."""
        if self._connecting is not None:
            self._connecting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._connecting
        working = [lane.task for lane in self._lanes.values() if lane.task is not None]
        await asyncio.gather(*working)
        if self._producer is not None:
            producer, self._producer = self._producer, None
            await producer.stop()
        await asyncio.gather(*self._discarded)

    async def send(self, event: Event, timeout_s: float) -> None:
        """Return once all in-sync replicas have the event; raises KafkaUnavailableError if that takes longer."""
        waiter = await self._enqueue(event, timeout_s)
        timer = asyncio.get_running_loop().call_later(timeout_s, _expire, waiter)
        try:
            await waiter
        finally:
            timer.cancel()

    async def send_all(self, events: list[Event], timeout_s: float) -> None:
        """Return once every event is confirmed; events of one key are written in the order given."""
        waiters: list[asyncio.Future[None]] = []
        try:
            for event in events:
                waiters.append(await self._enqueue(event, timeout_s))  # noqa: PERF401 - kept if a later one fails
            if waiters:
                await asyncio.wait(waiters, timeout=timeout_s)
        finally:
            for waiter in waiters:
                _expire(waiter)
            failures = [failure for waiter in waiters if (failure := waiter.exception()) is not None]
        if failures:
            raise failures[0]

    async def _enqueue(self, event: Event, timeout_s: float) -> asyncio.Future[None]:
        """Put the event at the end of its partition's lane; the future says what became of it."""
        producer = self._producer
        if producer is None:
            raise KafkaUnavailableError("not connected to Kafka yet")
        topic = self._names.of(event.topic)
        key = event.key.encode()
        partition = zlib.crc32(key) % await self._partitions(producer, topic, timeout_s)
        lane = self._lanes.get((topic, partition))
        if lane is None:
            lane = self._lanes[topic, partition] = Lane(topic, partition)
        if len(lane.waiting) >= MAX_WAITING:
            raise KafkaUnavailableError(f"{MAX_WAITING} events wait for {topic}/{partition}")
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        lane.waiting.append((key, event, waiter))
        if lane.task is None or lane.task.done():
            lane.task = asyncio.create_task(self._work_off(lane), name=f"lane:{topic}/{partition}")
        return waiter

    async def _partitions(self, producer: AIOKafkaProducer, topic: str, timeout_s: float) -> int:
        """Return how many partitions the topic has; looked up again now and then, since topics can grow."""
        now = asyncio.get_running_loop().time()
        count, known_until = self._counts.get(topic, (0, 0.0))
        if now >= known_until:
            try:
                async with asyncio.timeout(timeout_s):
                    count = len(await producer.partitions_for(topic))
            except (TimeoutError, KafkaError) as error:
                raise self._failed(producer, error) from error
            self._counts[topic] = (count, now + COUNT_KNOWN_S)
        return count

    async def _work_off(self, lane: Lane) -> None:
        """Send what waits, one batch after another: what comes while one is under way goes into the next together."""
        while lane.waiting:
            producer = self._producer
            if producer is None:
                lane.fail(KafkaUnavailableError("not connected to Kafka"))
                return
            batch = producer.create_batch()
            taken = lane.fill(batch)
            if not taken:
                continue
            try:
                confirmed = await producer.send_batch(batch, lane.topic, partition=lane.partition)
                await confirmed
            except Exception as error:  # noqa: BLE001 - whatever the client fails with, the events go another way
                failure = self._failed(producer, error)
                for waiter in taken:
                    if not waiter.done():
                        waiter.set_exception(failure)
                lane.fail(failure)  # what came later must not arrive earlier: consumers drop what is behind
            else:
                for waiter in taken:
                    if not waiter.done():
                        waiter.set_result(None)

    def _failed(self, producer: AIOKafkaProducer, error: Exception) -> KafkaUnavailableError:
        if isinstance(error, KafkaError) and not isinstance(error, KafkaTimeoutError) and not error.retriable:
            self._replace(producer, error)
        return KafkaUnavailableError(f"Kafka did not confirm: {type(error).__name__}")

    async def _connect(self) -> None:
        pause = RECONNECT_FIRST_S
        while True:
            producer = self._make_producer(
                bootstrap_servers=self._bootstrap_servers,
                client_id=self._client_id,
                acks="all",
                enable_idempotence=True,
                linger_ms=0,
                max_batch_size=131_072,
                max_request_size=MAX_MESSAGE_BYTES,
                request_timeout_ms=15_000,
            )
            try:
                await producer.start()
            except asyncio.CancelledError:
                await producer.stop()
                raise
            except (KafkaError, OSError) as error:
                await producer.stop()
                _log.warning("kafka is not reachable", error=type(error).__name__, next_try_s=pause)
                await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311 - jitter
                pause = min(RECONNECT_MAX_S, pause * 2)
            else:
                self._producer = producer
                return


async def _discard(producer: AIOKafkaProducer) -> None:
    with contextlib.suppress(KafkaError):
        await producer.stop()


def _expire(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_exception(KafkaUnavailableError("Kafka did not confirm in time"))
