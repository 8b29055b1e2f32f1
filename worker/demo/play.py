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
from worker.demo.stage import ACCOUNT, Stage
from worker.demo.verdict import UNDER_WAY, Books, Verdict, judge

LIVES_WITHIN_S = 240.0
CATCH_UP_WITHIN_S = 300.0
STANDS_STILL_S = 45.0
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
            await _books(stage),
            await stage.twin.stats(),
            time.monotonic() - started,
            stage.worker.policy_of(ACCOUNT).daily_budget,
        )


async def _books(stage: Stage) -> Books:
    book = stage.twin.book
    return Books(
        await book("payments"), await book("receipts"), await book("bookings"), await book("warehouse-notices")
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
    """Wait until the model has caught up, as long as it comes closer: a busy machine is slow, a stuck worker stands."""
    closest: tuple[int, int, int] | None = None
    waited = began = time.monotonic()
    while True:
        async with stage.worker.engine.connect() as connection:
            comparison = await compare(connection, stage.twin.truth())
        show("comparing with the marketplace's truth", comparison.converged, comparison.orders)
        made, under_way = await _unfinished(stage)
        if comparison.converged == comparison.orders and stage.follower.changes >= made and under_way == 0:
            return comparison
        now = (comparison.converged, stage.follower.changes, -under_way)
        if closest is None or any(new > old for new, old in zip(now, closest, strict=True)):
            waited, closest = time.monotonic(), tuple(map(max, now, closest or now))
        if time.monotonic() > min(waited + STANDS_STILL_S, began + CATCH_UP_WITHIN_S):
            return comparison
        await asyncio.sleep(LOOK_EVERY_S)


async def _unfinished(stage: Stage) -> tuple[int, int]:
    """Return how many changes the model made, and how many follow-ups are under way."""
    async with stage.worker.engine.connect() as connection:
        made = (await connection.execute(_CHANGES_MADE)).scalar_one()
        under_way = (await connection.execute(UNDER_WAY)).scalar_one()
    return int(made), int(under_way)


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
