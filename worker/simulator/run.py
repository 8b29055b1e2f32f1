"""One seed: a fleet, a marketplace and trouble, wave after wave; after each, the world heals and the auditor looks."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import random
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import httpx2 as httpx
import msgspec
from pydantic import SecretStr

from worker.accounts import Account
from worker.composition import GROUP
from worker.demo.stage import DemoSettings
from worker.sandbox import Sandbox, SandboxConfig, create_app
from worker.sandbox.agenda import keep
from worker.sandbox.sender import Sender
from worker.settings import Settings
from worker.simulator import gossip
from worker.simulator.auditor import Auditor
from worker.simulator.demon import Demon
from worker.simulator.dice import Dice
from worker.simulator.kafka import Cluster
from worker.simulator.loop import VirtualLoop, run_virtually
from worker.simulator.machines import Clock, Fleet
from worker.simulator.postgres import Postgres
from worker.simulator.profile import Profile, profile_of
from worker.simulator.roads import Lag, Past, RoadToMarketplace, RoadToWorkers
from worker.simulator.server import Database, Session, empty
from worker.simulator.trace import Trace

ACCOUNT = "main"
TOKEN = "simulated-callback-token"  # noqa: S105 - guards nothing: there is no network
PLAYED = SandboxConfig()
DETAIL = "/order/detail"
QUIET_WITHIN_S = 2_400.0
LOOK_EVERY_S = 4.0
UNPAID_FOR_S = 60.0
"""After so many virtual seconds the platform closes an order that nobody paid."""
OVERLAP_S = 15.0
PROVEN_AFTER_S = 25.0
"""Longer than taken money may stay hidden: what reads show after this long is so."""
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
    return Outcome(seed, trace.digest, play_.broken, dice.names, dict(trace.counts), loop.time(), trace.lines)


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
        self.past = past = Past(DETAIL, trace, dice, self.clock.now_ms)
        lag = Lag(self.sandbox, profile.list_lag_s)
        self.fleet.road = lambda machine: RoadToMarketplace(self.fleet, machine, marketplace, (past, lag))
        self.callbacks = RoadToWorkers(self.fleet)
        if wiring is not None:
            wiring(self.fleet)
        self.auditor = Auditor(self)
        self.broken: list[str] = []

    async def play(self) -> None:
        """Play to the end, or until something broke."""
        sandbox = self.sandbox
        client = httpx.AsyncClient(transport=self.callbacks, timeout=None)
        sandbox.outbox.url = f"http://workers/callbacks/{ACCOUNT}/{TOKEN}"
        sender = Sender(sandbox.config, sandbox.outbox, sandbox.now_ms, client)
        self.auditor.watch()
        gossip.spread(sandbox, self.dice, self.trace)
        background = [
            asyncio.create_task(keep(sandbox.agenda, sandbox.now_ms)),
            asyncio.create_task(sender.work()),
        ]
        self.fleet.boot(self.profile.machines)
        demon = Demon(self.fleet)
        try:
            for wave in range(self.profile.waves):
                await self._wave(wave, demon)
                if self.broken:
                    break
        finally:
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
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
        tormenting = asyncio.create_task(demon.torment())
        await self._until(self.loop.time() + self.profile.trouble_s, stop_when_quiet=False)
        tormenting.cancel()
        await asyncio.gather(tormenting, return_exceptions=True)
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
        lag = self.cluster.waiting(GROUP)
        found += [f"{lag} records that reconcile has not committed"] if lag else []
        return found or self.auditor.work_left()


def sandbox_config(profile: Profile) -> SandboxConfig:
    """Return the marketplace of a run."""
    return SandboxConfig(
        seed=profile.seed,
        orders=profile.orders,
        arrival_s=profile.arrival_s,
        faults=profile.level,  # type: ignore[arg-type]  # one of the sandbox's levels
        speed=profile.speed,
        lost_callbacks=profile.lost_callbacks,
        settle_s=profile.settle_s,
        pay_timeout_s=UNPAID_FOR_S * profile.speed,
        hang_s=15.0,
    )


def settings(dsn: str) -> Settings:
    """Return the workers' settings: the product's defaults, except for pauses that would only be waited for."""
    return DemoSettings(
        database_url=SecretStr(dsn + "?sslmode=disable"),
        kafka_bootstrap_servers="simulated:1",
        accounts_file=Path("unused"),
        clock_skew_allowance_s=2.0,
        call_timeout_s=6.0,
        unknown_first_pause_s=2.0,
        recovery_interval_s=20.0,
        idle_poll_s=15.0,
        shutdown_timeout_s=5.0,
    )


def account(profile: Profile, token: str) -> Account:
    """Return the account that the workers look after."""
    made = Account.model_validate(
        {
            "name": ACCOUNT,
            "dialect": "pandapon",
            "base_url": "http://127.0.0.1:9",
            "access_key": PLAYED.access_key,
            "access_secret_env": "SECRET",
            "user_id": PLAYED.user_id,
            "callback_token_env": "TOKEN",
            "poll_interval_s": 10.0,
            "poll_overlap_s": OVERLAP_S,
            "backfill_days": 1,
            "sweep_s": 86_400.0 if profile.lists_only else 40.0,
            "max_concurrent_reads": 3,
            "rate_per_s": 100.0,
            "burst": 50,
            "throttle_pause_s": 1.0,
            "policy": {
                "auto_pay": True,
                "auto_pay_limit": "3000.00",
                "price_tolerance": "0.10",
                **({"daily_budget": profile.daily_budget} if profile.daily_budget else {}),
                "second_attempt": {"attempts": profile.attempts, "quiet_s": PROVEN_AFTER_S, "reads": 2},
                "breakers": {"unknowns": 0, "hourly_factor": 0},
            },
        }
    )
    mistakes = list(made.resolve_secrets({"SECRET": PLAYED.access_secret, "TOKEN": token}))
    if mistakes:
        raise ValueError("; ".join(mistakes))
    return made
