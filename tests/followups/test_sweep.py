"""The sweep reads again what was not read for too long, counts what it finds, and tells people where it is money."""

import asyncio

import pytest
from prometheus_client import REGISTRY
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.followups.stage import Stage
from tests.storage.database import execute, rows, value
from worker.domain.identity import Platform
from worker.domain.policy import Effect
from worker.followups.sweep import MOST_AT_ONCE, Sweep
from worker.marketplaces.port import RejectedError

EVERY_S = 600.0
UNITS = {"unknown": 1, "awaiting_payment": 3, "shipped": 36}


def sweep(engine: AsyncEngine, stage: Stage) -> Sweep:
    platforms = frozenset({Platform.ALIBABA_1688})
    return Sweep("main", platforms, engine, stage.clock, every_s=EVERY_S, sleep=asyncio.sleep)


@pytest.fixture
async def stage(engine: AsyncEngine) -> Stage:
    """An order that was read as awaiting payment."""
    stage = Stage(engine)
    await stage.unpaid_order()
    return stage


async def last_read(engine: AsyncEngine, seconds_ago: float, **columns: str) -> None:
    """As if the order had been read so long ago."""
    sets = "".join(f", {name} = '{held}'" for name, held in columns.items())
    for table, column in (("orders", "asked_at"), ("orders", "first_seen_at"), ("follow_ups", "updated_at")):
        more = sets if (table, column) == ("orders", "asked_at") else ""
        await execute(engine, f"UPDATE {table} SET {column} = now() - make_interval(secs => :s){more}", s=seconds_ago)  # noqa: S608 - our own names


@pytest.mark.parametrize(("status", "units"), UNITS.items())
async def test_what_waits_for_us_is_read_more_often(engine: AsyncEngine, stage: Stage, status: str, units: int) -> None:
    unconfirmed = str(status == "unknown").lower()
    await last_read(engine, units * EVERY_S - 30, status=status, unconfirmed=unconfirmed)
    assert await sweep(engine, stage).plan() == 0
    await last_read(engine, units * EVERY_S + 30)
    assert await sweep(engine, stage).plan() == 1
    assert await sweep(engine, stage).plan() == 0, "it is planned once"


@pytest.mark.parametrize("status", ["completed", "closed"])
async def test_what_is_over_is_left_alone_unless_a_refund_is_open(
    engine: AsyncEngine, stage: Stage, status: str
) -> None:
    await last_read(engine, 10 * 86_400, status=status)
    assert await sweep(engine, stage).plan() == 0
    await execute(
        engine,
        "INSERT INTO refunds (order_ref, refund_id, status, confirmed)"
        " SELECT id, 'TQ1', 'awaiting_seller', true FROM orders",
    )
    assert await sweep(engine, stage).plan() == 1


async def drifted(aspect: str) -> float:
    labels = {"account": "main", "aspect": aspect}
    return REGISTRY.get_sample_value("ordersync_drift_total", labels) or 0.0


async def read_by_sweep(engine: AsyncEngine, stage: Stage) -> None:
    await last_read(engine, 3 * EVERY_S + 30)
    assert await sweep(engine, stage).plan() == 1
    await stage.executor(Effect.REFRESH).drain()
    await stage.catch_up()


async def test_money_that_changed_unnoticed_is_drift_and_an_alert(engine: AsyncEngine, stage: Stage) -> None:
    before = await drifted("amounts")
    stage.market.show("1", "waitbuyerpay", 9_000)
    await read_by_sweep(engine, stage)
    assert await value(engine, "SELECT total_minor FROM orders") == 9_000
    assert await drifted("amounts") == before + 1
    (alert,) = await rows(engine, "SELECT * FROM alerts WHERE kind = 'drift'")
    assert (alert["details"]["before"]["total"], alert["details"]["after"]["total"]) == (10_000, 9_000)
    assert await value(engine, "SELECT count(*) FROM facts WHERE source = 'sweep'") == 1


async def test_a_read_that_finds_nothing_new_is_no_drift(engine: AsyncEngine, stage: Stage) -> None:
    before = await drifted("status"), await drifted("amounts")
    await read_by_sweep(engine, stage)
    assert (await drifted("status"), await drifted("amounts")) == before
    assert await value(engine, "SELECT count(*) FROM alerts WHERE kind = 'drift'") == 0


async def test_one_bad_order_does_not_stop_the_others(engine: AsyncEngine, stage: Stage) -> None:
    await stage.unpaid_order("2")
    stage.market.read_failures = [RejectedError("order not found")]
    stage.market.show("2", "waitsellersend", paid=True)
    stage.market.show("1", "waitsellersend", paid=True)
    await last_read(engine, 3 * EVERY_S + 30)
    assert await sweep(engine, stage).plan() == 2
    await stage.executor(Effect.REFRESH).drain()
    await stage.catch_up()
    assert await value(engine, "SELECT count(*) FROM orders WHERE status = 'awaiting_shipment'") == 1
    assert await value(engine, "SELECT count(*) FROM follow_ups WHERE purpose = 'sweep' AND failures = 1") == 1


async def test_after_an_outage_it_catches_up_in_steps(engine: AsyncEngine, stage: Stage) -> None:
    await execute(
        engine,
        "INSERT INTO orders (account, platform, order_id, status, unconfirmed) SELECT 'main', '1688', 'x' || n,"
        " 'awaiting_payment', false FROM generate_series(1, 250) AS n",
    )
    await last_read(engine, 86_400)
    assert [await sweep(engine, stage).plan() for _ in range(3)] == [MOST_AT_ONCE, MOST_AT_ONCE, 51]
    other = Sweep("other", frozenset({Platform.TAOBAO}), engine, stage.clock, every_s=1.0, sleep=asyncio.sleep)
    assert await other.plan() == 0
