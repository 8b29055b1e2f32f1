# ruff: noqa: ARG002 - its marketplace answers whatever it is asked
"""Parts of an order are read beside it where that is worth a call, and a part that cannot be read spoils nothing."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.followups.stage import SKEW, FakeMarketplace, Stage
from tests.reconcile.stage import order
from tests.storage.database import rows
from worker.domain.facts import (
    Amounts,
    Fact,
    Lifecycle,
    LogisticsSeen,
    Parcel,
    ParcelTrack,
    RefundDetail,
    RefundSeen,
    Snapshot,
    Source,
)
from worker.domain.identity import Platform
from worker.followups.parts import Parts
from worker.followups.refresh import Refresh
from worker.marketplaces.port import MarketplaceError, Part, RejectedError, RetryableError

PARCEL = Parcel("56001", waybill="SF0001", code="LP1")


@dataclass
class WithParts(FakeMarketplace):
    """Tells of logistics and refunds as well, unless it is told to fail."""

    tracks: tuple[ParcelTrack, ...] = (ParcelTrack("LP1", waybill="SF0001", status_word="SIGN"),)
    parts: frozenset[Part] = frozenset(Part)
    part_failure: MarketplaceError | None = None
    asked: list[tuple[Part, str]] = field(default_factory=list)

    def reads_part(self, platform: Platform, part: Part) -> bool:
        return part in self.parts

    async def read_logistics(self, platform: Platform, order_id: str, line_ids: Sequence[str]) -> Fact:
        self.asked.append((Part.LOGISTICS, order_id))
        return self._part(order_id, Snapshot(tracks=self.tracks))

    async def read_refund(self, platform: Platform, order_id: str, refund_id: str) -> Fact:
        self.asked.append((Part.REFUND, refund_id))
        return self._part(order_id, Snapshot(refund=RefundDetail(RefundSeen(refund_id, "refundsuccess", amount=500))))

    def _part(self, order_id: str, content: Snapshot) -> Fact:
        if self.part_failure is not None:
            raise self.part_failure
        return Fact(order(order_id), Source.RESPONSE, content, observed_at=self.clock.now_ms())


def make(engine: AsyncEngine, market: WithParts) -> Stage:
    stage = Stage(engine, market)
    jitter = random.Random(1)  # noqa: S311 - pauses
    parts = Parts(market, stage.publisher, stage.clock, skew=SKEW)
    stage.refresh = Refresh(market, stage.publisher, engine, stage.clock, jitter, parts=parts)
    shipped = Lifecycle("waitbuyerreceive", modified_at=stage.ago(60), paid=True)
    refunds = (RefundSeen("TQ1", "waitselleragree"),)
    market.shown["1"] = Snapshot(shipped, Amounts(10_000), parcels=(PARCEL,), refunds=refunds)
    return stage


async def shown(engine: AsyncEngine) -> list[dict[str, object]]:
    return await rows(engine, "SELECT refund_id, status, amount_minor FROM refunds")


async def test_a_read_of_the_order_brings_its_parcels_and_its_refunds(engine: AsyncEngine) -> None:
    market = WithParts()
    stage = make(engine, market)
    await stage.hear("waitbuyerreceive")
    await stage.read_due()
    assert market.asked == [(Part.LOGISTICS, "1"), (Part.REFUND, "TQ1")]
    assert await shown(engine) == [{"refund_id": "TQ1", "status": "succeeded", "amount_minor": 500}]
    assert await rows(engine, "SELECT waybill, tracked, signed FROM parcels") == [
        {"waybill": "SF0001", "tracked": "SIGN", "signed": True}
    ]
    found = await rows(
        engine, "SELECT payload FROM outbox WHERE type = 'parcels_changed' ORDER BY sequence DESC LIMIT 1"
    )
    assert [parcel["tracked"] for parcel in found[0]["payload"]["after"]] == ["SIGN"]


async def test_nothing_is_asked_twice_for_the_same_news(engine: AsyncEngine) -> None:
    market = WithParts()
    stage = make(engine, market)
    for word in ("waitbuyerreceive", "waitbuyerreceive"):
        await stage.hear(word)
        await stage.make_due()
        await stage.read_due()
    assert market.asked == [(Part.LOGISTICS, "1"), (Part.REFUND, "TQ1")]


async def test_messages_about_a_parcel_or_a_refund_ask_for_them_again(engine: AsyncEngine) -> None:
    market = WithParts(tracks=(ParcelTrack("LP1", status_word="TRANSPORT"),))
    stage = make(engine, market)
    await stage.hear("waitbuyerreceive")
    await stage.read_due()
    market.asked.clear()
    later = stage.clock.now_ms() + 60_000
    moved = Fact(order("1"), Source.CALLBACK, LogisticsSeen("LOGISTICS_BUYER_VIEW_TRACE"), later, later)
    refunded = Fact(order("1"), Source.CALLBACK, RefundSeen("TQ1", "refundsuccess"), later, later)
    await stage.tell(moved, refunded)
    await stage.make_due()
    await stage.read_due()
    assert market.asked == [(Part.LOGISTICS, "1"), (Part.REFUND, "TQ1")]


@pytest.mark.parametrize("failure", [RetryableError("HTTP 502"), RejectedError("no permission")])
async def test_a_part_that_cannot_be_read_spoils_no_read_of_the_order(
    engine: AsyncEngine, failure: MarketplaceError
) -> None:
    market = WithParts(part_failure=failure)
    stage = make(engine, market)
    await stage.hear("waitbuyerreceive")
    await stage.read_due()
    (read,) = await rows(engine, "SELECT state, failures FROM follow_ups WHERE effect = 'refresh'")
    assert (read["state"], read["failures"]) == ("succeeded", 0)
    assert len(market.asked) == 2
    assert await rows(engine, "SELECT unconfirmed FROM orders") == [{"unconfirmed": False}]


async def test_a_part_that_the_account_may_not_read_is_left_alone_for_an_hour(engine: AsyncEngine) -> None:
    denied = RejectedError("this app has no permission for it", code="gw.APIACLDecline")
    market = WithParts(part_failure=denied)
    stage = make(engine, market)
    for _ in range(3):
        await stage.hear("waitbuyerreceive")
        await stage.make_due()
        await stage.read_due()
    assert market.asked == [(Part.LOGISTICS, "1"), (Part.REFUND, "TQ1")]


async def test_what_the_api_has_not_is_not_asked_for(engine: AsyncEngine) -> None:
    market = WithParts(parts=frozenset())
    stage = make(engine, market)
    await stage.hear("waitbuyerreceive")
    await stage.read_due()
    assert market.asked == []
    assert msgspec.json.encode(market.shown["1"])
