"""Whoever walks the list sees every order once; whoever follows it misses no change, even one committed late."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tests.operations.api_stage import LONG_AGO, add_order, ids, page, served, writing
from worker.domain.identity import Platform
from worker.storage import read_store
from worker.storage.engine import create_engine, transaction
from worker.storage.read_store import Cursor, OrderFilter, list_orders, reading

SECOND = timedelta(seconds=1)


@pytest.fixture
async def engine(database: str) -> AsyncIterator[AsyncEngine]:
    """Where the worker's own transactions come from."""
    engine = create_engine(database, application="reconcile", pool_size=3)
    yield engine
    await engine.dispose()


@pytest.fixture
async def client(database: str) -> AsyncIterator[httpx2.AsyncClient]:
    async with served(database) as client:
        yield client


async def touch(connection: AsyncConnection, order_id: str) -> None:
    """Change an order as reconcile does: the time is taken long before the commit."""
    await connection.execute(
        text("UPDATE orders SET updated_at = clock_timestamp() WHERE order_id = :id"), {"id": order_id}
    )


async def settle(database: str) -> None:
    """Make everything that was changed a minute older, as if we had waited."""
    async with writing(database) as connection:
        await connection.execute(text("UPDATE orders SET updated_at = updated_at - interval '1 minute'"))


async def walk(client: httpx2.AsyncClient, **params: Any) -> tuple[list[str], str]:
    """All ids from the first to the last page, and the last resume cursor."""
    found: list[str] = []
    for _ in range(100):
        answer = await page(client, **params)
        found += ids(answer)
        if answer["next_cursor"] is None:
            return found, answer["resume_cursor"]
        params["cursor"] = answer["next_cursor"]
    pytest.fail("the walk has no end")


async def test_filters_that_look_like_sql_find_nothing_and_break_nothing(database: str, engine: AsyncEngine) -> None:
    async with writing(database) as connection:
        await add_order(connection, "1")
    for account in ("' OR 1=1 --", "main'; DROP TABLE orders; --", "%", "main%"):
        async with reading(engine) as connection:
            assert (await list_orders(connection, OrderFilter(account=account), Cursor(), 10)).orders == []
    async with reading(engine) as connection:
        assert len((await list_orders(connection, OrderFilter(account="main"), Cursor(), 10)).orders) == 1


async def test_the_reader_cannot_write(engine: AsyncEngine) -> None:
    with pytest.raises(Exception, match="read-only transaction"):
        async with reading(engine) as connection:
            await connection.execute(text("DELETE FROM orders"))


async def test_no_orders_are_an_empty_page_from_which_one_can_follow(database: str, client: httpx2.AsyncClient) -> None:
    empty = await page(client)
    assert (empty["orders"], empty["next_cursor"]) == ([], None)
    async with writing(database) as connection:
        await add_order(connection, "1")
    assert ids(await page(client, cursor=empty["resume_cursor"])) == ["1"]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8])
async def test_a_walk_shows_every_order_once_and_the_oldest_change_first(
    database: str, client: httpx2.AsyncClient, limit: int
) -> None:
    at = {"a": 0, "b": 1, "c": 1, "d": 1, "e": 2, "f": 3, "g": 3}  # some changed in one transaction
    async with writing(database) as connection:
        for order_id, seconds in at.items():
            await add_order(connection, order_id, updated_at=LONG_AGO + seconds * SECOND)
    found, resume = await walk(client, limit=limit)
    assert found == list(at)
    assert ids(await page(client, cursor=resume)) == []


async def test_what_changed_this_moment_is_shown_too(database: str, client: httpx2.AsyncClient) -> None:
    async with writing(database) as connection:
        for number in range(7):
            await add_order(connection, str(number))
            await touch(connection, str(number))
    found, _ = await walk(client, limit=2)
    assert found == [str(number) for number in range(7)]


async def test_fifty_orders_are_a_page(database: str, client: httpx2.AsyncClient) -> None:
    async with writing(database) as connection:
        for number in range(51):
            await add_order(connection, str(number))
    assert len((await page(client))["orders"]) == 50
    assert len((await page(client, limit=200))["orders"]) == 51


async def test_each_filter_keeps_what_it_names(database: str, client: httpx2.AsyncClient) -> None:
    async with writing(database) as connection:
        await add_order(connection, "1", status="shipped")
        await add_order(connection, "2", status="closed", updated_at=LONG_AGO + SECOND)
        await add_order(connection, "3", platform="taobao", status="shipped", updated_at=LONG_AGO + 2 * SECOND)
        await add_order(connection, "4", account="second", status="shipped", updated_at=LONG_AGO + 3 * SECOND)
    assert ids(await page(client, account="second")) == ["4"]
    assert ids(await page(client, platform="taobao")) == ["3"]
    assert ids(await page(client, status="shipped")) == ["1", "3", "4"]
    assert ids(await page(client, account="main", platform="1688", status="shipped")) == ["1"]
    assert ids(await page(client, updated_since="2026-01-01T00:00:01Z")) == ["2", "3", "4"]
    assert ids(await page(client, updated_since="2026-01-01T08:00:02+08:00", limit=1)) == ["3"]


@pytest.mark.parametrize(
    "since", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999-12:00", "1969-01-01T00:00:00Z"]
)
async def test_the_ends_of_the_calendar_are_instants_too(client: httpx2.AsyncClient, since: str) -> None:
    assert ids(await page(client, updated_since=since)) == []


async def test_a_filtered_walk_keeps_its_filters_and_refuses_others(database: str, client: httpx2.AsyncClient) -> None:
    async with writing(database) as connection:
        for number in range(4):
            await add_order(connection, str(number), platform="1688" if number % 2 else "taobao")
    first = await page(client, platform="taobao", limit=1)
    assert ids(await page(client, platform="taobao", limit=1, cursor=first["next_cursor"])) == ["2"]
    answer = await client.get("/api/v1/orders", params={"platform": "1688", "cursor": first["next_cursor"]})
    assert answer.status_code == 400
    assert "other filters" in answer.json()["error"]["message"]


async def test_a_change_that_is_committed_late_is_not_missed(
    database: str, client: httpx2.AsyncClient, engine: AsyncEngine
) -> None:
    async with writing(database) as connection:
        for order_id in ("slow", "quick"):
            await add_order(connection, order_id)
    _, resume = await walk(client)
    async with transaction(engine) as slow:
        await touch(slow, "slow")
        async with transaction(engine) as quick:
            await touch(quick, "quick")
        found, resume = await walk(client, cursor=resume)
        assert found == ["quick"]
    found, resume = await walk(client, cursor=resume)
    assert found == ["slow", "quick"]  # one again, none left out


async def test_a_change_that_is_committed_late_is_not_missed_across_pages(
    database: str, client: httpx2.AsyncClient, engine: AsyncEngine
) -> None:
    async with writing(database) as connection:
        for order_id in ("old", "slow", "1", "2", "3"):
            await add_order(connection, order_id)
    async with transaction(engine) as slow:
        await touch(slow, "slow")
        async with transaction(engine) as quick:
            for order_id in ("1", "2", "3"):
                await touch(quick, order_id)
        found, resume = await walk(client, limit=2)
        assert found == ["old", "slow", "1", "2", "3"]
    assert (await walk(client, limit=2, cursor=resume))[0] == ["slow", "1", "2", "3"]


@pytest.fixture
def no_settling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only running transactions keep a change unsettled: what they do is then seen without waiting a second."""
    monkeypatch.setattr(read_store, "SETTLE_S", 0.0)


@pytest.mark.usefixtures("no_settling")
async def test_a_transaction_that_has_only_begun_counts_as_a_writer(
    database: str, client: httpx2.AsyncClient, engine: AsyncEngine
) -> None:
    """An order's row begins with the time at which its transaction began, however late it is written."""
    async with writing(database) as connection:
        await add_order(connection, "quick")
    async with transaction(engine) as slow:
        began = (await slow.execute(text("SELECT now()"))).scalar_one()
        async with transaction(engine) as quick:
            await touch(quick, "quick")
        _, resume = await walk(client)
        await add_order(slow, "slow", updated_at=began)
    assert (await walk(client, cursor=resume))[0] == ["slow", "quick"]


async def test_what_is_settled_does_not_come_again(database: str, client: httpx2.AsyncClient) -> None:
    async with writing(database) as connection:
        await add_order(connection, "1")
        await touch(connection, "1")
    assert (await walk(client))[0] == ["1"]
    await settle(database)
    found, resume = await walk(client)
    assert found == ["1"]
    assert (await walk(client, cursor=resume))[0] == []


@pytest.mark.usefixtures("no_settling")
async def test_a_long_transaction_of_somebody_else_holds_nobody_up(database: str, client: httpx2.AsyncClient) -> None:
    async with writing(database) as backup:
        await backup.execute(text("SET application_name = 'pg_dump'"))
        async with writing(database) as connection:
            await add_order(connection, "1")
            await touch(connection, "1")
        found, resume = await walk(client)
        assert found == ["1"]
        assert (await walk(client, cursor=resume))[0] == []


async def test_writers_whose_start_we_may_not_see_count_as_old(database: str, engine: AsyncEngine) -> None:
    at = datetime.now(UTC) - 60 * SECOND
    async with writing(database) as connection:
        await add_order(connection, "1", updated_at=at)
        await add_order(connection, "2")
    async with transaction(engine) as writer:
        await touch(writer, "2")
        async with reading(engine) as connection:
            await connection.execute(text("SET LOCAL ROLE pg_read_all_data"))  # may not look into others' sessions
            unseen = await list_orders(connection, OrderFilter(platform=Platform.ALIBABA_1688), Cursor(), 10)
    async with reading(engine) as connection:
        seen = await list_orders(connection, OrderFilter(platform=Platform.ALIBABA_1688), unseen.resume, 10)
    assert [row["order_id"] for row in unseen.orders] == ["2", "1"]
    assert [row["order_id"] for row in seen.orders] == ["1", "2"]
