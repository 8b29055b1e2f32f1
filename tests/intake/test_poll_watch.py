"""A stream that stays refused is told to people once, and taken back with the first poll that succeeds."""

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.intake.stage import NOW, Clock, Kept
from tests.intake.test_poller import ACCOUNT, PLAN, Ended, ListingMarketplace, make_poller
from tests.storage.database import connected, rows
from worker.intake.poll_watch import FAILING_AFTER, REFUSALS_BEFORE_TOLD, PollWatch
from worker.marketplaces.port import (
    MarketplaceError,
    RejectedError,
    RetryableError,
    Stream,
    ThrottledError,
    UnauthorisedError,
    UnreadableError,
)

CAUSE = "poll_failing:main:orders"


async def alerts(engine: AsyncEngine) -> list[tuple[str, bool]]:
    found = await rows(engine, "SELECT cause, resolved_at IS NULL AS is_open FROM alerts ORDER BY id")
    return [(row["cause"], row["is_open"]) for row in found]


def watch(engine: AsyncEngine, clock: Clock) -> PollWatch:
    return PollWatch(ACCOUNT, Stream.ORDERS_1688, engine, clock)


@pytest.mark.parametrize("error", [RetryableError("HTTP 502"), ThrottledError("HTTP 429")])
async def test_a_marketplace_that_is_away_is_told_once_it_lasts(engine: AsyncEngine, error: MarketplaceError) -> None:
    clock = Clock()
    watching = watch(engine, clock)
    for _ in range(10):
        await watching.failed(error)
    clock.now += FAILING_AFTER - 1
    await watching.failed(error)
    assert await alerts(engine) == []
    clock.now += 1
    for _ in range(3):
        await watching.failed(error)
    assert await alerts(engine) == [(CAUSE, True)]
    (row,) = await rows(engine, "SELECT title, details FROM alerts")
    assert row["details"]["failing_since_ms"] == NOW
    assert str(error) in row["title"]


@pytest.mark.parametrize("error", [UnauthorisedError("401"), RejectedError("no"), UnreadableError("shape")])
async def test_a_refusal_is_told_without_waiting(engine: AsyncEngine, error: MarketplaceError) -> None:
    watching = watch(engine, Clock())
    for _ in range(REFUSALS_BEFORE_TOLD - 1):
        await watching.failed(error)
    assert await alerts(engine) == []
    await watching.failed(error)
    assert await alerts(engine) == [(CAUSE, True)]


async def test_a_success_starts_the_count_again_and_takes_the_alert_back(engine: AsyncEngine) -> None:
    clock = Clock()
    watching = watch(engine, clock)
    for _ in range(REFUSALS_BEFORE_TOLD):
        await watching.failed(UnauthorisedError("401"))
    await watching.succeeded()
    assert await alerts(engine) == [(CAUSE, False)]
    clock.now += 2 * FAILING_AFTER
    await watching.failed(RetryableError("HTTP 502"))
    assert await alerts(engine) == [(CAUSE, False)]


async def test_a_process_takes_back_what_one_before_it_left_open(engine: AsyncEngine) -> None:
    before = watch(engine, Clock())
    for _ in range(REFUSALS_BEFORE_TOLD):
        await before.failed(UnauthorisedError("401"))
    await watch(engine, Clock()).succeeded()
    assert await alerts(engine) == [(CAUSE, False)]


async def test_the_loop_of_a_poller_tells_and_takes_back(engine: AsyncEngine) -> None:
    marketplace = ListingMarketplace(fails_on={1: UnauthorisedError("code 401")})
    failing = make_poller(marketplace, engine, kept=Kept(), rounds=REFUSALS_BEFORE_TOLD)
    with pytest.raises(Ended):
        await failing.run()
    assert await alerts(engine) == [(CAUSE, True)]
    marketplace.fails_on = {}
    with pytest.raises(Ended):
        await make_poller(marketplace, engine, kept=Kept(), plan=PLAN).run()
    assert await alerts(engine) == [(CAUSE, False)]


async def test_a_database_that_is_away_ends_no_loop() -> None:
    async with connected("postgresql://nobody@127.0.0.1:1/none") as away:
        watching = watch(away, Clock())
        await watching.succeeded()
        for _ in range(REFUSALS_BEFORE_TOLD):
            await watching.failed(UnauthorisedError("401"))
