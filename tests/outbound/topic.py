"""The topic of changes, read as it lies there: every record, in the order of its partition."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer

from worker.broker.envelope import read_headers
from worker.broker.producer import KafkaLink
from worker.broker.topics import TopicNames


@dataclass(frozen=True)
class Change:
    """One published record."""

    key: str
    sequence: int
    headers: dict[str, str]
    data: dict[str, Any]


async def published(bootstrap_servers: str, topic: str) -> list[Change]:
    """Everything that the topic holds now; the records of one partition, so of one order, as they lie there."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap_servers, auto_offset_reset="earliest")
    await consumer.start()
    try:
        partitions = consumer.assignment()
        ends = await consumer.end_offsets(partitions)
        found: list[Change] = []
        while any([await consumer.position(partition) < ends[partition] for partition in partitions]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found += [_change(record) for record in records]
        return found
    finally:
        await consumer.stop()


def _change(record: Any) -> Change:
    headers = read_headers(record.headers)
    return Change(record.key.decode(), int(headers["ce_sequence"]), headers, msgspec.json.decode(record.value))


def seen_by_consumer(changes: Iterable[Change]) -> dict[str, list[int]]:
    """What a consumer sees that drops `sequence <= last seen`, by order."""
    seen: dict[str, list[int]] = {}
    for change in changes:
        of_order = seen.setdefault(change.key, [])
        if not of_order or change.sequence > of_order[-1]:
            of_order.append(change.sequence)
    return seen


@asynccontextmanager
async def linked(bootstrap_servers: str, prefix: str, kind: type[KafkaLink] = KafkaLink) -> AsyncIterator[KafkaLink]:
    """A connected producer of one process."""
    link = kind(bootstrap_servers, TopicNames(prefix))
    link.start()
    await link.wait_connected()
    try:
        yield link
    finally:
        await link.stop()
