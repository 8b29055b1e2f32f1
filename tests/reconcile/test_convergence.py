"""However facts are cut into batches, in whatever order, by however many reconcilers: the stored order is the same."""

import asyncio
import random
import uuid

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.domain.examples import lines, parcel_moved, price, read, refund, status
from tests.domain.strategies import facts as any_facts
from tests.domain.strategies import retellings
from tests.reconcile.stage import (
    StoredRecord,
    Topic,
    chunks,
    expected,
    folded,
    make_reconciler,
    of,
    order,
    stored,
)
from tests.storage.database import connected, rows, value
from worker.domain.facts import Fact, Parcel, RefundSeen

ORDERS = 8
_GAPS = """
    SELECT o.order_id FROM orders o LEFT JOIN outbox b ON b.order_ref = o.id GROUP BY o.id, o.order_id
    HAVING count(b.id) <> o.sequence OR coalesce(max(b.sequence), 0) <> o.sequence
"""


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(retellings(st.lists(any_facts, max_size=8)), st.integers(1, 5))
async def test_any_order_and_any_split_of_the_same_facts_end_in_the_same_rows(
    engine: AsyncEngine, told: tuple[list[Fact], list[Fact]], size: int
) -> None:
    """Each example has an order of its own, so that they can share the database."""
    first, again = told
    key = order(uuid.uuid4().hex)
    records = Topic(partition=uuid.uuid4().int % 2**31).take(*of(key, *again))
    reconciler = make_reconciler(engine)
    for batch in chunks(records, size):
        await reconciler.handle(batch)
    if first:
        assert await stored(engine, key) == expected(folded(key, of(key, *first)))
    assert await value(engine, "SELECT count(*) FROM dead_letters") == 0
    assert await rows(engine, _GAPS) == []


def life(number: int) -> list[Fact]:
    """A whole life, with a price change, two parcels and a refund on the way."""
    parcels = (Parcel("p1", waybill="SF1"), Parcel("p2", waybill="SF2"))
    return of(
        order(number),
        status("waitbuyerpay", 0),
        read("waitbuyerpay", 10, modified=1, items=lines(1, 1)),
        price(10_100, 20),
        read("waitbuyerpay", 30, modified=20, total=10_100, items=lines(1, 1)),
        status("waitsellersend", 40),
        read("waitsellersend", 50, modified=40, total=10_100, items=lines(1, 2), paid=True),
        parcel_moved(55),
        status("waitbuyerreceive", 60),
        refund("TQ1", "waitselleragree", 65),
        read(
            "waitbuyerreceive",
            80,
            modified=70,
            total=10_100,
            items=lines(2, 2),
            parcels=parcels,
            refunds=(RefundSeen("TQ1", "refundsuccess", amount=500),),
            paid=True,
        ),
        status("success", 90),
        read("success", 100, modified=90, total=10_100, items=lines(3, 3), parcels=parcels, paid=True),
    )


async def work_off(engine: AsyncEngine, batches: list[list[StoredRecord]]) -> None:
    reconciler = make_reconciler(engine)
    for batch in batches:
        await reconciler.handle(batch)


async def test_reconcilers_on_the_same_orders_neither_deadlock_nor_disagree(database: str) -> None:
    """Three topics carry the facts of one order, so three consumers may meet on it."""
    rng = random.Random(7)  # noqa: S311 - shuffling
    topics = [Topic(name) for name in ("orders.status.v1", "orders.price.v1", "orders.refund.v1")]
    records = [topics[n % 3].take(fact)[0] for n in range(ORDERS) for fact in life(n)]
    async with (
        connected(database, pool_size=1) as one,
        connected(database, pool_size=1) as other,
        connected(database, pool_size=1) as third,
    ):
        shares = [records + records[::2], records[::-1], sorted(records, key=lambda _: rng.random())]
        for share in shares:
            rng.shuffle(share)
        await asyncio.gather(
            *(work_off(engine, chunks(share, 7)) for engine, share in zip((one, other, third), shares, strict=True))
        )
        for number in range(ORDERS):
            assert await stored(one, order(number)) == expected(folded(order(number), life(number)))
        assert await rows(one, _GAPS) == []
        assert await value(one, "SELECT count(*) FROM facts") == len(records)
        assert await value(one, "SELECT sum(deliveries) FROM facts") == sum(len(share) for share in shares)
        assert await value(one, "SELECT count(*) FROM dead_letters") == 0


async def test_a_life_in_one_batch_and_in_single_facts_is_the_same(engine: AsyncEngine) -> None:
    topic, reconciler = Topic(), make_reconciler(engine)
    whole, single = order("whole"), order("single")
    facts = life(0)
    await reconciler.handle(topic.take(*of(whole, *facts)))
    for fact in of(single, *facts):
        await reconciler.handle(topic.take(fact))
    for key in (whole, single):
        assert await stored(engine, key) == expected(folded(key, of(key, *facts)))
