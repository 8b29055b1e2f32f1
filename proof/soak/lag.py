"""How far the workers' group is behind, asked of the broker: a worker that is dead tells no lag."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from proof.rig.kafka import behind

WITHIN_S = 4.0


class LagMeter:
    """Compares the ends of topics, of so many `partitions` each, with what the group has committed."""

    def __init__(self, bootstrap_servers: str, group: str, topics: Sequence[str], partitions: int) -> None:
        self._admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
        self._consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers)
        self._group = group
        self._committed: dict[TopicPartition, int] = {}
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
        committed = {partition: offset.offset for partition, offset in done.items()}
        if forgotten(self._committed, committed):
            return None
        self._committed |= committed
        return float(behind(ends, committed))


def forgotten(before: Mapping[Any, int], now: Mapping[Any, int]) -> bool:
    """Tell whether a partition that had a committed offset has none now: a broker that has just started says so."""
    return any(offset >= 0 > now.get(partition, -1) for partition, offset in before.items())
