"""The loop of the executors: a bounded number at once, no failure ends it, and what was begun is finished."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.followups.stage import PAID, Stage
from tests.storage.database import execute
from tests.waiting import until
from worker.domain.policy import Effect
from worker.followups.executor import Executor
from worker.marketplaces.port import EffectAnswer


@pytest.fixture
async def stage(engine: AsyncEngine) -> Stage:
    stage = Stage(engine)
    for number in range(5):
        await stage.unpaid_order(str(number))
    return stage


@asynccontextmanager
async def running(executor: Executor) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(executor.run())
    try:
        yield task
    finally:
        executor.stop()
        await asyncio.wait_for(task, 10)


async def test_it_works_on_no_more_at_once_than_it_may(stage: Stage) -> None:
    under_way, most = 0, 0

    async def call(_order_id: str) -> EffectAnswer:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        return PAID

    stage.market.pay_call = call
    async with running(stage.executor(Effect.PAY, concurrency=2)):
        await until(lambda: len(stage.market.calls) == 5)
    assert most <= 2
    assert sorted(stage.market.calls) == ["0", "1", "2", "3", "4"]


async def test_one_order_that_fails_does_not_end_the_loop(stage: Stage) -> None:
    del stage.market.shown["0"]
    async with running(stage.executor(Effect.PAY)):
        await until(lambda: len(stage.market.calls) == 4)
    assert await stage.state("0") == "planned"


async def test_stopping_finishes_what_was_begun_and_begins_nothing_more(stage: Stage) -> None:
    called, go_on = asyncio.Event(), asyncio.Event()

    async def call(_order_id: str) -> EffectAnswer:
        called.set()
        await go_on.wait()
        return PAID

    stage.market.pay_call = call
    executor = stage.executor(Effect.PAY, concurrency=1)
    async with running(executor) as task:
        await asyncio.wait_for(called.wait(), 10)
        executor.stop()
        await asyncio.wait([task], timeout=0.2)
        assert not task.done()
        go_on.set()
    assert len(stage.market.calls) == 1
    assert await stage.state(stage.market.calls[0]) == "succeeded"


async def test_one_that_may_not_finish_begins_no_payment_after_its_end(stage: Stage) -> None:
    reading, go_on = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        reading.set()
        await go_on.wait()

    stage.spool.after_put = hold
    executor = stage.executor(Effect.PAY, concurrency=1)
    running_out = asyncio.create_task(executor.run())
    await asyncio.wait_for(reading.wait(), 10)
    executor.stop()
    running_out.cancel()
    await asyncio.gather(running_out, return_exceptions=True)
    go_on.set()
    await until(lambda: not executor._running)
    assert stage.market.calls == []


async def test_work_that_comes_later_is_found_without_a_wakeup(stage: Stage) -> None:
    await execute(stage.engine, "UPDATE follow_ups SET due_at = now() + interval '1 hour'")
    async with running(stage.executor(Effect.PAY)):
        await stage.make_due()
        await until(lambda: len(stage.market.calls) == 5)
