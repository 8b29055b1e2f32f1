"""Randomness that depends on nothing but the seed and a name."""

from __future__ import annotations

import random


def stream(*name: object) -> random.Random:
    """A generator of its own for `name`, the same in every process.

    One stream per order, message or call: a change in the order of events cannot move anyone else's dice.
    """
    return random.Random(":".join(str(part) for part in name))  # noqa: S311  # a play's dice, not a secret


def spread(rng: random.Random, low: float, high: float) -> float:
    """A duration between `low` and `high`, short ones as likely per order of magnitude as long ones."""
    return float(low * (high / low) ** rng.random())
