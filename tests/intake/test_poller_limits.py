"""A list that misbehaves: nothing is skipped for it, the cursor never goes back, and people are told."""

import msgspec
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.intake.stage import NOT_DURABLE, NOW, Clock, Kept
from tests.intake.test_poller import PLAN, Ended, ListingMarketplace, cursor, make_poller, orders, seen
from worker.broker.envelope import Event
from worker.domain.clock import MINUTE, Millis, to_datetime
from worker.intake.poller import MAX_PAGES, MAX_PAGES_PER_WINDOW, SHORTEST_WINDOW, TOLD_AFTER
from worker.marketplaces.port import ListPage, RetryableError, Stream, UnreadableError

UNREADABLE = UnreadableError("no JSON object")


class Crowded(ListingMarketplace):
    """Says so many pages of every window, however short; each holds the same order."""

    said = MAX_PAGES_PER_WINDOW + 1

    async def list_modified(self, _stream: Stream, since: Millis, until: Millis, page: int) -> ListPage:
        self.asked.append((since, until, page))
        return ListPage((self._fact(f"page{page}", until),), (), self.said)


async def test_the_shortest_window_is_read_whole_even_if_it_has_too_many_pages(engine: AsyncEngine) -> None:
    marketplace, kept = Crowded(), Kept()
    plan = msgspec.structs.replace(PLAN, overlap_s=SHORTEST_WINDOW / 1_000)
    assert await make_poller(marketplace, engine, kept=kept, plan=plan).poll_once() == marketplace.said
    assert seen(kept) == {f"page{number}" for number in range(1, marketplace.said + 1)}


async def test_a_count_of_pages_that_cannot_be_is_not_walked(engine: AsyncEngine) -> None:
    marketplace, kept = Crowded(), Kept()
    marketplace.said = MAX_PAGES + 1
    with pytest.raises(UnreadableError, match=r"2001 pages in \d+ s; at most 2000"):
        await make_poller(marketplace, engine, kept=kept).poll_once()
    assert kept.events == []
    assert len(marketplace.asked) < 10


async def test_failures_behind_a_halved_window_do_not_take_the_cursor_back(engine: AsyncEngine) -> None:
    clock = Clock()
    await make_poller(ListingMarketplace(), engine, clock=clock).poll_once()
    clock.now += 2 * MINUTE

    class FailsLater(Crowded):
        async def list_modified(self, stream: Stream, since: Millis, until: Millis, page: int) -> ListPage:
            if since > NOW - 5 * MINUTE:
                raise RetryableError("HTTP 502")
            return await super().list_modified(stream, since, until, page)

    for _ in range(3):
        with pytest.raises(RetryableError):
            await make_poller(FailsLater(), engine, clock=clock).poll_once()
        assert await cursor(engine) == to_datetime(NOW)


async def test_an_unreadable_list_is_told_once_and_nothing_of_it_is_skipped(engine: AsyncEngine) -> None:
    clock, kept = Clock(), Kept()
    marketplace = ListingMarketplace(orders(7), fails_on={2: UNREADABLE})
    await make_poller(ListingMarketplace(), engine, clock=Clock(NOW - MINUTE)).poll_once()
    poller = make_poller(marketplace, engine, kept=kept, clock=clock)
    for _ in range(TOLD_AFTER + 2):
        with pytest.raises(UnreadableError):
            await poller.poll_once()
        clock.now += MINUTE
    assert [one.reason for one in kept.unrecognised] == ["whole list: orders cannot be read: no JSON object"]
    assert await cursor(engine) == to_datetime(NOW - MINUTE)
    marketplace.fails_on.clear()
    await poller.poll_once()
    assert seen(kept) == set(marketplace.modified)


async def test_an_unreadable_list_that_recovers_in_time_is_nobodys_concern(engine: AsyncEngine) -> None:
    kept, marketplace = Kept(), ListingMarketplace()
    poller = make_poller(marketplace, engine, kept=kept)
    for _ in range(3):
        marketplace.fails_on = {1: UNREADABLE}
        for _ in range(TOLD_AFTER - 1):
            with pytest.raises(UnreadableError):
                await poller.poll_once()
        marketplace.fails_on = {}
        await poller.poll_once()
    assert kept.unrecognised == []


async def test_what_could_not_be_told_is_told_by_the_next_round(engine: AsyncEngine) -> None:
    class FailsOnce(Kept):
        failed = False

        async def publish(self, event: Event) -> None:
            if not self.failed:
                self.failed = True
                raise NOT_DURABLE
            await super().publish(event)

    kept = FailsOnce()
    poller = make_poller(ListingMarketplace(fails_on={1: UNREADABLE}), engine, kept=kept)
    for expected in [UnreadableError] * (TOLD_AFTER - 1) + [type(NOT_DURABLE), UnreadableError, UnreadableError]:
        with pytest.raises(expected):
            await poller.poll_once()
    assert len(kept.unrecognised) == 1


async def test_each_page_of_a_long_walk_is_progress(engine: AsyncEngine) -> None:
    """Else /livez would have a process restarted that is only busy."""
    beats: list[int] = []
    poller = make_poller(ListingMarketplace(orders(30)), engine)
    with pytest.raises(Ended):
        await poller.run(lambda: beats.append(1))
    assert len(beats) >= 10
