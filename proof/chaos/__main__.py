"""`python -m proof.chaos`: play faults on real parts under load, and judge. The status is 1 if a promise was broken."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

import uvloop
from rich.console import Console

from proof.chaos import report
from proof.chaos.play import ChaosOptions, play
from proof.rig import missing
from worker.logs import configure_logging


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m proof.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0, help="how long faults happen (default: 5)")
    parser.add_argument("--brokers", type=int, default=3, help="default: 3; the fewest that outlive one")
    parser.add_argument("--workers", type=int, default=3, help="default: 3")
    parser.add_argument("--orders-per-s", type=float, default=1.0, help="the load (default: 1)")
    parser.add_argument("--seed", type=int, help="repeats the schedule of an earlier run (default: a new one)")
    parser.add_argument("--json", action="store_true", help="write the report as JSON to standard output")
    parser.add_argument("--output", type=Path, help="write the report as Markdown to this file, too")
    parser.add_argument("--logs", type=Path, help="where logs go (default: a new directory)")
    given = parser.parse_args()
    reason = missing()
    if reason is not None:
        print(f"chaos needs Apache Kafka: {reason}", file=sys.stderr)
        return 2
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(1, 1_000_000)
    options = ChaosOptions(
        seed=seed,
        seconds=given.minutes * 60,
        brokers=given.brokers,
        workers=given.workers,
        orders_per_s=given.orders_per_s,
    )
    return _run(options, given.logs, given.output, as_json=given.json)


def _run(options: ChaosOptions, logs: Path | None, output: Path | None, *, as_json: bool) -> int:
    console = Console(stderr=as_json, highlight=False)
    directory = logs or Path(tempfile.mkdtemp(prefix="ordersync-chaos-"))
    directory.mkdir(parents=True, exist_ok=True)
    console.print(f"logs: {directory}", markup=False)
    with (directory / "proof.log").open("a", encoding="utf-8") as own_log:
        configure_logging("info", own_log)
        run = uvloop.run(play(options, directory, lambda line: console.print(line, markup=False)))
    report.show(run, console)
    if as_json:
        print(report.as_json(run))
    if output is not None:
        output.write_text(report.as_markdown(run), "utf-8")
    return 0 if run.kept else 1


if __name__ == "__main__":
    sys.exit(main())
