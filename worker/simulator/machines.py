"""Machines: each runs one real worker. They die, are frozen, and come back as new ones; the database sees it all."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from typing import Any, Self

import httpx2 as httpx
from sqlalchemy.ext.asyncio import AsyncEngine

from worker.accounts import Account
from worker.broker.batches import BatchHandler
from worker.broker.consumer import Consumer, ConsumerOptions
from worker.broker.envelope import Event
from worker.broker.producer import KafkaLink
from worker.broker.topics import TopicNames
from worker.composition import Worker
from worker.composition.outside import Outside
from worker.composition.worker import Role
from worker.domain.clock import Millis
from worker.http_server import AsgiApp
from worker.marketplaces.build import Network, build_marketplace
from worker.marketplaces.limits import Limiter
from worker.marketplaces.port import Marketplace
from worker.settings import Settings
from worker.simulator.consumers import SimulatedConsumer
from worker.simulator.kafka import Cluster
from worker.simulator.loop import MACHINE, VirtualLoop
from worker.simulator.postgres import Postgres
from worker.simulator.producers import Producer
from worker.storage.wakeup import Wakeups, Work

ROLES = (Role.INTAKE, Role.RECONCILE, Role.FOLLOWUPS, Role.OUTBOUND, Role.OPERATIONS)
EPOCH_MS = 1_767_225_600_000
"""2026-01-01T00:00:00Z, at virtual second 0."""
MOST_CONNECTIONS = 4
"""Of one engine; fewer than the product's, so that tasks wait for each other's connections, too."""
NOTIFIED_S = (0.001, 0.05)
NOT_NOTIFIED = 0.7
"""Share of notifications that do not arrive in any run: they only hasten, and each one wakes a loop on each machine."""


class Clock:
    """A machine's clock: virtual time, a little off."""

    def __init__(self, loop: VirtualLoop, skew_ms: Millis = 0) -> None:
        self._loop = loop
        self._skew_ms = skew_ms

    def now_ms(self) -> Millis:
        """Return the present as this machine believes it."""
        return EPOCH_MS + int(self._loop.time() * 1000) + self._skew_ms


class Machine:
    """One process."""

    def __init__(self, fleet: Fleet, name: str, skew_ms: Millis) -> None:
        self.fleet = fleet
        self.name = name
        self.alive = True
        self.clock = Clock(fleet.loop, skew_ms)
        self.worker: Worker | None = None
        self.app: AsgiApp | None = None
        self.wakeups: SimulatedWakeups | None = None
        self._main: asyncio.Task[None] | None = None

    def __str__(self) -> str:
        return self.name

    def context(self) -> contextvars.Context:
        """Return a context in which everything belongs to this machine."""
        context = self.fleet.world.copy()
        context.run(MACHINE.set, self)
        return context

    def soon(self, action: Callable[..., object], *args: Any) -> None:
        """Let something happen in this machine: never if it is dead, later if it is frozen."""
        if self.alive:
            self.fleet.loop.call_soon(action, *args, context=self.context())

    def task(self, work: Any) -> asyncio.Task[Any]:
        """Run a coroutine in this machine."""
        made: asyncio.Task[Any] = self.fleet.loop.create_task(work, context=self.context())
        return made

    def start(self) -> None:
        """Boot the worker; a start that fails is tried again by whoever watches over processes."""
        self._main = self.task(self._run())

    async def _run(self) -> None:
        outside = SimulatedOutside(self)
        self.worker = self.fleet.make_worker(outside)
        while True:
            try:
                await self.worker.start()
            except (OSError, TimeoutError) as error:
                self.fleet.trace.note("start failed", self.name, type(error).__name__)
                await asyncio.sleep(2.0)
            except Exception as error:  # noqa: BLE001 - the database can be away in many ways; its driver tells them all
                self.fleet.trace.note("start failed", self.name, type(error).__name__)
                await asyncio.sleep(2.0)
            else:
                return

    async def die(self, why: str) -> None:
        """Die at this very point: what follows is never run."""
        self.fleet.crash(self, why)
        await self.fleet.loop.create_future()

    def destroy(self) -> None:
        """End at once, as by kill -9: nothing is said to anybody, connections break, tasks vanish."""
        self.alive = False
        self.app = None
        loop = self.fleet.loop
        loop.thaw(self)
        self.fleet.postgres.cut_machine(self)
        self._sweep_up(50)

    def _sweep_up(self, rounds: int) -> None:
        tasks = self.fleet.loop.tasks_of(self)
        for task in tasks:
            task.cancel()
        if tasks and rounds:
            self.fleet.later(0.01, lambda: self._sweep_up(rounds - 1))


class SimulatedWakeups(Wakeups):
    """Notifications by way of the simulation: of committed transactions, after a while, and some get lost."""

    def __init__(self, machine: Machine) -> None:
        super().__init__("postgresql://simulated")
        self._machine = machine
        machine.wakeups = self

    async def _listen(self) -> None:
        self.wake()
        await self._machine.fleet.loop.create_future()

    def post(self, payload: str) -> None:
        """Take a notification."""
        self.wake(*(Work(name) for name in payload.split(",")))


class WatchedLink(KafkaLink):
    """The real link; what is sent in one go is written down, since its order is a promise."""

    def __init__(self, machine: Machine, names: TopicNames) -> None:
        super().__init__(
            "simulated:1",
            names,
            make_producer=lambda **options: Producer(machine.fleet.cluster, machine, **options),
        )
        self._sent_together = machine.fleet.sent_together

    async def send_all(self, events: list[Event], timeout_s: float) -> None:
        """Send several."""
        self._sent_together.append([event.headers.get("ce_id", "") for event in events])
        await super().send_all(events, timeout_s)


class SimulatedPort:
    """Stands where the HTTP server stands: the application is called directly."""

    def __init__(self, machine: Machine, app: AsgiApp) -> None:
        self._machine = machine
        self._app = app
        self.port = 0

    async def start(self) -> None:
        """Take calls."""
        self._machine.app = self._app

    async def stop(self) -> None:
        """Take none."""
        self._machine.app = None


class SimulatedOutside(Outside):
    """What a worker meets in a simulation. The engines are the real ones: their connections find the simulation."""

    def __init__(self, machine: Machine) -> None:
        fleet = machine.fleet
        super().__init__(fleet.settings, clock=machine.clock, jitter=fleet.postgres.dice.stream("jitter"))
        self._machine = machine
        self._fleet = fleet
        self.monotonic = fleet.loop.time

    def engine(
        self, application: str, *, pool_size: int, statement_timeout_ms: int = 30_000, lock_timeout_ms: int = 10_000
    ) -> AsyncEngine:
        """Return the real engine, without its question before each use: that is half of all round trips."""
        made = super().engine(
            application,
            pool_size=min(pool_size, MOST_CONNECTIONS),
            statement_timeout_ms=statement_timeout_ms,
            lock_timeout_ms=lock_timeout_ms,
        )
        made.sync_engine.pool._pre_ping = False  # noqa: SLF001 - there is no other way to turn it off afterwards
        return made

    def wakeups(self) -> Wakeups:
        """Return what tells of new work."""
        return SimulatedWakeups(self._machine)

    def kafka(self, names: TopicNames) -> KafkaLink:
        """Return the real link over a simulated producer."""
        return WatchedLink(self._machine, names)

    def consumer(
        self,
        topics: tuple[str, ...],
        options: ConsumerOptions,
        handler: BatchHandler,
        pause_after_failure: Callable[[], Awaitable[None]],
    ) -> Consumer:
        """Return a member of a simulated group."""
        return self._fleet.make_consumer(
            self._fleet.cluster, self._machine, topics, options, handler, pause_after_failure
        )

    def marketplace(self, account: Account, limiter: Limiter) -> Marketplace:
        """Return the real client over a simulated network."""
        network = Network(self.monotonic, self._fleet.road(self._machine))
        return build_marketplace(account, self.clock, self.settings.call_timeout_s, limiter, network)

    def http(self, app: AsgiApp) -> Any:
        """Return what stands in for the server."""
        return SimulatedPort(self._machine, app)


class SimulatedWorker(Worker):
    """The product's worker without its API for people, which takes longer to build than a run may."""

    def _app(self) -> AsgiApp:
        return self._callbacks()


class Fleet:
    """All machines, and what they share."""

    def __init__(
        self, loop: VirtualLoop, postgres: Postgres, cluster: Cluster, settings: Settings, accounts: tuple[Account, ...]
    ) -> None:
        self.loop = loop
        self.postgres = postgres
        self.cluster = cluster
        self.settings = settings
        self.accounts = accounts
        self.trace = postgres.trace
        self.world = contextvars.copy_context()
        self.machines: list[Machine] = []
        self.sent_together: list[list[str]] = []
        """Ids of the events of each call that sent several."""
        self.road: Callable[[Machine], httpx.AsyncBaseTransport] = _no_road
        self.make_consumer: Callable[..., Consumer] = SimulatedConsumer
        self._born = 0
        self._coming_back = True
        postgres.fate = self  # type: ignore[assignment]
        postgres.post = self._notified

    def make_worker(self, outside: Outside) -> Worker:
        """Build the product's own worker."""
        return SimulatedWorker(self.settings, self.accounts, ROLES, outside=outside)

    def later(self, delay_s: float, action: Callable[[], None]) -> None:
        """Do something after a while, in nobody's name."""
        self.loop.call_later(delay_s, action, context=self.world)

    def boot(self, count: int) -> Self:
        """Start so many machines."""
        for _ in range(count):
            self._boot_one()
        return self

    def _boot_one(self) -> None:
        self._born += 1
        skew_ms = self.postgres.dice.stream("skew").choice((0, 0, -200, 200, 700))
        machine = Machine(self, f"w{self._born}", skew_ms)
        self.machines.append(machine)
        self.trace.note("machine started", machine.name)
        machine.start()

    @property
    def alive(self) -> list[Machine]:
        """Return the machines that live, the oldest first."""
        return [machine for machine in self.machines if machine.alive]

    def name_of(self, machine: Any) -> str:
        """Return a machine's name for the trace."""
        return "-" if machine is None else str(machine)

    def crash(self, machine: Machine, why: str) -> None:
        """Kill a machine; another one takes its place after a while."""
        if not machine.alive:
            return
        self.trace.note("crash", machine.name, why)
        machine.destroy()
        self.later(self.postgres.dice.between("restart", 0.5, 20.0), self._boot_one)

    def freeze(self, machine: Machine, seconds: float) -> None:
        """Stop a machine for a while, as SIGSTOP or a long pause of its host does."""
        if machine.alive and not self.loop.is_frozen(machine):
            self.trace.note("frozen", machine.name, f"{seconds:.1f} s")
            self.loop.freeze(machine)
            self.later(seconds, lambda: self._thaw(machine))

    def _thaw(self, machine: Machine) -> None:
        if machine.alive:
            self.trace.note("thawed", machine.name)
            self.loop.thaw(machine)

    def thaw_all(self) -> None:
        """Let every machine go on."""
        for machine in self.alive:
            if self.loop.is_frozen(machine):
                self._thaw(machine)

    def _notified(self, payload: str) -> None:
        dice = self.postgres.dice
        for machine in self.alive:
            if (
                machine.wakeups is None
                or dice.stream("notification").random() < NOT_NOTIFIED
                or dice.falls("notification lost")
            ):
                continue
            post = machine.wakeups.post
            delay_s = dice.between("notified", *NOTIFIED_S)
            self.later(delay_s, lambda machine=machine, post=post: machine.soon(post, payload))  # type: ignore[misc]


def _no_road(_machine: Machine) -> httpx.AsyncBaseTransport:
    raise RuntimeError("there is no marketplace in this simulation")
