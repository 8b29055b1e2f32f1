"""The form of a result, and where it is written."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import msgspec

RESULTS = Path(__file__).parent / "results"


class Result(msgspec.Struct, frozen=True):
    """One benchmark. `value` and `floor` in `unit`; `ratio` = value ÷ floor, the median over pairs measured in turn."""

    name: str
    value: float
    floor: float
    ratio: float
    target: float
    verified: bool
    unit: str
    machine: str

    def line(self) -> str:
        """Return the result for people."""
        verdict = "met" if self.ratio >= self.target else "MISSED"
        ids = "every id verified" if self.verified else "IDS MISSING"
        return (
            f"{self.name}: {self.value:,.0f} {self.unit} against {self.floor:,.0f}, ratio {self.ratio:.2f} "
            f"(target {self.target:.2f} {verdict}), {ids}"
        )


def machine() -> str:
    """Return what this was measured on, in words that name no host."""
    return f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"


def median(values: list[float]) -> float:
    """Return the median; of an even count the lower one of the middle two."""
    return sorted(values)[(len(values) - 1) // 2]


def save(result: Result) -> None:
    """Write bench/results/NAME.json."""
    RESULTS.mkdir(exist_ok=True)
    encoded = msgspec.json.format(msgspec.json.encode(result), indent=2)
    (RESULTS / f"{result.name}.json").write_bytes(encoded + b"\n")
