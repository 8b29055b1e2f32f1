"""What happened in a run, line by line, and a digest by which two runs can be compared."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable

KEPT_LINES = 200_000


class Trace:
    """Everything noted counts towards the digest; lines are kept only if somebody wants to read them."""

    def __init__(self, now: Callable[[], float], *, keep: bool = False) -> None:
        self._now = now
        self._keep = keep
        self._digest = hashlib.sha256()
        self.lines: list[str] = []
        self.counts: Counter[str] = Counter()
        """How often each kind of event happened: what the run covered."""

    def note(self, kind: str, who: str = "", detail: str = "") -> None:
        """Write one event down: its kind is counted, who and detail are for the reader and the digest."""
        self.counts[kind] += 1
        self.hidden(kind, who, detail)

    def hidden(self, kind: str, who: str = "", detail: str = "") -> None:
        """Write down what only serves to compare two runs, or to read one closely."""
        line = f"{self._now():12.4f} {who:<8} {kind} {detail}"
        self._digest.update(line.encode())
        if self._keep and len(self.lines) < KEPT_LINES:
            self.lines.append(line)

    @property
    def digest(self) -> str:
        """Return 16 hex digits; equal digests mean equal runs."""
        return self._digest.hexdigest()[:16]
