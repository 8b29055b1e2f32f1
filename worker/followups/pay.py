"""The payment: written down before it is made, decided on a fresh read, sent once, and never again when in doubt."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from worker.broker.durable import DurablePublisher, NotDurableError
from worker.broker.envelope import fact_event
from worker.domain.alerts import Alert
from worker.domain.clock import Clock, Millis, to_datetime
from worker.domain.effects import EffectState
from worker.domain.facts import Source
from worker.domain.policy import PaymentDecision, Policy, Verdict, baseline_total, decide_payment
from worker.domain.reducer import Order, apply
from worker.followups.backoff import pause
from worker.followups.executor import LEASE_S
from worker.followups.metrics import FOLLOW_UPS
from worker.followups.notices import needs_person_alert, unknown_alert
from worker.marketplaces.port import EffectAnswer, EffectOutcome, Marketplace, MarketplaceError, NotSentError
from worker.storage import alert_store, follow_up_claims, follow_up_wants
from worker.storage.engine import transaction
from worker.storage.follow_up_claims import Claim, Ending
from worker.storage.wakeup import Work, notify

SEND_WITHIN_S = 5.0
"""A worker that was held up longer than this after writing "sent" does not send: somebody may have moved on."""

OPERATION = "order_pay"
_log = structlog.get_logger()
_STATES = {
    EffectOutcome.DONE: EffectState.SUCCEEDED,
    EffectOutcome.NEEDS_PERSON: EffectState.AWAITING_PERSON,
    # No payment is answered with a definite no today; should one be, it is treated as any other failure.
    EffectOutcome.REJECTED: EffectState.UNKNOWN,
    EffectOutcome.UNCLEAR: EffectState.UNKNOWN,
}
_OVER = frozenset({Verdict.DONE, Verdict.NOT_WANTED})


class Pay:
    """Executes `pay` follow-ups of one account."""

    def __init__(
        self,
        marketplace: Marketplace,
        publisher: DurablePublisher,
        engine: AsyncEngine,
        clock: Clock,
        jitter: random.Random,
        *,
        policy: Policy,
        skew: Millis,
        monotonic: Callable[[], float],
    ) -> None:
        self._marketplace = marketplace
        self._publisher = publisher
        self._engine = engine
        self._clock = clock
        self._jitter = jitter
        self._policy = policy
        self._skew = skew
        self._monotonic = monotonic

    async def __call__(self, held: Claim) -> None:
        """Pay one order, or say why not."""
        try:
            decision, evidence = await self._decide(held)
        except (MarketplaceError, NotDurableError) as error:
            reason = f"the read before the payment failed: {type(error).__name__}: {error}"[:500]
            await self._release(held, EffectState.PLANNED, reason, failed=True)
            return
        if decision.verdict in _OVER:
            await self._release(held, EffectState.CANCELLED, decision.reason, failed=False)
            return
        if decision.verdict is not Verdict.PROCEED or decision.amount is None:
            # To hold it is for reconcile, which gets the same read: under the order's lock it knows whether that is
            # still the latest. Held from here, a payment could wait for ever on a price that fell meanwhile.
            await self._release(held, EffectState.PLANNED, decision.reason, failed=True)
            return
        written_at = self._monotonic()
        async with transaction(self._engine) as connection:
            ours = await follow_up_claims.begin_sending(
                connection, held, operation=OPERATION, amount=decision.amount, evidence=evidence, lease_s=LEASE_S
            )
        if not ours:
            await self._release(held, EffectState.PLANNED, "the order was heard of meanwhile", failed=False)
            return
        await self._send(held, decision.amount, written_at)

    async def _decide(self, held: Claim) -> tuple[PaymentDecision, dict[str, Any]]:
        """Read the order afresh, publish what was read, and judge it together with everything known before."""
        fact = await self._marketplace.read_order(held.key.platform, held.key.order_id, Source.RESPONSE)
        await self._publisher.publish(fact_event(fact))
        fact_id = fact.derive_id()
        known = Order.of(held.key, held.evidence, self._skew)
        order = apply(known, fact, fact_id, self._skew).order
        decisive = (order.evidence.lifecycle, order.evidence.amounts)
        stale_read = any(best is None or best.version.fact_id != fact_id for best in decisive)
        baseline = baseline_total(order)
        decision = decide_payment(
            order.view, baseline, self._policy, now_unconfirmed=order.view.unconfirmed or stale_read
        )
        evidence = {"fact_id": fact_id, "asked_at": fact.observed_at, "baseline_minor": baseline}
        return decision, evidence | {"reason": decision.reason}

    async def _send(self, held: Claim, amount: int, written_at: float) -> None:
        """Make the one call. From here on everything that is not definite is unknown."""
        if self._monotonic() - written_at > SEND_WITHIN_S:
            await self._end(held, amount, None, "held up before the call; nothing was sent")
            return
        try:
            answer = await self._marketplace.pay(held.key.platform, held.key.order_id, amount)
        except NotSentError as error:
            await self._end(held, amount, None, f"nothing was sent: {error}")
            return
        except Exception as error:  # noqa: BLE001 - whatever it was, the call may have been made
            _log.exception("the payment call failed in our own code", order=str(held.key))
            answer = EffectAnswer(EffectOutcome.UNCLEAR, f"the call failed in our own code: {type(error).__name__}")
        await self._end(held, amount, answer, answer.reason)

    async def _end(self, held: Claim, amount: int, answer: EffectAnswer | None, reason: str) -> None:
        now = self._clock.now_ms()
        state = EffectState.PLANNED if answer is None else _STATES[answer.outcome]
        due_at = now + pause(held.failures, self._jitter) if answer is None else now
        ending = Ending(
            state=state,
            reason=reason[:500],
            due_at=to_datetime(due_at),
            outcome="not_sent" if answer is None else answer.outcome.value,
            pay_url=answer.pay_url if answer else None,
            answer=answer.detail if answer else None,
        )
        async with transaction(self._engine) as connection:
            recorded = await follow_up_claims.end_sending(connection, held, ending)
            if recorded:
                await alert_store.open_alerts(
                    connection, _alerts(held, amount, state, ending), {held.key: held.order_ref}, {}
                )
            if answer is not None:
                wish = (held.order_ref, held.key.account, to_datetime(now))
                await follow_up_wants.want_refreshes(connection, [wish])
            await notify(connection, Work.FOLLOW_UPS, Work.ALERTS)
        if not recorded:
            _log.error("the answer came after the lease; the payment stays unknown", order=str(held.key))
        FOLLOW_UPS.labels("pay", ending.outcome if recorded else "too_late").inc()

    async def _release(self, held: Claim, state: EffectState, reason: str, *, failed: bool) -> None:
        due_at = self._clock.now_ms() + pause(held.failures if failed else 0, self._jitter)
        async with transaction(self._engine) as connection:
            await follow_up_claims.release(
                connection, held, state=state, reason=reason, due_at=to_datetime(due_at), failed=failed
            )
        FOLLOW_UPS.labels("pay", f"released_{state.value}").inc()


def _alerts(held: Claim, amount: int, state: EffectState, ending: Ending) -> list[Alert]:
    if state is EffectState.AWAITING_PERSON:
        return [needs_person_alert(held.key, amount, ending.pay_url or "")]
    if state is EffectState.UNKNOWN:
        return [unknown_alert(held.key, amount, ending.reason or "")]
    return []
