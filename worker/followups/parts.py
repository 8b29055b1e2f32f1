"""Reads of parts of an order beside the fresh read of the whole: its logistics, its refunds."""

from __future__ import annotations

import asyncio

import structlog

from worker.broker.durable import DurablePublisher, NotDurableError
from worker.broker.envelope import fact_event
from worker.domain.clock import HOUR, Clock, Millis
from worker.domain.facts import Fact
from worker.domain.identity import Platform
from worker.domain.part_reads import PartReads, wanted_part_reads
from worker.domain.reducer import Order, apply
from worker.followups.metrics import PART_READS
from worker.marketplaces.port import Marketplace, MarketplaceError, Part, RejectedError
from worker.storage.follow_up_claims import Claim

BUDGET_S = 30.0
"""For all parts of one order together; what is left over comes with its next read."""
DENIED_FOR: Millis = HOUR
"""How long a kind of part is not asked for after the account was told that it may not read it."""
_NO_PERMISSION = "gw.APIACLDecline"
_log = structlog.get_logger()


class Parts:
    """Reads the parts that are worth it, and publishes each answer as a fact like any other."""

    def __init__(self, marketplace: Marketplace, publisher: DurablePublisher, clock: Clock, *, skew: Millis) -> None:
        self._marketplace = marketplace
        self._publisher = publisher
        self._clock = clock
        self._skew = skew
        self._denied_until: dict[Part, Millis] = {}

    async def read(self, held: Claim, fact: Fact) -> None:
        """Read what `fact`, the order's own fresh read, leaves to be wished. What cannot be read is left out."""
        known = Order.of(held.key, held.evidence, self._skew)
        order = apply(known, fact, fact.derive_id(), self._skew).order
        wanted = wanted_part_reads(order, self._clock.now_ms(), self._skew)
        try:
            async with asyncio.timeout(BUDGET_S):
                await self._read(held, order, wanted)
        except TimeoutError:
            _log.warning("the parts of an order took too long", order=str(held.key))

    async def _read(self, held: Claim, order: Order, wanted: PartReads) -> None:
        platform = held.key.platform
        if wanted.logistics and self._may_read(platform, Part.LOGISTICS):
            line_ids = [line.line_id for line in order.view.lines]
            await self._one(held, Part.LOGISTICS, line_ids)
        for refund_id in wanted.refund_ids:
            if self._may_read(platform, Part.REFUND):
                await self._one(held, Part.REFUND, [refund_id])

    def _may_read(self, platform: Platform, part: Part) -> bool:
        denied_until = self._denied_until.get(part, 0)
        return self._clock.now_ms() >= denied_until and self._marketplace.reads_part(platform, part)

    async def _one(self, held: Claim, part: Part, ids: list[str]) -> None:
        try:
            await self._publisher.publish(fact_event(await self._ask(held, part, ids)))
        except (MarketplaceError, NotDurableError) as error:
            reason = f"{type(error).__name__}: {error}"[:300]
            _log.warning("a part of an order was not read", order=str(held.key), part=part.value, reason=reason)
            PART_READS.labels(part.value, type(error).__name__).inc()
            if isinstance(error, RejectedError) and error.code == _NO_PERMISSION:
                self._denied_until[part] = self._clock.now_ms() + DENIED_FOR
        else:
            PART_READS.labels(part.value, "read").inc()

    async def _ask(self, held: Claim, part: Part, ids: list[str]) -> Fact:
        if part is Part.LOGISTICS:
            return await self._marketplace.read_logistics(held.key.platform, held.key.order_id, ids)
        return await self._marketplace.read_refund(held.key.platform, held.key.order_id, ids[0])
