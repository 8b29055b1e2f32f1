"""The one way of every effect: judged on fresh data, written down, sent once, and unknown when in doubt."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import msgspec
import structlog

from worker.broker.durable import NotDurableError
from worker.domain.alerts import Alert
from worker.domain.clock import SECOND, Clock, Millis
from worker.domain.effect_alerts import (
    approval_alert,
    needs_person_alert,
    rejected_alert,
    unknown_alert,
    waiting_alert,
)
from worker.domain.effects import EffectState
from worker.domain.policy import Decision, Effect, Verdict
from worker.followups.backoff import pause
from worker.followups.ledger import Ledger, Note
from worker.followups.metrics import FOLLOW_UPS
from worker.marketplaces.port import EffectAnswer, EffectOutcome, MarketplaceError, NotSentError, UnsupportedError
from worker.storage.follow_up_claims import Claim, Release
from worker.storage.follow_up_sending import Beginning, Ending

SEND_WITHIN_S = 5.0
"""A worker that was held up longer than this after writing "sent" does not send: somebody may have moved on."""
ALERT_AFTER_FAILURES = 5
"""So often may an effect fail to begin before a person is told."""
_STATES = {
    EffectOutcome.DONE: EffectState.SUCCEEDED,
    EffectOutcome.NEEDS_PERSON: EffectState.AWAITING_PERSON,
    EffectOutcome.REJECTED: EffectState.REJECTED,
    EffectOutcome.UNCLEAR: EffectState.UNKNOWN,
}
_OVER = frozenset({Verdict.DONE, Verdict.NOT_WANTED})
_log = structlog.get_logger()
Call = Callable[[int], Awaitable[EffectAnswer]]
"""Makes the call; the argument counts the attempts, from 1."""


class Judged(msgspec.Struct, frozen=True):
    """What was decided about an effect, on what evidence, and the call that would carry it out.

    `request`: what would be asked, redacted. `holds_here`: a hold is recorded by the executor, since only it knows the
    price; otherwise by reconcile, which gets the same read and knows under the order's lock whether it is the latest.
    """

    decision: Decision
    evidence: dict[str, Any] = {}
    request: dict[str, Any] = {}
    call: Call | None = None
    holds_here: bool = False


class Action(Protocol):
    """One effect of one account: how it is judged and called."""

    effect: Effect
    operation: str
    spends: bool

    async def judge(self, held: Claim) -> Judged:
        """Return whether the effect may go out now. Raises MarketplaceError or NotDurableError if that is not clear."""
        ...

    async def answered(self, held: Claim, answer: EffectAnswer) -> None:
        """Make a definite answer durable before the ledger records it."""
        ...


class Perform:
    """Carries out the claims of one action."""

    def __init__(
        self,
        action: Action,
        ledger: Ledger,
        clock: Clock,
        jitter: random.Random,
        *,
        monotonic: Callable[[], float],
    ) -> None:
        self._action = action
        self._ledger = ledger
        self._clock = clock
        self._jitter = jitter
        self._monotonic = monotonic

    async def __call__(self, held: Claim) -> None:
        """Carry out one claim, or say why not."""
        try:
            judged = await self._action.judge(held)
        except UnsupportedError as error:
            reason = f"it cannot be asked for here: {error}"[:500]
            await self._release(held, EffectState.REJECTED, reason, rejected_alert(held.effect, held.key, reason))
            return
        except (MarketplaceError, NotDurableError) as error:
            await self._wait(held, f"the read before it failed: {type(error).__name__}: {error}"[:500])
            return
        except Exception as error:
            await self._wait(held, f"the judgement failed in our own code: {type(error).__name__}")
            raise
        decision = judged.decision
        if decision.verdict in _OVER:
            await self._release(held, EffectState.CANCELLED, decision.reason)
        elif decision.verdict is Verdict.HOLD and judged.holds_here:
            alert = approval_alert(held.effect, held.key, decision.amount, decision.reason)
            await self._release(held, EffectState.AWAITING_APPROVAL, decision.reason, alert, amount=decision.amount)
        elif decision.verdict is not Verdict.PROCEED or judged.call is None:
            await self._wait(held, decision.reason)
        else:
            await self._proceed(held, judged, judged.call)

    async def _proceed(self, held: Claim, judged: Judged, call: Call) -> None:
        written_at = self._instant()
        begun = await self._ledger.begin(
            Beginning(
                held,
                self._action.operation,
                judged.evidence | {"reason": judged.decision.reason},
                judged.request,
                judged.decision.amount,
                spends=self._action.spends,
            )
        )
        if begun.over_budget_for is not None:
            FOLLOW_UPS.labels(held.effect.value, "over_budget").inc()
            await self._release(held, EffectState.PLANNED, begun.reason, rest=begun.over_budget_for, over_budget=True)
        elif begun.attempt is None:
            await self._wait(held, begun.reason)
        elif self._since(written_at) > SEND_WITHIN_S:
            await self._end(held, judged, None, "held up before the call; nothing was sent")
        else:
            await self._send(held, judged, call, begun.attempt)

    def _instant(self) -> tuple[float, Millis]:
        return self._monotonic(), self._clock.now_ms()

    def _since(self, then: tuple[float, Millis]) -> float:
        """Return the seconds since an instant by the clock that says more: one stands still while a machine sleeps."""
        monotonic, wall = self._instant()
        return max(monotonic - then[0], (wall - then[1]) / SECOND)

    async def _send(self, held: Claim, judged: Judged, call: Call, attempt: int) -> None:
        """Make the one call. From here on everything that is not definite is unknown."""
        try:
            answer = await call(attempt)
        except NotSentError as error:
            await self._end(held, judged, None, f"nothing was sent: {error}")
            return
        except Exception as error:  # noqa: BLE001 - whatever it was, the call may have been made
            _log.exception("the call failed in our own code", effect=held.effect.value, order=str(held.key))
            reason = f"the call failed in our own code: {type(error).__name__}"
            answer = EffectAnswer(EffectOutcome.UNCLEAR, reason)
        try:
            await self._action.answered(held, answer)
        except NotDurableError as error:
            _log.warning("the answer could not be published", order=str(held.key), error=str(error))
        await self._end(held, judged, answer, answer.reason)

    async def _end(self, held: Claim, judged: Judged, answer: EffectAnswer | None, reason: str) -> None:
        ending = Ending(
            held=held,
            state=EffectState.PLANNED if answer is None else _STATES[answer.outcome],
            reason=reason[:500],
            pause=pause(held.failures, self._jitter) if answer is None else 0,
            outcome="not_sent" if answer is None else answer.outcome.value,
            pay_url=answer.pay_url if answer else None,
            answer=answer.detail if answer else None,
            reference=answer.reference if answer else None,
        )
        alerts = _alerts(held, judged.decision.amount, ending)
        recorded = await self._ledger.note(Note(ending, alerts, read=answer is not None))
        if not recorded:
            _log.error("the answer came after the claim had ended; it stays unknown", order=str(held.key))
        FOLLOW_UPS.labels(held.effect.value, ending.outcome if recorded else "too_late").inc()

    async def _wait(self, held: Claim, reason: str) -> None:
        """Give back what cannot begin yet, with pauses that grow; who waits for long is told to a person."""
        await self._release(held, EffectState.PLANNED, reason, _waiting(held, reason), failed=True)

    async def _release(
        self,
        held: Claim,
        state: EffectState,
        reason: str,
        alert: Alert | None = None,
        *,
        failed: bool = False,
        amount: int | None = None,
        rest: Millis | None = None,
        over_budget: bool = False,
    ) -> None:
        if rest is None:
            rest = pause(held.failures if failed else 0, self._jitter)
        release = Release(held, state, reason, rest, failed, amount, over_budget)
        await self._ledger.note(Note(release, (alert,) if alert else ()))
        FOLLOW_UPS.labels(held.effect.value, f"released_{state.value}").inc()


def _waiting(held: Claim, reason: str) -> Alert | None:
    return waiting_alert(held.effect, held.key, reason) if held.failures + 1 >= ALERT_AFTER_FAILURES else None


def _alerts(held: Claim, amount: int | None, ending: Ending) -> tuple[Alert, ...]:
    match ending.state:
        case EffectState.AWAITING_PERSON:
            return (needs_person_alert(held.key, amount, ending.pay_url or ""),)
        case EffectState.UNKNOWN:
            return (unknown_alert(held.effect, held.key, amount, ending.reason or ""),)
        case EffectState.REJECTED:
            return (rejected_alert(held.effect, held.key, ending.reason or ""),)
        case EffectState.PLANNED:
            alert = _waiting(held, ending.reason or "")
            return (alert,) if alert else ()
        case _:
            return ()
