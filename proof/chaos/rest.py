"""Waits until the workers have caught up with a marketplace that is quiet."""

from __future__ import annotations

import asyncio
import time

import httpx2 as httpx
from aiokafka.errors import KafkaError
from sqlalchemy.exc import DBAPIError

from proof.chaos.evidence import stuck
from proof.chaos.pulse import records_waiting
from proof.rig import Rig
from worker.demo.compare import compare
from worker.demo.twin import TwinError

RESTS_WITHIN_S = 420.0
"""Lives play to their end within two minutes, and what is unknown is read until it is settled."""
LOOK_EVERY_S = 3.0
STILL_FOR = 2
"""So many looks in a row have to find nothing to do."""


async def rest(rig: Rig) -> tuple[float | None, list[str]]:
    """Wait until nothing is left to do; return after how many seconds (None: not in time), and what was left."""
    began = time.monotonic()
    still = 0
    while True:
        left = await _left(rig)
        still = 0 if left else still + 1
        after = time.monotonic() - began
        if still >= STILL_FOR:
            return round(after, 1), []
        if after > RESTS_WITHIN_S:
            return None, left
        await asyncio.sleep(LOOK_EVERY_S)


async def _left(rig: Rig) -> list[str]:
    try:
        stats = await rig.marketplace.stats()
        if not stats["quiet"]:
            return [f"{stats['pending_events']} events of the marketplace's lives"]
        waiting = await records_waiting(rig.kafka.servers)
        async with rig.engine.connect() as connection:
            left = await stuck(connection)
            comparison = await compare(connection, rig.marketplace.truth())
    except (DBAPIError, OSError, TimeoutError, KafkaError, TwinError, httpx.HTTPError) as error:
        return [f"an answer: {type(error).__name__}"]
    if waiting:
        left.append(f"{waiting} records that reconcile has not committed")
    apart = comparison.orders - comparison.converged
    return [*left, f"{apart} orders that differ from the truth"] if apart else left
