"""Pauses between attempts: growing, bounded, and with jitter so that failures do not come back together."""

from __future__ import annotations

import random

from worker.domain.clock import SECOND, Millis

FIRST_PAUSE: Millis = 2 * SECOND
LONGEST_PAUSE: Millis = 600 * SECOND
_MAX_DOUBLINGS = 16


def pause(failures: int, jitter: random.Random) -> Millis:
    """Return the pause after the given number of failures (0: the first has just happened)."""
    whole = min(LONGEST_PAUSE, FIRST_PAUSE << min(failures, _MAX_DOUBLINGS))
    return int(whole * jitter.uniform(0.7, 1.3))
