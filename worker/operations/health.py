"""Health by progress: a loop that has stood still for too long is dead, however well the process answers.

Live: false calls for a restart. Ready: false keeps requests away. A loop that was stopped on purpose (its reason will
still be there after a restart) is therefore not ready, but live.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from enum import StrEnum

import msgspec
import structlog
from prometheus_client import Gauge

from worker.domain.clock import SECOND, Clock, SystemClock

CHECK_TIMEOUT_S = 2.0
CHECK_EVERY_S = 1.0
"""Checks run at most this often, however often anybody asks: the probes are open to all."""
MAX_REASON_CHARS = 200

LAST_PROGRESS = Gauge(
    "ordersync_loop_last_progress_timestamp_seconds",
    "When a loop last got somewhere (Unix time). Falling behind the clock: it hangs, and /livez says so.",
    ["loop"],
)
Check = Callable[[], Awaitable[bool]]
_log = structlog.get_logger()


class LoopState(StrEnum):
    """How a loop stands."""

    RUNNING = "running"
    STALLED = "stalled"
    STOPPED = "stopped"


class LoopReport(msgspec.Struct, frozen=True):
    """One loop: seconds since its last progress, and after how many it counts as stalled."""

    state: LoopState
    age_s: float
    stalled_after_s: float
    reason: str | None


class Liveness(msgspec.Struct, frozen=True):
    """The answer of /livez."""

    live: bool
    reasons: list[str]
    loops: dict[str, LoopReport]


class Readiness(msgspec.Struct, frozen=True):
    """The answer of /readyz."""

    ready: bool
    reasons: list[str]
    loops: dict[str, LoopReport]
    checks: dict[str, bool]


class Loop:
    """What a loop tells about itself. Its registration counts as progress."""

    def __init__(self, name: str, stalled_after_s: float, monotonic: Callable[[], float], clock: Clock) -> None:
        self.name = name
        self._stalled_after_s = stalled_after_s
        self._monotonic = monotonic
        self._clock = clock
        self._gauge = LAST_PROGRESS.labels(name)
        self._reason: str | None = None
        self.progress()

    def progress(self) -> None:
        """Say that the loop got somewhere: work was done, or there certainly was none. A stopped loop runs again."""
        self._last = self._monotonic()
        self._reason = None
        self._gauge.set(self._clock.now_ms() / SECOND)

    def mark_stopped(self, reason: str) -> None:
        """Say that the loop ended and will not go on. `reason` is shown to anybody who asks: nothing secret in it."""
        self._reason = reason[:MAX_REASON_CHARS]

    def report(self) -> LoopReport:
        """Return how the loop stands now."""
        age = self._monotonic() - self._last
        state = LoopState.STALLED if age > self._stalled_after_s else LoopState.RUNNING
        if self._reason is not None:
            state = LoopState.STOPPED
        return LoopReport(state, round(age, 3), self._stalled_after_s, self._reason)


class Health:
    """The health of one process."""

    def __init__(
        self,
        monotonic: Callable[[], float],
        clock: Clock | None = None,
        *,
        check_timeout_s: float = CHECK_TIMEOUT_S,
    ) -> None:
        self._monotonic = monotonic
        self._clock = clock or SystemClock()
        self._check_timeout_s = check_timeout_s
        self._loops: dict[str, Loop] = {}
        self._checks: dict[str, Check] = {}
        self._passed: dict[str, bool] = {}
        self._checked_at: float | None = None
        self._checking = asyncio.Lock()
        self._started = False
        self._shutting_down = False

    def loop(self, name: str, *, stalled_after_s: float) -> Loop:
        """Register a loop. Raises ValueError if the name is taken: one would hide the other's death."""
        if name in self._loops:
            raise ValueError(f"the loop {name} is registered already")
        loop = self._loops[name] = Loop(name, stalled_after_s, self._monotonic, self._clock)
        return loop

    def check(self, name: str, check: Check) -> None:
        """Register what must answer before this process is ready. False, an exception and silence all fail."""
        self._checks[name] = check

    def startup_finished(self) -> None:
        """Say that everything has been started."""
        self._started = True

    def begin_shutdown(self) -> None:
        """Say that the process drains: not ready from now on, and no longer judged by progress."""
        self._shutting_down = True

    def live(self) -> Liveness:
        """Tell whether every loop gets somewhere."""
        loops = self._reports()
        stalled = {name: report for name, report in loops.items() if report.state is LoopState.STALLED}
        reasons = [
            f"the loop {name} has made no progress for {report.age_s:.0f} s (limit {report.stalled_after_s:.0f} s)"
            for name, report in stalled.items()
        ]
        return Liveness(self._shutting_down or not stalled, reasons, loops)

    async def ready(self) -> Readiness:
        """Tell whether this process should get requests."""
        loops = self._reports()
        if self._shutting_down:
            return Readiness(ready=False, reasons=["shutting down"], loops=loops, checks={})
        if not self._started:
            return Readiness(ready=False, reasons=["starting"], loops=loops, checks={})
        passed = await self._run_checks()
        reasons = [f"the loop {name} is stopped" for name, report in loops.items() if report.state is LoopState.STOPPED]
        reasons += [f"the check {name} fails" for name, answered in passed.items() if not answered]
        return Readiness(ready=not reasons, reasons=reasons, loops=loops, checks=passed)

    def _reports(self) -> dict[str, LoopReport]:
        return {name: loop.report() for name, loop in self._loops.items()}

    async def _run_checks(self) -> dict[str, bool]:
        async with self._checking:
            if self._checked_at is None or self._monotonic() - self._checked_at >= CHECK_EVERY_S:
                checks = dict(self._checks)
                answers = await asyncio.gather(*(self._passes(name, check) for name, check in checks.items()))
                self._passed = dict(zip(checks, answers, strict=True))
                self._checked_at = self._monotonic()
            return self._passed

    async def _passes(self, name: str, check: Check) -> bool:
        try:
            async with asyncio.timeout(self._check_timeout_s):
                return await check()
        except Exception as error:  # noqa: BLE001 - whatever it is, the check does not pass
            # The reason goes to the log only: drivers put addresses and user names into their messages.
            _log.warning("readiness check failed", check=name, error=type(error).__name__, reason=str(error)[:300])
            return False
