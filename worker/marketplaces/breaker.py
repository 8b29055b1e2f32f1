"""The circuit breaker: a marketplace that is away is asked once in a while, not by everybody all the time."""

from __future__ import annotations

from collections.abc import Callable

from worker.marketplaces.port import RetryableError

THRESHOLD = 8
"""So many failures in a row open the circuit,"""
SUBJECTS = 3
"""if so many different things were asked for: one order that alone is answered with an error shuts nobody out."""
FIRST_PAUSE_S = 5.0
LONGEST_PAUSE_S = 120.0


class CircuitOpenError(RetryableError):
    """The marketplace failed too often in a row; it is not asked until the pause is over. Nothing was sent."""


class Breaker:
    """Counts failures in a row of one account's API. A refusal is an answer, hence no failure.

    Open, it lets nobody through for a pause that doubles; after it exactly one call may try. If that call never tells
    how it ended (it was cancelled), another may try after the same pause again.
    """

    def __init__(
        self,
        monotonic: Callable[[], float],
        *,
        threshold: int = THRESHOLD,
        subjects: int = SUBJECTS,
        first_pause_s: float = FIRST_PAUSE_S,
        longest_pause_s: float = LONGEST_PAUSE_S,
    ) -> None:
        self._monotonic = monotonic
        self._threshold = threshold
        self._subjects = subjects
        self._first_pause_s = first_pause_s
        self._longest_pause_s = longest_pause_s
        self._failures = 0
        self._failed: set[str] = set()
        self._unreached = False
        self._shut_until = 0.0
        self._pause_s = 0.0
        self._trying = False

    @property
    def is_open(self) -> bool:
        """Tell whether calls are held back."""
        return self._pause_s > 0

    def before_call(self) -> None:
        """Let a call through, or raise CircuitOpenError."""
        if not self.is_open:
            return
        now = self._monotonic()
        if now < self._shut_until:
            raise CircuitOpenError(
                f"{self._failures} calls failed in a row; next try in {self._shut_until - now:.0f} s"
            )
        self._trying = True
        self._shut_until = now + self._pause_s  # the others wait for this one's end

    def succeeded(self) -> None:
        """Close the circuit."""
        self._failures = 0
        self._failed.clear()
        self._unreached = False
        self._pause_s = 0.0
        self._trying = False

    def failed(self, subject: str | None) -> None:
        """Count a failure; at the threshold, or when the trial failed, open the circuit (again, for longer).

        `subject`: what was asked for, e.g. an order; None if no connection was made, which is about all of them.
        """
        self._failures += 1
        if subject is None:
            self._unreached = True
        elif len(self._failed) < self._subjects:
            self._failed.add(subject)
        if self._failures < self._threshold or (self.is_open and not self._trying):
            return  # calls that were under way when the circuit opened say nothing new
        if not self._unreached and len(self._failed) < self._subjects:
            return
        self._trying = False
        self._pause_s = min(self._longest_pause_s, self._pause_s * 2 or self._first_pause_s)
        self._shut_until = self._monotonic() + self._pause_s
