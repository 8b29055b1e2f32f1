"""An event loop on virtual time: it never waits, and what is ready runs in an order that the seed decides.

Every callback belongs to a machine (a context variable that tasks inherit), or to the world outside of them. The order
of the callbacks of one machine is that of asyncio; machines run interleaved as the seed says: nothing orders them.
A frozen machine's callbacks wait, as those of a process that was stopped; its timers go off when it thaws.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import random
from collections import deque
from collections.abc import Callable
from typing import Any

Machine = object
"""Whatever stands for one worker process; None is the world outside."""
MACHINE: contextvars.ContextVar[Machine | None] = contextvars.ContextVar("machine", default=None)
START_S = 1_000.0
MOST_CANCELLED = 100
Connect = Callable[..., tuple[asyncio.Transport, asyncio.Protocol]]


class StuckError(RuntimeError):
    """Nothing is ready and nothing will be: everybody waits for somebody else."""


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs callbacks of virtual time; there are no sockets, and no threads."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__()
        self._rng = rng
        self._now = START_S
        self._frozen: dict[Machine, list[Any]] = {}
        self.connector: Connect | None = None
        """What `create_connection` leads to: (protocol factory, host, port)."""
        self.steps = 0
        self._cancelled = 0
        self._tasks_of: dict[Machine, dict[asyncio.Task[Any], None]] = {}

    def create_task(
        self, coro: Any, *, name: object = None, context: contextvars.Context | None = None, **options: Any
    ) -> Any:
        """Make a task, and remember whose it is."""
        task = super().create_task(coro, name=name, context=context, **options)
        machine = MACHINE.get() if context is None else context.get(MACHINE)
        if machine is not None:
            mine = self._tasks_of.setdefault(machine, {})
            mine[task] = None
            task.add_done_callback(mine.pop)
        return task

    def tasks_of(self, machine: Machine) -> list[asyncio.Task[Any]]:
        """Return a machine's tasks that are not done, the oldest first."""
        return list(self._tasks_of.get(machine, ()))

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self._now

    def freeze(self, machine: Machine) -> None:
        """Stop a machine in the middle of whatever it does."""
        self._frozen.setdefault(machine, [])

    def thaw(self, machine: Machine) -> None:
        """Let a machine go on; what became due meanwhile is due at once."""
        for handle in self._frozen.pop(machine, ()):
            self._ready.append(handle)  # type: ignore[attr-defined]

    def is_frozen(self, machine: Machine | None) -> bool:
        """Tell whether a machine is stopped now."""
        return machine in self._frozen

    async def create_connection(  # type: ignore[override]
        self, protocol_factory: Callable[[], asyncio.Protocol], host: str, port: int, **_options: Any
    ) -> tuple[asyncio.Transport, asyncio.Protocol]:
        """Connect to what the simulation offers. Raises ConnectionRefusedError where that is nothing."""
        if self.connector is None:
            raise ConnectionRefusedError("nothing listens in this simulation")
        return self.connector(protocol_factory, host, port)

    def _run_once(self) -> None:
        """One round: time moves on only when nothing is ready."""
        scheduled: list[Any] = self._scheduled  # type: ignore[attr-defined]
        ready: deque[Any] = self._ready  # type: ignore[attr-defined]
        while scheduled and scheduled[0]._cancelled:  # noqa: SLF001 - a handle's own flags, as asyncio reads them
            heapq.heappop(scheduled)._scheduled = False  # noqa: SLF001
        if not ready and not self._stopping:  # type: ignore[attr-defined]
            if not scheduled:
                raise StuckError("nothing is ready, and no timer is left")
            self._now = max(self._now, scheduled[0]._when)  # noqa: SLF001
        while scheduled and scheduled[0]._when <= self._now:  # noqa: SLF001
            handle = heapq.heappop(scheduled)
            handle._scheduled = False  # noqa: SLF001
            ready.append(handle)
        for handle in self._in_order(ready):
            if not handle._cancelled:  # noqa: SLF001
                machine = handle._context.get(MACHINE)  # noqa: SLF001
                if machine in self._frozen:
                    self._frozen[machine].append(handle)
                    continue
                self.steps += 1
                handle._run()  # noqa: SLF001

    def _in_order(self, ready: deque[Any]) -> list[Any]:
        """Take what is ready: in order for each machine, the machines interleaved by the dice."""
        handles = list(ready)
        ready.clear()
        lanes: dict[Machine | None, deque[Any]] = {}
        for handle in handles:
            lanes.setdefault(handle._context.get(MACHINE), deque()).append(handle)  # noqa: SLF001
        if len(lanes) <= 1:
            return handles
        mixed, waiting = [], list(lanes.values())
        while waiting:
            lane = waiting[self._rng.randrange(len(waiting))]
            mixed.append(lane.popleft())
            if not lane:
                waiting.remove(lane)
        return mixed

    def _timer_handle_cancelled(self, _handle: Any) -> None:
        """Throw cancelled timers out once there are many: most are time-outs of statements, and far in the future."""
        self._cancelled += 1
        scheduled: list[Any] = self._scheduled  # type: ignore[attr-defined]
        if self._cancelled > MOST_CANCELLED and self._cancelled * 2 > len(scheduled):
            self._cancelled = 0
            scheduled[:] = [handle for handle in scheduled if not handle._cancelled]  # noqa: SLF001 - as above
            heapq.heapify(scheduled)

    def _process_events(self, _event_list: Any) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        raise RuntimeError("a simulation has no threads")


def run_virtually(loop: VirtualLoop, main: Any) -> Any:
    """Run a coroutine to its end on virtual time, cancel what it left behind, close the loop."""
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(main)
    finally:
        try:
            _cancel_the_rest(loop)
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            asyncio.set_event_loop(None)
            loop.close()


def _cancel_the_rest(loop: VirtualLoop) -> None:
    rest = asyncio.all_tasks(loop)
    for task in rest:
        task.cancel()
    if rest:
        loop.run_until_complete(asyncio.gather(*rest, return_exceptions=True))
