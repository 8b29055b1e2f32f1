"""When a seller does not deliver, or asks too much, articles that look alike are looked for; nothing is bought."""

import random
from typing import Any

import msgspec
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.followups.stage import FakeMarketplace, Stage
from tests.reconcile.stage import PAYING
from tests.storage.database import rows, value
from worker.domain.facts import Amounts, Lifecycle, Line, Snapshot
from worker.domain.policy import Effect
from worker.followups.executor import Executor
from worker.followups.substitutes import GIVE_UP_AFTER, Substitutes
from worker.marketplaces.port import MarketplaceError, Offer, RetryableError
from worker.storage.wakeup import Wakeups

IMAGE = "https://cbu01.alicdn.com/img/1.jpg"
OFFER = Offer("610", "Cup", 1_230, 900, "15%", "https://cbu01.alicdn.com/img/2.jpg")
OFFER_OF_THE_PICTURE = Offer("a-name-of-its-own", "Cup", 1_000, 900, "15%", IMAGE)
LINES = (Line("11", product_id="600", image_url=IMAGE), Line("12"))


class Searching(FakeMarketplace):
    """Finds what it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: tuple[Offer, ...] | MarketplaceError = (OFFER,)
        self.searches: list[str] = []

    async def find_similar(self, image_url: str, limit: int) -> tuple[Offer, ...]:
        self.searches.append(image_url)
        if isinstance(self.found, MarketplaceError):
            raise self.found
        return self.found[:limit]


class Sourcing(Stage):
    """A stage whose account looks for substitutes."""

    def __init__(self, engine: AsyncEngine) -> None:
        super().__init__(engine, Searching(), policy=msgspec.structs.replace(PAYING, find_substitutes=True))
        self.substitutes = Substitutes(self.market, engine, self.clock, random.Random(1))  # noqa: S311 - pauses

    @property
    def searching(self) -> Searching:
        assert isinstance(self.market, Searching)
        return self.market

    async def search(self) -> None:
        wakeups = Wakeups("postgresql://unused")
        effect = Effect.FIND_SUBSTITUTES
        executor = Executor("main", effect, self.substitutes, self.engine, wakeups, concurrency=2, idle_s=0.05)
        await executor.drain()

    async def shown(self, word: str, total: int = 10_000, reason: str | None = None) -> None:
        life = Lifecycle(word, modified_at=self.clock.now_ms(), close_reason=reason)
        self.market.shown["1"] = Snapshot(life, Amounts(total), lines=LINES)
        await self.hear(word)
        await self.make_due()
        await self.executor(Effect.REFRESH).drain()
        await self.catch_up()


@pytest.fixture
async def stage(engine: AsyncEngine) -> Sourcing:
    return Sourcing(engine)


async def alerts(stage: Stage) -> list[dict[str, Any]]:
    return await rows(stage.engine, "SELECT * FROM alerts WHERE kind = 'substitutes_found'")


async def test_goods_that_the_seller_lacks_are_looked_for_by_their_picture(stage: Sourcing) -> None:
    await stage.shown("cancel", reason="sellerGoodsLack")
    await stage.search()
    assert stage.searching.searches == [IMAGE], "a line without a picture cannot be searched by one"
    (alert,) = await alerts(stage)
    (offer,) = alert["details"]["offers"]
    assert (offer["offer_id"], offer["price_minor"], offer["sold_monthly"]) == ("610", 1_230, 900)
    assert offer["repurchase_rate"] == "15%"


async def test_a_price_beyond_the_tolerance_is_a_reason_to_look_around(stage: Sourcing) -> None:
    await stage.shown("waitbuyerpay", 10_000)
    await stage.search()
    assert stage.searching.searches == []
    await stage.shown("waitbuyerpay", 12_000)
    await stage.search()
    assert stage.searching.searches == [IMAGE]
    assert stage.market.calls == []


@pytest.mark.parametrize("reason", ["buyerCancel", None])
async def test_an_order_closed_for_another_reason_is_let_go(stage: Sourcing, reason: str | None) -> None:
    await stage.shown("cancel", reason=reason)
    await stage.search()
    assert stage.searching.searches == []


async def test_a_search_is_made_once(stage: Sourcing) -> None:
    for _ in range(3):
        await stage.shown("cancel", reason="sellerGoodsLack")
        await stage.search()
    assert len(stage.searching.searches) == 1
    assert len(await alerts(stage)) == 1


@pytest.mark.parametrize(
    "itself",
    [Offer("600", "Cup", 999, 5_000, "40%", "https://cbu01.alicdn.com/img/1.80x80.jpg"), OFFER_OF_THE_PICTURE],
    ids=["by its id", "by its picture"],
)
async def test_the_article_that_does_not_come_is_no_substitute_for_itself(stage: Sourcing, itself: Offer) -> None:
    others = tuple(msgspec.structs.replace(OFFER, offer_id=f"61{number}") for number in range(6))
    stage.searching.found = (itself, *others)
    await stage.shown("cancel", reason="sellerGoodsLack")
    await stage.search()
    (alert,) = await alerts(stage)
    assert [offer["offer_id"] for offer in alert["details"]["offers"]] == ["610", "611", "612", "613", "614"]


async def test_nothing_but_the_article_itself_is_no_alert(stage: Sourcing) -> None:
    stage.searching.found = (OFFER_OF_THE_PICTURE,)
    await stage.shown("cancel", reason="sellerGoodsLack")
    await stage.search()
    assert await alerts(stage) == []


async def test_nothing_found_is_no_alert(stage: Sourcing) -> None:
    stage.searching.found = ()
    await stage.shown("cancel", reason="sellerGoodsLack")
    await stage.search()
    assert await alerts(stage) == []
    assert await value(stage.engine, "SELECT state FROM follow_ups WHERE effect = 'find_substitutes'") == "succeeded"


async def test_a_search_that_fails_is_tried_again_and_given_up_in_the_end(stage: Sourcing) -> None:
    stage.searching.found = RetryableError("HTTP 502")
    await stage.shown("cancel", reason="sellerGoodsLack")
    for _ in range(GIVE_UP_AFTER + 3):
        await stage.make_due()
        await stage.search()
    assert len(stage.searching.searches) == GIVE_UP_AFTER
    (row,) = await rows(stage.engine, "SELECT state, reason FROM follow_ups WHERE effect = 'find_substitutes'")
    assert (row["state"], row["reason"]) == ("rejected", "RetryableError: HTTP 502")


async def test_an_account_that_does_not_want_it_searches_nothing(engine: AsyncEngine) -> None:
    stage = Stage(engine)
    stage.market.shown["1"] = Snapshot(
        Lifecycle("cancel", modified_at=stage.clock.now_ms(), close_reason="sellerGoodsLack"), Amounts(1), lines=LINES
    )
    await stage.hear("cancel")
    await stage.make_due()
    await stage.executor(Effect.REFRESH).drain()
    await stage.catch_up()
    assert await value(engine, "SELECT count(*) FROM follow_ups WHERE effect = 'find_substitutes'") == 0
