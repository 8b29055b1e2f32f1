"""Loops are woken when work is committed, not before, and again after the listener lost its connection."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.storage.database import value
from tests.waiting import until
from worker.storage.engine import transaction
from worker.storage.wakeup import Wakeups, Work, notify

LONG_S = 30.0
_THEM = "FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
_LISTENERS = f"SELECT count(*) {_THEM}"
_CUT = f"SELECT count(pg_terminate_backend(pid)) {_THEM}"


@pytest.fixture
async def wakeups(engine: AsyncEngine, database: str) -> AsyncIterator[Wakeups]:
    """Listening, with the first general waking behind it."""
    wakeups = Wakeups(database)
    listening = asyncio.create_task(wakeups.run())
    await until(lambda: value(engine, _LISTENERS))
    for work in Work:
        await wakeups.wait(work, LONG_S)
    yield wakeups
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)


async def test_everybody_who_waits_is_woken_by_the_commit_and_not_before(engine: AsyncEngine, wakeups: Wakeups) -> None:
    waiting = [asyncio.create_task(wakeups.wait(Work.FOLLOW_UPS, LONG_S)) for _ in range(3)]
    other = asyncio.create_task(wakeups.wait(Work.OUTBOX, LONG_S))
    async with transaction(engine) as connection:
        await notify(connection, Work.FOLLOW_UPS, Work.ALERTS)
        done, _ = await asyncio.wait(waiting, timeout=0.1)
        assert not done
    await asyncio.wait_for(asyncio.gather(*waiting), 10)
    assert not other.done()
    other.cancel()
    await asyncio.gather(other, return_exceptions=True)


async def test_nothing_is_told_of_work_that_was_undone(engine: AsyncEngine, wakeups: Wakeups) -> None:
    waiting = asyncio.create_task(wakeups.wait(Work.OUTBOX, LONG_S))
    async with engine.connect() as connection:
        await connection.execute(text("SELECT pg_notify('ordersync', 'outbox')"))
        await connection.rollback()
    done, _ = await asyncio.wait([waiting], timeout=0.1)
    assert not done
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)


async def test_after_a_lost_connection_everybody_looks_for_work(engine: AsyncEngine, wakeups: Wakeups) -> None:
    """What was notified meanwhile is not told again."""
    waiting = [asyncio.create_task(wakeups.wait(work, LONG_S)) for work in Work]
    assert await value(engine, _CUT) == 1
    await asyncio.wait_for(asyncio.gather(*waiting), 10)
    assert await value(engine, _LISTENERS) == 1


async def test_without_any_news_a_loop_looks_by_itself(wakeups: Wakeups) -> None:
    started = time.monotonic()
    await wakeups.wait(Work.SPOOL, 0.05)
    assert time.monotonic() - started < LONG_S
