"""Paying through PandaPon and Xport: one order or several on 1688, one on Taobao."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from worker.domain.identity import Platform
from worker.marketplaces.caller import Caller
from worker.marketplaces.effects import Effects
from worker.marketplaces.pandapon import taobao
from worker.marketplaces.pandapon.answers import read_pay_answer, read_pay_answers
from worker.marketplaces.paylinks import PayLinks
from worker.marketplaces.port import EffectAnswer, EffectOutcome, MarketplaceError, NotSentError
from worker.marketplaces.values import as_list, as_object, identifier

_PAY = {Platform.ALIBABA_1688: "1688.order.pay", Platform.TAOBAO: "taobao.order.pay"}
_BATCH = "1688.order.batch_submit_payment"
TAOBAO_DETAIL = "taobao.order.detail"


class Payments:
    """`batch_size`: how many orders go into one submission; 1 switches submissions off (their answer is inferred)."""

    def __init__(self, caller: Caller, effects: Effects, links: PayLinks, *, batch_size: int = 1) -> None:
        self._caller = caller
        self._effects = effects
        self._links = links
        self._batch_size = batch_size

    @property
    def batch_size(self) -> int:
        """Return how many orders `pay_many` takes at most."""
        return self._batch_size if self._caller.supports(_BATCH) else 1

    def can_pay(self, platform: Platform) -> bool:
        """Tell whether there is a payment, and for Taobao also the read that tells which id names the order."""
        readable = platform is Platform.ALIBABA_1688 or self._caller.supports(TAOBAO_DETAIL)
        return readable and self._caller.supports(_PAY[platform])

    async def pay(self, platform: Platform, order_id: str) -> EffectAnswer:
        """Pay once. All but a plain yes or a pay URL is unclear: "failed" has been said of money that was taken."""
        if platform is Platform.TAOBAO:
            await require_own_name(self._caller, order_id)
            question: dict[str, Any] = {"purchaseOrderIdList": [order_id]}
            return await self._effects.call(_PAY[platform], question, lambda data: _taobao_answer(order_id, data))
        return await self._effects.call(
            _PAY[platform], {"orderId": order_id}, lambda data: read_pay_answer(order_id, data, self._links)
        )

    async def pay_many(self, platform: Platform, order_ids: Sequence[str]) -> dict[str, EffectAnswer]:
        """Submit several orders on 1688. If the whole call is in doubt, every order is."""
        if platform is not Platform.ALIBABA_1688:
            raise NotSentError(f"orders on {platform} are not paid several at once from here")
        if not 1 <= len(order_ids) <= self.batch_size or len(set(order_ids)) != len(order_ids):
            raise NotSentError(f"expected 1 to {self.batch_size} different orders, got {len(order_ids)}")
        answers: dict[str, EffectAnswer] = {}

        def judge(data: Any) -> EffectAnswer:
            answers.update(read_pay_answers(order_ids, data, self._links))
            return EffectAnswer(EffectOutcome.DONE, "answered")

        whole = await self._effects.call(_BATCH, {"orderIds": list(order_ids)}, judge)
        return answers or dict.fromkeys(order_ids, whole)


async def require_own_name(caller: Caller, order_id: str) -> None:
    """Raise NotSentError unless `order_id` is the one id under which effects on a Taobao order are carried out.

    Pushes and lists may name one order by two ids, so it can stand in our books twice. Only the purchase order's id is
    ever paid or cancelled, and a fresh read tells it: the order's other name never moves money.
    """
    try:
        order = as_object(await caller.read(TAOBAO_DETAIL, {"id": order_id}))
    except MarketplaceError as error:
        raise NotSentError(f"the read that tells the order's own id failed: {type(error).__name__}: {error}") from error
    own = taobao.own_id_of(order)
    if own != order_id:
        raise NotSentError(f"this order's own id is {own or 'unknown'}; effects are carried out under that one alone")


def _taobao_answer(order_id: str, data: Any) -> EffectAnswer:
    """Return what the answer means: it only says what will be paid and what will not, and a read shows the outcome."""
    answer = as_object(data)
    accepted = [identifier(entry) for entry in as_list(taobao.value_of(answer, "willPayPurchaseOrderIds"))]
    refused = [identifier(entry) for entry in as_list(taobao.value_of(answer, "payFailurePurchaseOrderIds"))]
    detail = {"accepted": order_id in accepted, "refused": order_id in refused}
    if detail["accepted"] and not detail["refused"]:
        return EffectAnswer(EffectOutcome.UNCLEAR, "accepted, to be paid; a read will show it", detail=detail)
    said = "named among the failed payments" if detail["refused"] else "not named in the answer"
    return EffectAnswer(EffectOutcome.UNCLEAR, said, detail=detail)
