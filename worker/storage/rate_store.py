"""The pace of an app key, kept in Postgres: however many processes call with the key, together they keep it.

One statement books the next slot (the generic cell rate algorithm) by the server's clock, so that processes whose
clocks differ agree. What does not fit within the longest wait is not booked at all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable

import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine

FIRST_PAUSE_S = 10.0
LONGEST_PAUSE_S = 120.0
"""Integrators back off from 10 to 120 s after a throttle answer (seen in the field)."""
LONGEST_WAIT_S = 10.0
"""A call that would have to wait for longer is not made; who wanted it comes back by itself."""

# `next_at` is when the next slot would come at an even pace; up to `burst` slots may be taken ahead of it, none of them
# before a pause is over. So the first calls after a pause are a burst at most, never all that waited for its end.
_BOOK = text(
    """
    INSERT INTO rate_limits AS r (key, next_at)
    VALUES (:key, clock_timestamp() + make_interval(secs => :step))
    ON CONFLICT (key) DO UPDATE SET
        next_at = greatest(r.next_at, clock_timestamp(), r.paused_until) + make_interval(secs => :step)
    WHERE greatest(greatest(r.next_at, clock_timestamp(), r.paused_until) - make_interval(secs => :ahead),
        r.paused_until) <= clock_timestamp() + make_interval(secs => :longest_wait)
    RETURNING r.pauses, greatest(0, extract(epoch FROM greatest(
        r.next_at - make_interval(secs => :step) - make_interval(secs => :ahead), r.paused_until
    ) - clock_timestamp()))::double precision AS wait
    """
)
_PAUSE = text(
    """
    UPDATE rate_limits SET pauses = pauses + 1,
        paused_until = clock_timestamp() + make_interval(secs => least(:longest, :first * power(2, least(pauses, 20))))
    WHERE key = :key AND (paused_until IS NULL OR paused_until <= clock_timestamp())
    """
)
_EASE = text(
    """
    UPDATE rate_limits SET pauses = 0, paused_until = NULL
    WHERE key = :key AND pauses > 0 AND paused_until <= clock_timestamp()
    """
)
_AWAY = (DBAPIError, PoolTimeoutError, OSError, TimeoutError)
_log = structlog.get_logger()


class PaceError(Exception):
    """The call may not be made now. `unknown`: because Postgres could not be asked, not because the pace forbids it."""

    def __init__(self, text: str, *, unknown: bool) -> None:
        super().__init__(text)
        self.unknown = unknown


class SharedPace:
    """The pace of one app key at one API."""

    def __init__(
        self,
        engine: AsyncEngine,
        key: str,
        *,
        rate_per_s: float,
        burst: int,
        sleep: Callable[[float], Awaitable[None]],
        longest_wait_s: float = LONGEST_WAIT_S,
        first_pause_s: float = FIRST_PAUSE_S,
        longest_pause_s: float = LONGEST_PAUSE_S,
    ) -> None:
        self._engine = engine
        self._key = hashlib.sha256(key.encode()).hexdigest()[:32]  # the key itself is not for a database's dumps
        self._slot = {
            "key": self._key,
            "step": 1 / rate_per_s,
            "ahead": (burst - 1) / rate_per_s,
            "longest_wait": longest_wait_s,
        }
        self._pause = {"key": self._key, "first": first_pause_s, "longest": longest_pause_s}
        self._sleep = sleep
        self._was_paused = False

    async def book(self) -> None:
        """Wait for this call's slot. Raises PaceError, then nothing was booked."""
        try:
            async with self._engine.connect() as connection:
                await connection.execution_options(isolation_level="AUTOCOMMIT")
                row = (await connection.execute(_BOOK, self._slot)).one_or_none()
        except _AWAY as error:
            raise PaceError(f"the shared pace is not known: {type(error).__name__}", unknown=True) from error
        if row is None:
            raise PaceError("the pace of this app key leaves no slot soon enough", unknown=False)
        self._was_paused = row.pauses > 0
        if row.wait > 0:
            await self._sleep(row.wait)

    async def pause(self) -> None:
        """Hold everybody back, for longer each time; answers that come while all pause already widen nothing."""
        self._was_paused = True
        await self._write(_PAUSE, self._pause)

    async def ease(self) -> None:
        """Forget the pauses, after a call that went well."""
        if self._was_paused:
            self._was_paused = False
            await self._write(_EASE, {"key": self._key})

    async def _write(self, statement: object, params: dict[str, object]) -> None:
        """Write; a failure is not the caller's, whose call has been answered already."""
        try:
            async with self._engine.connect() as connection:
                await connection.execution_options(isolation_level="AUTOCOMMIT")
                await connection.execute(statement, params)  # type: ignore[call-overload]
        except _AWAY as error:
            _log.warning("the shared pace could not be written", error=type(error).__name__)
