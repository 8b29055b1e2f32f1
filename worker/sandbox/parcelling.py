"""Which lines go into which parcel."""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Load:
    """One parcel's lines by position; `unfinished` ones are completed by a later parcel."""

    lines: tuple[int, ...]
    unfinished: tuple[int, ...] = ()


def load_parcels(rng: random.Random, lines: list[int], quantities: list[int], parcels: int | None = None) -> list[Load]:
    """Split lines over one to three parcels; a single line with several pieces may itself be split.

    Args:
        rng: the order's dice.
        lines: positions that are still to be shipped, at least one.
        quantities: pieces per position.
        parcels: how many at most; None lets the dice say.
    """
    wanted = parcels or rng.choices((1, 2, 3), (60, 27, 13))[0]
    if len(lines) == 1:
        line = lines[0]
        count = min(wanted, quantities[line])
        return [Load((line,), () if part == count - 1 else (line,)) for part in range(count)]
    count = min(wanted, len(lines))
    cuts = [0, *sorted(rng.sample(range(1, len(lines)), count - 1)), len(lines)]
    return [Load(tuple(lines[start:end])) for start, end in pairwise(cuts)]
