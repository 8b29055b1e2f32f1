"""I4 and I5, as a consumer of the changes sees them that drops what it has seen."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from worker.domain.status import OrderStatus

_STATUS = ("status_changed", "status_corrected")
MADE = "SELECT account || '/' || platform || '/' || order_id AS key, sequence, status FROM orders"


class Follower:
    """Takes the records of the change topic, in the order of each partition."""

    def __init__(self) -> None:
        self.last: dict[str, int] = {}
        self.repeats = 0
        self._ranks: dict[str, int] = {}
        self._confirmed: dict[str, bool] = {}

    def take(self, key: str, value: bytes) -> Iterator[str]:
        """Take one record and yield what it breaks."""
        change = json.loads(value)
        sequence, last = int(change["sequence"]), self.last.get(key, 0)
        if sequence <= last:
            self.repeats += 1
            return
        if sequence != last + 1:
            yield f"I5: order {key} jumps from change {last} to {sequence}"
        self.last[key] = sequence
        if change["change"] == "confirmation_changed":
            self._confirmed[key] = bool(change["after"])
        if change["change"] in _STATUS:
            rank = OrderStatus(change["after"]).rank
            if rank < self._ranks.get(key, 0) and change["change"] != "status_corrected":
                yield f"I4: order {key} goes back to {change['after']} without a correction"
            if rank < self._ranks.get(key, 0) and self._confirmed.get(key, False):
                yield f"I4: order {key} goes back to {change['after']}, though a read had confirmed what it was"
            self._ranks[key] = rank

    def at_rest(self, made: Iterable[tuple[str, int, str]]) -> Iterator[str]:
        """Yield what was made (`MADE`: key, sequence, status) and not seen."""
        for key, sequence, status in made:
            if self.last.get(key, 0) != sequence:
                yield f"I5: order {key} has {sequence} changes, its consumer saw {self.last.get(key, 0)}"
            if key in self._ranks and OrderStatus(status).rank != self._ranks[key]:
                yield f"I4: order {key} is {status}, its consumer was told otherwise"
