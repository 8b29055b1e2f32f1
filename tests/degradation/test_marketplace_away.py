"""The marketplace goes away under many orders: it is left alone, people hear of it once, nobody stampedes back."""

from collections import Counter
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncEngine

from tests.followups.stage import FakeMarketplace, Stage
from tests.reconcile.stage import order
from tests.storage.database import rows, value
from worker.broker.envelope import Event, fact_event
from worker.domain.facts import Fact, Source, StatusSeen
from worker.domain.identity import Platform
from worker.followups.backoff import LONGEST_PAUSE
from worker.followups.refresh import ALERT_AFTER_FAILURES
from worker.marketplaces.breaker import FIRST_PAUSE_S, LONGEST_PAUSE_S, THRESHOLD, Breaker
from worker.marketplaces.port import RetryableError

ORDERS = 150
CONCURRENCY = 4


@dataclass
class Away(FakeMarketplace):
    """Behind a circuit breaker, as every client is; `asked` counts what would really have left."""

    minutes: float = 0.0
    away: bool = True
    asked: int = 0
    breaker: Breaker = field(init=False)

    def __post_init__(self) -> None:
        self.breaker = Breaker(lambda: self.minutes * 60)

    async def read_order(self, platform: Platform, order_id: str, source: Source) -> Fact:
        self.breaker.before_call()
        self.asked += 1
        if self.away:
            self.breaker.failed(None)
            raise RetryableError("no connection")
        self.breaker.succeeded()
        return await super().read_order(platform, order_id, source)


async def waiting(engine: AsyncEngine) -> Stage:
    """Every order was heard of and waits for a read."""
    stage = Stage(engine, Away())
    for number in range(ORDERS):
        stage.market.show(f"{number}", "waitbuyerpay", older_s=120)
        await stage.publisher.publish(_heard(stage, number))
    await stage.catch_up()
    assert await stage.wanted_reads() == ORDERS
    return stage


def _heard(stage: Stage, number: int) -> Event:
    at = stage.ago(1)
    return fact_event(Fact(order(number), Source.CALLBACK, StatusSeen("waitbuyerpay"), at, at))


async def test_it_is_asked_now_and_then_and_one_alert_tells_of_it(engine: AsyncEngine) -> None:
    stage = await waiting(engine)
    market = stage.market
    assert isinstance(market, Away)
    rounds = ALERT_AFTER_FAILURES + 3
    for _ in range(rounds):
        await stage.make_due()
        await stage.read_due()
        market.minutes += 1
    # Without a circuit it would have been asked once per order and round.
    trials = 1 + rounds * 60 / FIRST_PAUSE_S
    assert THRESHOLD <= market.asked <= THRESHOLD + CONCURRENCY + trials
    assert market.asked < ORDERS
    assert await stage.open_alerts() == ["marketplace_away"]
    assert await value(engine, "SELECT count(*) FROM alert_notices") == 1
    assert await value(engine, "SELECT count(*) FROM follow_ups") == ORDERS, "the backlog is one row per order"
    assert await stage.wanted_reads() == ORDERS, "nothing is given up"


async def test_what_waits_comes_back_spread_out_and_is_read_once(engine: AsyncEngine) -> None:
    stage = await waiting(engine)
    market = stage.market
    assert isinstance(market, Away)
    for _ in range(10):
        await stage.make_due()
        await stage.read_due()
        market.minutes += 1
    due = await rows(engine, "SELECT due_at - updated_at AS pause FROM follow_ups")
    pauses = [row["pause"].total_seconds() for row in due]
    assert max(pauses) <= LONGEST_PAUSE / 1000 * 1.3
    per_second = Counter(int(pause) for pause in pauses)
    assert max(per_second.values()) <= ORDERS / 10, "no second in which everybody comes at once"
    market.away = False
    market.minutes += LONGEST_PAUSE_S / 60
    before = market.asked
    await stage.make_due()
    await stage.read_due()
    assert market.asked - before == ORDERS
    assert await stage.wanted_reads() == 0
    assert await stage.open_alerts() == []


async def test_an_order_that_alone_cannot_be_read_is_still_told_by_itself(engine: AsyncEngine) -> None:
    stage = await waiting(engine)
    market = stage.market
    assert isinstance(market, Away)
    market.away = False
    market.read_failures = [RetryableError("HTTP 502")] * 10_000
    for _ in range(ALERT_AFTER_FAILURES):
        await stage.make_due()
        await stage.read_due()
    assert set(await stage.open_alerts()) == {"refresh_failing"}
