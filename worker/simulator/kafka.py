"""A simulated Kafka: partitions, groups, generations, commits. Its clients are in `producers` and `consumers`.

Kept from the real one is what delivery hangs on: the order inside a partition, offsets that only a member of the
present generation commits, members that are declared dead while they live on, and confirmations that get lost.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, KafkaConnectionError

from worker.simulator.dice import Dice
from worker.simulator.loop import VirtualLoop
from worker.simulator.trace import Trace

PARTITIONS = 3
REBALANCE_S = (0.05, 3.0)
Header = tuple[str, bytes | None]
Row = tuple[bytes | None, bytes | None, list[Header]]


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """One record, with the names that aiokafka's have."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[Header, ...]


@dataclass(slots=True)
class Member:
    """One consumer of a group, as the broker knows it."""

    name: str
    machine: Any
    session_s: float
    seen_at: float
    generation: int = 0
    assigned: frozenset[TopicPartition] = frozenset()
    handled: Callable[[TopicPartition], int | None] = lambda _partition: None
    """Where the member stands in a partition with everything before it handled; None while it is busy."""
    told: Any = None
    """Called with (generation, partitions) in the member's machine once an assignment stands."""


@dataclass(slots=True)
class Group:
    """One consumer group."""

    topics: tuple[str, ...]
    generation: int = 0
    members: dict[str, Member] = field(default_factory=dict)
    committed: dict[TopicPartition, int] = field(default_factory=dict)


class Cluster:
    """The brokers."""

    def __init__(self, loop: VirtualLoop, dice: Dice, trace: Trace) -> None:
        self.loop = loop
        self.dice = dice
        self.trace = trace
        self.is_away = False
        self.logs: dict[TopicPartition, list[StoredRecord]] = {}
        self.groups: dict[str, Group] = {}
        self.fetches: dict[asyncio.Future[None], Callable[[TopicPartition], bool]] = {}
        """Of consumers that wait for records, and whether they read a partition."""
        self._world = contextvars.copy_context()

    def later(self, delay_s: float, action: Callable[[], None]) -> None:
        """Do something after a while, whatever becomes of the machine that caused it."""
        self.loop.call_later(delay_s, action, context=self._world)

    # Topics

    def partitions_of(self, topic: str) -> list[TopicPartition]:
        """Return a topic's partitions; a topic that is asked for exists."""
        found = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        for partition in found:
            self.logs.setdefault(partition, [])
        return found

    def append(self, partition: TopicPartition, rows: list[Row]) -> None:
        """Write records in their order. Raises KafkaConnectionError while the brokers are away."""
        if self.is_away:
            raise KafkaConnectionError
        log = self.logs.setdefault(partition, [])
        for key, value, headers in rows:
            record = StoredRecord(partition.topic, partition.partition, len(log), key, value, tuple(headers))
            log.append(record)
        self.trace.counts["records"] += len(rows)
        self._answer_fetches(partition)
        self.trace.hidden("append", "kafka", f"{partition.topic}/{partition.partition} to {len(log)}")

    def _answer_fetches(self, partition: TopicPartition) -> None:
        for fetch, reads in self.fetches.items():
            if reads(partition) and not fetch.done():
                fetch.set_result(None)

    # Groups

    def join(self, group_id: str, topics: tuple[str, ...], member: Member) -> None:
        """Take a member in; everybody gets a new assignment. Raises KafkaConnectionError."""
        if self.is_away:
            raise KafkaConnectionError
        group = self.groups.setdefault(group_id, Group(topics))
        group.members[member.name] = member
        self.rebalance(group_id)
        self._expect(group_id, member)

    def leave(self, group_id: str, name: str) -> None:
        """Let a member go."""
        group = self.groups.get(group_id)
        if group is not None and group.members.pop(name, None) is not None:
            self.rebalance(group_id)

    def heartbeat(self, group_id: str, name: str) -> bool:
        """Tell whether the member is still one."""
        member = self.groups[group_id].members.get(name)
        if member is None:
            return False
        if not self.is_away:
            member.seen_at = self.loop.time()
        return True

    def rebalance(self, group_id: str) -> None:
        """Begin a new generation: commits of the old one are refused from now on."""
        group = self.groups[group_id]
        group.generation += 1
        generation = group.generation
        self.trace.note("rebalance", "kafka", f"{group_id} generation {generation}: {', '.join(group.members)}")
        delay_s = self.dice.between("rebalance", *REBALANCE_S)
        self.later(delay_s, lambda: self._assign(group_id, generation))

    def _assign(self, group_id: str, generation: int) -> None:
        group = self.groups[group_id]
        if group.generation != generation or not group.members:
            return
        partitions = [partition for topic in group.topics for partition in self.partitions_of(topic)]
        self.dice.stream("assignment").shuffle(partitions)
        members = list(group.members.values())
        for place, member in enumerate(members):
            member.generation = generation
            member.assigned = frozenset(partitions[place :: len(members)])
            member.told(generation, sorted(member.assigned))

    def _expect(self, group_id: str, member: Member) -> None:
        """Declare a member dead that has not been heard of for its session's length."""
        group = self.groups[group_id]
        if group.members.get(member.name) is not member:
            return
        left_s = member.seen_at + member.session_s - self.loop.time()
        if left_s > 0 or self.is_away:
            self.later(max(left_s, 1.0), lambda: self._expect(group_id, member))
            return
        self.trace.note("member expelled", "kafka", member.name)
        self.leave(group_id, member.name)

    def committed(self, group_id: str, partition: TopicPartition) -> int:
        """Return where a group goes on in a partition."""
        return self.groups[group_id].committed.get(partition, 0)

    def commit(self, group_id: str, name: str, generation: int, offsets: dict[TopicPartition, int]) -> None:
        """Commit. Raises CommitFailedError for a member of the past, KafkaConnectionError while away."""
        if self.is_away:
            raise KafkaConnectionError
        group = self.groups[group_id]
        if name not in group.members or generation != group.generation:
            self.trace.note("commit refused", "kafka", f"{name} generation {generation}")
            raise CommitFailedError("the group has a new generation")
        group.committed.update(offsets)
        self.trace.counts["offsets committed"] += 1
        self.trace.hidden("offsets", "kafka", f"{name} {sorted((p.topic, p.partition, o) for p, o in offsets.items())}")

    def waiting(self, group_id: str) -> int:
        """Return how many records nobody has handled yet, as far as the group's members say.

        Not what is not committed: where the last commit of a partition failed, that is so until the next record.
        """
        group = self.groups.get(group_id)
        if group is None:
            return 0
        partitions = [partition for topic in group.topics for partition in self.partitions_of(topic)]
        return sum(len(self.logs[partition]) - self._handled(group, partition) for partition in partitions)

    def _handled(self, group: Group, partition: TopicPartition) -> int:
        committed = group.committed.get(partition, 0)
        for member in group.members.values():
            if partition in member.assigned and member.generation == group.generation:
                at = member.handled(partition)
                return committed if at is None else max(at, committed)
        return committed
