"""The loop that all executors share: claim what is due, work on a bounded number at once, stop without abandoning."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from worker.domain.policy import Effect
from worker.followups.metrics import IN_FLIGHT
from worker.storage import follow_up_claims
from worker.storage.engine import transaction
from worker.storage.follow_up_claims import Claim
from worker.storage.wakeup import Wakeups, Work

LEASE_S = 60.0
"""How long a claim is ours. Far longer than any call may take, so that a lease never ends under a living call."""

_log = structlog.get_logger()
Handle = Callable[[Claim], Awaitable[None]]


class Executor:
    """Works on one effect of one account: a slow account never holds up another."""

    def __init__(
        self,
        account: str,
        effect: Effect,
        handle: Handle,
        engine: AsyncEngine,
        wakeups: Wakeups,
        *,
        concurrency: int,
        idle_s: float,
        holder: Callable[[], int | None] = lambda: None,
    ) -> None:
        self._account = account
        self._effect = effect
        self._handle = handle
        self._engine = engine
        self._wakeups = wakeups
        self._concurrency = concurrency
        self._refill = max(1, concurrency // 4)  # claims are made by the handful: each costs a transaction
        self._idle_s = idle_s
        self._holder = holder
        self._running: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()

    async def run(self, progress: Callable[[], None] = lambda: None) -> None:
        """Work until `stop`; returns after what was begun is done. Cancelled, it takes what was begun along.

        An error (the database is away) leaves what was begun alone: it goes on while the loop is started again.
        """
        try:
            while not self._stopping.is_set():
                free = self._concurrency - len(self._running)
                held = await self._claim(free) if free >= self._refill else []
                for claim in held:
                    self._begin(claim)
                progress()
                await self._pause(full=len(held) == free or free < self._refill)
            if self._running:
                await asyncio.wait(self._running)
        except asyncio.CancelledError:
            for task in self._running:  # left alone, one that still reads could begin to pay after our end
                task.cancel()
            raise

    def stop(self) -> None:
        """Claim nothing more."""
        self._stopping.set()
        self._wakeups.wake(Work.FOLLOW_UPS)

    async def drain(self) -> None:
        """Claim and finish everything that is due now (for single runs)."""
        while held := await self._claim(self._concurrency):
            await asyncio.gather(*(self._handle(claim) for claim in held))

    async def _claim(self, limit: int) -> list[Claim]:
        async with transaction(self._engine) as connection:
            return await follow_up_claims.claim(
                connection,
                self._effect.value,
                [self._account],
                limit=limit,
                lease_s=LEASE_S,
                holder=self._holder(),
            )

    def _begin(self, claim: Claim) -> None:
        task = asyncio.create_task(self._guarded(claim), name=f"{self._effect}:{claim.key}")
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _guarded(self, claim: Claim) -> None:
        with IN_FLIGHT.labels(self._account, self._effect.value).track_inprogress():
            try:
                await self._handle(claim)
            except Exception:  # noqa: BLE001 - one order's failure is not the loop's
                # The lease ends by itself: what was not sent is planned again, what was sent becomes unknown.
                _log.exception("follow-up failed", effect=self._effect.value, order=str(claim.key))

    async def _pause(self, *, full: bool) -> None:
        """Wait for a free slot when all are taken, else for new work."""
        if self._concurrency - len(self._running) < self._refill:
            await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED, timeout=self._idle_s)
        elif not full:
            await self._wakeups.wait(Work.FOLLOW_UPS, self._idle_s)
