"""FastStream's batch subscriber, set up so that Kafka is told last: manual acknowledgement, explicit commits.

What FastStream would do by itself and must not here (read in its sources): acknowledge before the handler; skip a
batch whose handler or parser raised; commit every assigned partition instead of what was handled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
import structlog
from aiokafka import ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import IllegalStateError, KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage

from worker.broker.metrics import COMMIT_FAILURES, REBALANCES

LOOK_TIMEOUT_S = 5.0
_log = structlog.get_logger()

Records = tuple[ConsumerRecord[bytes, bytes], ...]
BatchHandler = Callable[[Records], Awaitable[None]]


class StopConsumingError(RuntimeError):
    """Raised by a handler to stop the consumer: going on would do harm. Nothing of the batch is committed."""


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
        self._handler = handler
        self._pause = pause_after_failure
        self._broker = KafkaBroker(
            bootstrap_servers,
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
        try:
            await self._handler(records)
        except asyncio.CancelledError:
            raise
        except StopConsumingError as error:
            _log.critical("consumption stopped", reason=str(error))
            # FastStream's StopConsume would stop the consumer from within its own loop, cancel that loop, and so leave
            # connections open and a member in the group that takes nothing. The loop ends; `stop` does the rest.
            self._subscriber.running = False
            return
        except Exception as error:  # noqa: BLE001 - FastStream would swallow it and go on behind the batch
            _log.error("batch failed and comes again", error=type(error).__name__, reason=str(error)[:500])
            _rewind(consumer, records)
            await self._pause()
            return
        await _commit(consumer, records)


async def _decode(message: KafkaMessage) -> KafkaMessage:
    return message


def _rewind(consumer: Any, records: Records) -> None:
    earliest: dict[TopicPartition, int] = {}
    for record in records:
        earliest.setdefault(TopicPartition(record.topic, record.partition), record.offset)
    for partition, offset in earliest.items():
        try:
            consumer.seek(partition, offset)
        except IllegalStateError:
            _log.info("partition was revoked during the batch", partition=str(partition))


async def _commit(consumer: Any, records: Records) -> None:
    """Commit exactly what was handled. A failure is counted, not raised: the batch is stored and idempotent."""
    following: dict[TopicPartition, int] = {}
    for record in records:
        following[TopicPartition(record.topic, record.partition)] = record.offset + 1
    try:
        await consumer.commit(following)
    except (KafkaError, IllegalStateError) as error:
        COMMIT_FAILURES.inc()
        _log.warning("offsets were not committed; the batch will come again", error=type(error).__name__)
