"""`ordersync simulate` as somebody types it, with a worker that calls every effect twice: seen, replayed, minimised."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

BROKEN = Path(__file__).parent / "broken"
SEED = "9"
PAID_TWICE = re.compile(r"broken: (I1): order \d+ was paid 2 times")
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
    status, said = simulate("--seed", SEED, "--trace")
    assert status == 1
    assert PAID_TWICE.search(said), said[-2_000:]
    assert " call GET /" in said or " call POST /" in said, "the trace shows the calls"
    digest = TRACE.search(said)
    assert digest is not None

    status, again = simulate("--seeds", "1", "--start", SEED, "--jobs", "1")
    assert status == 1
    assert f"replay: ordersync simulate --seed {SEED} --trace" in again
    assert "1 seeds broke a promise." in again

    status, least = simulate("--seed", SEED, "--minimise")
    assert status == 1
    assert PAID_TWICE.search(least)
    assert faults(said), "there was something to leave out"
    assert len(faults(least)) < len(faults(said)), "no fault is needed for a worker that does everything twice"
    assert "I1 still breaks with" in least


@pytest.mark.timeout(600)
def test_without_the_bug_the_same_seed_keeps_every_promise() -> None:
    status, said = simulate("--seed", SEED, broken=False)
    assert (status, said.splitlines()[-1]) == (0, "Every promise was kept.")
