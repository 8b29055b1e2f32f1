"""The search for a mutant: seed after seed, until a promise is broken."""

from __future__ import annotations

import msgspec
import pytest

from tests.simulator.mutant import Mutant
from worker.simulator.profile import Profile, profile_of
from worker.simulator.run import Outcome, play
from worker.simulator.server import Database


def profile_for(mutant: Mutant, seed: int) -> Profile:
    """Return a seed's run, with what the mutant needs to show itself."""
    profile = profile_of(seed)
    return msgspec.structs.replace(profile, rates=profile.rates | mutant.rates, **mutant.profile)


def without_bug(mutant: Mutant, database: Database, seed: int) -> Outcome:
    """Play the same run with the program as it is: what broke has to be the bug's doing."""
    return play(seed, database, profile=profile_for(mutant, seed))


def hunt(mutant: Mutant, database: Database, most: int) -> tuple[int, Outcome | None]:
    """Play seeds with the bug until one breaks a promise; return how many it took, and that run."""
    with pytest.MonkeyPatch.context() as patch:
        mutant.bug(patch)
        for taken, seed in enumerate(range(mutant.start, mutant.start + most), start=1):
            outcome = play(seed, database, wiring=mutant.wiring, profile=profile_for(mutant, seed))
            if outcome.broken:
                return taken, outcome
    return most, None
