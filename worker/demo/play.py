"""Plays the demo: lets the lives begin, waits until the world is quiet and the worker has caught up, and judges."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from sqlalchemy import text

from worker.demo.compare import Comparison, compare
from worker.demo.stage import Stage
from worker.demo.verdict import UNDER_WAY, Verdict, judge

LIVES_WITHIN_S = 240.0
CATCH_UP_WITHIN_S = 60.0
LOOK_EVERY_S = 0.5
_CHANGES_MADE = text("SELECT coalesce(sum(sequence), 0) FROM orders")
Show = Callable[[str, int, int], None]


async def play(stage: Stage, show: Show) -> Verdict:
    """Play to the end. Raises TimeoutError if the sandbox itself does not come to rest."""
    started = time.monotonic()
    await stage.twin.begin(stage.callback_url)
    await _lives(stage, show)
    comparison = await _catch_up(stage, show)
    async with stage.worker.engine.connect() as connection:
        return await judge(
            connection,
            comparison,
            stage.follower,
            await stage.twin.payments(),
            await stage.twin.stats(),
            time.monotonic() - started,
        )


async def _lives(stage: Stage, show: Show) -> None:
    async with asyncio.timeout(LIVES_WITHIN_S):
        while True:
            stats = await stage.twin.stats()
            total = stats["orders_planned"]
            done = sum(stats["orders_by_status"].get(word, 0) for word in ("success", "cancel"))
            show(f"lives: {stats['callbacks_sent']} callbacks, {stats['payments_accepted']} payments", done, total)
            if stats["quiet"]:
                return
            await asyncio.sleep(LOOK_EVERY_S)


async def _catch_up(stage: Stage, show: Show) -> Comparison:
    deadline = time.monotonic() + CATCH_UP_WITHIN_S
    while True:
        async with stage.worker.engine.connect() as connection:
            comparison = await compare(connection, stage.twin.truth())
        show("comparing with the marketplace's truth", comparison.converged, comparison.orders)
        caught_up = comparison.converged == comparison.orders and await _at_rest(stage)
        if caught_up or time.monotonic() > deadline:
            return comparison
        await asyncio.sleep(LOOK_EVERY_S)


async def _at_rest(stage: Stage) -> bool:
    """Tell whether every change has been seen by its consumer and no follow-up is under way."""
    async with stage.worker.engine.connect() as connection:
        made = (await connection.execute(_CHANGES_MADE)).scalar_one()
        under_way = (await connection.execute(UNDER_WAY)).scalar_one()
    return bool(stage.follower.changes >= int(made) and under_way == 0)


@contextlib.contextmanager
def progress_bar(console: Console, *, quiet: bool) -> Iterator[Show]:
    """Yield a function that shows progress on `console`; nothing is shown if `quiet`."""
    if quiet:
        yield lambda _what, _done, _total: None
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description:<52}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
    )
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as progress:
        task = progress.add_task("starting", total=None)
        yield lambda what, done, total: progress.update(task, description=what, completed=done, total=total)
