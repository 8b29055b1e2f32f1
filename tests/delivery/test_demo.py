"""`ordersync demo` keeps every promise against a hostile marketplace, and says so in figures."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.delivery.programs import program
from worker.demo.stage import QUIET_S
from worker.sandbox import SandboxConfig
from worker.sandbox.faults import LEVELS

ORDERS = 20


DIALECTS = [("pandapon", "7"), ("alibaba1688", "8")]


@pytest.mark.timeout(180)
@pytest.mark.parametrize(("dialect", "seed"), DIALECTS)
async def test_a_hostile_world_converges_without_a_double_payment(tmp_path: Path, dialect: str, seed: str) -> None:
    arguments = ["demo", "--orders", f"{ORDERS}", "--seed", seed, "--faults", "hostile", "--json"]
    arguments += ["--dialect", dialect, "--lost-callbacks", "0.3"]
    async with program(tmp_path / "demo.json", *arguments) as demo:
        status = await demo.ended(150)
    figures = json.loads(demo.text)
    assert status == 0, figures["broken"]
    assert figures["broken"] == []
    assert figures["differences"] == []
    assert figures["converged"] == figures["orders"] == ORDERS
    assert figures["double_payments"] == 0
    assert figures["dead_letters"] == 0
    assert figures["sequence_gaps"] == 0
    assert figures["follow_ups_stuck"] == 0
    assert 0 < figures["payments_accepted"] <= figures["payments_wanted"] <= ORDERS
    assert figures["callbacks_sent"] > ORDERS
    assert figures["callbacks_lost"] > 0, "the world was not hostile"
    assert figures["duplicates"] > 0
    assert sum(figures["faults_met"].values()) > 0
    assert figures["changes_published"] > ORDERS
    assert figures["alerts_opened"] >= figures["alerts_open"]
    assert 0 < figures["seconds"] < 150
    if dialect == "alibaba1688":
        assert figures["api_calls"]["messages.failed.confirm"] > 0, "no failed push was fetched"
        assert figures["api_calls"]["auth.token.refresh"] > 0, "no token ended in the middle"


@pytest.mark.parametrize("level", LEVELS)
def test_the_quiet_time_of_the_demo_covers_how_far_reads_lag(level: str) -> None:
    """Else a read of the past could say "not paid" of money that is gone, and a second payment would be its fault."""
    assert LEVELS[level].stale_s + SandboxConfig().settle_s < QUIET_S


def test_a_number_of_orders_that_cannot_be_played_is_refused() -> None:
    asked = [sys.executable, "-m", "worker", "demo", "--orders", "0"]
    refused = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603 - our own program
    assert refused.returncode == 2
    assert "expected 1 to" in refused.stderr
