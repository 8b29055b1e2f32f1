"""What goes wrong in a run, and when: one stream of dice per kind of fault, all from the seed.

Each fault that falls has a name (kind and number), so that a run can be repeated without some of them.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection


class Dice:
    """Rolls for faults. A kind that the seed leaves out never falls (each seed leaves out some: rare mixes come up)."""

    def __init__(self, seed: int, shares: dict[str, float], without: Collection[str] = ()) -> None:
        self._seed = seed
        self._shares = shares
        self._without = frozenset(without)
        self._streams: dict[str, random.Random] = {}
        self._fallen: Counter[str] = Counter()
        self.names: list[str] = []
        """The faults that fell, in order."""
        self.armed = True
        """False once the world heals: nothing falls any more."""

    def stream(self, name: str) -> random.Random:
        """Return the generator of one concern, the same object every time."""
        found = self._streams.get(name)
        if found is None:
            found = self._streams[name] = random.Random(f"{self._seed}:{name}")  # noqa: S311 - dice, not secrets
        return found

    def falls(self, kind: str) -> bool:
        """Roll once for a kind of fault."""
        share = self._shares.get(kind, 0.0)
        if not share or not self.armed or self.stream(f"fault:{kind}").random() >= share:
            return False
        self._fallen[kind] += 1
        name = f"{kind}#{self._fallen[kind]}"
        if name in self._without:
            return False
        self.names.append(name)
        return True

    def between(self, name: str, low: float, high: float) -> float:
        """Return a figure of one concern, evenly spread."""
        return self.stream(name).uniform(low, high)
