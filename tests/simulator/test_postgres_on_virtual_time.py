"""The real Postgres under virtual time: its clock, its locks, and connections that break where the dice say."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.simulator.stage import Name, Small, as_machine
from worker.simulator.server import Database
from worker.storage.engine import create_engine, transaction
from worker.storage.wakeup import Work, notify

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
PUT = text("INSERT INTO orders (account, platform, order_id) VALUES ('a', '1688', :id) ON CONFLICT DO NOTHING")
LOCK = text("SELECT id FROM orders WHERE order_id = :id FOR UPDATE")


def engine(database: Database) -> AsyncEngine:
    return create_engine(database.address.dsn + "?sslmode=disable", application="test", pool_size=2)


def play(small: Small, database: Database, main: Any) -> Any:
    postgres = small.postgres(database)
    try:
        return small.run(main(postgres))
    finally:
        postgres.close()


def test_the_products_sql_reads_virtual_time(database: Database) -> None:
    small = Small()

    async def main(_postgres: object) -> tuple[Any, Any]:
        rows: list[Any] = []
        made = engine(database)
        for _ in range(2):
            async with transaction(made) as connection:
                await connection.execute(PUT, {"id": str(len(rows))})
                rows.append((await connection.execute(text("SELECT now(), max(first_seen_at) FROM orders"))).one())
            await asyncio.sleep(3_600)
        await made.dispose()
        return rows[0], rows[1]

    first, second = play(small, database, main)
    assert first[0] - EPOCH == timedelta(seconds=1_000)
    assert second[0] - first[0] == timedelta(seconds=3_600)
    assert second[1] == second[0]  # a column's default, too


def test_every_default_of_a_column_takes_virtual_time(database: Database) -> None:
    """Whatever migration comes: no table keeps a clock of its own."""
    real = database.session.query(
        "SET search_path = public; SELECT expression FROM (SELECT pg_get_expr(adbin, adrelid) AS expression "
        "FROM pg_attrdef) AS defaults WHERE expression ~ '(\\mnow|clock_timestamp)\\(' AND expression !~ 'virtual\\.' "
        "OR expression ~* '(current_timestamp|localtimestamp)'"
    )
    database.session.query("RESET search_path")
    assert real == []


def test_a_lock_is_waited_for_without_stopping_the_others(database: Database) -> None:
    small = Small()
    seen: list[str] = []

    async def hold(name: str, seconds: float) -> None:
        made = engine(database)
        async with transaction(made) as connection:
            await connection.execute(LOCK, {"id": "x"})
            seen.append(f"{name} has it")
            await asyncio.sleep(seconds)
        await made.dispose()

    async def main(_postgres: object) -> None:
        made = engine(database)
        async with transaction(made) as connection:
            await connection.execute(PUT, {"id": "x"})
        await made.dispose()
        first = asyncio.create_task(as_machine(Name("a", small.loop), lambda: hold("a", 5)))
        await asyncio.sleep(1)
        second = asyncio.create_task(as_machine(Name("b", small.loop), lambda: hold("b", 0)))
        await asyncio.sleep(1)
        assert seen == ["a has it"]
        await asyncio.gather(first, second)

    play(small, database, main)
    assert seen == ["a has it", "b has it"]
    assert small.trace.counts["lock wait"] == 1


def test_a_lock_that_is_never_free_ends_by_virtual_time(database: Database) -> None:
    small = Small()

    async def hold(seconds: float) -> float:
        made = engine(database)
        try:
            async with transaction(made) as connection:
                await connection.execute(PUT, {"id": "x"})
                await asyncio.sleep(seconds)
        finally:
            await made.dispose()
        return small.loop.time()

    async def main(_postgres: object) -> None:
        first = asyncio.create_task(as_machine(Name("a", small.loop), lambda: hold(30)))
        await asyncio.sleep(1)
        with pytest.raises(DBAPIError):
            await as_machine(Name("b", small.loop), lambda: hold(0))
        assert small.loop.time() == pytest.approx(1_011, abs=0.5)
        await first

    play(small, database, main)


@pytest.mark.parametrize(
    ("fault", "kept"), [("connection lost before commit", False), ("connection lost after commit", True)]
)
def test_a_connection_that_breaks_around_a_commit(database: Database, fault: str, kept: bool) -> None:  # noqa: FBT001
    small = Small(shares={fault: 1.0})

    async def main(_postgres: object) -> None:
        made = engine(database)

        async def put() -> None:
            async with transaction(made) as connection:
                await connection.execute(PUT, {"id": "x"})

        with pytest.raises(DBAPIError):
            await as_machine(Name("a", small.loop), put)
        await made.dispose()

    play(small, database, main)
    assert (database.session.value("SELECT count(*) FROM orders") == "1") is kept


def test_a_notification_is_posted_once_its_transaction_is_committed(database: Database) -> None:
    small = Small()
    posted: list[str] = []

    async def main(postgres: Any) -> None:
        postgres.post = posted.append
        made = engine(database)
        async with transaction(made) as connection:
            await notify(connection, Work.OUTBOX, Work.ALERTS)
            assert posted == []
        assert posted == ["outbox,alerts"]
        async with made.connect() as connection:
            await notify(connection, Work.SPOOL)
            await connection.rollback()
        await made.dispose()

    play(small, database, main)
    assert posted == ["outbox,alerts"]


def test_a_database_that_goes_away_refuses_and_comes_back(database: Database) -> None:
    small = Small()

    async def main(postgres: Any) -> None:
        made = engine(database)

        async def put() -> None:
            async with transaction(made) as connection:
                await connection.execute(PUT, {"id": "x"})

        postgres.go_away()
        with pytest.raises(OSError, match="away"):
            await asyncio.create_task(as_machine(Name("a", small.loop), put))
        postgres.come_back()
        await asyncio.create_task(as_machine(Name("a", small.loop), put))
        await made.dispose()

    play(small, database, main)
    assert database.session.value("SELECT count(*) FROM orders") == "1"
