"""Confirming and cancelling through PandaPon and Xport."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from worker.domain.identity import Platform
from worker.marketplaces.caller import Caller
from worker.marketplaces.effects import Effects, number_of
from worker.marketplaces.pandapon.answers import read_cancel_answer, read_receipt_answer
from worker.marketplaces.pandapon.payments import TAOBAO_DETAIL, require_own_name
from worker.marketplaces.port import EffectAnswer, EffectOutcome, NotSentError
from worker.marketplaces.values import as_object

_CONFIRM = "1688.order.confirm_receipt"
_CANCEL = {Platform.ALIBABA_1688: "1688.order.cancel", Platform.TAOBAO: "taobao.order.cancel"}
BUYER_CANCELS = "buyerCancel"
"""The upstream's word for it; PandaPon's own sample has free text, so the word fits both."""
MAX_REMARK = 200


class Actions:
    """Effects on an order other than its payment."""

    def __init__(self, caller: Caller, effects: Effects) -> None:
        self._caller = caller
        self._effects = effects

    def can_confirm(self, platform: Platform) -> bool:
        """Tell whether receipt can be confirmed; on Taobao no menu has it."""
        return platform is Platform.ALIBABA_1688 and self._caller.supports(_CONFIRM)

    def can_cancel(self, platform: Platform) -> bool:
        """Tell whether orders can be cancelled, on Taobao also whether their own id can be read."""
        readable = platform is Platform.ALIBABA_1688 or self._caller.supports(TAOBAO_DETAIL)
        return readable and self._caller.supports(_CANCEL[platform])

    async def confirm_receipt(self, platform: Platform, order_id: str, line_ids: Sequence[str]) -> EffectAnswer:
        """Confirm lines. Never without their ids: what an empty list would release is not documented."""
        if platform is not Platform.ALIBABA_1688:
            raise NotSentError(f"receipt of orders on {platform} cannot be confirmed from here")
        if not line_ids:
            raise NotSentError("no lines are named; receipt is only confirmed by line")
        question = {"orderId": order_id, "orderEntryIds": [number_of(line_id, "line") for line_id in line_ids]}
        return await self._effects.call(_CONFIRM, question, read_receipt_answer)

    async def cancel(self, platform: Platform, order_id: str, reason: str) -> EffectAnswer:
        """Cancel before payment. On Taobao the answer only says that it was accepted (upstream)."""
        if platform is Platform.TAOBAO:
            await require_own_name(self._caller, order_id)
            asked = {"purchaseId": order_id, "cancelReason": BUYER_CANCELS, "cancelRemark": reason[:MAX_REMARK]}
            return await self._effects.call(_CANCEL[platform], asked, _accepted)
        question = {
            "webSite": "1688",
            "orderId": order_id,
            "cancelReason": BUYER_CANCELS,
            "remark": reason[:MAX_REMARK],
        }
        return await self._effects.call(_CANCEL[platform], question, read_cancel_answer)


def _accepted(data: Any) -> EffectAnswer:
    accepted = data is True or as_object(data).get("success") is True
    said = "accepted; a read will show it" if accepted else "the answer does not say that it was accepted"
    return EffectAnswer(EffectOutcome.UNCLEAR, said, detail={"accepted": accepted})
