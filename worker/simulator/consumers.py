"""A consumer of the simulated Kafka: polls, and leaves what becomes of a batch to the product (`broker.batches`)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError, KafkaConnectionError

from worker.broker.batches import Batches, BatchHandler
from worker.broker.consumer import ConsumerOptions, Standing
from worker.simulator.kafka import Cluster, Member, StoredRecord

HEARTBEAT_S = 3.0
FETCH_S = (0.001, 0.02)
FETCH_WAITS_S = 5.0


class SimulatedConsumer:
    """Implements `worker.broker.consumer.Consumer`, and for a batch `worker.broker.batches.Positions`."""

    def __init__(
        self,
        cluster: Cluster,
        machine: Any,
        topics: tuple[str, ...],
        options: ConsumerOptions,
        handler: BatchHandler,
        pause_after_failure: Callable[[], Awaitable[None]],
    ) -> None:
        self._cluster = cluster
        self._machine = machine
        self._topics = topics
        self._options = options
        self._batches = Batches(handler, pause_after_failure)
        self._member: Member | None = None
        self._generation = 0
        self._positions: dict[TopicPartition, int] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._joined = 0
        self._busy = False
        self._fetching: asyncio.Future[None] | None = None
        self.running = False

    async def start(self) -> None:
        """Begin; the group is joined in the background, as often as needed."""
        if self._cluster.is_away:
            raise KafkaConnectionError
        self.running = True
        self._tasks = [asyncio.create_task(self._consume()), asyncio.create_task(self._stay_member())]

    async def stop(self) -> None:
        """Finish the batch under way and leave."""
        self.running = False
        self._look_again()
        if self._tasks:
            consuming, staying = self._tasks
            staying.cancel()
            await asyncio.wait([consuming])
            consuming.exception()
        if self._member is not None:
            self._cluster.leave(self._options.group_id, self._member.name)

    async def look(self) -> Standing:
        """Return where this consumer stands."""
        if self._cluster.is_away:
            raise KafkaConnectionError
        waiting = {f"{p.topic}/{p.partition}": len(self._cluster.logs[p]) - at for p, at in self._positions.items()}
        return Standing(waiting, sum(self._positions.values()))

    # What the handling of a batch needs

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Read from `offset` next."""
        if partition not in self._positions:
            raise IllegalStateError(f"{partition} is not assigned")
        self._positions[partition] = offset

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        """Commit, if the group still has us."""
        if any(partition not in self._positions for partition in offsets):
            self._cluster.trace.note("commit refused", str(self._machine), "revoked")
            raise IllegalStateError("a partition is not assigned")
        dice = self._cluster.dice
        await asyncio.sleep(dice.between("commit", *FETCH_S))
        if dice.falls("crash before offsets"):
            await self._machine.die("before the offsets were committed")
        if dice.falls("commit failed"):
            raise KafkaConnectionError
        self._cluster.commit(self._options.group_id, self._name, self._generation, offsets)
        if dice.falls("crash after offsets"):
            await self._machine.die("after the offsets were committed")

    # The loops

    @property
    def _name(self) -> str:
        return self._member.name if self._member is not None else "-"

    async def _consume(self) -> None:
        while self.running:
            records = self._poll()
            if not records:
                await self._fetch()
                continue
            self._busy = True
            await asyncio.sleep(self._cluster.dice.between("fetch", *FETCH_S))
            if not await self._batches.take(tuple(records), self):
                self.running = False
            self._busy = False

    async def _fetch(self) -> None:
        """Wait for records, as a fetch does at the broker (not for ever), and then for what comes along with them."""
        self._fetching = fetch = self._cluster.loop.create_future()
        self._cluster.fetches[fetch] = lambda partition: partition in self._positions
        waiting = self._cluster.loop.call_later(FETCH_WAITS_S, _answer, fetch)
        try:
            await fetch
        finally:
            waiting.cancel()
            self._cluster.fetches.pop(fetch, None)
        await asyncio.sleep(self._options.wait_ms / 1_000)

    def _poll(self) -> list[StoredRecord]:
        if self._cluster.is_away:
            return []
        order = sorted(self._positions)
        self._cluster.dice.stream("poll").shuffle(order)
        found: list[StoredRecord] = []
        for partition in order:
            at = self._positions[partition]
            rows = self._cluster.logs[partition][at : at + self._options.max_records - len(found)]
            self._positions[partition] = at + len(rows)
            found += rows
        return found

    async def _stay_member(self) -> None:
        while True:
            with contextlib.suppress(KafkaConnectionError):
                if self._member is None or not self._cluster.heartbeat(self._options.group_id, self._member.name):
                    self._join()
                elif self._cluster.dice.falls("rebalance"):
                    self._cluster.rebalance(self._options.group_id)
            await asyncio.sleep(HEARTBEAT_S)

    def _join(self) -> None:
        """Join under a new name: whatever was assigned before is no longer ours."""
        self._positions = {}
        self._joined += 1
        member = Member(
            f"{self._machine}.{self._joined}",
            self._machine,
            self._options.session_timeout_ms / 1_000,
            self._cluster.loop.time(),
        )
        member.handled = lambda partition: None if self._busy else self._positions.get(partition)
        member.told = lambda generation, partitions: self._machine.soon(self._assigned, member, generation, partitions)
        self._member = member
        self._cluster.join(self._options.group_id, self._topics, member)

    def _assigned(self, member: Member, generation: int, partitions: list[TopicPartition]) -> None:
        """Take a new assignment; reading goes on where the group had committed."""
        if self._member is not member:
            return
        self.revoked(sorted(self._positions))
        self._generation = generation
        group = self._options.group_id
        self._positions = {partition: self._cluster.committed(group, partition) for partition in partitions}
        self._look_again()

    def _look_again(self) -> None:
        if self._fetching is not None:
            _answer(self._fetching)

    def revoked(self, partitions: list[TopicPartition]) -> None:
        """Do nothing, as the product's listener does: an unfinished batch is finished, its commit may fail."""


def _answer(fetch: asyncio.Future[None]) -> None:
    if not fetch.done():
        fetch.set_result(None)
