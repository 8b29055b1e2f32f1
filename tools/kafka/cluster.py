"""`ApacheKafka`: one to nine KRaft nodes of real Kafka as children of this process."""

import asyncio
import base64
import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from tools.kafka import jars
from tools.kafka.broker import Broker, JavaCommand, PortTakenError
from tools.kafka.settings import NodePorts, node_settings
from worker.embedded import EmbeddedError
from worker.embedded.ports import free_port

MAX_BROKERS = 9
_PORT_ATTEMPTS = 3
_CLUSTER_FILE = "cluster"
# The quick compiler alone: half the start-up time. For measured figures leave it out.
QUICK_START = ("-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
FULL_SPEED = ("-Xms384m", "-Xmx384m")


class ApacheKafka:
    """A cluster; brokers are numbered from 1. Every node is broker and controller.

    With three brokers or more: replication factor 3 and min.insync.replicas 2, so that acks=all outlives one of them.
    Topics are never created by accident. `settings` override server.properties; `data` keeps the logs between runs.
    `advertised`: one port per broker through which clients of a further listener are told to come; who listens there
    passes them on to that broker's port among `outer_ports`.
    """

    def __init__(
        self,
        brokers: int = 1,
        *,
        data: Path | None = None,
        settings: Mapping[str, str] | None = None,
        java_options: Sequence[str] = QUICK_START,
        start_seconds: float = 90.0,
        advertised: Sequence[int] = (),
    ) -> None:
        if not 1 <= brokers <= MAX_BROKERS:
            raise EmbeddedError(f"brokers must be 1 to {MAX_BROKERS}, not {brokers}")
        if len(advertised) not in {0, brokers}:
            raise EmbeddedError(f"advertised must name a port per broker, {brokers}, not {len(advertised)}")
        self._count = brokers
        self._advertised = advertised
        self._data = data.absolute() if data else None
        self._settings = dict(settings or {})
        self._java_options = java_options
        self._start_seconds = start_seconds
        self._ports: list[NodePorts] = []
        self._brokers: list[Broker] = []

    @staticmethod
    def missing() -> str | None:
        """Return what this machine lacks to run Kafka (Java, Maven), or None if nothing. Downloads nothing."""
        return jars.missing()

    @staticmethod
    def prepare() -> None:
        """Fetch the jars now if need be, so that `start` needs no network."""
        jars.fetch_jars()

    @property
    def bootstrap_servers(self) -> str:
        """The addresses of all brokers: `127.0.0.1:port,…`."""
        if not self._ports:
            raise EmbeddedError("Kafka was not started")
        return ",".join(ports.bootstrap for ports in self._ports)

    @property
    def outer_ports(self) -> list[int]:
        """The ports behind those that `advertised` named, broker by broker."""
        return [ports.outer for ports in self._ports if ports.outer is not None]

    @property
    def running(self) -> list[int]:
        """The numbers of the brokers whose process exists."""
        return [broker.number for broker in self._brokers if broker.running]

    def start(self) -> None:
        """Fetch the jars if need be, format the storage, start all brokers and wait until each serves."""
        if self._brokers:
            raise EmbeddedError("Kafka runs already")
        java = JavaCommand(jars.fetch_jars(), self._java_options)
        try:
            cluster_id = self._cluster_id()
            for number in range(1, self._count + 1):
                self._brokers.append(Broker(number, self._home(number), java, temporary=self._data is None))
            self._start_all(cluster_id)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop all brokers at once (one after another, the last would wait for a quorum that is gone)."""
        brokers, self._brokers, self._ports = self._brokers, [], []
        if brokers:
            with ThreadPoolExecutor(len(brokers)) as pool:
                list(pool.map(Broker.remove, brokers))

    def stop_broker(self, number: int) -> None:
        """Shut one broker down politely."""
        self._broker(number).stop()

    def kill_broker(self, number: int) -> None:
        """Kill one broker with SIGKILL; the others notice after 5 s."""
        self._broker(number).kill()

    def start_broker(self, number: int) -> None:
        """Start a stopped or killed broker again on its ports and data, and wait until it serves."""
        broker = self._broker(number)
        broker.launch()
        broker.await_ready(time.monotonic() + self._start_seconds)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.start)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)

    def _broker(self, number: int) -> Broker:
        if not 1 <= number <= len(self._brokers):
            raise EmbeddedError(f"there is no broker {number}")
        return self._brokers[number - 1]

    def _home(self, number: int) -> Path:
        if self._data is None:
            return Path(tempfile.mkdtemp(prefix=f"ordersync-kafka-{number}-"))
        home = self._data / f"broker-{number}"
        home.mkdir(exist_ok=True)
        return home

    def _cluster_id(self) -> str:
        """Return the id of the cluster, kept in `data` beside the number of its brokers, which must not change."""
        new_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode("ascii").rstrip("=").replace("-", "A")
        if self._data is None:
            return new_id
        self._data.mkdir(parents=True, exist_ok=True)
        kept = self._data / _CLUSTER_FILE
        if not kept.exists():
            kept.write_text(f"{new_id} {self._count}\n", "ascii")
        cluster_id, brokers = kept.read_text("ascii").split()
        if int(brokers) != self._count:
            raise EmbeddedError(f"{self._data} holds a cluster of {brokers} brokers, not {self._count}")
        return cluster_id

    def _start_all(self, cluster_id: str) -> None:
        for attempt in range(1, _PORT_ATTEMPTS + 1):
            self._ports = _choose_ports(self._count, self._advertised)
            for broker in self._brokers:
                broker.configure(node_settings(broker.number, self._ports, broker.data, self._settings))
            with ThreadPoolExecutor(self._count) as pool:
                list(pool.map(lambda broker: broker.format(cluster_id), self._brokers))
            for broker in self._brokers:
                broker.launch()
            deadline = time.monotonic() + self._start_seconds
            try:
                for broker in self._brokers:
                    broker.await_ready(deadline)
            except PortTakenError:
                if attempt == _PORT_ATTEMPTS:
                    raise
                for broker in self._brokers:
                    if broker.running:
                        broker.kill()
            else:
                return


def _choose_ports(nodes: int, advertised: Sequence[int]) -> list[NodePorts]:
    chosen: list[int] = []
    for _ in range(3 * nodes):
        chosen.append(free_port(taken=[*chosen, *advertised]))
    triples = list(zip(chosen[::3], chosen[1::3], chosen[2::3], strict=True))
    if not advertised:
        return [NodePorts(clients, quorum) for clients, quorum, _ in triples]
    return [NodePorts(*three, told) for three, told in zip(triples, advertised, strict=True)]
