"""`ordersync poll --once` and `ordersync audit`: a sandbox, a real database, and no Kafka, as the spool is enough."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import SECRET, Command, write_accounts
from tests.reconcile.stage import StoredRecord, make_reconciler
from tests.storage.database import connected, execute, rows, value
from tests.waiting import until
from worker.broker.envelope import fact_event
from worker.domain.clock import SystemClock
from worker.domain.facts import Amounts, Fact, Lifecycle, Snapshot, Source
from worker.domain.identity import OrderKey, Platform
from worker.sandbox import SandboxConfig, SandboxServer

if TYPE_CHECKING:
    from worker.sandbox.order import Order


@pytest.fixture
async def twin(place: pytest.MonkeyPatch, database: str) -> AsyncIterator[SandboxServer]:
    """Thirty orders whose lives stand still, and an account that can see them."""
    config = SandboxConfig(orders=30, arrival_s=0.0, speed=0.001, access_secret=SECRET, autostart=True)
    async with SandboxServer(config) as server:
        write_accounts(server.url)
        place.setenv("ORDERSYNC_DATABASE_URL", database)
        await until(lambda: len(server.sandbox.world.orders) == 30, 10)
        yield server


def first(twin: SandboxServer) -> Order:
    return next(iter(twin.sandbox.world.orders.values()))


async def model_of(database: str, order: Order) -> None:
    """The order as it was read once."""
    key = OrderKey("main", Platform.ALIBABA_1688, order.order_id)
    content = Snapshot(Lifecycle(order.status, modified_at=order.modified_ms), Amounts(order.total_fen + 1), ())
    event = fact_event(Fact(key, Source.RESPONSE, content, SystemClock().now_ms()))
    headers = [(name, text.encode()) for name, text in event.headers.items()]
    async with connected(database) as engine:
        await make_reconciler(engine).handle([StoredRecord(event.value, headers)])


async def test_poll_reads_every_list_once_and_moves_its_cursor(
    ordersync: Command, twin: SandboxServer, database: str
) -> None:
    said = await asyncio.to_thread(ordersync, "poll", "--once")
    assert said.status == 0, said.all
    assert "orders" in said.out
    assert "30" in said.out
    async with connected(database) as engine:
        assert await value(engine, "SELECT count(DISTINCT key) FROM spool") == 30
        assert await value(engine, "SELECT count(*) FROM cursors") == 2
    again = await asyncio.to_thread(ordersync, "poll", "--once")
    assert again.status == 0


async def test_poll_says_which_list_failed(ordersync: Command, twin: SandboxServer) -> None:
    write_accounts(twin.url.replace("127.0.0.1", "localhost").rsplit(":", 1)[0] + ":1")
    said = await asyncio.to_thread(ordersync, "poll", "--once")
    assert said.status == 1
    assert "failed: " in said.out


async def test_poll_for_ever_is_not_this_command(ordersync: Command, place: pytest.MonkeyPatch) -> None:
    said = await asyncio.to_thread(ordersync, "poll")
    assert said.status == 2
    assert "ordersync run --role intake" in said.err


async def test_an_audit_names_what_differs_and_a_repair_publishes_it(
    ordersync: Command, twin: SandboxServer, database: str
) -> None:
    order = first(twin)
    await model_of(database, order)
    said = await asyncio.to_thread(ordersync, "audit", "--json")
    assert said.status == 1, said.all
    report = json.loads(said.out)
    assert report["read"] == 1
    (found,) = report["orders"].values()
    assert found["total"] == [order.total_fen + 1, order.total_fen]
    async with connected(database) as engine:
        assert await value(engine, "SELECT count(*) FROM spool") == 0, "an audit only looks"
        repaired = await asyncio.to_thread(ordersync, "audit", "--repair")
        assert repaired.status == 1
        assert f"{order.order_id} total" in repaired.out
        (event,) = await rows(engine, "SELECT * FROM spool")
        assert order.order_id in event["key"]


async def test_an_audit_of_what_it_cannot_read_says_so(ordersync: Command, twin: SandboxServer, database: str) -> None:
    await model_of(database, first(twin))
    async with connected(database) as engine:
        await execute(engine, "UPDATE orders SET order_id = '12'")
    said = await asyncio.to_thread(ordersync, "audit")
    assert said.status == 2
    assert "12 could not be read" in said.out


async def test_an_unknown_account_is_named(ordersync: Command, twin: SandboxServer) -> None:
    said = await asyncio.to_thread(ordersync, "audit", "--account", "nobody")
    assert said.status == 2
    assert "there is no such account; expected one of main" in said.all
