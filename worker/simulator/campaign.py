"""Many seeds on several processes against one server: what each found, what all covered, how to see it again."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence

import msgspec

from worker.simulator.child import Order
from worker.simulator.run import Outcome
from worker.simulator.server import server

MAX_LINE_BYTES = 64 * 1024 * 1024
MOST_TRIES = 60


class CampaignError(RuntimeError):
    """A process of the campaign ended before its seeds were played."""


class Summary(msgspec.Struct):
    """What a campaign found. `counts` is the sum over all seeds."""

    seeds: list[int] = []
    failed: list[Outcome] = []
    counts: dict[str, int] = {}
    virtual_s: float = 0.0

    def add(self, outcome: Outcome) -> None:
        """Take one seed's outcome in."""
        self.seeds.append(outcome.seed)
        self.virtual_s += outcome.virtual_s
        self.counts = dict(Counter(self.counts) + Counter(outcome.counts))
        if outcome.broken:
            self.failed.append(outcome)


async def campaign(seeds: Sequence[int], jobs: int, told: Callable[[Outcome], None]) -> Summary:
    """Play the seeds; `told` hears of each as soon as it is done."""
    summary = Summary()
    async with server() as dsn:
        lanes = [list(seeds[place::jobs]) for place in range(jobs)]
        orders = [Order(dsn, f"sim_{place}", lane) for place, lane in enumerate(lanes) if lane]

        async def run(order: Order) -> None:
            async for outcome in _played(order):
                summary.add(outcome)
                told(outcome)

        await asyncio.gather(*(run(order) for order in orders))
    return summary


async def replay(seed: int, *, without: Sequence[str] = ()) -> Outcome:
    """Play one seed again and keep its lines."""
    async with server() as dsn:
        return await _once(dsn, "sim_replay", seed, without, keep_lines=True)


async def minimise(seed: int, told: Callable[[str], None]) -> tuple[Outcome, list[str]]:
    """Return the shortest run found that breaks the same promise, and the faults that are left out in it.

    First half of the faults is left out, then a quarter, and so on: each leaving-out that keeps the failure stays.
    """
    async with server() as dsn:
        tries = 0
        best = await _once(dsn, "sim_first", seed, (), keep_lines=False)
        if not best.broken:
            return best, []
        promise = _promise(best)
        without: list[str] = []
        size = max(1, len(best.faults) // 2)
        while size and tries < MOST_TRIES:
            at = 0
            while at < len(best.faults) and tries < MOST_TRIES:
                part = best.faults[at : at + size]
                tries += 1
                tried = await _once(dsn, f"sim_try_{tries}", seed, [*without, *part], keep_lines=False)
                if tried.broken and _promise(tried) == promise:
                    best, without = tried, [*without, *part]
                    told(f"{promise} still breaks with {len(best.faults)} faults")
                else:
                    at += size
            size //= 2
        return await _once(dsn, "sim_last", seed, without, keep_lines=True), without


def _promise(outcome: Outcome) -> str:
    return outcome.broken[0].partition(":")[0]


async def _once(dsn: str, name: str, seed: int, without: Sequence[str], *, keep_lines: bool) -> Outcome:
    async for outcome in _played(Order(dsn, name, [seed], list(without), keep_lines)):
        return outcome
    raise CampaignError(f"seed {seed} was not played")


async def _played(order: Order) -> AsyncIterator[Outcome]:
    """Start a process for an order and yield its outcomes."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "worker.simulator.child",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        limit=MAX_LINE_BYTES,
    )
    assert child.stdin is not None  # noqa: S101 - asked for above
    assert child.stdout is not None  # noqa: S101 - asked for above
    try:
        child.stdin.write(msgspec.json.encode(order))
        child.stdin.close()
        played = 0
        async for line in child.stdout:
            played += 1
            yield msgspec.json.decode(line, type=Outcome)
        if await child.wait() != 0 or played < len(order.seeds):
            raise CampaignError(f"a process ended with status {child.returncode} after {played} seeds")
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
