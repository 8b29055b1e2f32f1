"""What becomes of one batch, whoever polled it: handled first, told to Kafka last, rewound if it failed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

from worker.broker.metrics import COMMIT_FAILURES

_log = structlog.get_logger()

Records = tuple[ConsumerRecord[bytes, bytes], ...]
BatchHandler = Callable[[Records], Awaitable[None]]


class StopConsumingError(RuntimeError):
    """Raised by a handler to stop the consumer: going on would do harm. Nothing of the batch is committed."""


class Positions(Protocol):
    """What we need of a Kafka consumer once it has returned records."""

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Read from `offset` next. Raises IllegalStateError if the partition is no longer ours."""
        ...

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        """Commit the offsets of the next records. Raises KafkaError or IllegalStateError."""
        ...


class Batches:
    """Hands batches to a handler; commits a batch's offsets after the handler returned, rewinds it if it raised."""

    def __init__(self, handler: BatchHandler, pause_after_failure: Callable[[], Awaitable[None]]) -> None:
        self._handler = handler
        self._pause = pause_after_failure

    async def take(self, records: Records, consumer: Positions) -> bool:
        """Handle one batch; False if consumption is to stop."""
        try:
            await self._handler(records)
        except asyncio.CancelledError:
            raise
        except StopConsumingError as error:
            _log.critical("consumption stopped", reason=str(error))
            return False
        except Exception as error:  # noqa: BLE001 - FastStream would swallow it and go on behind the batch
            _log.error("batch failed and comes again", error=type(error).__name__, reason=str(error)[:500])
            _rewind(consumer, records)
            await self._pause()
            return True
        await _commit(consumer, records)
        return True


def _rewind(consumer: Positions, records: Records) -> None:
    earliest: dict[TopicPartition, int] = {}
    for record in records:
        earliest.setdefault(TopicPartition(record.topic, record.partition), record.offset)
    for partition, offset in earliest.items():
        try:
            consumer.seek(partition, offset)
        except IllegalStateError:
            _log.info("partition was revoked during the batch", partition=str(partition))


async def _commit(consumer: Positions, records: Records) -> None:
    """Commit exactly what was handled. A failure is counted, not raised: the batch is stored and idempotent."""
    following: dict[TopicPartition, int] = {}
    for record in records:
        following[TopicPartition(record.topic, record.partition)] = record.offset + 1
    try:
        await consumer.commit(following)
    except IllegalStateError:  # one of them was revoked meanwhile, and so nothing was committed: the others are ours
        for partition, offset in following.items():
            await _commit_one(consumer, partition, offset)
    except KafkaError as error:
        _not_committed(error)


async def _commit_one(consumer: Positions, partition: TopicPartition, offset: int) -> None:
    try:
        await consumer.commit({partition: offset})
    except (KafkaError, IllegalStateError) as error:
        _not_committed(error)


def _not_committed(error: Exception) -> None:
    COMMIT_FAILURES.inc()
    _log.warning("offsets were not committed; the batch will come again", error=type(error).__name__)
