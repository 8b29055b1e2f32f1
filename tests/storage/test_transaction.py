"""A commit is whole or absent, whatever is cancelled meanwhile, and no connection is lost on the way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.storage.database import connected, execute, value
from tests.waiting import until
from worker.followups.executor import LEASE_S
from worker.intake.spool import DRAIN_TIMEOUT_S
from worker.outbound.relay import RELAY_TIMEOUT_S
from worker.storage.engine import IDLE_IN_TRANSACTION_S, async_url, transaction

GATE = 4711
"""The advisory lock at which a commit, or a statement, is made to wait."""
_SLOW_COMMIT = (
    "CREATE TABLE slow (n int)",
    f"""CREATE FUNCTION wait_at_gate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        PERFORM pg_advisory_xact_lock({GATE});
        IF NEW.n < 0 THEN RAISE EXCEPTION 'refused at commit'; END IF;
        RETURN NULL; END $$""",
    """CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON slow DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION wait_at_gate()""",
)
_AT_GATE = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


@pytest.fixture
async def single(database: str) -> AsyncIterator[AsyncEngine]:
    """An engine of one connection: a leaked one would be missed at once."""
    async with connected(database, pool_size=1) as engine:
        yield engine


@asynccontextmanager
async def gate_closed(engine: AsyncEngine) -> AsyncIterator[None]:
    """Everybody waits at the gate until the block ends."""
    async with engine.connect() as connection:
        await connection.execute(text(f"SELECT pg_advisory_lock({GATE})"))
        try:
            yield
        finally:
            await connection.execute(text(f"SELECT pg_advisory_unlock({GATE})"))
            await connection.rollback()


async def insert_slowly(engine: AsyncEngine, number: int = 1) -> None:
    async with transaction(engine) as connection:
        await connection.execute(text("INSERT INTO slow VALUES (:number)"), {"number": number})


async def someone_at_gate(engine: AsyncEngine) -> bool:
    return bool(await value(engine, _AT_GATE))


@pytest.mark.parametrize("times", [1, 3])
async def test_a_cancelled_commit_is_finished_before_the_cancellation_goes_on(
    engine: AsyncEngine, single: AsyncEngine, times: int
) -> None:
    for statement in _SLOW_COMMIT:
        await execute(engine, statement)
    async with gate_closed(engine):
        task = asyncio.create_task(insert_slowly(single))
        await until(lambda: someone_at_gate(engine))
        for _ in range(times):
            task.cancel()
            await asyncio.wait([task], timeout=0.05)
            assert not task.done(), "left while the commit was still under way"
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await value(single, "SELECT count(*) FROM slow") == 1


async def test_a_commit_that_fails_while_it_is_cancelled_leaves_nothing_behind(
    engine: AsyncEngine, single: AsyncEngine
) -> None:
    for statement in _SLOW_COMMIT:
        await execute(engine, statement)
    async with gate_closed(engine):
        task = asyncio.create_task(insert_slowly(single, -1))
        await until(lambda: someone_at_gate(engine))
        task.cancel()
    with pytest.raises(asyncio.CancelledError) as cancelled:
        await task
    assert "refused at commit" in str(cancelled.value.__cause__)
    assert await value(single, "SELECT count(*) FROM slow") == 0


async def test_a_commit_that_fails_says_so(engine: AsyncEngine, single: AsyncEngine) -> None:
    for statement in _SLOW_COMMIT:
        await execute(engine, statement)
    with pytest.raises(DBAPIError, match="refused at commit"):
        await insert_slowly(single, -1)
    assert await value(single, "SELECT count(*) FROM slow") == 0


async def test_work_cancelled_in_the_middle_of_a_statement_is_undone(engine: AsyncEngine, single: AsyncEngine) -> None:
    await execute(engine, "CREATE TABLE slow (n int)")

    async def work() -> None:
        async with transaction(single) as connection:
            await connection.execute(text("INSERT INTO slow VALUES (1)"))
            await connection.execute(text(f"SELECT pg_advisory_xact_lock({GATE})"))

    async with gate_closed(engine):
        task = asyncio.create_task(work())
        await until(lambda: someone_at_gate(engine))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert await value(single, "SELECT count(*) FROM slow") == 0
    await until(lambda: nobody_in_transaction(engine))


async def nobody_in_transaction(engine: AsyncEngine) -> bool:
    busy = await value(
        engine,
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in tr%'",
    )
    return bool(busy == 0)


async def test_an_error_in_the_block_undoes_it_and_comes_through(single: AsyncEngine) -> None:
    await execute(single, "CREATE TABLE slow (n int)")

    async def work() -> None:
        async with transaction(single) as connection:
            await connection.execute(text("INSERT INTO slow VALUES (1)"))
            raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await work()
    assert await value(single, "SELECT count(*) FROM slow") == 0


async def test_many_cancelled_tasks_leak_no_connection(single: AsyncEngine) -> None:
    """Cancelled wherever they happen to be: waiting for the pool, at begin, in a statement, at commit."""
    await execute(single, "CREATE TABLE slow (n int)")
    for turns in range(12):
        tasks = [asyncio.create_task(insert_slowly(single)) for _ in range(3)]
        for _ in range(turns):
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert await value(single, "SELECT count(*) >= 0 FROM slow") is True
    assert await value(single, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'ordersync-test'") <= 2


async def test_the_server_ends_statements_and_waits_that_take_too_long(engine: AsyncEngine) -> None:
    shown = [await value(engine, f"SHOW {name}") for name in ("statement_timeout", "lock_timeout")]
    assert shown == ["30s", "10s"]
    assert await value(engine, "SHOW idle_in_transaction_session_timeout") == f"{IDLE_IN_TRANSACTION_S}s"
    assert max(RELAY_TIMEOUT_S, DRAIN_TIMEOUT_S) < IDLE_IN_TRANSACTION_S < LEASE_S


def test_another_kind_of_database_is_refused() -> None:
    with pytest.raises(ValueError, match="postgresql://"):
        async_url("mysql://root@localhost/orders")
