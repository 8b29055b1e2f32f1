"""Small simulations for tests: a loop, a database on virtual time, machines that are only names."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Any

from worker.simulator.dice import Dice
from worker.simulator.kafka import Cluster
from worker.simulator.loop import MACHINE, VirtualLoop, run_virtually
from worker.simulator.machines import EPOCH_MS
from worker.simulator.postgres import Postgres
from worker.simulator.server import Database, empty
from worker.simulator.trace import Trace


class Name:
    """A machine that does nothing by itself."""

    alive = True

    def __init__(self, name: str, loop: VirtualLoop) -> None:
        self.name = name
        self._loop = loop

    def __str__(self) -> str:
        return self.name

    def soon(self, action: Callable[..., object], *args: Any) -> None:
        self._loop.call_soon(action, *args)


class Small:
    """A loop with a trace, and what a test puts on it."""

    def __init__(self, seed: int = 1, shares: dict[str, float] | None = None) -> None:
        self.loop = VirtualLoop(random.Random(seed))  # noqa: S311 - dice
        self.trace = Trace(self.loop.time, keep=True)
        self.dice = Dice(seed, shares or {})
        self.cluster = Cluster(self.loop, self.dice, self.trace)

    def postgres(self, database: Database) -> Postgres:
        empty(database.session)
        return Postgres(database, self.loop, self.dice, self.trace, lambda: EPOCH_MS + int(self.loop.time() * 1_000))

    def machine(self, name: str) -> Name:
        return Name(name, self.loop)

    def run(self, main: Awaitable[Any]) -> Any:
        return run_virtually(self.loop, main)


async def as_machine(machine: Name, work: Callable[[], Awaitable[Any]]) -> Any:
    """Do some work in a machine's name (in a task of its own)."""
    MACHINE.set(machine)
    return await work()
