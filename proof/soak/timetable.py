"""Which mild fault comes when."""

from __future__ import annotations

from enum import StrEnum

import msgspec

MINUTE_S = 60.0
KILL_EVERY_S = 10 * MINUTE_S
CUT_EVERY_S = 15 * MINUTE_S
BROKER_AT = (0.1625, 0.5625)
"""Shares of the run. The first is within the warm-up: what piles up without a broker is the highest tide of memory,
and an interpreter does not give all of it back. The second shows whether each restart leaves something behind.
"""


class Fault(StrEnum):
    """What goes wrong. The marketplace's own faults (lost and doubled callbacks, slow and failed calls) never pause."""

    WORKER_KILLED = "worker killed"
    """One of the two workers gets SIGKILL and is started again; the other one is never restarted."""
    CONNECTIONS_CUT = "connections cut"
    """All Postgres connections of the worker that is never restarted are reset at once."""
    BROKER_RESTARTED = "broker restarted"
    """Apache Kafka is shut down and started again: for some seconds there is none."""


class Due(msgspec.Struct, frozen=True):
    """A fault and when it comes, in seconds from the beginning."""

    at_s: float
    fault: Fault


def timetable(seconds: float) -> list[Due]:
    """Return the faults of a run in order of time. A short run gets at least one of each."""
    kill_every_s, cut_every_s = min(KILL_EVERY_S, seconds / 2), min(CUT_EVERY_S, seconds / 2)
    kills = [Due(at_s, Fault.WORKER_KILLED) for at_s in _every(kill_every_s, seconds)]
    cuts = [Due(at_s, Fault.CONNECTIONS_CUT) for at_s in _every(cut_every_s, seconds)]
    brokers = [Due(seconds * share, Fault.BROKER_RESTARTED) for share in BROKER_AT]
    return sorted([*kills, *cuts, *brokers], key=lambda due: due.at_s)


def _every(period_s: float, seconds: float) -> list[float]:
    """Begin in the middle of the first period, so that the beginning and the end are quiet."""
    return [period_s * (number + 0.5) for number in range(int(seconds / period_s))]
