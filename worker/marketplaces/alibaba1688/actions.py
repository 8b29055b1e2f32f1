"""Effects at the 1688 open platform: paying, confirming, cancelling (marketplace notes 3.9 and 3.10)."""

from __future__ import annotations

from collections.abc import Sequence

from worker.catalogue.operation import Dialect
from worker.marketplaces.alibaba1688 import answers
from worker.marketplaces.alibaba1688.envelope import inner
from worker.marketplaces.caller import Caller
from worker.marketplaces.effects import Effects, number_of
from worker.marketplaces.paylinks import PayLinks
from worker.marketplaces.port import EffectAnswer, EffectOutcome, MarketplaceError, NotSentError
from worker.marketplaces.values import as_object

MAX_TRIES = 3
"""Of one payment by agreement (documented)."""
BUYER_CANCELS = "buyerCancel"
MAX_REMARK = 200


class Actions:
    """One account's effects."""

    def __init__(self, account: str, caller: Caller, links: PayLinks) -> None:
        self._account = account
        self._caller = caller
        self._links = links
        self._effects = Effects(caller, Dialect.ALIBABA1688)

    async def pay(self, order_id: str, amount: int, attempt: int) -> EffectAnswer:
        """Pay by agreement once. A link is asked for only where this call can have moved no money before."""
        number = number_of(order_id, "order id")
        if attempt > MAX_TRIES:
            return await self._link(order_id, number, f"{MAX_TRIES} tries are all that the platform allows")
        try:
            agreement = as_object(await self._caller.read("1688.payment.agreement", {}))
        except MarketplaceError as error:
            raise NotSentError(f"before the payment: {type(error).__name__}: {error}") from error
        channel = answers.agreement_of(inner(agreement))
        if channel is None:
            return await self._link(order_id, number, "no payment agreement")
        param = {
            "orderId": number,
            "payChannel": channel.lower(),
            "payAmount": amount,
            "opRequestId": f"ordersync-{self._account}-{order_id}-{attempt}",
        }
        question = {"tradeWithholdPreparePayParam": param}
        return await self._effects.call("1688.payment.prepare", question, answers.prepared)

    async def confirm_receipt(self, order_id: str, line_ids: Sequence[str]) -> EffectAnswer:
        """Confirm lines; the operation wants to know which (documented)."""
        if not line_ids:
            raise NotSentError("no lines are named; receipt is only confirmed by line")
        question = {
            "orderId": number_of(order_id, "order id"),
            "orderEntryIds": [number_of(line_id, "line") for line_id in line_ids],
        }
        return await self._effects.call("1688.order.confirm_receipt", question, answers.confirmed)

    async def cancel(self, order_id: str, reason: str) -> EffectAnswer:
        """Cancel before payment; the parameter is spelt `tradeID`."""
        question = {
            "webSite": "1688",
            "tradeID": number_of(order_id, "order id"),
            "cancelReason": BUYER_CANCELS,
            "remark": reason[:MAX_REMARK],
        }
        return await self._effects.call("1688.order.cancel", question, answers.cancelled)

    async def _link(self, order_id: str, number: int, why: str) -> EffectAnswer:
        try:
            asked = await self._caller.read("1688.payment.url", {"orderIdList": [number]})
        except MarketplaceError as error:
            raise NotSentError(f"{why}, and no link to pay: {type(error).__name__}: {error}") from error
        url = answers.pay_link(order_id, as_object(asked), self._links)
        if url is None:
            raise NotSentError(f"{why}, and no link to pay that leads to one of pay_hosts was given")
        return EffectAnswer(EffectOutcome.NEEDS_PERSON, f"{why}: a person must pay", url)
