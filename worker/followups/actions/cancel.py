"""The cancellation of an unpaid order that its plan no longer wants."""

from __future__ import annotations

from worker.domain.handover import decide_cancel
from worker.domain.policy import Effect
from worker.followups.fresh import FreshReads
from worker.followups.perform import Judged
from worker.marketplaces.port import EffectAnswer, Marketplace
from worker.storage.follow_up_claims import Claim


class Cancel:
    """Cancels orders before they are paid."""

    effect = Effect.CANCEL
    operation = "order_cancel"
    spends = False

    def __init__(self, marketplace: Marketplace, reads: FreshReads) -> None:
        self._marketplace = marketplace
        self._reads = reads

    async def judge(self, held: Claim) -> Judged:
        """Judge the cancellation on a fresh read."""
        fresh = await self._reads.read(held)
        decision = decide_cancel(fresh.order.view, held.plan, now_unconfirmed=fresh.in_doubt)
        reason = held.plan.cancel_reason or ""

        async def call(_attempt: int) -> EffectAnswer:
            return await self._marketplace.cancel(held.key.platform, held.key.order_id, reason)

        return Judged(decision, fresh.evidence, {"order_id": held.key.order_id, "reason": reason}, call)

    async def answered(self, held: Claim, answer: EffectAnswer) -> None:
        """Nothing more: the fresh read after it tells."""
