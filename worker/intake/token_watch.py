"""Looks at when an account's tokens end: extends what can be extended, and tells people early enough about the rest."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from worker.domain.alerts import Alert, Severity, token_expiring_alert, token_expiring_cause
from worker.domain.clock import DAY, Clock, Millis
from worker.intake.polling import only_poller
from worker.marketplaces.port import Credential, Marketplace, MarketplaceError
from worker.storage import alert_store
from worker.storage.engine import transaction
from worker.storage.wakeup import Work, notify

TOKENS = "tokens"
"""The name of the lock that lets one process at a time look after an account's tokens."""
INTERVAL_S = 3_600.0
ACCESS_WARNED: Millis = 3 * DAY
"""Before an access token ends that nothing renews: tokens of the console live for about fifteen days (field)."""
REFRESH_WARNED: Millis = 30 * DAY
EXTENDABLE: Millis = 30 * DAY
"""A refresh token can be extended when less than this is left of it (documented)."""
EXTENDED_WARNED: Millis = 20 * DAY
"""Where it is extended by itself, ten days of trying have failed by then."""
CRITICAL: Millis = 3 * DAY
_log = structlog.get_logger()


class TokenWatch:
    """Watches the tokens of one account. `run` is a loop for `worker.supervision`."""

    def __init__(
        self,
        account: str,
        marketplace: Marketplace,
        engine: AsyncEngine,
        clock: Clock,
        *,
        sleep: Callable[[float], Awaitable[None]],
        jitter: random.Random,
    ) -> None:
        self._account = account
        self._marketplace = marketplace
        self._engine = engine
        self._clock = clock
        self._sleep = sleep
        self._jitter = jitter

    async def run(self, progress: Callable[[], None] = lambda: None) -> None:
        """Look every hour until cancelled; a database that is away is asked again then."""
        while True:
            try:
                await self.look()
            except (SQLAlchemyError, OSError) as error:
                _log.warning("tokens were not looked at", account=self._account, error=type(error).__name__)
            progress()
            await self._sleep(INTERVAL_S * self._jitter.uniform(0.9, 1.1))

    async def look(self) -> None:
        """Extend and warn, unless another process does."""
        async with only_poller(self._engine, self._account, TOKENS) as ours:
            if not ours:
                return
            troubles = await self._extend()
            alerts = {credential.kind: self._alert(credential, troubles) for credential in self._credentials()}
            async with transaction(self._engine) as connection:
                for kind, alert in alerts.items():
                    await self._settle(connection, kind, alert)
                await notify(connection, Work.ALERTS)

    def _credentials(self) -> tuple[Credential, ...]:
        return self._marketplace.credentials()

    async def _extend(self) -> dict[str, str]:
        """Extend what is in its last days; return what went wrong, by kind of token."""
        troubles: dict[str, str] = {}
        for credential in self._credentials():
            left = credential.ends_at - self._clock.now_ms()
            if credential.is_extendable and 0 < left < EXTENDABLE:
                try:
                    await self._marketplace.extend_credentials()
                    _log.info("a token was extended", account=self._account, kind=credential.kind)
                except (MarketplaceError, OSError) as error:
                    troubles[credential.kind] = f"{type(error).__name__}: {error}"[:300]
                    _log.warning("a token was not extended", account=self._account, reason=troubles[credential.kind])
        return troubles

    def _alert(self, credential: Credential, troubles: dict[str, str]) -> Alert | None:
        left = credential.ends_at - self._clock.now_ms()
        trouble = troubles.get(credential.kind, "")
        if credential.kind == "access_token":
            warned = 0 if credential.renews_itself else ACCESS_WARNED
        else:
            warned = EXTENDED_WARNED if credential.is_extendable and not trouble else REFRESH_WARNED
        if left >= warned:
            return None
        severity = Severity.CRITICAL if left < CRITICAL else Severity.WARNING
        return token_expiring_alert(self._account, credential.kind, credential.ends_at, severity, trouble)

    async def _settle(self, connection: AsyncConnection, kind: str, alert: Alert | None) -> None:
        if alert is not None:
            await alert_store.open_alerts(connection, [alert], {}, {})
        else:
            await alert_store.resolve_cause(connection, token_expiring_cause(self._account, kind))
