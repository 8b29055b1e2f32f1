"""Apache Kafka with a proxy before each broker, and our topics."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient

from proof.rig.tcp_proxy import TcpProxy
from tools.kafka import ApacheKafka
from worker.broker.topics import TopicNames, ensure_topics

PARTITIONS = 6
REPLICATION = 3
"""Where there are so many brokers; fewer have one replica each."""


class KafkaRig:
    """The cluster, and the proxies through which workers reach it; broker n is `proxies[n - 1]`."""

    def __init__(self, cluster: ApacheKafka, proxies: list[TcpProxy], brokers: int) -> None:
        self.cluster = cluster
        self.proxies = proxies
        self.brokers = brokers

    @property
    def servers(self) -> str:
        """The addresses that no fault of the network reaches: for judges."""
        return self.cluster.bootstrap_servers

    @property
    def outer_servers(self) -> str:
        """The addresses through the proxies: for workers."""
        return ",".join(f"127.0.0.1:{proxy.port}" for proxy in self.proxies)

    async def kill(self, broker: int) -> None:
        """End a broker (from 1) as a power cut would."""
        await asyncio.to_thread(self.cluster.kill_broker, broker)

    async def start(self, broker: int) -> None:
        """Start a killed broker again and wait until it serves. Raises EmbeddedError if it does not."""
        await asyncio.to_thread(self.cluster.start_broker, broker)

    async def leader_of(self, topic: str, partition: int = 0) -> int:
        """Return the broker that leads a partition, -1 if none does. Raises KafkaError if no broker answers."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.servers)
        try:
            await admin.start()
            described = await admin.describe_topics([topic])
        finally:
            await admin.close()
        leaders = {one["partition"]: one["leader"] for one in described[0]["partitions"]}
        return int(leaders.get(partition, -1))


def behind(ends: Mapping[Any, int], committed: Mapping[Any, int]) -> int:
    """Return the sum of the lags; a partition of which nothing was committed (-1) is read from its start."""
    return sum(max(0, end - max(0, committed.get(partition, 0))) for partition, end in ends.items())


@contextlib.asynccontextmanager
async def kafka(brokers: int) -> AsyncIterator[KafkaRig]:
    """Run the cluster with our topics. Raises EmbeddedError if this machine cannot."""
    async with contextlib.AsyncExitStack() as stack:
        proxies = [await stack.enter_async_context(TcpProxy(f"kafka-{number + 1}")) for number in range(brokers)]
        cluster = await stack.enter_async_context(ApacheKafka(brokers, advertised=[proxy.port for proxy in proxies]))
        for proxy, port in zip(proxies, cluster.outer_ports, strict=True):
            proxy.target = port
        await _make_topics(cluster.bootstrap_servers, REPLICATION if brokers >= REPLICATION else 1)
        yield KafkaRig(cluster, proxies, brokers)


async def _make_topics(servers: str, replication: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        await ensure_topics(admin, TopicNames(), partitions=PARTITIONS, replication=replication, create=True)
    finally:
        await admin.close()
