"""How fast a series grows, told robustly: Theil-Sen's slope with an interval after Sen (1968).

A jump (a connection pool that fills up once) or a few outliers hardly move the median of all pairwise slopes. The
interval supposes values that are independent of each other, and memory a second later is not: so the slope is taken
over medians of `BLOCK_S`.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

import msgspec

HOUR_S = 3_600.0
BLOCK_S = 60.0
FEWEST_BLOCKS = 8
"""Fewer say nothing."""
MOST_BLOCKS = 1_000
"""Half a million pairs; longer runs are taken in longer blocks."""
_Z_95 = 1.959964

Point = tuple[float, float]
"""Seconds, value."""


class Slope(msgspec.Struct, frozen=True):
    """Growth per hour, and the ends of its 95 % interval, in the unit of the values."""

    per_hour: float
    low: float
    high: float
    blocks: int


def growth(points: Sequence[Point]) -> Slope | None:
    """Return the slope of a series; None if it is too short to say."""
    if not points:
        return None
    block_s = max(BLOCK_S, (points[-1][0] - points[0][0]) / MOST_BLOCKS)
    blocks = block_medians(points, block_s)
    if len(blocks) < FEWEST_BLOCKS:
        return None
    slopes = sorted(
        (later[1] - earlier[1]) / (later[0] - earlier[0])
        for place, earlier in enumerate(blocks)
        for later in blocks[place + 1 :]
    )
    count = len(blocks)
    spread = _Z_95 * math.sqrt(count * (count - 1) * (2 * count + 5) / 18)
    low = math.floor((len(slopes) - spread) / 2)
    high = math.ceil((len(slopes) + spread) / 2)
    return Slope(
        statistics.median(slopes) * HOUR_S,
        slopes[max(0, low)] * HOUR_S,
        slopes[min(len(slopes) - 1, high)] * HOUR_S,
        count,
    )


def block_medians(points: Sequence[Point], block_s: float) -> list[Point]:
    """Return one point per block of `block_s`: the medians of its times and of its values."""
    blocks: dict[int, list[Point]] = {}
    for at_s, value in points:
        blocks.setdefault(math.floor(at_s / block_s), []).append((at_s, value))
    return [
        (statistics.median(at_s for at_s, _ in block), statistics.median(value for _, value in block))
        for _, block in sorted(blocks.items())
    ]
