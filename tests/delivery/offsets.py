"""A topic of numbered records, and how far a group has committed them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from worker.broker.consumer import BatchConsumer, BatchHandler, ConsumerOptions, Records

SESSION_MS = 6_000


async def produce(bootstrap_servers: str, topic: str, numbers: Iterable[int], partitions: int = 1) -> None:
    """Write each number as a record, dealt to the partitions in turn."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap_servers, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        sent = [
            await producer.send(topic, str(number).encode(), key=b"k", partition=number % partitions)
            for number in numbers
        ]
        await asyncio.gather(*sent)
    finally:
        await producer.stop()


async def committed(bootstrap_servers: str, group: str, topic: str, partitions: int = 1) -> list[int]:
    """The committed offset of each partition, 0 where there is none."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers, group_id=group, enable_auto_commit=False)
    consumer.assign([TopicPartition(topic, number) for number in range(partitions)])
    await consumer.start()
    try:
        return [await consumer.committed(TopicPartition(topic, number)) or 0 for number in range(partitions)]
    finally:
        await consumer.stop()


def numbers(records: Records) -> list[int]:
    return [int(record.value or b"-1") for record in records]


async def no_pause() -> None:
    """Come again at once."""
    await asyncio.sleep(0)


@asynccontextmanager
async def consuming(
    bootstrap_servers: str,
    topics: Iterable[str],
    group: str,
    handler: BatchHandler,
    *,
    max_records: int = 10,
    pause: Callable[[], Awaitable[None]] = no_pause,
) -> AsyncIterator[BatchConsumer]:
    """A member of the group until the end of the block."""
    consumer = BatchConsumer(
        bootstrap_servers,
        list(topics),
        ConsumerOptions(group, max_records, 200, session_timeout_ms=SESSION_MS),
        handler,
        shutdown_timeout_s=5.0,
        pause_after_failure=pause,
    )
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()
