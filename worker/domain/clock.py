"""Time as the domain sees it: whole milliseconds since the Unix epoch, UTC.

An integer sorts, compares and survives JSON without a second thought; a zone cannot be forgotten on it.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol

Millis = int
"""Milliseconds since 1970-01-01T00:00:00Z."""

SECOND: Millis = 1_000
MINUTE: Millis = 60 * SECOND
HOUR: Millis = 60 * MINUTE
DAY: Millis = 24 * HOUR


class Clock(Protocol):
    """Where the time comes from. Everything that needs "now" is given one."""

    def now_ms(self) -> Millis:
        """Return the present as milliseconds since the epoch."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now_ms(self) -> Millis:
        """Return the wall clock's present."""
        return time.time_ns() // 1_000_000


def to_datetime(at: Millis) -> datetime:
    """Return `at` as an aware UTC datetime (for timestamptz columns and ISO text)."""
    return datetime.fromtimestamp(at / 1000, UTC)


def from_datetime(at: datetime) -> Millis:
    """Return an aware datetime as milliseconds; raises ValueError on a naive one, whose instant nobody knows."""
    if at.tzinfo is None:
        msg = "a datetime without a zone has no instant"
        raise ValueError(msg)
    return round(at.timestamp() * 1000)


def iso(at: Millis) -> str:
    """Return `at` as RFC 3339 text with milliseconds, e.g. `2026-01-01T02:00:00.000Z`."""
    seconds, millis = divmod(at, SECOND)
    return f"{_iso_second(seconds)}.{millis:03d}Z"


@lru_cache(maxsize=256)
def _iso_second(seconds: int) -> str:
    """Return a whole second as text; events of one second are many."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
