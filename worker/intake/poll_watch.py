"""Tells people about a stream that stays refused: what the pollers do by themselves is go on trying, more rarely."""

from __future__ import annotations

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from worker.domain.alerts import poll_failing_alert, poll_failing_cause
from worker.domain.clock import MINUTE, Clock, Millis
from worker.marketplaces.port import RejectedError, Stream, UnauthorisedError, UnreadableError, UnsupportedError
from worker.storage import alert_store
from worker.storage.engine import transaction
from worker.storage.wakeup import Work, notify

FAILING_AFTER: Millis = 15 * MINUTE
"""A marketplace that is away for a moment is nothing to tell people about."""
REFUSALS_BEFORE_TOLD = 3
"""A refusal does not go away by itself: so many in a row are told at once, however short the time."""
_REFUSALS = (UnauthorisedError, RejectedError, UnreadableError, UnsupportedError)
_log = structlog.get_logger()


class PollWatch:
    """Watches one stream of one account from one process.

    The first success of a process resolves what another one, since gone, may have left open.
    """

    def __init__(self, account: str, stream: Stream, engine: AsyncEngine, clock: Clock) -> None:
        self._account = account
        self._stream = stream
        self._engine = engine
        self._clock = clock
        self._failing_since: Millis | None = None
        self._failures = 0
        self._refusals = 0
        self._may_be_open = True

    async def succeeded(self) -> None:
        """Forget the failures, and resolve the alert if there is one."""
        self._failing_since, self._failures, self._refusals = None, 0, 0
        if not self._may_be_open:
            return
        try:
            async with transaction(self._engine) as connection:
                cause = poll_failing_cause(self._account, self._stream)
                if await alert_store.resolve_cause(connection, cause):
                    await notify(connection, Work.ALERTS)
        except (SQLAlchemyError, OSError) as error:
            _log.warning("an alert could not be resolved", account=self._account, error=type(error).__name__)
        else:
            self._may_be_open = False

    async def failed(self, error: Exception) -> None:
        """Count a failure; open the alert once they last, or once it is plain that trying again does not help."""
        now = self._clock.now_ms()
        if self._failing_since is None:
            self._failing_since = now
        self._failures += 1
        self._refusals = self._refusals + 1 if isinstance(error, _REFUSALS) else 0
        if now - self._failing_since < FAILING_AFTER and self._refusals < REFUSALS_BEFORE_TOLD:
            return
        reason = f"{type(error).__name__}: {error}"[:300]
        alert = poll_failing_alert(self._account, self._stream, reason, self._failing_since)
        self._may_be_open = True
        try:
            async with transaction(self._engine) as connection:
                await alert_store.open_alerts(connection, [alert], {}, {})
                await notify(connection, Work.ALERTS)
        except (SQLAlchemyError, OSError) as failure:
            _log.warning("an alert could not be opened", account=self._account, error=type(failure).__name__)
