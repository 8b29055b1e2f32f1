"""Stops an account's effects when something is badly wrong: too many unknowns at once, or money leaving too fast."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from worker.domain.effect_alerts import stopped_alert
from worker.domain.money import yuan_text
from worker.domain.policy import Policy
from worker.followups.metrics import STOPPED
from worker.storage import alert_store, budget_store, follow_up_recovery, pause_store
from worker.storage.engine import transaction
from worker.storage.pause_store import Scope
from worker.storage.wakeup import Work, notify

ACTOR = "worker"
_log = structlog.get_logger()


class Watchdog:
    """Trips the kill switch of an account; only a person lifts it again."""

    def __init__(
        self,
        engine: AsyncEngine,
        policies: Mapping[str, Policy],
        *,
        interval_s: float,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._engine = engine
        self._policies = policies
        self._interval_s = interval_s
        self._sleep = sleep

    async def run(self, progress: Callable[[], None] = lambda: None) -> None:
        """Watch until cancelled."""
        while True:
            await self.look_once()
            progress()
            await self._sleep(self._interval_s)

    async def look_once(self) -> tuple[str, ...]:
        """Stop the accounts that need it; return those that were stopped just now."""
        stopped: list[str] = []
        for account, policy in self._policies.items():
            async with transaction(self._engine) as connection:
                reason = await _why_stop(connection, account, policy)
                if reason is not None and await _stop(connection, account, reason):
                    stopped.append(account)
        for account in stopped:
            STOPPED.labels(account).inc()
            _log.error("the effects of an account were stopped", account=account)
        return tuple(stopped)


async def _why_stop(connection: AsyncConnection, account: str, policy: Policy) -> str | None:
    rules = policy.breakers
    if rules.unknowns:
        unknowns = await follow_up_recovery.fresh_unknowns(connection, account)
        if unknowns >= rules.unknowns:
            return f"{unknowns} calls at once of which nobody knows whether they took effect"
    if rules.hourly_factor:
        within_hour, usual = await budget_store.recently_spent(connection, account)
        if within_hour > max(rules.hourly_floor, rules.hourly_factor * usual):
            return f"{yuan_text(within_hour)} CNY were spent within an hour; usual are {yuan_text(usual)} CNY"
    return None


async def _stop(connection: AsyncConnection, account: str, reason: str) -> bool:
    paused = await pause_store.open_pause(connection, Scope(account), actor=ACTOR, reason=reason, automatic=True)
    if paused.changed:
        await alert_store.open_alerts(connection, [stopped_alert(account, reason)], {}, {})
        await notify(connection, Work.ALERTS)
    return paused.changed
