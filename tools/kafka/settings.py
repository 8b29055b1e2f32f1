"""The configuration of one KRaft node: small, quick to start, and strict where delivery is proven."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_MAX_REPLICAS = 3


@dataclass(frozen=True, slots=True)
class NodePorts:
    """The ports of one node on 127.0.0.1: for clients and brokers, and for the controllers' quorum.

    `outer` is one more for clients, who are told to come through `advertised`: where a proxy stands before the broker.
    """

    clients: int
    quorum: int
    outer: int | None = None
    advertised: int | None = None

    @property
    def bootstrap(self) -> str:
        """The address for clients."""
        return f"127.0.0.1:{self.clients}"


def node_settings(number: int, nodes: Sequence[NodePorts], data: Path, overrides: Mapping[str, str]) -> dict[str, str]:
    """Return the server.properties of node `number` (from 1) among `nodes`; `overrides` win."""
    ports = nodes[number - 1]
    replicas = min(len(nodes), _MAX_REPLICAS)
    in_sync = 2 if replicas == _MAX_REPLICAS else 1
    listeners = f"PLAINTEXT://{ports.bootstrap},CONTROLLER://127.0.0.1:{ports.quorum}"
    advertised = f"PLAINTEXT://{ports.bootstrap}"
    if ports.outer is not None:
        listeners += f",OUTER://127.0.0.1:{ports.outer}"
        advertised += f",OUTER://127.0.0.1:{ports.advertised}"
    settings = {
        "process.roles": "broker,controller",
        "node.id": str(number),
        "controller.quorum.voters": ",".join(f"{i}@127.0.0.1:{node.quorum}" for i, node in enumerate(nodes, 1)),
        "listeners": listeners,
        "advertised.listeners": advertised,
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,OUTER:PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": str(data),
        "auto.create.topics.enable": "false",
        "default.replication.factor": str(replicas),
        "min.insync.replicas": str(in_sync),
        "unclean.leader.election.enable": "false",
        "offsets.topic.num.partitions": "3",
        "offsets.topic.replication.factor": str(replicas),
        "transaction.state.log.num.partitions": "1",
        "transaction.state.log.replication.factor": str(replicas),
        "transaction.state.log.min.isr": str(in_sync),
        # A first member need not wait for others; a short session lets tests see a dead member soon.
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "1000",
        # A killed broker is taken out after 5 s instead of 9: chaos tests wait for it.
        "broker.session.timeout.ms": "5000",
        "broker.heartbeat.interval.ms": "1000",
        # Two cores and 384 MB each: the defaults are made for large machines.
        "num.network.threads": "2",
        "num.io.threads": "4",
        "background.threads": "2",
        "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
    }
    return {**settings, **overrides}


def as_properties(settings: Mapping[str, str]) -> str:
    """Return `settings` as a Java properties file (backslashes, the format's escape character, doubled)."""
    escaped = ((name, value.replace("\\", "\\\\")) for name, value in settings.items())
    return "".join(f"{name}={value}\n" for name, value in escaped)
