"""The agenda: in order, once, and never early."""

from __future__ import annotations

import asyncio
import contextlib

from tests.sandbox.stage import Clock
from worker.sandbox.agenda import Agenda, keep
from worker.sandbox.server import wall_clock_ms


def test_entries_run_in_order_of_time_and_equal_times_in_order_of_entry() -> None:
    clock, ran = Clock(), list[str]()
    agenda = Agenda(clock)
    for delay_ms, name in ((20, "late"), (10, "first"), (10, "second"), (-5, "overdue")):
        agenda.after(delay_ms, lambda name=name: ran.append(name))  # type: ignore[misc]
    assert agenda.run_due() == 1
    clock.ms += 10
    agenda.run_due()
    assert ran == ["overdue", "first", "second"]
    assert agenda.pending == 1


def test_a_cancelled_entry_neither_runs_nor_counts() -> None:
    clock, ran = Clock(), list[str]()
    agenda = Agenda(clock)
    entry = agenda.after(0, lambda: ran.append("cancelled"))
    agenda.cancel(entry)
    agenda.cancel(entry)
    assert (agenda.pending, agenda.next_due_ms(), agenda.run_due(), ran) == (0, None, 0, [])


def test_one_run_is_bounded_however_much_an_entry_enters() -> None:
    agenda = Agenda(Clock())

    def again() -> None:
        agenda.after(0, again)

    again()
    assert agenda.run_due(most=10) == 10
    assert agenda.pending == 1


async def test_a_sleeping_runner_wakes_for_an_earlier_entry() -> None:
    agenda = Agenda(wall_clock_ms)
    agenda.after(3_600_000, lambda: None)
    runner = asyncio.create_task(keep(agenda, wall_clock_ms))
    await asyncio.sleep(0)  # the runner now sleeps for an hour
    ran = asyncio.Event()
    agenda.after(0, ran.set)
    async with asyncio.timeout(5):
        await ran.wait()
    runner.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await runner
