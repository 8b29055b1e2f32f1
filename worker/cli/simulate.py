"""`ordersync simulate`: fleets of workers under seeded trouble, held to the promises by an auditor."""

from __future__ import annotations

import asyncio
import os
import secrets
import time

import msgspec
from rich.console import Console
from rich.table import Table

MOST_SHOWN = 10
RANDOM_SEEDS_BELOW = 1_000_000


def simulate(
    *, seeds: int, start: int | None, seed: int | None, jobs: int, trace: bool, minimise: bool, as_json: bool
) -> int:
    """Play seeds; return 1 if a promise was broken."""
    console = Console(highlight=False, soft_wrap=True)
    if seed is not None:
        return asyncio.run(_one(console, seed, trace=trace, minimise=minimise, as_json=as_json))
    first = secrets.randbelow(RANDOM_SEEDS_BELOW) if start is None else start
    return asyncio.run(_many(console, range(first, first + seeds), jobs or os.cpu_count() or 1, as_json=as_json))


async def _many(console: Console, seeds: range, jobs: int, *, as_json: bool) -> int:
    from worker.simulator.campaign import campaign
    from worker.simulator.run import Outcome

    started = time.monotonic()
    if not as_json:
        console.print(f"seeds {seeds.start} to {seeds.stop - 1} on {jobs} processes")

    def told(outcome: Outcome) -> None:
        if outcome.broken and not as_json:
            console.print(f"seed {outcome.seed} broke: {outcome.broken[0]}", markup=False)

    summary = await campaign(seeds, jobs, told)
    seconds = round(time.monotonic() - started, 1)
    if as_json:
        console.print_json(msgspec.json.encode({"seconds": seconds, "summary": summary}).decode())
        return 1 if summary.failed else 0
    table = Table("covered", "times", box=None)
    for name, count in sorted(summary.counts.items()):
        table.add_row(name, str(count))
    console.print(table)
    console.print(f"{len(summary.seeds)} seeds, {summary.virtual_s / 3600:.1f} hours of virtual time in {seconds} s")
    for outcome in summary.failed[:MOST_SHOWN]:
        console.print(f"\nseed {outcome.seed} (replay: ordersync simulate --seed {outcome.seed} --trace)", markup=False)
        for line in outcome.broken[:MOST_SHOWN]:
            console.print(f"  {line}", markup=False)
    console.print(f"{len(summary.failed)} seeds broke a promise." if summary.failed else "Every promise was kept.")
    return 1 if summary.failed else 0


async def _one(console: Console, seed: int, *, trace: bool, minimise: bool, as_json: bool) -> int:
    from worker.simulator import campaign

    if minimise:
        outcome, without = await campaign.minimise(seed, lambda what: None if as_json else console.print(what))
    else:
        outcome, without = await campaign.replay(seed), []
    if as_json:
        console.print_json(msgspec.json.encode({"outcome": outcome, "without": without}).decode())
        return 1 if outcome.broken else 0
    if trace or minimise:
        for line in outcome.lines:
            console.print(line, markup=False)
    console.print(f"seed {seed}, trace {outcome.digest}, {outcome.virtual_s:.0f} virtual seconds")
    console.print(f"faults: {', '.join(outcome.faults) or 'none'}", markup=False)
    for line in outcome.broken:
        console.print(f"broken: {line}", markup=False)
    if not outcome.broken:
        console.print("Every promise was kept.")
    return 1 if outcome.broken else 0
