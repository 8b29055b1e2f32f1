"""Reads of parts of an order at the open platform: its logistics, one refund."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from worker.domain.clock import Millis
from worker.domain.facts import Fact, RefundDetail, Snapshot, Source
from worker.domain.identity import OrderKey, Platform
from worker.marketplaces.alibaba1688.answers import refund_of
from worker.marketplaces.alibaba1688.envelope import NOT_SHIPPED_YET, inner
from worker.marketplaces.caller import Caller
from worker.marketplaces.port import RejectedError, UnreadableError
from worker.marketplaces.tracks import tracks_of, with_steps
from worker.marketplaces.values import UnreadableValueError, as_object, identifier, instant


class PartReader:
    """Reads parts of one account's orders. Where only the trace is refused, the parcels are told without it."""

    def __init__(self, account: str, caller: Caller, now_ms: Callable[[], Millis]) -> None:
        self._account = account
        self._caller = caller
        self._now_ms = now_ms

    async def logistics(self, order_id: str) -> Fact:
        """Return the tracks. An order that is not shipped yet has none: an answer, not a failure (documented)."""
        question = {"webSite": "1688", "orderId": order_id}
        asked_at = self._now_ms()
        try:
            answer = await self._caller.ask("1688.order.logistics", question)
        except RejectedError as error:
            if error.code != NOT_SHIPPED_YET:
                raise
            return self._fact(order_id, Snapshot(tracks=()), asked_at)
        rows = as_object(answer.data).get("result")
        if not isinstance(rows, list):
            raise UnreadableError(f"1688.order.logistics: the answer about order {order_id} has no list of parcels")
        tracks = tracks_of(rows)
        try:
            trace = as_object(await self._caller.read("1688.order.trace", question)).get("logisticsTrace")
        except RejectedError:  # none yet, or the order is older than a year (documented)
            trace = None
        return self._fact(order_id, Snapshot(tracks=with_steps(tracks, trace)), answer.asked_at)

    async def refund(self, order_id: str, refund_id: str) -> Fact:
        """Return a refund, dated by its own modification time."""
        answer = await self._caller.ask("1688.refund.detail", {"refundId": refund_id})
        model = _model(as_object(answer.data))
        try:
            seen = refund_of(model)
        except UnreadableValueError as error:
            raise UnreadableError(f"refund {refund_id}: {error}") from error
        if seen.refund_id != refund_id or identifier(model.get("orderId")) != order_id:
            raise UnreadableError(f"asked for refund {refund_id} of order {order_id}, the answer is about another one")
        detail = RefundDetail(seen, instant(model.get("gmtModified")))
        return self._fact(order_id, Snapshot(refund=detail), answer.asked_at)

    def _fact(self, order_id: str, content: Snapshot, asked_at: Millis) -> Fact:
        key = OrderKey(self._account, Platform.ALIBABA_1688, order_id)
        return Fact(key=key, source=Source.RESPONSE, content=content, observed_at=asked_at)


def _model(answer: dict[str, Any]) -> dict[str, Any]:
    """Return the refund, wrapped once or twice, below its name or not."""
    for block in (inner(answer), as_object(answer.get("result")), answer):
        found = as_object(block.get("opOrderRefundModelDetail")) or as_object(block.get("opOrderRefundModel"))
        if found:
            return found
    return inner(answer)
