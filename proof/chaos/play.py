"""One run: load and faults for some minutes, then rest, then the verdict."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from proof.chaos.conductor import Conductor, Incident, Say
from proof.chaos.evidence import Evidence, gather
from proof.chaos.faults import KINDS
from proof.chaos.faults.database import SpoolDiskFull
from proof.chaos.faults.workers import ClockStep
from proof.chaos.figures import Figures, count
from proof.chaos.judge import Finding, WrongClock, judge
from proof.chaos.pulse import Pulse, accepted_after, recovered_after
from proof.chaos.rest import rest
from proof.chaos.schedule import Kind, plan
from proof.rig import Rig, RigOptions, running_rig


class ChaosOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for."""

    seed: int
    seconds: float = 300.0
    brokers: int = 3
    workers: int = 3
    orders_per_s: float = 1.0
    kinds: tuple[Kind, ...] = KINDS
    speed: float = 6_000.0
    """Of the marketplace: an order can be paid for 72 s, longer than a lease."""


class Run(msgspec.Struct):
    """What became of it."""

    options: ChaosOptions
    incidents: list[Incident]
    not_reached: list[str]
    rest_after_s: float | None
    waits_for: list[str]
    figures: Figures
    findings: list[Finding]

    @property
    def kept(self) -> bool:
        """Whether every promise was kept, and every fault really happened."""
        return (
            self.rest_after_s is not None
            and not any(finding.broken for finding in self.findings)
            and not any(incident.failed for incident in self.incidents)
        )


async def play(options: ChaosOptions, directory: Path, say: Say) -> Run:
    """Play a run; its logs are in `directory`. Raises EmbeddedError if this machine cannot run the parts."""
    rig_options = RigOptions(
        brokers=options.brokers,
        workers=options.workers,
        seed=options.seed,
        expected_orders=max(1, int(options.orders_per_s * options.seconds)),
        speed=options.speed,
        clocks=True,
        spool_disk=SpoolDiskFull.kind in options.kinds,
    )
    schedule = plan(options.kinds, seed=options.seed, seconds=options.seconds, brokers=options.brokers)
    say(f"seed {options.seed}: {len(schedule)} faults in {options.seconds:g} s, {options.brokers} brokers")
    async with running_rig(rig_options, directory) as rig:
        await rig.begin()
        conductor = Conductor(rig, schedule, options.seconds, say)
        pulse = Pulse(rig, conductor.began)
        beating = asyncio.create_task(pulse.run())
        try:
            await _under_load(rig, conductor, options.orders_per_s)
            say(f"{conductor.now_s:6.1f} s  all faults have ended, no new orders; waiting for rest")
            rest_after_s, waits_for = await rest(rig)
            if rest_after_s is not None:
                say(f"at rest after {rest_after_s} s")
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)
        say("judging")
        evidence = await gather(rig)
        _measure(conductor.incidents, pulse, evidence)
        figures = await count(rig, evidence)
        findings = judge(evidence, rig.policies, _wrong_clocks(conductor))
    played = {incident.planned.number for incident in conductor.incidents}
    return Run(
        options,
        conductor.incidents,
        [one.kind for one in schedule if one.number not in played],
        rest_after_s,
        waits_for,
        figures,
        findings,
    )


async def _under_load(rig: Rig, conductor: Conductor, orders_per_s: float) -> None:
    """Play the faults while orders come; a load that fails is an error of the proof."""
    loading = asyncio.create_task(rig.load(orders_per_s))
    playing = asyncio.create_task(conductor.play())
    await asyncio.wait({loading, playing}, return_when=asyncio.FIRST_COMPLETED)
    if loading.done() and not loading.cancelled():
        playing.cancel()
        await asyncio.gather(playing, return_exceptions=True)
        loading.result()
    loading.cancel()
    await asyncio.gather(loading, return_exceptions=True)
    await playing


def _measure(incidents: list[Incident], pulse: Pulse, evidence: Evidence) -> None:
    """Write down how long it took to recover from each fault."""
    ends = [incident.ended_s for incident in incidents]
    accepted = [passed.at for passed in evidence.accepted]
    for incident in incidents:
        incident.accepting_s = accepted_after(accepted, incident.ended_ms)
        incident.recovered_s = recovered_after(pulse.beats, incident.ended_s, ends)


def _wrong_clocks(conductor: Conductor) -> list[WrongClock]:
    return [
        WrongClock(incident.began_ms, incident.ended_ms, fault.offset)
        for incident in conductor.incidents
        if isinstance(fault := conductor.faults[incident.planned.number], ClockStep)
    ]
