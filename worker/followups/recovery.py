"""What outlives an executor: dead calls become unknown, unknowns are read until they are settled, or may go again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from worker.domain.effect_alerts import approval_alert, paid_more_alert, unknown_alert
from worker.domain.policy import Policy
from worker.followups.metrics import CLEARED, EXPIRED
from worker.storage import alert_store, follow_up_recovery
from worker.storage.engine import transaction
from worker.storage.wakeup import Work, notify

READ_BATCH = 100
_log = structlog.get_logger()


class Recovery:
    """Runs in every process that executes follow-ups; several of them do no harm."""

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        policies: Mapping[str, Policy],
        first_pause_s: float,
        interval_s: float,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._engine = engine
        self._policies = policies
        self._first_pause_s = first_pause_s
        self._interval_s = interval_s
        self._sleep = sleep

    async def run(self, progress: Callable[[], None] = lambda: None) -> None:
        """Recover until cancelled."""
        while True:
            await self.recover_once()
            progress()
            await self._sleep(self._interval_s)

    async def recover_once(self) -> int:
        """Expire dead calls, plan reads of unknowns, clear what proved not done; return how many calls expired."""
        async with transaction(self._engine) as connection:
            expired = await follow_up_recovery.expire_sending(connection)
            alerts = [
                unknown_alert(one.effect, one.key, one.amount, "the worker died during the call") for one in expired
            ]
            await alert_store.open_alerts(connection, alerts, {one.key: one.order_ref for one in expired}, {})
            planned = await follow_up_recovery.read_unknowns(
                connection, first_pause_s=self._first_pause_s, limit=READ_BATCH
            )
            if expired or planned:
                await notify(connection, Work.FOLLOW_UPS, Work.ALERTS)
        for one in expired:
            EXPIRED.inc()
            _log.error(
                "a call's worker died before recording the answer; it is unknown",
                effect=one.effect.value,
                order=str(one.key),
            )
        for account, policy in self._policies.items():
            async with transaction(self._engine) as connection:
                await self._clear(connection, account, policy)
        async with transaction(self._engine) as connection:
            if await alert_store.resolve_outlived(connection):
                await notify(connection, Work.ALERTS)
        return len(expired)

    async def _clear(self, connection: AsyncConnection, account: str, policy: Policy) -> None:
        """Allow second attempts by the account's rule; where none is left, say that a person decides."""
        rule = policy.second_attempt
        cleared = await follow_up_recovery.clear_proven(connection, account, rule)
        cleared += await follow_up_recovery.clear_repeatable(connection, account, rule)
        woken = await follow_up_recovery.wake_held_back(connection, account)
        given_up = await follow_up_recovery.given_up(connection, account, rule)
        alerts = [
            unknown_alert(
                one.effect, one.key, one.amount, f"{one.reads} reads show that it did not happen", given_up=True
            )
            for one in given_up
        ]
        unasked = await follow_up_recovery.unasked(connection, account)
        alerts += [approval_alert(one.effect, one.key, one.amount, one.reason) for one in unasked]
        refs = {one.key: one.order_ref for one in (*given_up, *unasked)}
        for key, order_ref, decided, taken in await follow_up_recovery.paid_more(connection, account):
            alerts.append(paid_more_alert(key, decided, taken))
            refs[key] = order_ref
        await alert_store.open_alerts(connection, alerts, refs, {})
        if cleared or woken or alerts:
            await notify(connection, Work.FOLLOW_UPS, Work.ALERTS)
        CLEARED.labels(account).inc(cleared)
