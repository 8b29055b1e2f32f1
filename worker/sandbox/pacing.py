"""How the lives of a world go on: steps with time between them, and what each order waits for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from worker.sandbox.agenda import Agenda, Entry

D = TypeVar("D")


@dataclass(frozen=True, slots=True)
class Step(Generic[D]):
    """A deed, and how long after the one before it (seconds of the marketplace's time)."""

    gap_s: float
    deed: D


class Waits:
    """What orders wait for, in the marketplace's time; all of an order's can be struck out at once."""

    def __init__(self, agenda: Agenda, scaled_ms: Callable[[float], int]) -> None:
        self._agenda = agenda
        self._scaled_ms = scaled_ms
        self._of: dict[str, list[Entry]] = {}

    def open(self, order_id: str) -> None:
        """From now on what this order waits for can be struck out."""
        self._of[order_id] = []

    def enter(self, order_id: str, seconds: float, action: Callable[[], None]) -> Entry:
        """Let `action` happen after so many seconds, unless it is struck out before."""
        entry = self._agenda.after(self._scaled_ms(seconds), action)
        if order_id in self._of:
            self._of[order_id].append(entry)
        return entry

    def close(self, order_id: str) -> None:
        """Strike out what the order waits for: it ends, or its money is taken. What is entered later stays."""
        for entry in self._of.pop(order_id, []):
            self._agenda.cancel(entry)

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Let `action` happen after so many seconds, whatever becomes of any order."""
        self._agenda.after(self._scaled_ms(seconds), action)
