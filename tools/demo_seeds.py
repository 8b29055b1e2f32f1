"""Plays the demo for many seeds, one after another, and judges each by its figures: a table, and a verdict at the end.

    make seeds SEEDS=20 ARGS="--faults hostile --lost-callbacks 0.3"
    python -m tools.demo_seeds --seeds 20 --first 1 -- --faults hostile --lost-callbacks 1.0

What follows `--` goes to `ordersync demo` as it is. A seed that fails leaves what it said in `--keep` (default: a
temporary directory whose name is printed). The exit status is 0 only if every seed kept every promise.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tools.check_demo import check
from tools.report import ROOT, finish

TIMEOUT_S = 600
COLUMNS = ("seed", "orders", "converged", "sent", "lost", "payments", "double", "unknown settled", "seconds", "verdict")
_FIGURES = (
    "orders",
    "converged",
    "callbacks_sent",
    "callbacks_lost",
    "payments_accepted",
    "double_payments",
    "unknown_resolved",
    "seconds",
)


class Outcome(NamedTuple):
    """What one run of the demo ended with: its exit status, its output and its error output."""

    status: int
    output: str
    errors: str


Run = Callable[[Sequence[str]], Outcome]


def main(arguments: Sequence[str], run: Run | None = None) -> int:
    """Play the seeds; return the exit status."""
    options, demo = _options(arguments)
    keep = options.keep or Path(tempfile.mkdtemp(prefix="demo-seeds-"))
    keep.mkdir(parents=True, exist_ok=True)
    print("| " + " | ".join(COLUMNS) + " |")
    print("|" + " --- |" * len(COLUMNS), flush=True)
    problems: list[str] = []
    for seed in range(options.first, options.first + options.seeds):
        outcome = (run or play)(["demo", "--seed", str(seed), *demo, "--json"])
        figures, broken = judge(outcome, none_arrives=_none_arrives(demo))
        if broken:
            problems.append(f"seed {seed}: {'; '.join(broken)}")
            (keep / f"seed-{seed}.txt").write_text(f"{outcome.output}\n{outcome.errors}", encoding="utf-8")
        cells = [seed, *(figures.get(name, "-") for name in _FIGURES), "broken" if broken else "kept"]
        print("| " + " | ".join(map(str, cells)) + " |", flush=True)
    if problems:
        print(f"what the failed seeds said is in {keep}")
    return finish("seeds", problems, f"{options.seeds} of {options.seeds} seeds kept every promise: {' '.join(demo)}")


def judge(outcome: Outcome, *, none_arrives: bool) -> tuple[Mapping[str, Any], list[str]]:
    """Return the figures of a run and each broken promise; the run's own status counts, and so do its figures."""
    try:
        figures = json.loads(outcome.output)
    except json.JSONDecodeError:
        figures = None
    if not isinstance(figures, dict):
        return {}, [f"exit status {outcome.status}, and no figures"]
    broken = list(check(figures, none_arrives=none_arrives))
    broken += [str(said) for said in figures.get("broken", []) if isinstance(said, str)]
    if outcome.status != 0 and not broken:
        broken.append(f"exit status {outcome.status}")
    return figures, broken


def play(arguments: Sequence[str]) -> Outcome:
    """Run `ordersync` with these arguments."""
    command = [sys.executable, "-m", "worker", *arguments]
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and our own program
            command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False, cwd=ROOT
        )
    except subprocess.TimeoutExpired:
        return Outcome(-1, "", f"not over after {TIMEOUT_S} s")
    return Outcome(done.returncode, done.stdout, done.stderr)


def _options(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    own, demo = _split(arguments)
    parser = argparse.ArgumentParser(prog="demo_seeds", description="Play the demo for many seeds.")
    parser.add_argument("--seeds", type=int, default=20, help="how many (default 20)")
    parser.add_argument("--first", type=int, default=1, help="the first seed (default 1)")
    parser.add_argument("--keep", type=Path, help="directory for what failed seeds said")
    options = parser.parse_args(own)
    if options.seeds < 1:
        parser.error("--seeds: expected 1 or more")
    return options, demo


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    words = list(arguments)
    place = words.index("--") if "--" in words else len(words)
    return words[:place], words[place + 1 :]


def _none_arrives(demo: Sequence[str]) -> bool:
    """Tell whether the demo was asked to lose every callback."""
    for name, value in itertools.pairwise(demo):
        if name == "--lost-callbacks":
            return float(value) >= 1
    return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
