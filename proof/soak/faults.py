"""Does the faults of the timetable, one after another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from proof.rig import Link, Rig
from proof.soak.record import Record
from proof.soak.timetable import Due, Fault

STEADY, RESTARTED = 0, 1
"""The places of the two workers."""
AWAY_S = 5.0
"""How long a killed worker and a stopped broker stay away, beyond what their start takes."""


async def do_faults(rig: Rig, due: Sequence[Due], record: Record, elapsed_s: Callable[[], float]) -> None:
    """Do each fault at its time; returns after the last. A fault that lasts delays the next."""
    for fault in due:
        await asyncio.sleep(max(0.0, fault.at_s - elapsed_s()))
        record.faults.append(Due(round(elapsed_s(), 1), fault.fault))
        await _do(rig, fault.fault)


async def _do(rig: Rig, fault: Fault) -> None:
    match fault:
        case Fault.WORKER_KILLED:
            await rig.workers[RESTARTED].kill()
            await asyncio.sleep(AWAY_S)
            await rig.workers[RESTARTED].start()
        case Fault.CONNECTIONS_CUT:
            rig.postgres_proxies[STEADY].set(Link.CUT)
            rig.postgres_proxies[STEADY].set(Link.PASS)
        case Fault.BROKER_RESTARTED:
            await asyncio.to_thread(rig.kafka.cluster.stop_broker, 1)
            await asyncio.sleep(AWAY_S)
            await rig.kafka.start(1)
