"""The end of a soak: what is left is held to the promises, as chaos does."""

from __future__ import annotations

import asyncio

import msgspec

from proof.chaos.evidence import gather
from proof.chaos.figures import Figures, count
from proof.chaos.judge import judge
from proof.chaos.rest import LOOK_EVERY_S
from proof.rig import Rig

MORE_LOOKS = 4


class End(msgspec.Struct, frozen=True):
    """How much happened in all, and every broken promise in words."""

    figures: Figures
    broken: list[str]


async def read_end(rig: Rig) -> End:
    """Gather what is left and judge it. A read that the sweep has just planned is not stuck: that takes several looks.

    Raises what Kafka, Postgres or the marketplace fail with.
    """
    evidence = await gather(rig)
    for _ in range(MORE_LOOKS):
        if not evidence.stuck:
            break
        await asyncio.sleep(LOOK_EVERY_S)
        evidence = await gather(rig)
    broken = [what for finding in judge(evidence, rig.policies, []) for what in finding.broken]
    broken += [
        f"{worker.name} ended by itself {worker.ended_by_itself} times"
        for worker in rig.workers
        if worker.ended_by_itself
    ]
    return End(await count(rig, evidence), broken)
