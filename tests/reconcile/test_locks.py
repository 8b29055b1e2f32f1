"""Reconcile and recovery write to the same follow-ups of many orders; they take the rows in the same order."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.domain.examples import read, status
from tests.reconcile.stage import Topic, make_reconciler, of, order
from tests.storage.database import connected, execute, value
from tests.waiting import until
from worker.followups.recovery import Recovery

_WAITING = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'ordersync-test' AND wait_event_type = 'Lock'
"""
_OF = "(SELECT id FROM orders WHERE order_id = :id)"
_READ_ONCE = f"""
    INSERT INTO follow_ups (order_ref, account, effect, purpose, wanted_after, asked_at, state)
    VALUES ({_OF}, 'main', 'refresh', 'sync', now(), now(), 'succeeded')
"""  # noqa: S608 - a constant


async def waiting(engine: AsyncEngine, sessions: int) -> None:
    """Return once so many sessions wait for a lock."""

    async def enough() -> bool:
        return bool(await value(engine, _WAITING) >= sessions)

    await until(enough, what=f"{sessions} sessions at a lock")


@asynccontextmanager
async def row_held(engine: AsyncEngine, effect: str, order_id: str) -> AsyncIterator[None]:
    """Somebody else works on this follow-up until the block ends."""
    async with engine.connect() as connection, connection.begin():
        query = f"SELECT id FROM follow_ups WHERE effect = :effect AND order_ref = {_OF} FOR UPDATE"  # noqa: S608 - a constant
        assert (await connection.execute(text(query), {"effect": effect, "id": order_id})).first()
        yield


def recovery_of(engine: AsyncEngine) -> Recovery:
    return Recovery(engine, policies={}, first_pause_s=0.0, interval_s=0.0, sleep=asyncio.sleep)


@pytest.fixture
async def other(database: str) -> AsyncIterator[AsyncEngine]:
    """The connections of another process."""
    async with connected(database) as engine:
        yield engine


async def with_unknown_payments(engine: AsyncEngine, topic: Topic, *numbers: int) -> None:
    """Orders 1 to 4, unpaid; some of their payments are unknown; every one has been read once."""
    for number in (1, 2, 3, 4):
        heard = status("waitbuyerpay", 0)
        await make_reconciler(engine).handle(
            topic.take(*of(order(number), heard, read("waitbuyerpay", 20, modified=1)))
        )
        await execute(engine, _READ_ONCE, id=str(number))
    for number in numbers:
        for state in ("sending", "unknown"):
            await execute(
                engine,
                f"UPDATE follow_ups SET state = '{state}' WHERE effect = 'pay' AND order_ref = {_OF}",  # noqa: S608 - a constant
                id=str(number),
            )


async def test_a_payment_is_locked_before_the_read_that_would_settle_it(
    engine: AsyncEngine, other: AsyncEngine
) -> None:
    """The batch settles the payment of 2 and wants a read of it, as recovery does at the same time."""
    topic = Topic()
    await with_unknown_payments(engine, topic, 2)
    settled = of(order(2), read("waitsellersend", 60, modified=50, paid=True), status("waitbuyerreceive", 90))
    dearer = of(order(4), read("waitbuyerpay", 60, modified=50, total=10_001))
    async with row_held(engine, "pay", "4"):
        reconciling = asyncio.create_task(make_reconciler(engine).handle(topic.take(*settled, *dearer)))
        await waiting(engine, 1)
        recovering = asyncio.create_task(recovery_of(other).recover_once())
        await asyncio.wait([recovering], timeout=0.3)
    await asyncio.gather(reconciling, recovering)
    states = await value(engine, f"SELECT state FROM follow_ups WHERE effect = 'pay' AND order_ref = {_OF}", id="2")  # noqa: S608 - a constant
    assert states == "succeeded"


@pytest.mark.parametrize("arrived", [(1, 3, 2), (2, 3, 1)])
async def test_recovery_leaves_alone_what_a_batch_works_on(
    engine: AsyncEngine, other: AsyncEngine, arrived: tuple[int, ...]
) -> None:
    """The batch has locked the payments of its orders, so recovery plans no reads of them, and waits for nobody."""
    topic = Topic()
    await with_unknown_payments(engine, topic, 1, 2)
    heard = [of(order(number), status("waitsellersend", 60))[0] for number in arrived]
    async with row_held(engine, "refresh", "3"):
        reconciling = asyncio.create_task(make_reconciler(engine).handle(topic.take(*heard)))
        await waiting(engine, 1)
        await asyncio.wait_for(recovery_of(other).recover_once(), 5)
        assert not reconciling.done()
    await reconciling
    assert await value(engine, "SELECT count(*) FROM orders WHERE status = 'awaiting_shipment'") == 3
