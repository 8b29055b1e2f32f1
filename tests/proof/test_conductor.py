"""Faults are begun in time and ended whatever happens; what could not be done is told; a recovery is counted fairly."""

import asyncio
from typing import Any, ClassVar

import msgspec
import pytest

from proof.chaos.conductor import Conductor
from proof.chaos.faults import Fault
from proof.chaos.pulse import Beat, accepted_after, recovered_after
from proof.chaos.schedule import Kind, Lane, Planned
from tests.waiting import until

NO_RIG: Any = None


class Recorded(Fault):
    """Breaks nothing, and remembers."""

    kind = Kind("recorded", Lane.PARTS, (0.0, 0.0))
    done: ClassVar[list[str]] = []

    async def begin(self) -> str:
        self.done.append(f"begin {self.planned.number}")
        return f"thing {self.planned.number}"

    async def end(self) -> None:
        self.done.append(f"end {self.planned.number}")


class CannotBegin(Recorded):
    """What it would break is not there."""

    async def begin(self) -> str:
        raise OSError("it is not there")


class CannotEnd(Recorded):
    """What it broke stays broken."""

    async def end(self) -> None:
        await super().end()
        raise OSError("it does not start again")


CLASSES: dict[str, type[Fault]] = {"recorded": Recorded, "cannot begin": CannotBegin, "cannot end": CannotEnd}


@pytest.fixture(autouse=True)
def _clean() -> None:
    Recorded.done.clear()


def fault(
    number: int, kind: str = "recorded", lane: Lane = Lane.PARTS, at_s: float = 0.0, lasts_s: float = 0.0
) -> Planned:
    return Planned(number, kind, lane, at_s, lasts_s, 0.5)


def conductor(*planned: Planned, seconds: float = 0.0) -> Conductor:
    return Conductor(NO_RIG, planned, seconds, lambda _line: None, CLASSES)


async def test_a_lane_ends_one_fault_before_it_begins_the_next() -> None:
    playing = conductor(fault(1, lasts_s=0.05), fault(2), seconds=5)
    task = asyncio.create_task(playing.play())
    await until(lambda: len(Recorded.done) == 4)
    task.cancel()
    assert Recorded.done == ["begin 1", "end 1", "begin 2", "end 2"]
    assert [incident.struck for incident in playing.incidents] == ["thing 1", "thing 2"]
    assert playing.incidents[0].ended_s >= playing.incidents[0].began_s + 0.05


async def test_lanes_run_beside_each_other() -> None:
    playing = conductor(fault(1, lane=Lane.WORKERS, lasts_s=30), fault(2, lane=Lane.PARTS), seconds=60)
    task = asyncio.create_task(playing.play())
    await until(lambda: "end 2" in Recorded.done)
    assert "end 1" not in Recorded.done
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert "end 1" in Recorded.done, "ended even when the run is stopped"


@pytest.mark.parametrize(("kind", "why"), [("cannot begin", "it is not there"), ("cannot end", "does not start again")])
async def test_what_could_not_be_done_is_told_and_mended_and_the_run_goes_on(kind: str, why: str) -> None:
    playing = conductor(fault(1, kind), fault(2), seconds=0.5)
    await playing.play()
    assert why in playing.incidents[0].failed
    assert Recorded.done[-3:] == ["end 1", "begin 2", "end 2"]
    assert playing.incidents[1].failed == ""


async def test_what_comes_too_late_is_left_out() -> None:
    playing = conductor(fault(1, at_s=0.2), seconds=0.1)
    await playing.play()
    assert playing.incidents == []


def beats(*ailing: str) -> list[Beat]:
    """One beat a second from 0; a word is an ailment."""
    return [Beat(float(second), [word] if word else []) for second, word in enumerate(ailing)]


def test_a_recovery_ends_with_the_first_beat_at_which_all_is_well() -> None:
    assert recovered_after(beats("", "", "ill", "ill", ""), 1.5, [1.5]) == pytest.approx(2.5)
    assert recovered_after(beats("", ""), 0.5, [0.5]) == pytest.approx(0.5)
    assert recovered_after(beats("", "ill", "ill"), 0.5, [0.5]) is None
    assert recovered_after([], 0.5, [0.5]) is None


def test_under_a_pile_of_faults_the_last_one_counts() -> None:
    well_at_the_end = [*beats("", "ill", "ill", "ill", "ill"), Beat(5.0, [])]
    assert recovered_after(well_at_the_end, 1.0, [1.0, 4.0, 9.0]) == pytest.approx(1.0)


def test_callbacks_are_accepted_again_with_the_first_one_after_the_end() -> None:
    assert accepted_after([1_000, 3_500, 2_500], 2_000) == pytest.approx(0.5)
    assert accepted_after([1_000], 2_000) is None


def test_an_incident_can_be_written_down() -> None:
    assert msgspec.json.encode(fault(1))
