"""Who called what and when, and the pace that the twin allows: one budget per application key, as upstream."""

from __future__ import annotations

from collections import Counter, deque

import msgspec

from worker.sandbox.agenda import NowMs

MAX_LOGGED = 200_000
"""Calls that the log keeps; older ones fall out."""

OUTCOME_THROTTLED = "throttled"


class LoggedCall(msgspec.Struct, frozen=True):
    """One call as it arrived."""

    at: int
    """Unix milliseconds."""
    operation: str
    key: str
    """The order or refund it was about."""
    outcome: str
    """`ok`, `throttled`, the code of a refusal, or the fault that spoilt it."""


class Traffic:
    """Counts calls, keeps the log and refuses what comes too fast.

    The limit is a bucket: `rate_per_s` calls per second in the long run, `burst` at once. None: no limit.
    """

    def __init__(self, now_ms: NowMs, rate_per_s: float | None = None, burst: int = 10) -> None:
        self._now_ms = now_ms
        self._rate_per_s = rate_per_s
        self._burst = float(burst)
        self._tokens = float(burst)
        self._filled_ms = now_ms()
        self._closed_until_ms = 0
        self.log: deque[LoggedCall] = deque(maxlen=MAX_LOGGED)
        self.calls: Counter[str] = Counter()
        """Calls per operation, refused ones included."""

    def close_for(self, seconds: float) -> None:
        """Throttle every call for so many real seconds from now."""
        self._closed_until_ms = self._now_ms() + round(seconds * 1000)

    def admit(self) -> bool:
        """Tell whether one more call is allowed now; counts it."""
        now_ms = self._now_ms()
        if now_ms < self._closed_until_ms:
            return False
        if self._rate_per_s is None:
            return True
        gained = (now_ms - self._filled_ms) / 1000 * self._rate_per_s
        self._tokens, self._filled_ms = min(self._burst, self._tokens + gained), now_ms
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def note(self, operation: str, key: str, outcome: str) -> None:
        """Write one call down."""
        self.log.append(LoggedCall(self._now_ms(), operation, key, outcome))
