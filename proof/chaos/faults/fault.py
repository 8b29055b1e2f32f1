"""What all faults have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from proof.chaos.schedule import Kind, Planned
from proof.rig import Link, Rig, TcpProxy, WorkerProcess


class Fault:
    """One fault of a schedule. `begin` is followed by `end`, however the run ends; both are bounded."""

    kind: ClassVar[Kind]

    def __init__(self, rig: Rig, planned: Planned) -> None:
        self.rig = rig
        self.planned = planned

    async def begin(self) -> str:
        """Let it happen; return to what, in words."""
        raise NotImplementedError

    async def end(self) -> None:
        """Mend it."""

    @property
    def worker(self) -> WorkerProcess:
        """The worker that the dice have chosen."""
        return self.rig.workers[self.planned.pick(len(self.rig.workers))]


class NetworkFault(Fault):
    """The network through some proxies is like `link`; where that is a delay, each piece takes `slow_s` longer."""

    link: ClassVar[Link] = Link.CUT
    slow_s: ClassVar[float]

    @property
    def proxies(self) -> Sequence[TcpProxy]:
        """Through which the disturbed connections go."""
        raise NotImplementedError

    @property
    def between(self) -> str:
        """Which connections these are, in words."""
        raise NotImplementedError

    async def begin(self) -> str:
        """Disturb it."""
        for proxy in self.proxies:
            proxy.set(self.link, self.slow_s)
        return self.between

    async def end(self) -> None:
        """Heal it."""
        for proxy in self.proxies:
            proxy.set(Link.PASS)
