"""A worker is killed at every await point of its handling of a claim, in turn; the one that comes after it makes good.

Every run has an order of its own. What happened is what the marketplace's own books say.
"""

import sys
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.effects.market import Market
from tests.effects.mortal import Life, walked
from tests.effects.world import World, key_of, live_on, mortal_hands
from worker.domain.plans import Plan
from worker.domain.policy import Effect, Policy, SecondAttempt
from worker.storage import plan_store
from worker.storage.engine import transaction

MOST_POINTS = 400
DEATHS_TOGETHER = 10
TWICE = SecondAttempt(attempts=2, quiet=0, reads=2)
LIMITS: dict[str, Any] = {
    "freight_limit": 10_000_000,
    "has_freight_defaults": True,
    "auto_pay_limit": 10_000_000,
    "price_tolerance": Decimal("0.02"),
    "second_attempt": TWICE,
}
Books = Callable[[Market, str], list[Any]]


def payments(market: Market, order_id: str) -> list[Any]:
    return [row for row in market.sandbox.ledgers.payments if row.order_id == order_id]


def receipts(market: Market, order_id: str) -> list[Any]:
    return [row for row in market.sandbox.ledgers.receipts if row.order_id == order_id]


def bookings(market: Market, order_id: str) -> list[Any]:
    return [row for row in market.sandbox.ledgers.bookings if row.order_id == order_id]


def notices(market: Market, order_id: str) -> list[Any]:
    return [row for row in market.sandbox.ledgers.warehouse_notices if row.order_id == order_id]


def cancels(market: Market, order_id: str) -> list[Any]:
    return [row for row in market.sandbox.ledgers.cancels if row.order_id == order_id]


class Walk:
    """One effect's way, walked again and again, each time one await point further."""

    def __init__(self, world: World, effect: Effect, books: Books, *, batch: int = 1) -> None:
        self.world = world
        self.effect = effect
        self.books = books
        self.batch = batch
        self.fresh = [order.order_id for order in world.market.orders()]
        self.killed = 0
        self.acted = 0
        """Deaths after which the marketplace had acted, or would still."""

    async def walk(self) -> None:
        """Kill a worker at every point. One recovery makes good for several deaths: it costs more than a death."""
        alive = False
        while not alive:
            died: dict[str, str] = {}
            while not alive and len(died) < DEATHS_TOGETHER:
                order_id = await self.next_order()
                alive = await self.one_run(order_id, self.killed + 1)
                self.killed += not alive
                died[order_id] = "not killed" if alive else f"killed at await point {self.killed}"
                await self.world.put_off()
            await self.world.calm()
            for order_id, where in died.items():
                await self.check(order_id, where)
            assert self.killed < MOST_POINTS, "there is no end to it"

    async def one_run(self, order_id: str, dies_at: int) -> bool:
        """Kill a worker at this point; True if it came to the end of its work alive."""
        life = Life(dies_at)
        async with mortal_hands(self.world, life, self.world.policy, batch=self.batch) as hands:
            await live_on(self.world, life, hands, self.effect)
        self.acted += life.dead and bool(self.books(self.world.market, order_id))
        return not life.dead

    async def next_order(self) -> str:
        """Make orders known until one calls for the effect."""
        while self.fresh:
            order_id = self.fresh.pop()
            await self.prepare(order_id)
            await self.world.introduce(order_id)
            if await self.world.states(self.effect, order_id) == ["planned"]:
                return order_id
        raise AssertionError("the sandbox has too few orders for so many await points")

    async def prepare(self, order_id: str) -> None:
        """What has to be known before the order is."""

    async def check(self, order_id: str, where: str) -> None:
        happened = len(self.books(self.world.market, order_id))
        states = await self.world.states(self.effect, order_id)
        assert happened == 1, f"{where}: it happened {happened} times, and the ledger says {states}"
        assert states == ["succeeded"], where
        assert await self.world.stuck() == [], where
        assert await self.world.open_alerts() == [], where


class PayWalk(Walk):
    """The budget allows one payment of each order and no more."""

    async def prepare(self, order_id: str) -> None:
        policy = self.world.policy
        budget = (policy.daily_budget or 0) + self.world.market.sandbox.world.orders[order_id].total_fen
        self.world.policy = msgspec.structs.replace(policy, daily_budget=budget, monthly_budget=budget)

    async def check(self, order_id: str, where: str) -> None:
        await super().check(order_id, where)
        assert await self.world.spending() == self.world.market.spent() <= (self.world.policy.daily_budget or 0), where


class CancelWalk(Walk):
    async def prepare(self, order_id: str) -> None:
        async with transaction(self.world.engine) as connection:
            plan = Plan(cancel_reason="bought elsewhere")
            await plan_store.put(connection, key_of(order_id), plan, requested_by="shop", reason="test")


class BookingWalk(Walk):
    """Whether it was booked is not read from the order: without its answer it waits for a person, with an alert."""

    async def check(self, order_id: str, where: str) -> None:
        happened = len(self.books(self.world.market, order_id))
        states = await self.world.states(self.effect, order_id)
        assert happened <= 1, f"{where}: it was booked {happened} times"
        assert states == ["unknown"] or (states, happened) == (["succeeded"], 1), where
        assert await self.world.stuck() == [], where


class NoticeWalk(Walk):
    """The same notice again changes nothing: it may be told once more, but not more often than attempts are allowed."""

    async def check(self, order_id: str, where: str) -> None:
        told = self.books(self.world.market, order_id)
        assert 1 <= len(told) <= TWICE.attempts, where
        assert len({str(row.content) for row in told}) == 1, where
        assert await self.world.states(self.effect, order_id) == ["succeeded"], where
        assert await self.world.stuck() == [], where
        assert await self.world.open_alerts() == [], where


def report(walk: Walk, capsys: pytest.CaptureFixture[str]) -> None:
    assert walk.killed > 20, "a walk of so few points has not seen the whole way"
    assert 0 < walk.acted < walk.killed, "deaths on one side of the call only prove nothing"
    with capsys.disabled():
        sys.stdout.write(
            f"\n{walk.effect.value}{' in batches' if walk.batch > 1 else ''}: killed at each of {walk.killed} await"
            f" points, {walk.acted} times after the marketplace had acted; it never happened twice\n"
        )


@pytest.fixture
async def walking() -> Any:
    with walked():
        yield


@pytest.mark.timeout(300)
@pytest.mark.parametrize("batch", [1, 5])
async def test_killed_at_any_point_of_a_payment_it_is_made_once(
    engine: AsyncEngine, database: str, walking: None, batch: int, capsys: pytest.CaptureFixture[str]
) -> None:
    world = World(engine, database, Market(orders=200), Policy(auto_pay=True, **LIMITS))
    walk = PayWalk(world, Effect.PAY, payments, batch=batch)
    await walk.walk()
    report(walk, capsys)


@pytest.mark.timeout(300)
async def test_killed_at_any_point_of_a_confirmation_the_receipt_is_confirmed_once(
    engine: AsyncEngine, database: str, walking: None, capsys: pytest.CaptureFixture[str]
) -> None:
    market = Market(orders=250, days=40, buyer_confirms=False)
    world = World(engine, database, market, Policy(confirm_receipt=True, **LIMITS))
    walk = Walk(world, Effect.CONFIRM_RECEIPT, receipts)
    await walk.walk()
    assert not any(row.refund_open for row in market.sandbox.ledgers.receipts)
    report(walk, capsys)


@pytest.mark.timeout(300)
async def test_killed_at_any_point_of_a_booking_it_is_booked_once(
    engine: AsyncEngine, database: str, walking: None, capsys: pytest.CaptureFixture[str]
) -> None:
    world = World(engine, database, Market(orders=250, days=40), Policy(book_international=True, **LIMITS))
    walk = BookingWalk(world, Effect.BOOK_INTERNATIONAL, bookings)
    await walk.walk()
    report(walk, capsys)


@pytest.mark.timeout(300)
async def test_killed_at_any_point_of_a_notice_the_warehouse_hears_of_it(
    engine: AsyncEngine, database: str, walking: None, capsys: pytest.CaptureFixture[str]
) -> None:
    world = World(engine, database, Market(orders=250, days=40), Policy(notify_warehouse=True, **LIMITS))
    walk = NoticeWalk(world, Effect.UPDATE_DOMESTIC_LOGISTICS, notices)
    await walk.walk()
    report(walk, capsys)


@pytest.mark.timeout(300)
async def test_killed_at_any_point_of_a_cancellation_the_order_is_cancelled_once(
    engine: AsyncEngine, database: str, walking: None, capsys: pytest.CaptureFixture[str]
) -> None:
    world = World(engine, database, Market(orders=200), Policy(**LIMITS))
    walk = CancelWalk(world, Effect.CANCEL, cancels)
    await walk.walk()
    report(walk, capsys)
