"""The topics and their settings, said once and created explicitly: a broker's defaults are nobody's decision."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import msgspec
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

STATUS = "orders.status.v1"
PRICE = "orders.price.v1"
REFUND = "orders.refund.v1"
PLANS = "orders.plans.v1"
CHANGES = "orders.changes.v1"
ALERTS = "ops.alerts.v1"
INBOUND = (STATUS, PRICE, REFUND)
CONSUMED = (*INBOUND, PLANS)

_DAY_MS = 24 * 60 * 60 * 1000
DEFAULT_PARTITIONS = 6
MAX_MESSAGE_BYTES = 1_048_576
LEADERS_WITHIN_S = 20.0
LOOK_EVERY_S = 0.1


class TopicSpec(msgspec.Struct, frozen=True):
    """One topic. `retention_ms`: how long a consumer may be away without losing anything."""

    name: str
    retention_ms: int


TOPICS = (
    TopicSpec(STATUS, 14 * _DAY_MS),
    TopicSpec(PRICE, 14 * _DAY_MS),
    TopicSpec(REFUND, 14 * _DAY_MS),
    TopicSpec(PLANS, 14 * _DAY_MS),
    TopicSpec(CHANGES, 30 * _DAY_MS),
    TopicSpec(ALERTS, 30 * _DAY_MS),
)


class TopicNames(msgspec.Struct, frozen=True):
    """The names in use: the standard ones behind an optional prefix, for several installations on one cluster."""

    prefix: str = ""

    def of(self, name: str) -> str:
        """Return the topic's name on the cluster."""
        return f"{self.prefix}{name}"

    def plain(self, name: str) -> str:
        """Return the standard name of a topic on the cluster. Raises ValueError if it is not of this installation."""
        if not name.startswith(self.prefix):
            raise ValueError(f"the topic {name} has another prefix than {self.prefix}")
        return name.removeprefix(self.prefix)

    @property
    def inbound(self) -> tuple[str, ...]:
        """Return the three topics that carry facts."""
        return tuple(self.of(name) for name in INBOUND)

    @property
    def consumed(self) -> tuple[str, ...]:
        """Return every topic that the worker itself reads, and whose dead letters can be replayed."""
        return tuple(self.of(name) for name in CONSUMED)

    @property
    def all(self) -> tuple[str, ...]:
        """Return every topic."""
        return tuple(self.of(spec.name) for spec in TOPICS)


class TopicReport(msgspec.Struct, frozen=True):
    """What was found or done about one topic."""

    name: str
    state: str  # created | present | missing | differs
    detail: str = ""


def _settings(spec: TopicSpec, replication: int) -> dict[str, str]:
    return {
        "cleanup.policy": "delete",
        "retention.ms": str(spec.retention_ms),
        "min.insync.replicas": str(max(1, replication - 1)),
        "max.message.bytes": str(MAX_MESSAGE_BYTES),
        "message.timestamp.type": "CreateTime",
        "unclean.leader.election.enable": "false",
    }


async def ensure_topics(
    admin: AIOKafkaAdminClient, names: TopicNames, *, partitions: int, replication: int, create: bool
) -> list[TopicReport]:
    """Create the missing topics (if `create`) and report each; an existing one is compared, never changed.

    The number of partitions of a topic in use must not change silently: it decides where an order's events go.
    """
    existing = set(await admin.list_topics())
    reports = [TopicReport(name, "present") for name in names.all if name in existing]
    missing = [spec for spec in TOPICS if names.of(spec.name) not in existing]
    if missing and create:
        wanted = [
            NewTopic(names.of(spec.name), partitions, replication, topic_configs=_settings(spec, replication))
            for spec in missing
        ]
        answer = await admin.create_topics(wanted)
        failed = {name: text for name, code, text in answer.topic_errors if code not in (0, 36)}  # 36: exists by now
        if failed:
            raise RuntimeError("; ".join(f"topic {name} was not created: {text}" for name, text in failed.items()))
        await _wait_for_leaders(admin, [names.of(spec.name) for spec in missing])
    state = "created" if create else "missing"
    # To ask for a missing topic would make it on most brokers, with the broker's own number of partitions.
    described = await admin.describe_topics([report.name for report in reports]) if reports else []
    reports += [TopicReport(names.of(spec.name), state) for spec in missing]
    return list(_with_differences(reports, described, partitions))


async def _wait_for_leaders(admin: AIOKafkaAdminClient, names: list[str]) -> None:
    """Return once every partition can be written; a cluster answers "created" before that is so."""
    async with asyncio.timeout(LEADERS_WITHIN_S):
        while True:
            described = await admin.describe_topics(names)
            partitions = [partition for topic in described for partition in topic["partitions"]]
            if len(described) == len(names) and partitions and all(p["leader"] >= 0 for p in partitions):
                return
            await asyncio.sleep(LOOK_EVERY_S)


def _with_differences(
    reports: list[TopicReport], described: list[dict[str, object]], partitions: int
) -> Iterator[TopicReport]:
    counts = {str(topic["topic"]): topic["partitions"] for topic in described}
    for report in reports:
        found = counts.get(report.name)
        if report.state == "present" and isinstance(found, list) and len(found) != partitions:
            yield TopicReport(report.name, "differs", f"{len(found)} partitions instead of {partitions}")
        else:
            yield report
