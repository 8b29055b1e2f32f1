"""What goes wrong when: drawn from a seed before anything starts, so that the same seed plans the same faults.

Two lanes run beside each other: what happens to workers, and what happens to the parts they stand on. Within a lane one
fault ends before the next begins; across the lanes they overlap as they fall.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from enum import StrEnum

import msgspec

BEGINS_AFTER_S = 8.0
"""The load runs for so long before the first fault: there is something to disturb."""
PAUSE_S = (3.0, 8.0)


class Lane(StrEnum):
    """Where something goes wrong."""

    WORKERS = "workers"
    PARTS = "parts"


class Kind(msgspec.Struct, frozen=True):
    """One kind of fault: how long it lasts (seconds, from and to), and how many brokers it takes to make sense."""

    name: str
    lane: Lane
    lasts_s: tuple[float, float]
    brokers: int = 1


class Planned(msgspec.Struct, frozen=True):
    """One fault of a schedule. `dice` (0 to 1) decides what it does in particular: which worker, how much."""

    number: int
    kind: str
    lane: Lane
    at_s: float
    lasts_s: float
    dice: float

    def pick(self, count: int) -> int:
        """Return one of `count` numbers from 0, by the dice."""
        return min(count - 1, int(self.dice * count))


def plan(kinds: Sequence[Kind], *, seed: int, seconds: float, brokers: int) -> list[Planned]:
    """Return the faults of a run, by their beginning. All have ended after `seconds` if they end in time.

    Every kind comes once, in an order by dice, before any comes twice; what no longer fits into the time is left out.
    """
    planned: list[Planned] = []
    for lane in Lane:
        rng = random.Random(f"chaos:{seed}:{lane}")  # noqa: S311 - dice, not secrets
        mine = [kind for kind in kinds if kind.lane is lane and kind.brokers <= brokers]
        planned += _fill(lane, mine, rng, seconds)
    planned.sort(key=lambda one: one.at_s)
    return [msgspec.structs.replace(one, number=number) for number, one in enumerate(planned, 1)]


def _fill(lane: Lane, kinds: Sequence[Kind], rng: random.Random, seconds: float) -> Iterator[Planned]:
    at = BEGINS_AFTER_S + rng.uniform(*PAUSE_S)
    while kinds:
        round_of = list(kinds)
        rng.shuffle(round_of)
        fitted = False
        for kind in round_of:
            lasts, pause, dice = rng.uniform(*kind.lasts_s), rng.uniform(*PAUSE_S), rng.random()
            if at + lasts <= seconds:
                yield Planned(0, kind.name, lane, round(at, 1), round(lasts, 1), dice)
                at += lasts + pause
                fitted = True
        if not fitted:
            return
