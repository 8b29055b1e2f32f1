"""FastStream's batch subscriber, set up so that Kafka is told last: manual acknowledgement, explicit commits.

What FastStream would do by itself and must not here (read in its sources): acknowledge before the handler; skip a
batch whose handler or parser raised; commit every assigned partition instead of what was handled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

import msgspec
import structlog
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage

from worker.broker.batches import Batches, BatchHandler, Records, StopConsumingError
from worker.broker.metrics import REBALANCES

LOOK_TIMEOUT_S = 5.0
_log = structlog.get_logger()


__all__ = ["BatchConsumer", "BatchHandler", "Consumer", "ConsumerOptions", "Records", "Standing", "StopConsumingError"]


class ConsumerOptions(msgspec.Struct, frozen=True):
    """How a group consumes. `instance_id` names a static member, which a quick restart does not rebalance."""

    group_id: str
    max_records: int
    wait_ms: int
    instance_id: str | None = None
    session_timeout_ms: int = 30_000


class Standing(msgspec.Struct, frozen=True):
    """Where a consumer stands: records that wait by partition, and the sum of its positions."""

    waiting: dict[str, int]
    position: int


class Consumer(Protocol):
    """A consumer as whoever runs it sees it."""

    async def start(self) -> None:
        """Join the group. Raises KafkaError if no broker answers."""
        ...

    async def stop(self) -> None:
        """Finish the batch under way and leave."""
        ...

    @property
    def running(self) -> bool:
        """Tell whether batches are taken. Once they are not, `stop` is still to be called."""
        ...

    async def look(self) -> Standing:
        """Ask the brokers how far the assigned partitions reach. Raises KafkaError, TimeoutError."""
        ...


class _CountRebalances(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is untyped
    """Counts only: these hooks block polling, so nothing may wait in them."""

    def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Do nothing: an unfinished batch is finished, and its commit may fail harmlessly."""

    def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Count."""
        REBALANCES.inc()
        _log.info("partitions assigned", count=len(assigned))


class BatchConsumer:
    """Hands batches to a handler; commits a batch's offsets after the handler returned, rewinds it if it raised."""

    def __init__(
        self,
        bootstrap_servers: str,
        topics: Sequence[str],
        options: ConsumerOptions,
        handler: BatchHandler,
        *,
        shutdown_timeout_s: float,
        pause_after_failure: Callable[[], Awaitable[None]],
    ) -> None:
        self._batches = Batches(handler, pause_after_failure)
        self._broker = KafkaBroker(
            bootstrap_servers.split(","),  # FastStream takes a text for one address, commas and all
            client_id="ordersync",
            graceful_timeout=shutdown_timeout_s,
            apply_types=False,
            logger=None,
            allow_auto_create_topics=False,
        )
        self._subscriber: Any = self._broker.subscriber(
            *topics,
            batch=True,
            group_id=options.group_id,
            group_instance_id=options.instance_id,
            ack_policy=AckPolicy.MANUAL,
            auto_offset_reset="earliest",
            partition_assignment_strategy=(StickyPartitionAssignor,),
            max_records=options.max_records,
            batch_timeout_ms=options.wait_ms,
            session_timeout_ms=options.session_timeout_ms,
            fetch_max_wait_ms=options.wait_ms,
            listener=_CountRebalances(),
            parser=self._parse,
            decoder=_decode,
        )
        self._subscriber(self._on_batch)

    async def start(self) -> None:
        """Join the group. Raises KafkaError if no broker answers."""
        await self._broker.start()

    async def stop(self) -> None:
        """Finish the batch under way and leave."""
        await self._broker.stop()

    @property
    def running(self) -> bool:
        """Tell whether the consume loop is on. Once it is not, `stop` is still to be called."""
        return bool(self._subscriber.running)

    async def look(self) -> Standing:
        """Ask the brokers how far the assigned partitions reach, and compare with where we are.

        Asked, not remembered: a consumer that is alive but no longer fetches would remember a lag of zero.
        """
        consumer = self._subscriber.consumer
        if consumer is None:
            return Standing({}, 0)
        partitions = list(consumer.assignment())
        async with asyncio.timeout(LOOK_TIMEOUT_S):
            ends = await consumer.end_offsets(partitions) if partitions else {}
            positions = {partition: await consumer.position(partition) for partition in partitions}
        waiting = {f"{p.topic}/{p.partition}": max(0, ends[p] - positions[p]) for p in partitions}
        return Standing(waiting, sum(positions.values()))

    async def _parse(self, records: Records) -> KafkaMessage:
        """Wrap the records untouched: one undecodable header must not cost the whole batch."""
        first = records[0]
        return KafkaMessage(
            body=b"",
            headers={},
            raw_message=records,
            message_id=f"{first.topic}/{first.partition}/{first.offset}",
            consumer=self._subscriber.consumer,
        )

    async def _on_batch(self, message: KafkaMessage) -> None:
        records: Any = message.raw_message
        consumer: Any = message.consumer
        if not await self._batches.take(records, consumer):
            # FastStream's StopConsume would stop the consumer from within its own loop, cancel that loop, and so leave
            # connections open and a member in the group that takes nothing. The loop ends; `stop` does the rest.
            self._subscriber.running = False


async def _decode(message: KafkaMessage) -> KafkaMessage:
    return message
