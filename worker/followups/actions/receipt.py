"""The confirmation of the receipt. It releases the money: judged on a fresh read, never while a refund is open."""

from __future__ import annotations

from worker.domain.handover import decide_receipt, live_lines
from worker.domain.policy import Effect, Policy
from worker.followups.fresh import FreshReads
from worker.followups.perform import Judged
from worker.marketplaces.port import EffectAnswer, Marketplace
from worker.storage.follow_up_claims import Claim


class ConfirmReceipt:
    """Confirms the lines whose goods are expected; what was closed or refunded is left out."""

    effect = Effect.CONFIRM_RECEIPT
    operation = "order_confirm_receipt"
    spends = False

    def __init__(self, marketplace: Marketplace, reads: FreshReads, policy: Policy) -> None:
        self._marketplace = marketplace
        self._reads = reads
        self._policy = policy

    async def judge(self, held: Claim) -> Judged:
        """Judge the confirmation on a fresh read."""
        fresh = await self._reads.read(held)
        decision = decide_receipt(fresh.order.view, self._policy, now_unconfirmed=fresh.in_doubt)
        line_ids = tuple(line.line_id for line in live_lines(fresh.order.view))

        async def call(_attempt: int) -> EffectAnswer:
            return await self._marketplace.confirm_receipt(held.key.platform, held.key.order_id, line_ids)

        return Judged(decision, fresh.evidence, {"order_id": held.key.order_id, "line_ids": line_ids}, call)

    async def answered(self, held: Claim, answer: EffectAnswer) -> None:
        """Nothing more: the fresh read after it tells."""
