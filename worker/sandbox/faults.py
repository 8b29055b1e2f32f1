"""How often and how badly the twin misbehaves: one table per level, dice by seed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum

from worker.sandbox.seeded import stream

MAX_IN_A_ROW = 3
"""After this many faults in a row on one operation and order the next call is clean, so that reads converge."""

HOUR = 3600.0


class Fault(StrEnum):
    """What goes wrong with one API call. "Late" means after the call took effect (the money is taken)."""

    NONE = "none"
    SLOW = "slow"
    ERROR = "error"
    """HTTP 5xx, nothing done."""
    THROTTLED = "throttled"
    """HTTP 200 with the throttle code, nothing done."""
    THROTTLED_429 = "throttled_429"
    """HTTP 429, nothing done."""
    DROPPED = "dropped"
    """Connection closed without an answer, nothing done."""
    LATE_ERROR = "late_error"
    LATE_REFUSAL = "late_refusal"
    """The answer says "failed" although it was done: an outcome known from upstream's payment call."""
    LATE_DROP = "late_drop"
    LATE_HANG = "late_hang"
    """No answer until long after any sensible client gave up."""


@dataclass(frozen=True, slots=True)
class CallbackFaults:
    """Probabilities per callback message; durations in seconds of the marketplace's time."""

    duplicate: float = 0.0
    delayed: float = 0.0
    delay_s: float = 0.0
    lost: float = 0.0
    restamped: float = 0.0
    """Share of messages whose retries carry the time of the retry instead of the first push's."""
    echo: float = 0.0
    """Share of messages that come once more many hours later."""
    echo_s: float = 0.0


@dataclass(frozen=True, slots=True)
class FaultLevel:
    """One column of the table."""

    callbacks: CallbackFaults
    reads: tuple[tuple[Fault, float], ...] = ()
    effects: tuple[tuple[Fault, float], ...] = ()
    slow_s: float = 0.0
    """Longest slow answer, real time."""
    stale_s: float = 0.0
    """How far behind the truth a read may be, real time."""


LEVELS: dict[str, FaultLevel] = {
    "none": FaultLevel(callbacks=CallbackFaults()),
    "usual": FaultLevel(
        callbacks=CallbackFaults(duplicate=0.10, delayed=0.20, delay_s=2 * HOUR, lost=0.03),
        reads=((Fault.SLOW, 0.03), (Fault.ERROR, 0.01), (Fault.THROTTLED, 0.01)),
        effects=((Fault.SLOW, 0.03), (Fault.LATE_ERROR, 0.01), (Fault.LATE_HANG, 0.01), (Fault.THROTTLED, 0.01)),
        slow_s=1.5,
    ),
    "hostile": FaultLevel(
        callbacks=CallbackFaults(
            duplicate=0.25, delayed=0.50, delay_s=12 * HOUR, lost=0.15, restamped=0.5, echo=0.10, echo_s=48 * HOUR
        ),
        reads=(
            (Fault.SLOW, 0.10),
            (Fault.ERROR, 0.05),
            (Fault.THROTTLED, 0.03),
            (Fault.THROTTLED_429, 0.02),
            (Fault.DROPPED, 0.02),
        ),
        effects=(
            (Fault.SLOW, 0.10),
            (Fault.ERROR, 0.03),
            (Fault.THROTTLED, 0.03),
            (Fault.THROTTLED_429, 0.02),
            (Fault.DROPPED, 0.02),
            (Fault.LATE_ERROR, 0.05),
            (Fault.LATE_REFUSAL, 0.05),
            (Fault.LATE_DROP, 0.03),
            (Fault.LATE_HANG, 0.05),
        ),
        slow_s=2.5,
        stale_s=2.0,
    ),
}


@dataclass(frozen=True, slots=True)
class CallPlan:
    """What happens to one call."""

    fault: Fault
    slow_s: float = 0.0


class CallFaults:
    """Decides per call. The nth call of an operation for an order has the same fate in every run."""

    def __init__(self, seed: int, level: FaultLevel) -> None:
        self._seed = seed
        self._level = level
        self._calls: Counter[tuple[str, str]] = Counter()
        self._in_a_row: Counter[tuple[str, str]] = Counter()
        self.made: Counter[str] = Counter()
        """Faults made so far, by kind."""

    def draw(self, operation: str, key: str, *, effect: bool) -> CallPlan:
        """The fate of the next call of `operation` about `key`. An effect may be spoilt after it took place, too."""
        place = (operation, key)
        self._calls[place] += 1
        plan = self._roll(operation, key, self._calls[place], self._level.effects if effect else self._level.reads)
        if plan.fault is Fault.NONE or self._in_a_row[place] >= MAX_IN_A_ROW:
            self._in_a_row[place] = 0
            return CallPlan(Fault.NONE)
        self._in_a_row[place] += 1
        self.made[plan.fault.value] += 1
        return plan

    def _roll(self, operation: str, key: str, call_no: int, shares: tuple[tuple[Fault, float], ...]) -> CallPlan:
        rng = stream(self._seed, "call", operation, key, call_no)
        roll = rng.random()
        for fault, share in shares:
            roll -= share
            if roll < 0:
                return CallPlan(fault, rng.uniform(0.2, self._level.slow_s) if fault is Fault.SLOW else 0.0)
        return CallPlan(Fault.NONE)


@dataclass(frozen=True, slots=True)
class CallbackPlan:
    """What happens to one message: real milliseconds from now for each copy; none at all when it is lost."""

    copies_ms: tuple[int, ...]
    id_as_text: bool
    body_as_text: bool
    bare_type: bool
    restamped: bool


def plan_callback(
    seed: int, order_no: int, message_no: int, level: CallbackFaults, lost: float, speed: float
) -> CallbackPlan:
    """Draw the fate of an order's nth message.

    The three shapes (id as text, body as JSON text, bare type) are not faults: both forms of each are documented,
    so they occur at every level.
    """
    rng = stream(seed, "callback", order_no, message_no)
    shapes = [rng.random() < share for share in (0.3, 0.4, 0.2)]
    is_lost, delayed, doubled, echoed, restamped = (
        rng.random() < share for share in (lost, level.delayed, level.duplicate, level.echo, level.restamped)
    )
    delays = [rng.uniform(0, level.delay_s) if delayed else 0.0]
    if doubled:
        delays.append(rng.uniform(0, level.delay_s))
    if echoed:
        delays.append(rng.uniform(level.echo_s / 8, level.echo_s))
    return CallbackPlan(
        () if is_lost else tuple(round(delay * 1000 / speed) for delay in delays),
        id_as_text=shapes[0],
        body_as_text=shapes[1],
        bare_type=shapes[2],
        restamped=restamped,
    )
