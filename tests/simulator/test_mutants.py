"""Every deliberate bug is found within a bounded number of seeds. `-s` shows how many each took."""

from __future__ import annotations

import pytest

from tests.simulator.hunt import hunt, without_bug
from tests.simulator.mutant import Mutant
from tests.simulator.mutants import MUTANTS
from worker.simulator.child import be_quiet
from worker.simulator.server import Database

MOST_SEEDS = 24
FEWEST_MUTANTS = 15

# A process that is killed closes nothing.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed connection:ResourceWarning")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_deliberate_bug_is_found(database: Database, mutant: Mutant) -> None:
    be_quiet()
    taken, outcome = hunt(mutant, database, MOST_SEEDS)
    assert outcome is not None, f"{mutant.name} survived {taken} seeds"
    print(f"{mutant.name}: found by seed {outcome.seed} after {taken}: {outcome.broken[0]}")  # noqa: T201 - asked for
    assert without_bug(mutant, database, outcome.seed).broken == []


def test_there_are_enough_of_them() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= FEWEST_MUTANTS
