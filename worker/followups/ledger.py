"""The ledger of one account as its executors use it: written in batches, so that many effects share a commit."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from worker.domain.alerts import Alert
from worker.domain.clock import SECOND, Clock, Millis, to_datetime
from worker.domain.effect_alerts import budget_alert
from worker.domain.identity import OrderKey
from worker.domain.policy import Policy
from worker.followups.batcher import Batcher
from worker.followups.executor import LEASE_S
from worker.storage import alert_store, budget_store, follow_up_claims, follow_up_sending, follow_up_wants
from worker.storage.engine import transaction
from worker.storage.follow_up_claims import Release
from worker.storage.follow_up_sending import Beginning, Ending
from worker.storage.wakeup import Work, notify

MOST_AT_ONCE = 200
"""Follow-ups that one transaction writes."""
LOOK_AGAIN: Millis = 600 * SECOND
"""What is over budget is looked at again this soon: a payment that proves not made gives its money back."""


class Begun(msgspec.Struct, frozen=True):
    """Whether a call may be made: `attempt` is its number, None: it must not.

    `over_budget_for`: the budget forbids it; look again after so long.
    """

    attempt: int | None
    reason: str = ""
    over_budget_for: Millis | None = None


class Note(msgspec.Struct, frozen=True):
    """An end or a release together with the alerts that it raises and the fresh read that it calls for."""

    what: Ending | Release
    alerts: tuple[Alert, ...] = ()
    read: bool = False


class Ledger:
    """Begins, ends and releases the effects of one account."""

    def __init__(self, engine: AsyncEngine, account: str, policy: Policy, clock: Clock) -> None:
        self._engine = engine
        self._account = account
        self._policy = policy
        self._clock = clock
        self._beginnings: Batcher[Beginning, Begun] = Batcher(self._begin, most=MOST_AT_ONCE)
        self._notes: Batcher[Note, bool] = Batcher(self._record, most=MOST_AT_ONCE, keep_abandoned=True)

    async def begin(self, call: Beginning) -> Begun:
        """Write a call as sent, unless budget, pause, plan, doubt or a lost claim forbid it."""
        return await self._beginnings.submit(call)

    async def note(self, note: Note) -> bool:
        """Record an end or a release; False if the claim was no longer ours."""
        return await self._notes.submit(note)

    async def _begin(self, calls: Sequence[Beginning]) -> list[Begun]:
        """Begin calls of different orders together: two about one order may exclude each other, and come in turn."""
        answers: dict[int, Begun] = {}
        left = dict(enumerate(calls))
        while left:
            first_of = {left[number].held.order_ref: number for number in reversed(left)}
            wave = {number: left.pop(number) for number in sorted(first_of.values())}
            begun = await self._begin_wave(list(wave.values()))
            answers |= {number: begun[call.held.id] for number, call in wave.items()}
        return [answers[number] for number in range(len(calls))]

    async def _begin_wave(self, calls: list[Beginning]) -> dict[int, Begun]:
        async with transaction(self._engine) as connection:
            refused = await self._over_budget(connection, calls)
            allowed = [call for call in calls if call.held.id not in refused]
            attempts = await follow_up_sending.begin_many(connection, allowed, lease_s=LEASE_S)
        return refused | {
            call.held.id: Begun(attempts.get(call.held.id), "the order was heard of, or its plan changed, meanwhile")
            for call in allowed
        }

    async def _over_budget(self, connection: AsyncConnection, calls: list[Beginning]) -> dict[int, Begun]:
        """Return the calls that the budgets do not allow, in the order of asking; the account stays locked."""
        policy = self._policy
        if (policy.daily_budget is None and policy.monthly_budget is None) or not any(call.spends for call in calls):
            return {}
        await budget_store.lock_budget(connection, self._account)
        spent = await budget_store.spent(connection, self._account)
        day, month = spent.day, spent.month
        refused: dict[int, Begun] = {}
        alerts: list[Alert] = []
        for call in calls:
            amount = call.amount or 0
            if not call.spends:
                continue
            if policy.daily_budget is not None and day + amount > policy.daily_budget:
                refused[call.held.id] = _refusal("daily", spent.day_ends_in)
                alerts.append(budget_alert(self._account, "daily", amount, day, policy.daily_budget))
            elif policy.monthly_budget is not None and month + amount > policy.monthly_budget:
                refused[call.held.id] = _refusal("monthly", spent.month_ends_in)
                alerts.append(budget_alert(self._account, "monthly", amount, month, policy.monthly_budget))
            else:
                day, month = day + amount, month + amount
        if alerts:
            await alert_store.open_alerts(connection, alerts, {}, {})
            await notify(connection, Work.ALERTS)
        return refused

    async def _record(self, notes: Sequence[Note]) -> list[bool]:
        now = to_datetime(self._clock.now_ms())
        endings = [note.what for note in notes if isinstance(note.what, Ending)]
        releases = [note.what for note in notes if isinstance(note.what, Release)]
        async with transaction(self._engine) as connection:
            done = await follow_up_sending.end_many(connection, endings)
            done |= await follow_up_claims.release_many(connection, releases)
            refs: dict[OrderKey, int] = {note.what.held.key: note.what.held.order_ref for note in notes}
            alerts = [alert for note in notes if note.what.held.id in done for alert in note.alerts]
            await alert_store.open_alerts(connection, alerts, refs, {})
            read = {note.what.held.order_ref for note in notes if note.read}
            await follow_up_wants.want_refreshes(connection, [(ref, self._account, now) for ref in read])
            await notify(connection, Work.FOLLOW_UPS, Work.ALERTS)
        return [note.what.held.id in done for note in notes]


def _refusal(which: str, ends_in: Millis) -> Begun:
    return Begun(None, f"the account's {which} budget does not allow it now", min(ends_in, LOOK_AGAIN))
