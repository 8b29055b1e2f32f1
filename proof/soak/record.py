"""What was measured over time, in one table: a row per look, a column per quantity."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from proof.soak.slope import Point
from proof.soak.timetable import Due

Values = dict[str, float | None]
"""One look: quantities by name, None where one could not be measured."""
EVERY_S = 10.0
MAX_SAMPLES = 5_000
"""What a chart of a day can show and a repository can hold: longer runs look less often."""
_DIGITS = 2


def interval_s(seconds: float) -> float:
    """Return how often a run of so many seconds is looked at."""
    return max(EVERY_S, seconds / MAX_SAMPLES)


class Record(msgspec.Struct):
    """The samples so far. A value is None where the quantity could not be measured, such as of a killed worker."""

    at_s: list[float] = []
    series: dict[str, list[float | None]] = {}
    faults: list[Due] = []
    """Those that were done, at the time at which they began."""

    def add(self, at_s: float, values: Mapping[str, float | None]) -> None:
        """Append one row; a new quantity has no values before it, a missing one none now."""
        for name in values.keys() - self.series.keys():
            self.series[name] = [None] * len(self.at_s)
        self.at_s.append(round(at_s, 1))
        for name, column in self.series.items():
            value = values.get(name)
            column.append(None if value is None else round(value, _DIGITS))

    def points(self, name: str, begin_s: float = 0.0, end_s: float = float("inf")) -> list[Point]:
        """Return the measured values of a quantity between two times."""
        pairs = zip(self.at_s, self.series.get(name, ()), strict=False)
        return [(at_s, value) for at_s, value in pairs if value is not None and begin_s <= at_s <= end_s]
