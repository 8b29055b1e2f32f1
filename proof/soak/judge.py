"""The verdict of a soak: what must not grow did not, and in the end nothing waits and no promise is broken."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from proof.soak.record import Record
from proof.soak.slope import Slope, growth

WARM_UP_SHARE = 1 / 3
"""Caches, pools and the interpreter's arenas fill up first: what this part of the run shows is not judged."""


class Limit(msgspec.Struct, frozen=True):
    """A quantity of the worker that is never restarted, and by how much it may grow in an hour."""

    series: str
    what: str
    unit: str
    tolerance: float


LIMITS = (
    Limit("steady.private_mib", "memory", "MiB", 4.0),
    Limit("steady.open_files", "open files", "", 2.0),
    Limit("steady.threads", "threads", "", 1.0),
    Limit("steady.connections", "Postgres connections", "", 2.0),
)
"""docs/soak.md says why these tolerances."""
MUST_END_AT_ZERO = {
    "lag_records": "records wait in Kafka",
    "outbox_waiting": "changes wait to be published",
    "spool_waiting": "events wait in the spool",
}


class Finding(msgspec.Struct, frozen=True):
    """What a limit found. `slope` None: the run was too short to say."""

    limit: Limit
    slope: Slope | None

    @property
    def flat(self) -> bool:
        """Whether growth beyond the tolerance can be ruled out. A slope of which that cannot be said is not flat."""
        return self.slope is not None and self.slope.high <= self.limit.tolerance


class Verdict(msgspec.Struct, frozen=True):
    """The findings, and in words whatever is wrong."""

    findings: list[Finding]
    wrong: list[str]


def judge(record: Record, seconds: float, at_the_end: Mapping[str, float | None], broken: Sequence[str]) -> Verdict:
    """Judge the part of a run of `seconds` that follows the warm-up; `broken` are promises, in words."""
    begin_s = seconds * WARM_UP_SHARE
    findings = [Finding(limit, growth(record.points(limit.series, begin_s, seconds))) for limit in LIMITS]
    return Verdict(findings, [*_growing(findings), *_left_over(at_the_end), *broken])


def _growing(findings: Sequence[Finding]) -> Iterator[str]:
    for finding in findings:
        limit, slope = finding.limit, finding.slope
        unit = f"{limit.unit} " if limit.unit else ""
        if slope is None:
            yield f"{limit.what}: too few samples after the warm-up to say whether it grows"
        elif not finding.flat:
            yield (
                f"{limit.what} may grow by up to {slope.high:.1f} {unit}an hour,"
                f" tolerated are {limit.tolerance:.1f} (measured {slope.per_hour:.1f})"
            )


def _left_over(at_the_end: Mapping[str, float | None]) -> Iterator[str]:
    for name, what in MUST_END_AT_ZERO.items():
        left = at_the_end.get(name)
        if left is None:
            yield f"nobody knows whether {what} in the end: it could not be measured"
        elif left > 0:
            yield f"{left:.0f} {what} in the end"
