"""`python -m proof.soak --hours 1`: see docs/soak.md. Exit status 1 if anything grows, waits or was broken."""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import uvloop

from proof.soak.report import save, save_chart, table
from proof.soak.run import Options, soak
from worker.sandbox.config import MAX_ORDERS

OUT = Path(".state/soak")
HOUR_S = 3_600.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for (None: on the command line)."""
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--rate", type=float, default=1.0, help="new orders per second")
    parser.add_argument("--faults", choices=("none", "usual", "hostile"), default="usual", help="of the marketplace")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--speed", type=float, default=6_000.0, help="of the marketplace's time")
    parser.add_argument("--out", type=Path, default=OUT, help="directory of soak.json, soak.svg and the logs")
    given = parser.parse_args(arguments)
    seconds = given.hours * HOUR_S
    if not (seconds > 0 and given.rate > 0 and seconds * given.rate <= MAX_ORDERS):
        parser.error(
            f"hours x rate x 3600: expected more than 0 and at most {MAX_ORDERS} orders, which the sandbox keeps"
        )
    if given.out == OUT:  # ours; what somebody names may hold anything
        shutil.rmtree(OUT, ignore_errors=True)
    given.out.mkdir(parents=True, exist_ok=True)
    if any(given.out.iterdir()):
        parser.error(f"--out {given.out}: expected a directory that is empty or not there yet")
    logging.basicConfig(filename=given.out / "soak.log", level=logging.WARNING)  # clients miss Kafka while it is away
    options = Options(seconds, given.rate, given.faults, given.seed, given.speed)
    out = given.out.absolute()
    outcome = uvloop.run(soak(options, out, _say, lambda record: save_chart(record, options, out)))
    save(outcome, out)
    print(table(outcome), flush=True)
    return 1 if outcome.verdict.wrong else 0


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
