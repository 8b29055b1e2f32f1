"""The fresh read: asks the marketplace for the order and publishes the answer as a fact like any other.

`parts`: reads beside it of what the order's own answer does not tell.
"""

from __future__ import annotations

import random

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from worker.broker.durable import DurablePublisher, NotDurableError
from worker.broker.envelope import fact_event
from worker.domain.alerts import Alert, AlertKind, Severity, marketplace_away_alert, marketplace_away_cause
from worker.domain.clock import Clock, to_datetime
from worker.domain.effects import EffectState
from worker.domain.facts import Source
from worker.followups.backoff import pause
from worker.followups.metrics import FOLLOW_UPS, READ_SECONDS
from worker.followups.parts import Parts
from worker.marketplaces.breaker import CircuitOpenError
from worker.marketplaces.port import (
    Marketplace,
    MarketplaceError,
    RejectedError,
    RetryableError,
    UnsupportedError,
)
from worker.storage import alert_store, follow_up_claims
from worker.storage.engine import transaction
from worker.storage.follow_up_claims import Claim
from worker.storage.sweep_store import SWEEP
from worker.storage.wakeup import Work, notify

ALERT_AFTER_FAILURES = 5
GIVE_UP_AFTER_REFUSALS = 8
"""So often may the marketplace say that it does not know the order (new orders appear late) before we believe it."""

_log = structlog.get_logger()


class Refresh:
    """Executes `refresh` follow-ups."""

    def __init__(
        self,
        marketplace: Marketplace,
        publisher: DurablePublisher,
        engine: AsyncEngine,
        clock: Clock,
        jitter: random.Random,
        *,
        parts: Parts | None = None,
    ) -> None:
        self._marketplace = marketplace
        self._publisher = publisher
        self._engine = engine
        self._clock = clock
        self._jitter = jitter
        self._parts = parts
        self._away = False

    async def __call__(self, held: Claim) -> None:
        """Read one order."""
        try:
            with READ_SECONDS.time():
                source = Source.SWEEP if held.purpose == SWEEP else Source.RESPONSE
                fact = await self._marketplace.read_order(held.key.platform, held.key.order_id, source)
            await self._publisher.publish(fact_event(fact))
        except (MarketplaceError, NotDurableError) as error:
            await self._failed(held, error)
            return
        was_away, self._away = self._away, False
        async with transaction(self._engine) as connection:
            await follow_up_claims.finish_read(connection, held, to_datetime(fact.observed_at))
            if was_away and await alert_store.resolve_cause(connection, marketplace_away_cause(held.key.account)):
                await notify(connection, Work.ALERTS)
            if held.failures >= ALERT_AFTER_FAILURES:
                await alert_store.resolve_cause(connection, _cause(held))
                await notify(connection, Work.ALERTS)
        FOLLOW_UPS.labels("refresh", "succeeded").inc()
        if self._parts is not None:  # not before: they may take longer than the claim lasts
            await self._parts.read(held, fact)

    async def _failed(self, held: Claim, error: Exception) -> None:
        failures = held.failures + 1
        refused = isinstance(error, RejectedError) and failures >= GIVE_UP_AFTER_REFUSALS
        refused = refused or isinstance(error, UnsupportedError)
        # While nobody is answered the cause is the marketplace: one alert, not one for each order that waits for it.
        circuit_opened = isinstance(error, CircuitOpenError) and not self._away
        self._away = self._away or circuit_opened
        is_ours = failures >= ALERT_AFTER_FAILURES and not (self._away and isinstance(error, RetryableError))
        reason = f"{type(error).__name__}: {error}"[:500]
        _log.warning("read failed", order=str(held.key), reason=reason, failures=failures)
        rest = pause(held.failures, self._jitter)
        state = EffectState.REJECTED if refused else EffectState.PLANNED
        async with transaction(self._engine) as connection:
            await follow_up_claims.release(connection, held, state=state, reason=reason, pause=rest, failed=True)
            if circuit_opened:
                await alert_store.open_alerts(connection, [marketplace_away_alert(held.key.account, reason)], {}, {})
                await notify(connection, Work.ALERTS)
            if refused or is_ours:
                alert = Alert(
                    _cause(held),
                    AlertKind.REFRESH_FAILING,
                    Severity.WARNING,
                    f"Order {held.key} cannot be read: {reason[:200]}",
                    held.key,
                    {"failures": failures, "reason": reason, "given_up": refused},
                )
                await alert_store.open_alerts(connection, [alert], {held.key: held.order_ref}, {})
                await notify(connection, Work.ALERTS)
        FOLLOW_UPS.labels("refresh", "rejected" if refused else "failed").inc()


def _cause(held: Claim) -> str:
    return f"{AlertKind.REFRESH_FAILING}:{held.key}"
