"""The payment: the price guard judges the fresh total; above the rules it takes a person's approval."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from worker.domain.identity import Platform
from worker.domain.payments import baseline_total, decide_payment
from worker.domain.policy import Effect, Policy
from worker.followups.batcher import Batcher
from worker.followups.fresh import FreshReads
from worker.followups.perform import SEND_WITHIN_S, Judged
from worker.marketplaces.port import EffectAnswer, EffectOutcome, Marketplace, NotSentError
from worker.storage.follow_up_claims import Claim


class Pay:
    """Pays orders of one account, each once."""

    effect = Effect.PAY
    operation = "order_pay"
    spends = True

    def __init__(
        self, marketplace: Marketplace, reads: FreshReads, policy: Policy, *, together: PayTogether | None = None
    ) -> None:
        self._marketplace = marketplace
        self._reads = reads
        self._policy = policy
        self._together = together

    async def judge(self, held: Claim) -> Judged:
        """Judge the payment on a fresh read."""
        fresh = await self._reads.read(held)
        baseline = baseline_total(fresh.order, held.plan)
        decision = decide_payment(
            fresh.order.view,
            baseline,
            self._policy,
            now_unconfirmed=fresh.in_doubt,
            plan=held.plan,
            approved=held.approved,
            now=fresh.asked_at,
        )
        amount = decision.amount or 0

        async def call(attempt: int) -> EffectAnswer:
            if self._together is not None:
                return await self._together.pay(held.key.platform, held.key.order_id)
            return await self._marketplace.pay(held.key.platform, held.key.order_id, amount, attempt=attempt)

        evidence = fresh.evidence | {"baseline_minor": baseline, "approved_minor": held.approved}
        return Judged(decision, evidence, {"order_id": held.key.order_id, "amount_minor": amount}, call)

    async def answered(self, held: Claim, answer: EffectAnswer) -> None:
        """Nothing more: the fresh read after the payment tells."""


class PayTogether:
    """Submits the payments that come at the same time in one call, up to what the marketplace takes.

    `is_paused`: whether the kill switch stops payments now. It is asked before every submission: a payment may have
    been written down as sent before the switch was pulled, and still wait here behind another batch.
    """

    def __init__(
        self,
        marketplace: Marketplace,
        linger: Callable[[], Awaitable[None]],
        *,
        is_paused: Callable[[], Awaitable[bool]],
        monotonic: Callable[[], float],
    ) -> None:
        self._marketplace = marketplace
        self._linger = linger
        self._is_paused = is_paused
        self._monotonic = monotonic
        self._batchers: dict[Platform, Batcher[tuple[str, float], EffectAnswer | NotSentError]] = {}

    async def pay(self, platform: Platform, order_id: str) -> EffectAnswer:
        """Pay one order together with others. Raises NotSentError if it was not sent."""
        batcher = self._batchers.get(platform)
        if batcher is None:

            async def flush(asked: Sequence[tuple[str, float]]) -> list[EffectAnswer | NotSentError]:
                return await self._submit(platform, asked)

            batcher = Batcher(flush, most=self._marketplace.pay_batch_size, linger=self._linger)
            self._batchers[platform] = batcher
        answer = await batcher.submit((order_id, self._monotonic()))
        if isinstance(answer, NotSentError):
            raise answer
        return answer

    async def _submit(
        self, platform: Platform, asked: Sequence[tuple[str, float]]
    ) -> list[EffectAnswer | NotSentError]:
        """Submit what has not waited for too long behind a slow batch: its claim may have ended meanwhile."""
        try:
            stops = "payments were paused before it was sent" if await self._is_paused() else None
        except Exception as error:  # noqa: BLE001 - whatever it was, nothing has left so far
            stops = f"whether payments are paused could not be read: {type(error).__name__}"
        if stops is not None:
            return [NotSentError(stops) for _ in asked]
        oldest = self._monotonic() - SEND_WITHIN_S
        order_ids = [order_id for order_id, asked_at in asked if asked_at >= oldest]
        answers = await self._marketplace.pay_many(platform, order_ids) if order_ids else {}
        silent = EffectAnswer(EffectOutcome.UNCLEAR, "the answer to the batch does not mention the order")
        return [
            answers.get(order_id, silent)
            if asked_at >= oldest
            else NotSentError("held up behind another batch of payments")
            for order_id, asked_at in asked
        ]
