"""Plays a soak: steady load with faults for so long, then none until the world is quiet, then the verdict."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx2
import msgspec

from proof.chaos.figures import Figures
from proof.chaos.rest import rest
from proof.rig import Rig, RigOptions, running_rig
from proof.rig.kafka import PARTITIONS
from proof.soak.end import read_end
from proof.soak.faults import do_faults
from proof.soak.judge import MUST_END_AT_ZERO, Verdict, judge
from proof.soak.lag import LagMeter
from proof.soak.record import Record, Values, interval_s
from proof.soak.sampler import Sampler
from proof.soak.standing import largest_tables
from proof.soak.timetable import timetable
from worker.broker.topics import INBOUND
from worker.cli.options import FaultLevel
from worker.composition.worker import GROUP
from worker.demo.twin import TwinError

LOAD_EVERY_S = 2.0
LAST_LOOKS = 60
LAST_LOOK_EVERY_S = 0.5
BUDGET_FACTOR = 10
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
    """What came of it. `tables`: the largest by name, their rows and bytes."""

    options: Options
    record: Record
    verdict: Verdict
    figures: Figures
    tables: dict[str, tuple[int, int]]


async def soak(options: Options, directory: Path, say: Say, keep: Keep) -> Outcome:
    """Run a soak; `keep` gets the record every minute, so that a run that is stopped leaves what it measured.

    Raises what kept the rig from starting, or a meter from working.
    """
    record = Record()
    async with (
        running_rig(_rig(options), directory) as rig,
        LagMeter(rig.kafka.servers, GROUP, INBOUND, PARTITIONS) as lag,
    ):
        await rig.begin()
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
            await rest(rig)
        at_the_end = await _last_look(sampler)
        end = await read_end(rig)
        tables = await largest_tables(rig.engine)
        verdict = judge(record, options.seconds, at_the_end, end.broken)
        return Outcome(options, record, verdict, end.figures, tables)


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


async def _last_look(sampler: Sampler) -> Values:
    """Look until nothing waits, or a while in vain: lists are polled all the time, so some row is often under way."""
    values = await sampler.look()
    for _ in range(LAST_LOOKS):
        if all(values.get(name) == 0 for name in MUST_END_AT_ZERO):
            break
        await asyncio.sleep(LAST_LOOK_EVERY_S)
        values = await sampler.look()
    return values
