"""The things that are going to happen, in order of time, under a clock that is given."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from dataclasses import dataclass, field

NowMs = Callable[[], int]
"""A clock: Unix milliseconds."""

STRIDE = 500
"""Due entries run before the event loop gets its turn again."""


@dataclass(order=True, slots=True)
class Entry:
    """One future action; equal times run in the order in which they were entered."""

    due_ms: int
    number: int
    action: Callable[[], None] = field(compare=False)
    open: bool = field(default=True, compare=False)


class Agenda:
    """A heap of future actions. Never looks at a clock of its own, never sleeps."""

    def __init__(self, now_ms: NowMs) -> None:
        self._now_ms = now_ms
        self._heap: list[Entry] = []
        self._entered = 0
        self.pending = 0
        """Entries neither run nor cancelled."""
        self.on_entry: Callable[[], None] | None = None
        """Told about each new entry, so that a sleeping runner can look again."""

    def after(self, delay_ms: int, action: Callable[[], None]) -> Entry:
        """Enter an action `delay_ms` real milliseconds from now."""
        entry = Entry(self._now_ms() + max(0, delay_ms), self._entered, action)
        self._entered += 1
        self.pending += 1
        heapq.heappush(self._heap, entry)
        if self.on_entry is not None:
            self.on_entry()
        return entry

    def cancel(self, entry: Entry) -> None:
        """Strike an entry out; striking out one that has run does nothing."""
        if entry.open:
            entry.open = False
            self.pending -= 1

    def next_due_ms(self) -> int | None:
        """When the next entry is due, or None."""
        while self._heap and not self._heap[0].open:
            heapq.heappop(self._heap)
        return self._heap[0].due_ms if self._heap else None

    def run_due(self, most: int = STRIDE) -> int:
        """Run at most `most` due entries and say how many there were."""
        done = 0
        while done < most and (due := self.next_due_ms()) is not None and due <= self._now_ms():
            entry = heapq.heappop(self._heap)
            self.cancel(entry)
            entry.action()
            done += 1
        return done


async def keep(agenda: Agenda, now_ms: NowMs) -> None:
    """Run an agenda for ever, sleeping until its next entry is due or a new one is made."""
    wake = asyncio.Event()
    agenda.on_entry = wake.set
    while True:
        wake.clear()
        if agenda.run_due():
            await asyncio.sleep(0)
            continue
        due = agenda.next_due_ms()
        try:
            async with asyncio.timeout(None if due is None else max(0, due - now_ms()) / 1000):
                await wake.wait()
        except TimeoutError:
            continue
