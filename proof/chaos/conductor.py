"""Plays a schedule: lane by lane, fault by fault, each begun in time and ended whatever happens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence

import msgspec

from proof.chaos.faults import FAULTS, Fault
from proof.chaos.schedule import Lane, Planned
from proof.rig import Rig

Say = Callable[[str], None]


class Incident(msgspec.Struct):
    """A fault that happened. Instants are seconds since the run began; `failed`: what the proof itself could not do.

    `accepting_s`, `recovered_s`: after its end, how long until a callback was accepted, and until all was well.
    """

    planned: Planned
    began_s: float
    began_ms: int
    struck: str = ""
    ended_s: float = 0.0
    ended_ms: int = 0
    accepting_s: float | None = None
    recovered_s: float | None = None
    failed: str = ""


class Conductor:
    """Plays the faults of one run; `incidents` are those that happened, in the order of their beginning."""

    def __init__(
        self,
        rig: Rig,
        schedule: Sequence[Planned],
        seconds: float,
        say: Say,
        kinds: Mapping[str, type[Fault]] = FAULTS,
    ) -> None:
        self.incidents: list[Incident] = []
        self.faults: dict[int, Fault] = {}
        self._rig = rig
        self._schedule = schedule
        self._seconds = seconds
        self._say = say
        self._kinds = kinds
        self._began = time.monotonic()

    @property
    def now_s(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._began

    @property
    def began(self) -> float:
        """When the run began, by the monotonic clock."""
        return self._began

    async def play(self) -> None:
        """Play to the end of the schedule, and not before the run's time is over."""
        lanes = [self._lane([one for one in self._schedule if one.lane is lane]) for lane in Lane]
        await asyncio.gather(*lanes, asyncio.sleep(self._seconds))

    async def _lane(self, faults: Sequence[Planned]) -> None:
        for planned in faults:
            await asyncio.sleep(max(0.0, planned.at_s - self.now_s))
            if self.now_s > self._seconds:
                return  # the machine was too slow for the whole schedule: the report shows what is missing
            await self._strike(planned)

    async def _strike(self, planned: Planned) -> None:
        fault = self._kinds[planned.kind](self._rig, planned)
        self.faults[planned.number] = fault
        incident = Incident(planned, self.now_s, _now_ms())
        self.incidents.append(incident)
        try:
            incident.struck = await fault.begin()
            self._say(f"{incident.began_s:6.1f} s  {planned.kind}: {incident.struck}")
            await asyncio.sleep(planned.lasts_s)
        except Exception as error:  # noqa: BLE001 - the run goes on; a fault that cannot happen is told in the report
            incident.failed = f"{type(error).__name__}: {error}"
        finally:
            await self._mend(fault, incident)

    async def _mend(self, fault: Fault, incident: Incident) -> None:
        try:
            await fault.end()
        except Exception as error:  # noqa: BLE001 - as above
            incident.failed = incident.failed or f"{type(error).__name__}: {error}"
        incident.ended_s, incident.ended_ms = self.now_s, _now_ms()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
