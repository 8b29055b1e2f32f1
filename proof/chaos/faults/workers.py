"""What happens to workers: they die, freeze, are replaced, see strangers in their group, and trust a wrong clock."""

from __future__ import annotations

import asyncio
import contextlib

from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import KafkaError

from proof.chaos.faults.fault import Fault
from proof.chaos.schedule import Kind, Lane
from proof.rig.clock import set_offset
from worker.broker.topics import TopicNames
from worker.composition import GROUP
from worker.domain.clock import HOUR, MINUTE, SECOND, Millis
from worker.followups.executor import LEASE_S

STORM_JOINS_S = 1.5
JOINS_WITHIN_S = 15.0
STEPS: tuple[Millis, ...] = (-HOUR, -90 * SECOND, -5 * SECOND, 5 * SECOND, 90 * SECOND, HOUR)
"""How far a clock jumps: a leap that NTP would not slew, a suspended machine, a wrong zone."""


class KillWorker(Fault):
    """A worker is killed (-9) wherever it stands, and comes back later."""

    kind = Kind("worker killed (-9)", Lane.WORKERS, (0.5, 8.0))

    async def begin(self) -> str:
        """Kill."""
        await self.worker.kill()
        return self.worker.name

    async def end(self) -> None:
        """Start it again."""
        await self.worker.start()


class Zombie(Fault):
    """A worker is frozen for longer than its leases, and goes on as if nothing had happened."""

    kind = Kind("worker frozen beyond its lease", Lane.WORKERS, (LEASE_S + 2, LEASE_S + 8))

    async def begin(self) -> str:
        """Freeze."""
        self.worker.freeze()
        return self.worker.name

    async def end(self) -> None:
        """Thaw."""
        self.worker.thaw()


class ShortFreeze(Zombie):
    """A worker is frozen for a moment, as by a long collection of garbage or a busy host."""

    kind = Kind("worker frozen", Lane.WORKERS, (2.0, 8.0))


class RollingRestart(Fault):
    """Every worker in turn is stopped politely and started again, as a deployment does, as static members."""

    kind = Kind("rolling restart", Lane.WORKERS, (15.0, 25.0))

    async def begin(self) -> str:
        """Begin with the first."""
        self._rolling = asyncio.create_task(self._roll())
        return "all workers in turn"

    async def end(self) -> None:
        """Wait for the last one."""
        await self._rolling

    async def _roll(self) -> None:
        for worker in self.rig.workers:
            await worker.terminate()
            await worker.start()


class RestartStorm(Fault):
    """All workers are killed at once and start together."""

    kind = Kind("all workers killed (-9)", Lane.WORKERS, (0.5, 3.0))

    async def begin(self) -> str:
        """Kill them all."""
        await asyncio.gather(*(worker.kill() for worker in self.rig.workers))
        return "all workers"

    async def end(self) -> None:
        """Start them all."""
        await asyncio.gather(*(worker.start() for worker in self.rig.workers))


class RebalanceStorm(Fault):
    """Strangers join the workers' consumer group and leave it again, over and over, and take partitions with them."""

    kind = Kind("rebalance storm", Lane.WORKERS, (8.0, 14.0))

    async def begin(self) -> str:
        """Let strangers come and go from now on."""
        self._storm = asyncio.create_task(self._blow())
        return "strangers in the group"

    async def end(self) -> None:
        """Let the last one leave."""
        self._storm.cancel()
        await asyncio.gather(self._storm, return_exceptions=True)

    async def _blow(self) -> None:
        while True:
            with contextlib.suppress(KafkaError, TimeoutError):  # the brokers may be away, too
                await self._visit()
            await asyncio.sleep(STORM_JOINS_S)

    async def _visit(self) -> None:
        """Join as a member like any other, commit nothing, leave."""
        stranger = AIOKafkaConsumer(
            *TopicNames().inbound,
            bootstrap_servers=self.rig.kafka.servers,
            group_id=GROUP,
            enable_auto_commit=False,
            partition_assignment_strategy=(StickyPartitionAssignor,),
            session_timeout_ms=6_000,
        )
        try:
            async with asyncio.timeout(JOINS_WITHIN_S):
                await stranger.start()
                await asyncio.sleep(STORM_JOINS_S)
        finally:
            with contextlib.suppress(KafkaError):
                await asyncio.shield(stranger.stop())


class ClockStep(Fault):
    """One worker's wall clock jumps, and later jumps back. Its monotonic clock does not."""

    kind = Kind("clock step", Lane.WORKERS, (6.0, 14.0))

    @property
    def offset(self) -> Millis:
        """How far, by the dice: the digits behind those that chose the worker."""
        share = self.planned.dice * len(self.rig.workers) % 1.0
        return STEPS[min(len(STEPS) - 1, int(share * len(STEPS)))]

    async def begin(self) -> str:
        """Jump."""
        assert self.worker.clock_file is not None, "the rig runs with clocks"
        set_offset(self.worker.clock_file, self.offset)
        return f"{self.worker.name} by {self.offset / MINUTE:+.1f} min"

    async def end(self) -> None:
        """Jump back."""
        assert self.worker.clock_file is not None, "the rig runs with clocks"
        set_offset(self.worker.clock_file, 0)
