"""All of a simulation's connections to its Postgres: who waits for whose lock, and what goes wrong on the way."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from typing import Any

from worker.domain.clock import iso
from worker.simulator.dice import Dice
from worker.simulator.loop import MACHINE, VirtualLoop
from worker.simulator.server import Backend, Database
from worker.simulator.trace import Trace
from worker.simulator.wires import Wire

QUICK_S = (0.0002, 0.003)
SLOW_S = (0.05, 2.0)
COMMIT = b"COMMIT"


class Fate:
    """What the simulation does to machines and connections; overridden by the run."""

    def crash(self, machine: Any, why: str) -> None:
        """Let a machine die, now."""

    def name_of(self, machine: Any) -> str:
        """Return a machine's name for the trace."""
        return "-" if machine is None else str(machine)


class Postgres:
    """The database as the machines reach it."""

    def __init__(
        self, database: Database, loop: VirtualLoop, dice: Dice, trace: Trace, now_ms: Callable[[], int]
    ) -> None:
        self.address = database.address
        self.session = database.session
        self._spares = database.spares
        for backend in self._spares:
            backend.forget()
        self.descriptions = database.descriptions
        self.loop = loop
        self.dice = dice
        self.trace = trace
        self.fate = Fate()
        self.is_away = False
        self.post: Callable[[str], None] = lambda _payload: None
        """Told of each notification of a transaction that was committed."""
        self._now_ms = now_ms
        self._wires: list[Wire] = []
        self._waiting: list[Wire] = []
        self._made = 0
        self._world = contextvars.copy_context()
        self._latencies = dice.stream("latency")
        self._settling = False
        loop.connector = self.connect

    # What wires ask for

    def connect(
        self, protocol_factory: Callable[[], asyncio.Protocol], host: str, port: int
    ) -> tuple[asyncio.Transport, asyncio.Protocol]:
        """Open a connection. Raises ConnectionRefusedError while the database is away, or for a machine that died."""
        machine = MACHINE.get()
        if (host, port) != (self.address.host, self.address.port):
            raise ConnectionRefusedError(f"nothing but the database can be reached, not {host}:{port}")
        if machine is not None and (self.is_away or not machine.alive):  # type: ignore[attr-defined]
            raise ConnectionRefusedError("the database is away")
        protocol = protocol_factory()
        self._made += 1
        wire = Wire(self, protocol, self._made)
        self._wires.append(wire)
        self.loop.call_soon(protocol.connection_made, wire)
        return wire, protocol

    def later(self, delay_s: float, action: Callable[[], None]) -> asyncio.TimerHandle:
        """Do something after a while, whatever becomes of the machine that asked for it."""
        return self.loop.call_later(delay_s, action, context=self._world)

    def context_of(self, wire: Wire) -> contextvars.Context:
        """Return a context in which callbacks belong to the wire's machine."""
        context = self._world.copy()
        context.run(MACHINE.set, wire.machine)
        return context

    def name_of(self, wire: Wire) -> str:
        """Return the name of the wire's machine."""
        return self.fate.name_of(wire.machine)

    def now_text(self) -> str:
        """Return the virtual present as a timestamp."""
        return iso(self._now_ms())

    def latency(self, wire: Wire) -> float:
        """Return how long a request or an answer is on its way."""
        if wire.machine is None:
            return 0.0
        if self.dice.falls("slow database"):
            return self._latencies.uniform(*SLOW_S)
        return self._latencies.uniform(*QUICK_S)

    def before(self, wire: Wire, request: bytes) -> bool:
        """Tell whether a request reaches the server: before a commit a machine may die, or its connection break."""
        if wire.machine is None or COMMIT not in request[:16]:
            return True
        if self.dice.falls("crash before commit"):
            self.fate.crash(wire.machine, "before a commit")
            return False
        if self.dice.falls("connection lost before commit"):
            wire.cut(tell=True, error=ConnectionResetError("lost before the commit"))
            return False
        self.trace.counts["commits"] += 1
        return True

    def after(self, wire: Wire, request: bytes, *, failed: bool) -> bool:
        """Tell whether an answer reaches the machine: after a commit it may die, or never learn of it."""
        if wire.machine is None or failed or COMMIT not in request[:16]:
            return not wire.lost
        if self.dice.falls("crash after commit"):
            self.fate.crash(wire.machine, "after a commit")
            return False
        if self.dice.falls("connection lost after commit"):
            wire.cut(tell=True, error=ConnectionResetError("lost after the commit"))
            return False
        return not wire.lost

    def notify(self, payloads: list[str]) -> None:
        """Post the notifications of a committed transaction."""
        for payload in payloads:
            self.post(payload)

    def take_backend(self) -> Backend:
        """Return a session at the server that nobody uses."""
        return self._spares.pop() if self._spares else Backend(self.address)

    def give_back(self, backend: Backend) -> None:
        """Keep a session for the next connection."""
        self._spares.append(backend)

    # Locks

    def is_blocked(self, pid: int) -> bool:
        """Ask the server whether a session waits for a lock that another one holds."""
        return self.session.value(f"SELECT cardinality(pg_blocking_pids({pid})) > 0") == "t"

    def wait_for_lock(self, wire: Wire, timeout_s: float) -> None:
        """Set a statement aside until others have moved on."""
        self.trace.note("lock wait", self.name_of(wire), str(wire.number))
        self._waiting.append(wire)
        self.later(timeout_s, lambda: self._give_up(wire))

    def settle(self) -> None:
        """Go on with statements whose locks are free now, in the order in which they began to wait."""
        if self._settling:
            return
        self._settling = True
        try:
            moved = True
            while moved and self._waiting:
                moved = False
                for wire in list(self._waiting):
                    if wire not in self._waiting or self.is_blocked(wire.pid):
                        continue
                    if wire.read():
                        self._waiting.remove(wire)
                        wire.answered()
                        moved = True
        finally:
            self._settling = False

    def _give_up(self, wire: Wire) -> None:
        if wire in self._waiting:
            self.trace.note("lock time-out", self.name_of(wire), str(wire.number))
            self._waiting.remove(wire)
            wire.stop_waiting()
            self.settle()

    def cancel(self, pid: int) -> None:
        """Cancel what a session does, as its driver asked."""
        for wire in list(self._waiting):
            if wire.pid == pid:
                self._waiting.remove(wire)
                wire.stop_waiting()
                self.settle()

    # What goes wrong

    def forget(self, wire: Wire) -> None:
        """A connection has ended."""
        self._wires.remove(wire)
        if wire in self._waiting:
            self._waiting.remove(wire)

    def cut_machine(self, machine: Any) -> None:
        """End all sessions of a machine that died."""
        for wire in [wire for wire in self._wires if wire.machine is machine]:
            wire.cut(tell=True, error=ConnectionResetError("the machine died"))

    def cut_application(self, machine: Any, application: str) -> None:
        """Break a machine's connections under one name, as a network does that forgets about quiet ones."""
        for wire in [one for one in self._wires if one.machine is machine and one.application == application]:
            wire.cut(tell=True, error=ConnectionResetError("the network forgot about the connection"))

    def go_away(self) -> None:
        """Refuse everybody, and break what is open."""
        self.is_away = True
        for wire in [wire for wire in self._wires if wire.machine is not None]:
            wire.cut(tell=True, error=ConnectionResetError("the database went away"))

    def come_back(self) -> None:
        """Take connections again."""
        self.is_away = False

    def close(self) -> None:
        """End every session that is left."""
        for wire in list(self._wires):
            wire.cut(tell=False)
