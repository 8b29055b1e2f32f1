"""What no callback told, the list tells: every order once at least, one poller at a time, and never a gap behind it."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

import msgspec
import pytest
from prometheus_client import REGISTRY
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.bare_marketplace import BareMarketplace
from tests.intake.stage import NOT_DURABLE, NOW, Clock, Kept
from tests.storage.database import connected, execute, value
from worker.broker.durable import DurablePublisher
from worker.broker.envelope import Event
from worker.domain.clock import SECOND, Millis, to_datetime
from worker.domain.facts import Fact, Source, StatusSeen
from worker.domain.identity import OrderKey, Platform
from worker.intake.poller import MAX_PAGES_PER_WINDOW, PollPlan, StreamPoller
from worker.intake.polling import BACKFILL_PAUSE_S, FAILURE_FACTOR_MAX, THROTTLED_FACTOR
from worker.marketplaces.port import ListPage, RetryableError, Stream, ThrottledError, UnauthorisedError

ACCOUNT = "main"
PAGE_SIZE = 3
PLAN = PollPlan(ACCOUNT, Stream.ORDERS_1688, interval_s=60, overlap_s=300, backfill_s=0)
WITH_PAST = msgspec.structs.replace(PLAN, backfill_s=10 * 86_400)
BEFORE_EACH_PAGE = Callable[[int], None]


@dataclass
class ListingMarketplace(BareMarketplace):
    """Lists orders by modification time, newest first, in small pages; `meanwhile` happens before each page."""

    modified: dict[str, Millis] = field(default_factory=dict)
    poison: frozenset[str] = frozenset()
    asked: list[tuple[Millis, Millis, int]] = field(default_factory=list)
    fails_on: dict[int, Exception] = field(default_factory=dict)
    meanwhile: BEFORE_EACH_PAGE = lambda _page: None
    gate: asyncio.Event | None = None

    async def list_modified(self, _stream: Stream, since: Millis, until: Millis, page: int) -> ListPage:
        self.asked.append((since, until, page))
        if self.gate is not None:
            await self.gate.wait()
        self.meanwhile(page)
        if page in self.fails_on:
            raise self.fails_on[page]
        found = sorted((at, name) for name, at in self.modified.items() if since <= at <= until)[::-1]
        rows = found[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]
        return ListPage(
            tuple(self._fact(name, at) for at, name in rows if name not in self.poison),
            tuple(("baseInfo.status is missing", name.encode()) for _, name in rows if name in self.poison),
            max(1, -(-len(found) // PAGE_SIZE)),
        )

    def _fact(self, name: str, at: Millis) -> Fact:
        key = OrderKey(ACCOUNT, Platform.ALIBABA_1688, name)
        return Fact(key, Source.POLL, StatusSeen("waitbuyerpay"), observed_at=NOW, provider_time=at)


class Ended(Exception):  # noqa: N818 - not an error, the end of the test
    """Raised by a sleep, to end a loop that does not end by itself."""


def make_poller(
    marketplace: ListingMarketplace,
    engine: AsyncEngine,
    *,
    kept: Kept | None = None,
    clock: Clock | None = None,
    sleeps: list[float] | None = None,
    rounds: int = 1,
    plan: PollPlan = PLAN,
) -> StreamPoller:
    slept = sleeps if sleeps is not None else []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == rounds:
            raise Ended

    return StreamPoller(
        plan,
        marketplace,
        cast("DurablePublisher", kept or Kept()),
        engine,
        clock or Clock(),
        sleep=sleep,
        jitter=random.Random(1),  # noqa: S311 - the same pauses in every run
    )


async def cursor(engine: AsyncEngine) -> datetime | None:
    found: datetime | None = await value(
        engine, "SELECT position FROM cursors WHERE account = 'main' AND stream = 'orders'"
    )
    return found


def orders(count: int, *, every: Millis = SECOND) -> dict[str, Millis]:
    return {f"order{number}": NOW - number * every for number in range(1, count + 1)}


def seen(kept: Kept) -> set[str]:
    return {fact.key.order_id for fact in kept.facts}


async def test_the_first_window_is_the_news_and_the_past_comes_after_it(engine: AsyncEngine) -> None:
    marketplace = ListingMarketplace()
    poller = make_poller(marketplace, engine, plan=WITH_PAST)
    assert await poller.poll_once() == 0
    day = 86_400_000
    assert marketplace.asked == [(NOW - 300_000, NOW, 1), (NOW - 10 * day, NOW - 9 * day, 1)]
    assert await cursor(engine) == to_datetime(NOW)
    assert poller.is_behind


async def test_each_window_overlaps_the_one_before(engine: AsyncEngine) -> None:
    marketplace, clock = ListingMarketplace(), Clock()
    poller = make_poller(marketplace, engine, clock=clock)
    await poller.poll_once()
    clock.now += 60_000
    await poller.poll_once()
    assert marketplace.asked[1] == (NOW - 300_000, NOW + 60_000, 1)
    assert await cursor(engine) == to_datetime(NOW + 60_000)


async def test_a_clock_that_was_put_back_still_asks_for_a_window(engine: AsyncEngine) -> None:
    marketplace, clock = ListingMarketplace(), Clock()
    poller = make_poller(marketplace, engine, clock=clock)
    await poller.poll_once()
    clock.now -= 3_600_000
    await poller.poll_once()
    since, until, _ = marketplace.asked[1]
    assert (since, until) == (clock.now - 300_000, clock.now)


async def test_pages_are_read_from_the_last_to_the_first(engine: AsyncEngine) -> None:
    marketplace, kept = ListingMarketplace(orders(10)), Kept()
    assert await make_poller(marketplace, engine, kept=kept).poll_once() == 10
    assert [page for _, _, page in marketplace.asked] == [1, 4, 3, 2, 1]
    assert seen(kept) == set(marketplace.modified)
    assert len({(since, until) for since, until, _ in marketplace.asked}) == 1, "the window stands still"


async def test_rows_that_shift_between_pages_are_not_skipped(engine: AsyncEngine) -> None:
    """An order that changes during the walk leaves the window: it is the next window's, all others are this one's."""
    for seed in range(40):
        await execute(engine, "DELETE FROM cursors")
        await shifting_walk(engine, random.Random(seed))  # noqa: S311 - a test's dice


async def shifting_walk(engine: AsyncEngine, dice: random.Random) -> None:
    marketplace, kept = ListingMarketplace(orders(14)), Kept()

    def change(_page: int) -> None:
        for name in dice.sample(sorted(marketplace.modified), dice.randint(0, 3)):
            marketplace.modified[name] = NOW + 5_000

    marketplace.meanwhile = change
    clock = Clock()
    poller = make_poller(marketplace, engine, kept=kept, clock=clock)
    await poller.poll_once()
    unchanged = {name for name, at in marketplace.modified.items() if at <= NOW}
    assert unchanged <= seen(kept)
    marketplace.meanwhile = lambda _page: None
    clock.now += 60_000
    await poller.poll_once()
    assert seen(kept) == set(marketplace.modified)


async def test_one_poison_row_is_kept_for_a_person_and_the_others_go_on(engine: AsyncEngine) -> None:
    marketplace, kept = ListingMarketplace(orders(7), poison=frozenset({"order2", "order7"})), Kept()
    assert await make_poller(marketplace, engine, kept=kept).poll_once() == 5
    assert seen(kept) == {"order1", "order3", "order4", "order5", "order6"}
    assert {(one.account, one.reason, one.body) for one in kept.unrecognised} == {
        (ACCOUNT, "list row: baseInfo.status is missing", b"order2"),
        (ACCOUNT, "list row: baseInfo.status is missing", b"order7"),
    }
    assert await cursor(engine) == to_datetime(NOW)


async def test_a_poison_row_of_two_windows_is_one_dead_letter(engine: AsyncEngine) -> None:
    marketplace, kept, clock = ListingMarketplace(orders(1), poison=frozenset({"order1"})), Kept(), Clock()
    poller = make_poller(marketplace, engine, kept=kept, clock=clock)
    await poller.poll_once()
    clock.now += 60_000
    await poller.poll_once()
    assert len({event.headers["ce_id"] for event in kept.events}) == 1


@pytest.mark.parametrize("failing_page", [1, 2, 3])
async def test_a_walk_that_fails_on_any_page_is_begun_again_from_the_same_place(
    engine: AsyncEngine, failing_page: int
) -> None:
    marketplace, kept, clock = ListingMarketplace(), Kept(), Clock()
    clock.now -= 60_000
    poller = make_poller(marketplace, engine, kept=kept, clock=clock)
    await poller.poll_once()
    clock.now += 60_000
    marketplace.modified = orders(8)
    marketplace.fails_on[failing_page] = RetryableError("HTTP 502")
    with pytest.raises(RetryableError):
        await poller.poll_once()
    assert await cursor(engine) == to_datetime(NOW - 60_000)
    marketplace.fails_on.clear()
    await poller.poll_once()
    assert seen(kept) == set(marketplace.modified)
    assert await cursor(engine) == to_datetime(NOW)


async def test_rows_that_could_not_be_made_durable_do_not_move_the_cursor(engine: AsyncEngine) -> None:
    class FailsLate(Kept):
        async def publish(self, event: Event) -> None:
            if event.key.endswith("/order1"):
                raise NOT_DURABLE
            await super().publish(event)

    clock = Clock()
    clock.now -= 60_000
    await make_poller(ListingMarketplace(), engine, clock=clock).poll_once()
    with pytest.raises(type(NOT_DURABLE)):
        await make_poller(ListingMarketplace(orders(8)), engine, kept=FailsLate()).poll_once()
    assert await cursor(engine) == to_datetime(NOW - 60_000)


@pytest.fixture
async def other_process(database: str) -> AsyncIterator[AsyncEngine]:
    """Connections of another process to the same database."""
    async with connected(database) as engine:
        yield engine


async def test_of_two_processes_one_polls(engine: AsyncEngine, other_process: AsyncEngine) -> None:
    busy, idle = ListingMarketplace(orders(2), gate=asyncio.Event()), ListingMarketplace(orders(2))
    polling = asyncio.create_task(make_poller(busy, engine).poll_once())
    while not busy.asked:  # noqa: ASYNC110 - it is under way once it has asked
        await asyncio.sleep(0.005)
    assert await make_poller(idle, other_process).poll_once() is None
    assert idle.asked == []
    assert busy.gate is not None
    busy.gate.set()
    assert await polling == 2
    assert await make_poller(idle, other_process).poll_once() == 2, "the lock was given back"


async def test_another_account_is_not_in_the_way(engine: AsyncEngine, other_process: AsyncEngine) -> None:
    busy = ListingMarketplace(gate=asyncio.Event())
    polling = asyncio.create_task(make_poller(busy, engine).poll_once())
    while not busy.asked:  # noqa: ASYNC110 - it is under way once it has asked
        await asyncio.sleep(0.005)
    other = make_poller(ListingMarketplace(), other_process)
    other.account = "other"
    assert await other.poll_once() == 0
    assert busy.gate is not None
    busy.gate.set()
    await polling


async def test_the_lock_of_a_process_that_died_is_free(engine: AsyncEngine, other_process: AsyncEngine) -> None:
    dead = ListingMarketplace(gate=asyncio.Event())
    polling = asyncio.create_task(make_poller(dead, engine).poll_once())
    while not dead.asked:  # noqa: ASYNC110 - it is under way once it has asked
        await asyncio.sleep(0.005)
    others = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
    await execute(other_process, others)
    assert await make_poller(ListingMarketplace(), other_process).poll_once() == 0
    polling.cancel()
    with contextlib.suppress(asyncio.CancelledError, DBAPIError):  # its connection is gone
        await polling


async def test_a_failed_walk_gives_the_lock_back(engine: AsyncEngine, other_process: AsyncEngine) -> None:
    failing = ListingMarketplace(fails_on={1: UnauthorisedError("wrong key")})
    with pytest.raises(UnauthorisedError):
        await make_poller(failing, engine).poll_once()
    assert await make_poller(ListingMarketplace(), other_process).poll_once() == 0


async def pauses(engine: AsyncEngine, failures: list[Exception | None], kept: Kept | None = None) -> list[float]:
    """The pauses of a poller whose rounds end like this, in units of its interval, without their jitter."""
    marketplace = ListingMarketplace()
    sleeps: list[float] = []
    rounds = iter(failures)

    def meanwhile(_page: int) -> None:
        failure = next(rounds)
        if failure is not None:
            raise failure

    marketplace.meanwhile = meanwhile
    poller = make_poller(marketplace, engine, kept=kept, sleeps=sleeps, rounds=len(failures))
    beats: list[int] = []
    with pytest.raises(Ended):
        await poller.run(lambda: beats.append(1))
    assert len(beats) >= len(failures), "a failing poller is no stalled loop"
    assert all(0.9 <= seconds / PLAN.interval_s / round(seconds / PLAN.interval_s) <= 1.1 for seconds in sleeps)
    return [float(round(seconds / PLAN.interval_s)) for seconds in sleeps]


async def test_being_throttled_widens_the_pause_until_it_is_over(engine: AsyncEngine) -> None:
    throttled = ThrottledError("HTTP 429")
    assert await pauses(engine, [None, throttled, throttled, None]) == [1, THROTTLED_FACTOR, THROTTLED_FACTOR, 1]


@pytest.mark.parametrize("failure", [RetryableError("x"), UnauthorisedError("x"), OSError("x"), NOT_DURABLE])
async def test_failing_again_and_again_widens_the_pause_up_to_a_limit(engine: AsyncEngine, failure: Exception) -> None:
    name = type(failure).__name__
    labels = {"account": ACCOUNT, "stream": "orders", "error": name}
    before = REGISTRY.get_sample_value("ordersync_poll_failures_total", labels) or 0
    found = await pauses(engine, [failure] * 5 + [None])
    assert found == [2, 4, FAILURE_FACTOR_MAX, FAILURE_FACTOR_MAX, FAILURE_FACTOR_MAX, 1]
    assert REGISTRY.get_sample_value("ordersync_poll_failures_total", labels) == before + 5


async def test_progress_is_how_far_the_list_was_read(engine: AsyncEngine) -> None:
    labels: dict[str, Any] = {"account": ACCOUNT, "stream": "orders"}
    await make_poller(ListingMarketplace(orders(4)), engine).poll_once()
    position = REGISTRY.get_sample_value("ordersync_poll_position_timestamp_seconds", labels)
    assert position == NOW / 1000
    assert datetime.fromtimestamp(position, UTC) == await cursor(engine)


async def test_what_changes_while_the_first_poll_fails_is_not_lost(engine: AsyncEngine) -> None:
    """The outage is longer than the overlap: what changed in it is neither past nor, by the clock alone, news."""
    marketplace, kept, clock = ListingMarketplace(fails_on={1: RetryableError("HTTP 502")}), Kept(), Clock()
    poller = make_poller(marketplace, engine, kept=kept, clock=clock)
    with pytest.raises(RetryableError):
        await poller.poll_once()
    marketplace.fails_on.clear()
    marketplace.modified = {"meanwhile": NOW + 60_000}
    clock.now += 3_600_000
    assert await poller.poll_once() == 1
    assert seen(kept) == {"meanwhile"}


async def test_after_a_long_outage_windows_are_caught_up_one_by_one(engine: AsyncEngine) -> None:
    marketplace, kept, clock = ListingMarketplace(), Kept(), Clock()
    poller = make_poller(marketplace, engine, kept=kept, clock=clock)
    await poller.poll_once()
    clock.now += 3 * 86_400_000
    marketplace.modified = {f"order{hour}": NOW + hour * 3_600_000 for hour in range(1, 70)}
    marketplace.fails_on[7] = RetryableError("HTTP 502")  # no window has seven pages of three in it, but one has more
    marketplace.asked.clear()
    with pytest.raises(RetryableError):
        await poller.poll_once()
    assert all(until - since <= 86_400_000 for since, until, _ in marketplace.asked)
    marketplace.fails_on.clear()
    await poller.poll_once()
    assert seen(kept) == set(marketplace.modified)
    assert await cursor(engine) == to_datetime(clock.now)


async def test_a_window_with_too_many_pages_is_halved(engine: AsyncEngine) -> None:
    marketplace, kept = ListingMarketplace(orders(3 * PAGE_SIZE * MAX_PAGES_PER_WINDOW, every=150)), Kept()
    assert (await make_poller(marketplace, engine, kept=kept).poll_once() or 0) >= len(marketplace.modified)
    assert seen(kept) == set(marketplace.modified)
    assert max(page for _, _, page in marketplace.asked) <= MAX_PAGES_PER_WINDOW


async def test_a_backfill_goes_on_where_a_killed_one_stopped(engine: AsyncEngine) -> None:
    marketplace, kept, clock = ListingMarketplace(orders(100, every=8_000_003)), Kept(), Clock()
    sleeps: list[float] = []
    poller = make_poller(marketplace, engine, kept=kept, plan=WITH_PAST, clock=clock, sleeps=sleeps, rounds=4)
    with pytest.raises(Ended):  # four slices, then the process dies
        await poller.run()
    assert all(seconds <= BACKFILL_PAUSE_S * 1.1 for seconds in sleeps), "not the interval's pauses"
    half = len(seen(kept))
    marketplace.asked.clear()
    successor = make_poller(marketplace, engine, kept=kept, plan=WITH_PAST, clock=clock)
    while successor.is_behind or not marketplace.asked:
        clock.now += 1_000
        await successor.poll_once()
    past = [since for since, until, _ in marketplace.asked if until < NOW - 300_000]
    assert min(past) == NOW - 6 * 86_400_000, "nothing that was finished is read again"
    assert 0 < half < 100
    assert seen(kept) == set(marketplace.modified)
    rows_found = await value(engine, "SELECT rows FROM cursors WHERE stream = 'orders/backfill'")
    assert rows_found == 100


async def test_the_newest_changes_do_not_wait_for_the_past(engine: AsyncEngine) -> None:
    marketplace, kept, clock = ListingMarketplace(orders(50, every=8_000_000)), Kept(), Clock()
    poller = make_poller(marketplace, engine, kept=kept, plan=WITH_PAST, clock=clock)
    await poller.poll_once()
    marketplace.modified["brand-new"] = NOW + 500
    clock.now += 1_000
    await poller.poll_once()
    assert poller.is_behind
    assert "brand-new" in seen(kept)


async def test_a_hundred_thousand_orders_of_the_past_are_all_found(engine: AsyncEngine) -> None:
    count = 100_000
    marketplace, clock = LargePast(count), Clock()
    kept = Counting()
    poller = make_poller(marketplace, engine, kept=kept, plan=WITH_PAST, clock=clock)
    await poller.poll_once()
    while poller.is_behind:
        await poller.poll_once()
    assert kept.ids == set(range(count))
    assert marketplace.most_pages <= MAX_PAGES_PER_WINDOW


class Counting(Kept):
    """Keeps ids alone."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: set[int] = set()

    async def publish(self, event: Event) -> None:
        self.ids.add(int(event.key.rpartition("/")[2]))


class LargePast(ListingMarketplace):
    """Orders spread evenly over ten days, made when they are asked for; twenty on a page."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count
        self.most_pages = 0
        self.every = 10 * 86_400_000 // count

    async def list_modified(self, _stream: Stream, since: Millis, until: Millis, page: int) -> ListPage:
        first = max(0, -(-(since - (NOW - 10 * 86_400_000)) // self.every))
        last = min(self.count, (until - (NOW - 10 * 86_400_000)) // self.every + 1)
        pages = max(1, -(-(last - first) // 20))
        numbers = range(first, last)[(page - 1) * 20 : page * 20]
        if page > 1:
            self.most_pages = max(self.most_pages, page)
        return ListPage(tuple(self._fact(str(number), NOW) for number in numbers), (), pages)


async def test_a_loop_leaves_a_list_to_the_process_that_polls_it_until_that_one_stops(
    engine: AsyncEngine, other_process: AsyncEngine
) -> None:
    leads, waits = ListingMarketplace(orders(2)), ListingMarketplace(orders(2))
    leader, other = make_poller(leads, engine), make_poller(waits, other_process)
    assert await leader.poll_once(yields=True) == 2
    assert await other.poll_once(yields=True) == 2, "at its start each of them polls once"
    assert await leader.poll_once(yields=True) is None, "the other one has polled since"
    for _ in range(3):
        assert await other.poll_once(yields=True) == 2
        assert await leader.poll_once(yields=True) is None
    assert await leader.poll_once(yields=True) == 2, "nobody has polled since the last look: it takes over"
    assert await other.poll_once(yields=True) is None


async def test_asked_to_poll_once_a_process_polls_whoever_polled_before(
    engine: AsyncEngine, other_process: AsyncEngine
) -> None:
    here, there = make_poller(ListingMarketplace(orders(2)), engine), make_poller(ListingMarketplace(), other_process)
    assert await here.poll_once() == 2
    await there.poll_once()
    assert await here.poll_once() == 2
