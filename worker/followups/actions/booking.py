"""The international logistics order: previewed, its price held against the limit, then booked with the preview's id."""

from __future__ import annotations

import msgspec

from worker.broker.durable import DurablePublisher
from worker.broker.envelope import fact_event
from worker.domain.clock import Clock
from worker.domain.facts import BookingSeen, Fact, Source
from worker.domain.handover import decide_booking, decide_freight, live_lines
from worker.domain.policy import Effect, Policy, Verdict
from worker.domain.view import View
from worker.followups.fresh import FreshReads
from worker.followups.perform import Judged
from worker.marketplaces.port import (
    EffectAnswer,
    EffectOutcome,
    FreightQuestion,
    FreightService,
    Marketplace,
    NotSentError,
    Receiver,
    UnsupportedError,
)
from worker.storage.follow_up_claims import Claim


class FreightDefaults(msgspec.Struct, frozen=True):
    """Where an account's orders go, and how, unless a plan says otherwise."""

    receiver: Receiver | None = None
    service: FreightService | None = None


class BookInternational:
    """Books the way abroad, once per set of parcels."""

    effect = Effect.BOOK_INTERNATIONAL
    operation = "warehouse_book_international"
    spends = True

    def __init__(
        self,
        marketplace: Marketplace,
        reads: FreshReads,
        publisher: DurablePublisher,
        clock: Clock,
        *,
        policy: Policy,
        defaults: FreightDefaults,
    ) -> None:
        self._marketplace = marketplace
        self._reads = reads
        self._publisher = publisher
        self._clock = clock
        self._policy = policy
        self._defaults = defaults

    async def judge(self, held: Claim) -> Judged:
        """Judge the booking on a fresh read and a fresh preview: its id expires, so each attempt has its own."""
        fresh = await self._reads.read(held)
        decision = decide_booking(fresh.order.view, held.purpose, now_unconfirmed=fresh.in_doubt)
        if decision.verdict is not Verdict.PROCEED:
            return Judged(decision, fresh.evidence)
        question = self._question(held, fresh.order.view)
        quote = await self._marketplace.preview_freight(question)
        decision = decide_freight(quote.amount, quote.currency, self._policy, held.plan, held.approved)

        async def call(_attempt: int) -> EffectAnswer:
            if quote.expires_at is not None and quote.expires_at <= self._clock.now_ms():
                raise NotSentError("the preview expired before it was booked; it is previewed again")
            return await self._marketplace.book_international(question, quote.render_id)

        evidence = fresh.evidence | {"quote_minor": quote.amount, "currency": quote.currency}
        request = {"order_id": held.key.order_id, "render_id": quote.render_id, "service": quote.service.service_id}
        return Judged(decision, evidence, request, call, holds_here=True)

    async def answered(self, held: Claim, answer: EffectAnswer) -> None:
        """Make the booked number a fact of the order: it survives even if the ledger cannot be written."""
        if answer.outcome is EffectOutcome.DONE and answer.reference:
            seen = BookingSeen(answer.reference)
            await self._publisher.publish(fact_event(Fact(held.key, Source.RESPONSE, seen, self._clock.now_ms())))

    def _question(self, held: Claim, view: View) -> FreightQuestion:
        plan = held.plan
        receiver, service = self._defaults.receiver, self._defaults.service
        if plan.receiver is not None:
            receiver = receiver_of(plan.receiver)
        if plan.freight is not None:
            service = FreightService(plan.freight.service_id, plan.freight.company, plan.freight.category)
        if receiver is None or service is None:
            raise UnsupportedError("neither the plan nor the account names a receiver and a freight service")
        remark = (plan.freight.remark if plan.freight else "") or plan.own_order_number or ""
        lines = live_lines(view)
        return FreightQuestion(held.key.platform, held.key.order_id, receiver, service, lines, remark)


def receiver_of(planned: dict[str, str]) -> Receiver:
    """Return a plan's receiver as the warehouse's form has it: that has no district, so it goes with the address."""
    known = {name: text for name, text in planned.items() if name in Receiver.__struct_fields__}
    if district := planned.get("district"):
        known["address"] = f"{known['address']}, {district}"
    return Receiver(**known)
