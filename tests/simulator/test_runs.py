"""Whole runs: the same seed is the same run, every promise is kept, and a run without faults has none."""

from __future__ import annotations

import msgspec
import pytest

from worker.simulator.profile import profile_of
from worker.simulator.run import play
from worker.simulator.server import Database

SEEDS = (1, 3, 5)

# A process that is killed closes nothing.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed connection:ResourceWarning")


@pytest.mark.parametrize("seed", SEEDS)
def test_a_seed_keeps_every_promise_and_is_the_same_run_each_time(database: Database, seed: int) -> None:
    first = play(seed, database)
    again = play(seed, database)
    assert first.broken == []
    assert again.digest == first.digest
    assert again.counts == first.counts
    assert first.faults
    trouble = profile_of(seed).trouble_s
    assert trouble < first.virtual_s < trouble + 600, "what was played, and not what the clock shows"


def test_two_seeds_are_two_runs(database: Database) -> None:
    assert play(1, database).digest != play(5, database).digest


def test_every_instant_in_the_database_is_virtual(database: Database) -> None:
    play(3, database)
    early, late = database.session.query(
        "SELECT min(recorded_at)::date::text, max(recorded_at)::date::text FROM facts"
    )[0]
    assert (early, late) == ("2026-01-01", "2026-01-01")


def test_faults_can_be_left_out_by_name(database: Database) -> None:
    first = play(3, database)
    without = play(3, database, without=first.faults[:1])
    assert first.faults[0] not in without.faults
    assert without.digest != first.digest


def test_without_faults_nothing_is_unknown_and_nobody_dies(database: Database) -> None:
    calm = msgspec.structs.replace(profile_of(3), rates={}, level="none", lost_callbacks=0.0)
    outcome = play(3, database, profile=calm)
    assert outcome.broken == []
    assert outcome.faults == []
    assert outcome.counts["unknowns"] == 0
    assert outcome.counts.get("crash", 0) == 0
    assert outcome.counts["payments taken"] > 0
