"""`ordersync demo`."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from worker.cli.loop import run_until_signalled
from worker.demo.play import play, progress_bar
from worker.demo.stage import DemoOptions, Stage, set_stage
from worker.demo.twin import TwinError
from worker.demo.verdict import Verdict
from worker.logs import configure_logging

MAX_ORDERS = 2_000
_SHOWN_DIFFERENCES = 20


def demo(options: DemoOptions, *, stay: bool, as_json: bool) -> int:
    """Play the demo; return 0 only if model, ledger and changes agree with the marketplace."""
    errors = Console(stderr=True, soft_wrap=True)
    if not 1 <= options.orders <= MAX_ORDERS:
        errors.print(
            f"--orders {options.orders}: expected 1 to {MAX_ORDERS} (the embedded broker keeps everything in memory)"
        )
        return 2
    if options.lost_callbacks is not None and not 0 <= options.lost_callbacks <= 1:
        errors.print(f"--lost-callbacks {options.lost_callbacks}: expected a share from 0 to 1")
        return 2

    async def main(stop: asyncio.Event) -> int:
        with tempfile.TemporaryDirectory(prefix="ordersync-demo-") as directory:
            log = Path(directory) / "worker.log"
            with log.open("w") as stream:
                configure_logging("warning", stream)
                playing = asyncio.create_task(_play(options, Path(directory), errors, stop, stay=stay, as_json=as_json))
                stopping = asyncio.create_task(stop.wait())
                await asyncio.wait({playing, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if not playing.done() and not stay:
                    playing.cancel()
                stopping.cancel()
                try:
                    return await playing
                except asyncio.CancelledError:
                    errors.print("stopped")
                    return 130
                except (TwinError, TimeoutError) as error:
                    errors.print(f"[red]the demo did not come to an end:[/red] {str(error) or type(error).__name__}")
                    errors.print(log.read_text()[-3_000:], markup=False)
                    return 1

    return run_until_signalled(main)


async def _play(
    options: DemoOptions, directory: Path, errors: Console, stop: asyncio.Event, *, stay: bool, as_json: bool
) -> int:
    async with set_stage(options, directory) as stage:
        with progress_bar(errors, quiet=as_json and not sys.stderr.isatty()) as show:
            verdict = await play(stage, show)
        _print(verdict, options.dialect, as_json=as_json)
        if stay:
            _invite(errors, stage)
            await stop.wait()
    return 1 if verdict.broken else 0


def _print(verdict: Verdict, dialect: str, *, as_json: bool) -> None:
    if as_json:
        differences = verdict.differences[:_SHOWN_DIFFERENCES]
        whole = verdict.figures | {"dialect": dialect, "broken": verdict.broken, "differences": differences}
        print(msgspec.json.encode(whole).decode())  # noqa: T201 - the command's output
        return
    console = Console(highlight=False, soft_wrap=True)
    table = Table(box=None, show_header=False)
    for name, value in verdict.figures.items():
        shown = ", ".join(f"{key} {count}" for key, count in value.items()) if isinstance(value, dict) else str(value)
        table.add_row(name.replace("_", " "), shown)
    console.print(table)
    for difference in verdict.differences[:_SHOWN_DIFFERENCES]:
        console.print(f"  {difference.order_id} {difference.field}: {difference.model!r} is {difference.truth!r}")
    if verdict.broken:
        console.print("[bold red]BROKEN:[/bold red] " + "; ".join(verdict.broken))
    else:
        console.print("[bold green]All orders agree with the marketplace; no money moved twice.[/bold green]")


def _invite(console: Console, stage: Stage) -> None:
    base = f"http://127.0.0.1:{stage.worker.http.port}"
    console.print(f"API       {base}/api/v1/orders\nmetrics   {base}/metrics\nsandbox   {stage.twin.url}")
    console.print(f"Postgres  {stage.postgres_dsn}\nKafka     {stage.kafka}\nCtrl-C ends it.", markup=False)
