"""One seed: a fleet, a marketplace and trouble, wave after wave; after each, the world heals and the auditor looks."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import random
from collections.abc import Callable, Collection, Iterator

import httpx2 as httpx
import msgspec

from worker.composition.worker import GROUP, PLANS_GROUP
from worker.sandbox import Sandbox, create_app
from worker.sandbox.agenda import keep
from worker.sandbox.sender import Sender
from worker.simulator import gossip
from worker.simulator.auditor import Auditor
from worker.simulator.demon import Demon
from worker.simulator.dice import Dice
from worker.simulator.kafka import Cluster
from worker.simulator.loop import START_S, VirtualLoop, run_virtually
from worker.simulator.machines import Clock, Fleet
from worker.simulator.market import ACCOUNT, DETAIL, TOKEN, account, sandbox_config, settings
from worker.simulator.people import People
from worker.simulator.plans import Planner
from worker.simulator.postgres import Postgres
from worker.simulator.profile import Profile, profile_of
from worker.simulator.quarrels import Quarrels
from worker.simulator.roads import Lag, Past, RoadToMarketplace, RoadToWorkers
from worker.simulator.server import Database, Session, empty
from worker.simulator.trace import Trace

QUIET_WITHIN_S = 2_400.0
LOOK_EVERY_S = 4.0
Wiring = Callable[[Fleet], None]


class Outcome(msgspec.Struct):
    """What became of a seed."""

    seed: int
    digest: str
    broken: list[str]
    faults: list[str]
    counts: dict[str, int]
    virtual_s: float
    lines: list[str] = []


def play(
    seed: int,
    database: Database,
    *,
    without: Collection[str] = (),
    keep_lines: bool = False,
    wiring: Wiring | None = None,
    profile: Profile | None = None,
) -> Outcome:
    """Play one seed and return what broke. `without`: faults that do not happen this time; `wiring`: for mutants."""
    profile = profile or profile_of(seed)
    empty(database.session)
    random.seed(seed)
    loop = VirtualLoop(random.Random(f"order:{seed}"))  # noqa: S311 - dice, not secrets
    trace = Trace(loop.time, keep=keep_lines)
    dice = Dice(seed, profile.rates, without)
    with _no_collection():
        play_ = Play(profile, database, loop, trace, dice, wiring)
        try:
            run_virtually(loop, play_.play())
        finally:
            play_.postgres.close()
    return Outcome(seed, trace.digest, play_.broken, dice.names, dict(trace.counts), loop.time() - START_S, trace.lines)


@functools.cache
def _freeze_once() -> None:
    """Keep what the imports made: to look through it before each run would cost more than the run."""
    gc.freeze()


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Keep finalisers from running at moments that nobody decides."""
    _freeze_once()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class Play:
    """One run."""

    def __init__(
        self,
        profile: Profile,
        database: Database,
        loop: VirtualLoop,
        trace: Trace,
        dice: Dice,
        wiring: Wiring | None,
    ) -> None:
        self.profile = profile
        self.loop = loop
        self.trace = trace
        self.dice = dice
        self.session: Session = database.session
        self.clock = Clock(loop)
        self.postgres = Postgres(database, loop, dice, trace, self.clock.now_ms)
        self.cluster = Cluster(loop, dice, trace)
        self.sandbox = Sandbox(sandbox_config(profile), self.clock.now_ms)
        self.fleet = Fleet(
            loop, self.postgres, self.cluster, settings(database.address.dsn), (account(profile, TOKEN),)
        )
        marketplace = create_app(self.sandbox)
        self.past = past = Past(DETAIL[profile.dialect], trace, dice, self.clock.now_ms)
        lag = Lag(self.sandbox, profile.list_lag_s)
        self.fleet.road = lambda machine: RoadToMarketplace(self.fleet, machine, marketplace, (past, lag))
        self.callbacks = RoadToWorkers(self.fleet)
        if wiring is not None:
            wiring(self.fleet)
        self.auditor = Auditor(self)
        self.people = People(self)
        self.planner = Planner(self)
        self.broken: list[str] = []

    async def play(self) -> None:
        """Play to the end, or until something broke."""
        sandbox = self.sandbox
        client = httpx.AsyncClient(transport=self.callbacks, timeout=None)
        sandbox.outbox.url = f"http://workers/callbacks/{ACCOUNT}/{TOKEN}"
        sender = Sender(sandbox.config, sandbox.outbox, sandbox.now_ms, client)
        gossip.spread(sandbox, self.dice, self.trace)
        background = [
            asyncio.create_task(keep(sandbox.agenda, sandbox.now_ms)),
            asyncio.create_task(sender.work()),
            asyncio.create_task(self.people.work()),
            asyncio.create_task(Quarrels(self).work()),
        ]
        self.fleet.boot(self.profile.machines)
        demon = Demon(self.fleet)
        try:
            for wave in range(self.profile.waves):
                await self._wave(wave, demon)
                for task in background:
                    if task.done():
                        task.result()  # nobody of the world outside ends before the run does
                if self.broken:
                    break
        finally:
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
            await self.people.go_home()
            for machine in self.fleet.alive:
                machine.destroy()
            await asyncio.sleep(1.0)
            await client.aclose()

    async def _wave(self, number: int, demon: Demon) -> None:
        self.trace.note("wave", "world", str(number + 1))
        self.dice.armed = True
        if number == 0:
            self.sandbox.start()
        else:
            self.sandbox.world.add_orders(self.profile.orders)
        doings = [asyncio.create_task(demon.torment()), asyncio.create_task(self.planner.plan(number))]
        await self._until(self.loop.time() + self.profile.trouble_s, stop_when_quiet=False)
        for doing in doings:
            doing.cancel()
        await asyncio.gather(*doings, return_exceptions=True)
        demon.heal()
        if self.broken:
            return
        if await self._until(self.loop.time() + QUIET_WITHIN_S, stop_when_quiet=True):
            self.trace.note("quiet point", "world")
        if not self.broken:
            self.broken += await self.auditor.at_rest(self.waits_for())

    async def _until(self, deadline: float, *, stop_when_quiet: bool) -> bool:
        """Let time pass; look now and then for what must never be. True if the world came to rest."""
        while self.loop.time() < deadline:
            await asyncio.sleep(LOOK_EVERY_S)
            self.broken += self.auditor.at_any_time()
            if self.broken:
                return False
            if stop_when_quiet and not self.waits_for():
                return True
        return False

    def waits_for(self) -> list[str]:
        """Return what is still under way; nothing, once the world is at rest."""
        found = [] if self.sandbox.stats().quiet else ["the marketplace's lives"]
        for group in (GROUP, PLANS_GROUP):
            lag = self.cluster.waiting(group)
            found += [f"{lag} records that {group} has not committed"] if lag else []
        return found or self.auditor.work_left()
