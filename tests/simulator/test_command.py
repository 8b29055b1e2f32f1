"""`ordersync simulate` as somebody types it, with a worker that calls every effect twice: seen, replayed, minimised."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

BROKEN = Path(__file__).parent / "broken"
SEEDS = "4"
BROKEN_SEED = re.compile(r"^seed (\d+) \(replay: ordersync simulate --seed \1 --trace\)\n  I1: ", re.MULTILINE)
I1 = "broken: I1: "
FAULTS = re.compile(r"^faults: (.*)$", re.MULTILINE)
TRACE = re.compile(r"trace ([0-9a-f]{16})")


def simulate(*arguments: str, broken: bool = True) -> tuple[int, str]:
    """Run the command; return its exit status and what it said."""
    command = [sys.executable, "-m", "worker", "simulate", *arguments]
    environment = os.environ | ({"PYTHONPATH": str(BROKEN)} if broken else {})
    done = subprocess.run(  # noqa: S603 - our own command
        command, env=environment, capture_output=True, text=True, timeout=550, check=False
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


def faults(said: str) -> list[str]:
    found = FAULTS.search(said)
    assert found is not None, said
    return [] if found[1] == "none" else found[1].split(", ")


@pytest.mark.timeout(1800)
def test_a_broken_promise_prints_its_trace_replays_and_is_minimised() -> None:
    status, said = simulate("--seeds", SEEDS, "--start", "1", "--jobs", "1")
    assert status == 1
    found = BROKEN_SEED.search(said)
    assert found is not None, said[-2_000:]

    status, first = simulate("--seed", found[1], "--trace")
    assert status == 1
    assert I1 in first
    assert " call GET /" in first or " call POST /" in first, "the trace shows the calls"
    assert TRACE.search(first) is not None

    status, least = simulate("--seed", found[1], "--minimise")
    assert status == 1
    assert I1 in least
    assert "I1 still breaks with" in least
    assert len(faults(least)) < len(faults(first)), "no fault is needed for a worker that does everything twice"


@pytest.mark.timeout(600)
def test_without_the_bug_a_seed_keeps_every_promise() -> None:
    status, said = simulate("--seed", "9", broken=False)
    assert (status, said.splitlines()[-1]) == (0, "Every promise was kept.")
