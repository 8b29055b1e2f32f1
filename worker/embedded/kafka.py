"""A broker that speaks Kafka's protocol, inside our own process: librdkafka's mock cluster.

For the demo and for tests where there is no Java; proofs of delivery are taken on Apache Kafka (`tools.kafka`).

Why inside the process: its brokers are native threads, which do not wait for Python's lock; it starts in a few
milliseconds, dies with us whatever kills us, and needs no channel of its own for faults. It is reachable by TCP, so
other processes can use it. The price: an assertion that fails inside the library ends our process too.

What it is not:

- Durable. Everything is in memory: gone with the process.
- Large. A partition keeps its newest 5 MB or 100,000 produced batches; what is older disappears, read or not.
- A coordinator for many. A consumer group holds ONE aiokafka member; with a second one both fail with
  InvalidRequestError (the mock answers the leader's SyncGroup before the other member has asked).
- Quick to forget. A group whose member has left takes the next one only after the session time-out less one second (the
  whole time-out if that is below one second). Use `session_timeout_ms=1500`, `heartbeat_interval_ms=300`: 0.5 s.
- Fond of static members. `group_instance_id` is accepted, but a returning member counts as a second one until the old
  session has timed out: about 2.4 s with the settings above, 12 s with a session of 6 s.
- An administrator. There is no CreateTopics, no DescribeConfigs, no compaction: topics are given at the start, or
  through `create_topic`. A client that asks for the metadata of an unknown topic creates it, with four partitions.
- A clock. The answer to a produce request carries the time 1234; the stored message keeps its producer's time.
"""

import ctypes
import re
from collections.abc import Iterable, Mapping
from enum import IntEnum
from types import TracebackType
from typing import Any, Self

from worker.embedded import librdkafka
from worker.embedded.errors import EmbeddedError

MAX_BROKERS = 9
MAX_PARTITIONS = 100
_ALL_BROKERS = -1
_PRODUCER = 0  # rd_kafka_type_t: the cluster needs some client to hang on; this one sends nothing
_NAME = re.compile(r"[A-Za-z0-9._-]{1,249}")  # Kafka's own rule for topics
# How long the first member waits for others (Kafka: group.initial.rebalance.delay.ms). There are no others.
_FIRST_JOIN_MS = 20
_MESSAGE_BYTES = 512


class Api(IntEnum):
    """Requests that can be made to fail: numbers of Kafka's protocol."""

    PRODUCE = 0
    FETCH = 1
    LIST_OFFSETS = 2
    METADATA = 3
    OFFSET_COMMIT = 8
    OFFSET_FETCH = 9
    FIND_COORDINATOR = 10
    JOIN_GROUP = 11
    HEARTBEAT = 12
    SYNC_GROUP = 14
    INIT_PRODUCER_ID = 22


class Fault(IntEnum):
    """What to answer instead: error numbers of Kafka's protocol, and the library's own "hang up"."""

    DISCONNECT = -195
    NOT_LEADER_OR_FOLLOWER = 6
    REQUEST_TIMED_OUT = 7
    COORDINATOR_LOAD_IN_PROGRESS = 14
    NOT_COORDINATOR = 16
    NOT_ENOUGH_REPLICAS = 19
    REBALANCE_IN_PROGRESS = 27


class EmbeddedKafka:
    """`topics` maps names to numbers of partitions; `brokers` (1 to 9) all live in this process.

    Use it as a context manager, or call `start` and `stop`. Safe to use from any thread.
    """

    def __init__(self, topics: Mapping[str, int] | None = None, *, brokers: int = 1) -> None:
        if not 1 <= brokers <= MAX_BROKERS:
            raise EmbeddedError(f"brokers must be 1 to {MAX_BROKERS}, not {brokers}")
        self._topics = dict(topics or {})
        for name, partitions in self._topics.items():
            _check_topic(name, partitions)
        self._brokers = brokers
        self._library: librdkafka.Library | None = None
        self._client: int | None = None
        self._cluster: int | None = None

    @property
    def bootstrap_servers(self) -> str:
        """The addresses of all brokers: `127.0.0.1:port,…`."""
        return str(self._call("rd_kafka_mock_cluster_bootstraps").decode("ascii"))

    def start(self) -> None:
        """Open the brokers' ports and create the topics."""
        if self._cluster is not None:
            raise EmbeddedError("Kafka runs already")
        self._library = librdkafka.load()
        self._client = _silent_client(self._library)
        self._cluster = self._library["rd_kafka_mock_cluster_new"](self._client, self._brokers)
        if self._cluster is None:
            self.stop()
            raise EmbeddedError("librdkafka could not open the brokers' ports on 127.0.0.1")
        try:
            self._call("rd_kafka_mock_group_initial_rebalance_delay_ms", _FIRST_JOIN_MS)
            for name, partitions in self._topics.items():
                self.create_topic(name, partitions)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Close all connections and forget every message. Does nothing if it was not started."""
        cluster, self._cluster = self._cluster, None
        client, self._client = self._client, None
        if self._library is None:
            return
        if cluster is not None:
            self._library["rd_kafka_mock_cluster_destroy"](cluster)
        if client is not None:
            self._library["rd_kafka_destroy"](client)

    def create_topic(self, name: str, partitions: int) -> None:
        """Create a topic. One that exists is an error, as with Kafka."""
        _check_topic(name, partitions)
        replicas = min(3, self._brokers)
        code = self._call("rd_kafka_mock_topic_create", name.encode("ascii"), partitions, replicas)
        self._checked(code, f"topic {name} was not created")

    def set_down(self, broker: int = _ALL_BROKERS) -> None:
        """Cut every connection to `broker` (1 to n; default: to all) and refuse new ones. Messages are kept."""
        self._checked(self._call("rd_kafka_mock_broker_set_down", broker), f"broker {broker} cannot go down")

    def set_up(self, broker: int = _ALL_BROKERS) -> None:
        """Accept connections again, at the same address."""
        self._checked(self._call("rd_kafka_mock_broker_set_up", broker), f"broker {broker} cannot come up")

    def set_delay(self, milliseconds: int, broker: int = _ALL_BROKERS) -> None:
        """Let every answer of `broker` wait for so long; 0 ends it."""
        self._checked(self._call("rd_kafka_mock_broker_set_rtt", broker, milliseconds), "no delay was set")

    def fail_next(self, api: Api, faults: Iterable[Fault | int]) -> None:
        """Answer the next requests of this kind with these faults, one each; 0 lets one request through."""
        codes = [int(fault) for fault in faults]
        array = (ctypes.c_int * len(codes))(*codes)
        self._call("rd_kafka_mock_push_request_errors_array", int(api), len(codes), array)

    def clear_faults(self, api: Api) -> None:
        """Forget the faults that no request has met yet."""
        self._call("rd_kafka_mock_clear_request_errors", int(api))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _call(self, function: str, *arguments: object) -> Any:
        if self._library is None or self._cluster is None:
            raise EmbeddedError("Kafka was not started")
        return self._library[function](self._cluster, *arguments)

    def _checked(self, code: int, otherwise: str) -> None:
        if self._library is not None:
            self._library.check(code, otherwise)


def _check_topic(name: str, partitions: int) -> None:
    if not _NAME.fullmatch(name):
        raise EmbeddedError(f"not a topic name: {name!r} (1 to 249 of letters, digits, '.', '_' and '-')")
    if not 1 <= partitions <= MAX_PARTITIONS:
        raise EmbeddedError(f"topic {name} must have 1 to {MAX_PARTITIONS} partitions, not {partitions}")


def _silent_client(library: librdkafka.Library) -> int:
    """Return a client that prints nothing: by default the library logs to standard error."""
    message = ctypes.create_string_buffer(_MESSAGE_BYTES)
    conf = library["rd_kafka_conf_new"]()
    library["rd_kafka_conf_set"](conf, b"log_level", b"0", message, _MESSAGE_BYTES)
    client: int | None = library["rd_kafka_new"](_PRODUCER, conf, message, _MESSAGE_BYTES)
    if client is None:
        library["rd_kafka_conf_destroy"](conf)  # a successful call owns it
        raise EmbeddedError(f"librdkafka did not start: {message.value.decode('utf-8', 'replace')}")
    return client
