"""Plays a soak: steady load with faults for so long, then none until the world is quiet, then the verdict."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx2
import msgspec
from sqlalchemy import text

from proof.rig import Rig, RigOptions, running_rig
from proof.rig.kafka import PARTITIONS
from proof.soak.faults import do_faults
from proof.soak.judge import MUST_END_AT_ZERO, Verdict, judge
from proof.soak.lag import LagMeter
from proof.soak.record import Record, Values, interval_s
from proof.soak.sampler import Sampler
from proof.soak.standing import largest_tables
from proof.soak.timetable import timetable
from worker.broker.topics import CHANGES, INBOUND
from worker.cli.options import FaultLevel
from worker.composition.worker import GROUP
from worker.demo import verdict as promises
from worker.demo.compare import Comparison, compare
from worker.demo.follower import Follower
from worker.demo.twin import TwinError
from worker.supervision import keep_running

LOAD_EVERY_S = 2.0
QUIET_WITHIN_S = 300.0
CAUGHT_UP_WITHIN_S = 120.0
LOOK_EVERY_S = 3.0
LAST_LOOKS = 60
LAST_LOOK_EVERY_S = 0.5
BUDGET_FACTOR = 10
_CHANGES_MADE = text("SELECT coalesce(sum(sequence), 0) FROM orders")
Say = Callable[[str], None]
Keep = Callable[[Record], None]


class Options(msgspec.Struct, frozen=True):
    """What was asked for. `rate` is in new orders per second, `speed` that of the sandbox's time."""

    seconds: float
    rate: float
    faults: FaultLevel
    seed: int
    speed: float


class Outcome(msgspec.Struct, frozen=True):
    """What came of it. `figures` are the demo's, `tables` the largest by name: rows and bytes."""

    options: Options
    record: Record
    verdict: Verdict
    figures: dict[str, object]
    tables: dict[str, tuple[int, int]]


async def soak(options: Options, directory: Path, say: Say, keep: Keep) -> Outcome:
    """Run a soak; `keep` gets the record every minute, so that a run that is stopped leaves what it measured.

    Raises what kept the rig from starting, or a meter from working.
    """
    record = Record()
    async with (
        running_rig(_rig(options), directory) as rig,
        LagMeter(rig.kafka.servers, GROUP, INBOUND, PARTITIONS) as lag,
        _following(rig) as follower,
    ):
        await rig.begin()
        began = time.monotonic()
        sampler = Sampler(rig, lag, record)

        def tell() -> None:
            say(sampler.line())
            keep(record)

        say(f"load begins: {options.rate:g} orders per second for {options.seconds / 60:g} minutes")
        async with _sampling(sampler, interval_s(options.seconds), tell):
            async with asyncio.TaskGroup() as group:
                group.create_task(_load(rig, options, sampler))
                group.create_task(do_faults(rig, timetable(options.seconds), record, lambda: sampler.elapsed_s))
            say("load ends; waiting until nothing happens any more")
            await _quiet(rig)
            comparison = await _caught_up(rig, follower)
        at_the_end = await _last_look(sampler)
        figures, broken = await _promises(rig, follower, comparison, time.monotonic() - began)
        broken += [
            f"{worker.name} ended by itself {worker.ended_by_itself} times"
            for worker in rig.workers
            if worker.ended_by_itself
        ]
        tables = await largest_tables(rig.engine)
        return Outcome(options, record, judge(record, options.seconds, at_the_end, broken), figures, tables)


def _rig(options: Options) -> RigOptions:
    """All of a run's days together may cost what its orders cost: the budget is not what is soaked."""
    return RigOptions(
        workers=2,
        seed=options.seed,
        expected_orders=int(options.seconds * options.rate) * BUDGET_FACTOR + BUDGET_FACTOR,
        faults=options.faults,
        speed=options.speed,
    )


@contextlib.asynccontextmanager
async def _following(rig: Rig) -> AsyncIterator[Follower]:
    """Let a consumer of changes follow."""
    follower = Follower(rig.kafka.servers, CHANGES)
    jitter = random.Random(rig.options.seed)  # noqa: S311 - spreads pauses
    task = asyncio.create_task(keep_running("follower", follower.run, jitter))
    try:
        yield follower
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@contextlib.asynccontextmanager
async def _sampling(sampler: Sampler, every_s: float, tell: Callable[[], None]) -> AsyncIterator[None]:
    """Sample for the length of a block. A meter that breaks is a mistake of ours and ends the block at once."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(sampler.run(every_s)), group.create_task(_every_minute(tell))]
        yield
        for task in tasks:
            task.cancel()


async def _every_minute(tell: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(60.0)
        tell()


async def _load(rig: Rig, options: Options, sampler: Sampler) -> None:
    """Let orders begin at a steady rate. Counted by the sandbox, so that an answer that was lost adds none twice."""
    while sampler.elapsed_s < options.seconds:
        try:
            planned = (await rig.marketplace.stats())["orders_planned"]
            if (due := int(sampler.elapsed_s * options.rate) - planned) > 0:
                await rig.marketplace.add_orders(due)
        except (TwinError, httpx2.HTTPError):
            pass  # a busy machine: the next round makes up for it
        await asyncio.sleep(LOAD_EVERY_S)


async def _quiet(rig: Rig) -> None:
    """Wait until the sandbox has come to rest, but not for ever: what goes on is seen in the comparison."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(QUIET_WITHIN_S):
            while not (await rig.marketplace.stats())["quiet"]:  # noqa: ASYNC110 - the sandbox does not tell us
                await asyncio.sleep(LOOK_EVERY_S)


async def _caught_up(rig: Rig, follower: Follower) -> Comparison:
    """Wait until the model agrees with the marketplace and nothing is under way, at most for so long."""
    deadline = time.monotonic() + CAUGHT_UP_WITHIN_S
    while True:
        async with rig.engine.connect() as connection:
            comparison = await compare(connection, rig.marketplace.truth())
            made = int((await connection.execute(_CHANGES_MADE)).scalar_one())
            under_way = (await connection.execute(promises.UNDER_WAY)).scalar_one()
        done = comparison.converged == comparison.orders and follower.changes >= made and under_way == 0
        if done or time.monotonic() > deadline:
            return comparison
        await asyncio.sleep(LOOK_EVERY_S)


async def _last_look(sampler: Sampler) -> Values:
    """Look until nothing waits, or a while in vain: lists are polled all the time, so some row is often under way."""
    values = await sampler.look()
    for _ in range(LAST_LOOKS):
        if all(values.get(name) == 0 for name in MUST_END_AT_ZERO):
            break
        await asyncio.sleep(LAST_LOOK_EVERY_S)
        values = await sampler.look()
    return values


async def _promises(
    rig: Rig, follower: Follower, comparison: Comparison, seconds: float
) -> tuple[dict[str, object], list[str]]:
    """Hold the end against the promises, as the demo does."""
    book = rig.marketplace.book
    books = promises.Books(
        await book("payments"), await book("receipts"), await book("bookings"), await book("warehouse-notices")
    )
    async with rig.engine.connect() as connection:
        stats = await rig.marketplace.stats()
        found = await promises.judge(connection, comparison, follower, books, stats, seconds, budget=None)
    return found.figures, found.broken
