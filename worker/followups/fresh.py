"""The read before an effect: asked for this very decision, published like any other, judged with all that is known."""

from __future__ import annotations

from typing import Any

import msgspec

from worker.broker.durable import DurablePublisher
from worker.broker.envelope import fact_event
from worker.domain.clock import Millis
from worker.domain.facts import Source
from worker.domain.reducer import Order, apply
from worker.marketplaces.port import Marketplace
from worker.storage.follow_up_claims import Claim


class Fresh(msgspec.Struct, frozen=True):
    """The order as the fresh read leaves it. `in_doubt`: something newer than the read has been heard of."""

    order: Order
    in_doubt: bool
    asked_at: Millis
    evidence: dict[str, Any]


class FreshReads:
    """Reads orders afresh for the effects of one account."""

    def __init__(self, marketplace: Marketplace, publisher: DurablePublisher, skew: Millis) -> None:
        self._marketplace = marketplace
        self._publisher = publisher
        self._skew = skew

    def known(self, held: Claim) -> Order:
        """Return the order as it was when the follow-up was claimed."""
        return Order.of(held.key, held.evidence, self._skew)

    async def read(self, held: Claim) -> Fresh:
        """Read the order, publish the answer, apply it. Raises MarketplaceError, NotDurableError."""
        fact = await self._marketplace.read_order(held.key.platform, held.key.order_id, Source.RESPONSE)
        event = fact_event(fact)
        await self._publisher.publish(event)
        fact_id = event.headers["ce_id"]
        order = apply(self.known(held), fact, fact_id, self._skew).order
        decisive = (order.evidence.lifecycle, order.evidence.amounts)
        stale_read = any(best is None or best.version.fact_id != fact_id for best in decisive)
        evidence = {"fact_id": fact_id, "asked_at": fact.observed_at, "plan_version": held.plan.version}
        return Fresh(order, order.view.unconfirmed or stale_read, fact.observed_at, evidence)
