"""The end of a soak: waits until nothing happens any more, and holds what is left to the promises, as chaos does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import httpx2
import msgspec
from aiokafka.errors import KafkaError
from sqlalchemy.exc import DBAPIError

from proof.chaos.evidence import gather, stuck
from proof.chaos.figures import Figures, count
from proof.chaos.judge import judge
from proof.rig import Rig
from worker.demo.compare import compare
from worker.demo.stage import ACCOUNT
from worker.demo.twin import TwinError

RESTS_WITHIN_S = 420.0
"""Lives play to their end within two minutes, and what is unknown is read until it is settled."""
LOOK_EVERY_S = 3.0
MORE_LOOKS = 4


class End(msgspec.Struct, frozen=True):
    """How much happened in all, and every broken promise in words."""

    figures: Figures
    broken: list[str]


async def come_to_rest(rig: Rig) -> None:
    """Wait until the workers have caught up with a marketplace that is quiet; what is left after so long is judged."""
    deadline = time.monotonic() + RESTS_WITHIN_S
    while time.monotonic() < deadline:
        try:
            if not [left async for left in _left(rig)]:
                return
        except (TwinError, httpx2.HTTPError, DBAPIError, KafkaError, OSError, TimeoutError):
            pass  # a busy machine: what does not answer is not at rest
        await asyncio.sleep(LOOK_EVERY_S)


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
    policies = {ACCOUNT: rig.account.policy.to_policy(frozenset())}
    broken = [what for finding in judge(evidence, policies, []) for what in finding.broken]
    broken += [
        f"{worker.name} ended by itself {worker.ended_by_itself} times"
        for worker in rig.workers
        if worker.ended_by_itself
    ]
    return End(await count(rig, evidence), broken)


async def _left(rig: Rig) -> AsyncIterator[str]:
    if not (await rig.marketplace.stats())["quiet"]:
        yield "the marketplace's lives go on"
        return
    async with rig.engine.connect() as connection:
        for what in await stuck(connection):
            yield what
        comparison = await compare(connection, rig.marketplace.truth())
    if comparison.converged < comparison.orders:
        yield "orders differ from the truth"
