"""A backfill against the sandbox's own list, with its drift and page sizes: everything is found, and a restart goes on.

1,500 orders of thirty days: the list of a bare marketplace with 100,000 is in `test_poller.py`.
"""

import random
from typing import Any, cast

import httpx2
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.conformance.stage import account
from tests.intake.stage import Kept
from tests.sandbox.stage import DAY_S, Stage
from tests.storage.database import rows, value
from worker.broker.durable import DurablePublisher
from worker.catalogue.operation import Dialect
from worker.domain.clock import Millis
from worker.intake.poller import PollPlan, StreamPoller
from worker.marketplaces.build import Network, build_marketplace
from worker.marketplaces.limits import NoLimit
from worker.marketplaces.port import Stream
from worker.sandbox import create_app

DAYS, A_DAY = 30, 50
SLICES_BEFORE_THE_CRASH = 12
PLAN = PollPlan("main", Stream.ORDERS_1688, 60.0, 300.0, backfill_s=(DAYS + 5) * DAY_S, window_s=DAY_S)


class ByHand:
    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def now_ms(self) -> Millis:
        return self._stage.clock.ms


@pytest.fixture
def stage() -> Stage:
    """A sandbox in which new orders came every day for a month; nobody heard of any of them."""
    stage = Stage(orders=0, callback_url=None, person_share=0.0, agreement_share=0.0)
    for _ in range(DAYS):
        stage.sandbox.world.add_orders(A_DAY)
        stage.advance(DAY_S)
    return stage


def process(stage: Stage, engine: AsyncEngine, kept: Kept) -> StreamPoller:
    """A process that polls: what another one knew is in Postgres or nowhere."""
    clock = ByHand(stage)
    transport = httpx2.ASGITransport(create_app(stage.sandbox))
    one = account(Dialect.PANDAPON, "http://127.0.0.1:1")
    client = build_marketplace(one, clock, 5.0, NoLimit(), Network(transport=transport))

    async def no_sleep(_seconds: float) -> None:
        return

    publisher = cast("DurablePublisher", kept)
    return StreamPoller(PLAN, client, publisher, engine, clock, sleep=no_sleep, jitter=random.Random(1))  # noqa: S311


async def left_days(engine: AsyncEngine) -> float:
    query = "SELECT extract(epoch FROM target - position) / 86400 FROM cursors WHERE target IS NOT NULL"
    return float(await value(engine, query))


async def test_a_month_is_read_slice_by_slice_and_a_killed_backfill_goes_on(stage: Stage, engine: AsyncEngine) -> None:
    before, after = Kept(), Kept()
    first = process(stage, engine, before)
    left: list[float] = []
    for _ in range(SLICES_BEFORE_THE_CRASH):
        assert await first.poll_once()
        left.append(await left_days(engine))
    assert left == sorted(left, reverse=True), "progress is shown by a figure that falls"
    assert left[0] - left[-1] == pytest.approx(SLICES_BEFORE_THE_CRASH - 1, abs=0.01)
    calls = len(stage.sandbox.traffic.log)
    second = process(stage, engine, after)  # the first one is gone, without a word
    rounds = 0
    while second.is_behind or rounds == 0:
        await second.poll_once()
        rounds += 1
    assert await left_days(engine) == 0
    assert rounds <= DAYS + 5 - SLICES_BEFORE_THE_CRASH + 1, "no finished slice is read again"
    found = {fact.key.order_id for kept in (before, after) for fact in kept.facts}
    assert found == set(stage.sandbox.world.orders)
    assert len(found) == DAYS * A_DAY
    (cursor,) = await rows(engine, "SELECT rows FROM cursors WHERE target IS NOT NULL")
    assert cursor["rows"] >= len(found) * 0.9, "what the news brought is not counted to the past"
    assert len(stage.sandbox.traffic.log) > calls
    assert {call.outcome for call in stage.sandbox.traffic.log} == {"ok"}


def test_the_stage_is_what_it_says(stage: Stage) -> None:
    ages: list[Any] = sorted({(stage.clock.ms - order.modified_ms) // 86_400_000 for order in stage.orders})
    assert len(ages) >= DAYS - 5
