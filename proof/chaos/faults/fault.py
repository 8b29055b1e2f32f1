"""What all faults have in common."""

from __future__ import annotations

from typing import ClassVar

from proof.chaos.schedule import Kind, Planned
from proof.rig import Rig, WorkerProcess


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
