"""A clock that can be set wrong while a worker runs: the machine's own, off by what stands in a file."""

from __future__ import annotations

import time
from pathlib import Path

from worker.domain.clock import Millis

LOOK_EVERY_S = 0.1


class FileClock:
    """Implements `worker.domain.clock.Clock`. The file holds whole milliseconds; without it the clock is right."""

    def __init__(self, offset_file: Path) -> None:
        self._file = offset_file
        self._offset: Millis = 0
        self._looked = float("-inf")

    def now_ms(self) -> Millis:
        """Return the machine's wall clock plus the offset, which is looked up at most every `LOOK_EVERY_S`."""
        now = time.monotonic()
        if now - self._looked >= LOOK_EVERY_S:
            self._looked = now
            try:
                self._offset = int(self._file.read_text("ascii"))
            except (OSError, ValueError):
                self._offset = 0
        return time.time_ns() // 1_000_000 + self._offset


def set_offset(offset_file: Path, offset: Millis) -> None:
    """Set the clock that reads `offset_file` wrong by `offset`; appears by a rename, so nobody reads half a number."""
    unfinished = offset_file.with_name(f"{offset_file.name}.new")
    unfinished.write_text(str(offset), "ascii")
    unfinished.rename(offset_file)
