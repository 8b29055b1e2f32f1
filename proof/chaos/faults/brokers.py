"""What happens to Kafka: brokers die, and the network to them is cut, slow or silent."""

from __future__ import annotations

from collections.abc import Sequence

from aiokafka.errors import KafkaError

from proof.chaos.faults.fault import Fault, NetworkFault
from proof.chaos.schedule import Kind, Lane
from proof.rig import Link, TcpProxy
from worker.broker.topics import TopicNames


class KillBroker(Fault):
    """A broker is killed (-9) and comes back on its old log."""

    kind = Kind("broker killed (-9)", Lane.PARTS, (4.0, 12.0))
    broker = 0

    async def begin(self) -> str:
        """Kill."""
        self.broker = self.planned.pick(self.rig.kafka.brokers) + 1
        await self.rig.kafka.kill(self.broker)
        return f"broker {self.broker}"

    async def end(self) -> None:
        """Start it again."""
        if self.broker:
            await self.rig.kafka.start(self.broker)


class LoseLeader(KillBroker):
    """The broker that leads a partition of the status topic is killed (-9): the others have to elect."""

    kind = Kind("partition leader killed (-9)", Lane.PARTS, (4.0, 12.0), brokers=3)

    async def begin(self) -> str:
        """Ask who leads, and kill it."""
        topic = TopicNames().inbound[0]
        partition = self.planned.pick(2)
        try:
            leader = await self.rig.kafka.leader_of(topic, partition)
        except KafkaError:
            leader = -1
        if leader < 1:
            return f"nobody: {topic}/{partition} had no leader to lose"
        self.broker = leader
        await self.rig.kafka.kill(leader)
        return f"broker {leader}, which led {topic}/{partition}"


class KafkaNetwork(NetworkFault):
    """Disturbs the network between all workers and all brokers; brokers go on talking with each other."""

    slow_s = 0.15
    """A confirmation takes longer than a callback may wait for it (0.35 s)."""
    between = "workers to brokers"

    @property
    def proxies(self) -> Sequence[TcpProxy]:
        """One before each broker."""
        return self.rig.kafka.proxies


class KafkaCut(KafkaNetwork):
    """Every connection to Kafka is reset."""

    kind = Kind("Kafka cut off", Lane.PARTS, (3.0, 10.0))


class KafkaSilent(KafkaNetwork):
    """Connections to Kafka stay open and nothing comes through."""

    kind = Kind("Kafka silent", Lane.PARTS, (3.0, 12.0))
    link = Link.BLACK_HOLE


class KafkaUnheard(KafkaNetwork):
    """Kafka takes what is sent, and its confirmations are not heard."""

    kind = Kind("Kafka unheard", Lane.PARTS, (3.0, 8.0))
    link = Link.HALF_OPEN


class KafkaSlow(KafkaNetwork):
    """Kafka answers late."""

    kind = Kind("Kafka slow", Lane.PARTS, (4.0, 10.0))
    link = Link.DELAY
