"""What happens to Postgres: restarts, crashes, silence, and a full disk under the spool."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from proof.chaos.faults.fault import Fault, NetworkFault
from proof.chaos.schedule import Kind, Lane
from proof.rig import Link, TcpProxy


class PostgresRestart(Fault):
    """Postgres is restarted as for an update: transactions are rolled back, everybody is disconnected."""

    kind = Kind("Postgres restarted (fast)", Lane.PARTS, (0.0, 0.0))

    async def begin(self) -> str:
        """Restart it."""
        await asyncio.to_thread(self.rig.postgres.restart)
        return "Postgres"


class PostgresCrash(Fault):
    """Postgres ends at once, without a checkpoint, and recovers from its log when it comes back."""

    kind = Kind("Postgres crashed (immediate)", Lane.PARTS, (0.5, 5.0))

    async def begin(self) -> str:
        """Crash it."""
        await asyncio.to_thread(self.rig.postgres.kill)
        return "Postgres"

    async def end(self) -> None:
        """Start it again."""
        await asyncio.to_thread(self.rig.postgres.start)


class PostgresNetwork(NetworkFault):
    """Disturbs the network between Postgres and all workers; with `one`, of one worker alone."""

    slow_s = 0.05
    """A transaction of ten statements takes a second longer."""
    one = False

    @property
    def proxies(self) -> Sequence[TcpProxy]:
        """One per worker."""
        proxies = self.rig.postgres_proxies
        return [proxies[self.planned.pick(len(proxies))]] if self.one else proxies

    @property
    def between(self) -> str:
        """Whose connections."""
        return f"{self.worker.name if self.one else 'workers'} to Postgres"


class PostgresCut(PostgresNetwork):
    """Every connection to Postgres is reset."""

    kind = Kind("Postgres cut off", Lane.PARTS, (3.0, 10.0))


class PostgresHung(PostgresNetwork):
    """The connections of all workers to Postgres hang."""

    kind = Kind("Postgres hung", Lane.PARTS, (4.0, 12.0))
    link = Link.BLACK_HOLE


class PostgresHungForOne(PostgresNetwork):
    """One worker's connections hang; its locks and open transactions stay in the database."""

    kind = Kind("Postgres hung for one worker", Lane.PARTS, (6.0, 14.0))
    link = Link.BLACK_HOLE
    one = True


class PostgresUnheard(PostgresNetwork):
    """Commits take effect and one worker does not hear of them."""

    kind = Kind("Postgres unheard by one worker", Lane.PARTS, (3.0, 8.0))
    link = Link.HALF_OPEN
    one = True


class PostgresSlow(PostgresNetwork):
    """Postgres answers late."""

    kind = Kind("Postgres slow", Lane.PARTS, (4.0, 10.0))
    link = Link.DELAY


class SpoolDiskFull(Fault):
    """The disk under the spool is full, and Kafka is cut off: a callback can be kept nowhere, and must not be taken."""

    kind = Kind("disk full under the spool", Lane.PARTS, (4.0, 10.0))

    async def begin(self) -> str:
        """Fill the disk, then cut Kafka off."""
        await self.rig.spool_disk.fill(self.rig.engine)
        for proxy in self.rig.kafka.proxies:
            proxy.set(Link.CUT)
        return "a full disk" if self.rig.spool_disk.real else "a trigger that answers as a full disk (not root)"

    async def end(self) -> None:
        """Bring Kafka back, then make room."""
        for proxy in self.rig.kafka.proxies:
            proxy.set(Link.PASS)
        await self.rig.spool_disk.free(self.rig.engine)
