"""How far the workers' group is behind, asked of the broker: a worker that is dead tells no lag."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

WITHIN_S = 4.0


class LagMeter:
    """Compares the ends of topics, of so many `partitions` each, with what the group has committed."""

    def __init__(self, bootstrap_servers: str, group: str, topics: Sequence[str], partitions: int) -> None:
        self._admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
        self._consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers)
        self._group = group
        self._partitions = [TopicPartition(topic, number) for topic in topics for number in range(partitions)]

    async def __aenter__(self) -> Self:
        await self._admin.start()
        await self._consumer.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self._consumer.stop()
        await self._admin.close()

    async def read(self) -> float | None:
        """Return the records that are not committed yet; None if the broker does not answer in time."""
        wanted = self._partitions
        try:
            async with asyncio.timeout(WITHIN_S):
                done = await self._admin.list_consumer_group_offsets(self._group, partitions=wanted)
                ends = await self._consumer.end_offsets(wanted)
        except (KafkaError, TimeoutError, OSError):
            return None
        return float(behind(ends, {partition: offset.offset for partition, offset in done.items()}))


def behind(ends: Mapping[Any, int], committed: Mapping[Any, int]) -> int:
    """Return the sum of the lags; a partition of which nothing was committed (-1) is read from its start."""
    return sum(max(0, end - max(0, committed.get(partition, 0))) for partition, end in ends.items())
