"""A fresh read is published like any other fact, tried again when it fails, and given up only after many refusals."""

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.followups.stage import Stage
from tests.storage.database import execute, rows
from worker.domain.clock import to_datetime
from worker.domain.facts import Fact, Source
from worker.domain.identity import Platform
from worker.domain.policy import Effect
from worker.followups.refresh import ALERT_AFTER_FAILURES, GIVE_UP_AFTER_REFUSALS
from worker.marketplaces.port import MarketplaceError, RejectedError, RetryableError, ThrottledError


@pytest.fixture
async def stage(engine: AsyncEngine) -> Stage:
    """An order that a callback has told of: it wants a read."""
    stage = Stage(engine)
    stage.market.show("1", "waitbuyerpay")
    await stage.hear("waitbuyerpay")
    return stage


async def refresh(stage: Stage) -> dict[str, object]:
    (found,) = await rows(stage.engine, "SELECT * FROM follow_ups WHERE effect = 'refresh'")
    return found


async def fail(stage: Stage, error: MarketplaceError, times: int) -> None:
    for _ in range(times):
        stage.market.read_failures = [error]
        await stage.make_due()
        await stage.executor(Effect.REFRESH).drain()


async def test_a_read_becomes_a_fact_and_confirms_the_order(stage: Stage) -> None:
    await stage.read_due()
    assert stage.market.reads == 1
    done = await refresh(stage)
    assert (done["state"], done["failures"], done["claim_token"]) == ("succeeded", 0, None)
    assert await rows(stage.engine, "SELECT source, kind FROM facts ORDER BY id") == [
        {"source": "callback", "kind": "status"},
        {"source": "response", "kind": "snapshot"},
    ]
    assert await rows(stage.engine, "SELECT unconfirmed FROM orders") == [{"unconfirmed": False}]


async def test_what_is_heard_during_the_read_asks_for_another(stage: Stage) -> None:
    later = stage.clock.now_ms() + 600_000
    stage.spool.after_put = lambda: stage.hear("waitsellersend", at=later)
    await stage.executor(Effect.REFRESH).drain()
    again = await refresh(stage)
    assert again["state"] == "planned"
    assert again["wanted_after"] == again["due_at"] == to_datetime(later)


async def test_a_read_that_fails_waits_longer_each_time_and_tells_people_once(stage: Stage) -> None:
    pauses = []
    for failures in range(1, ALERT_AFTER_FAILURES + 2):
        await fail(stage, ThrottledError("HTTP 429"), 1)
        held = await refresh(stage)
        assert (held["state"], held["failures"]) == ("planned", failures)
        pauses.append((held["due_at"] - held["updated_at"]).total_seconds())  # type: ignore[operator]  # two instants
    assert pauses[-1] > 8 * pauses[0] > 0
    assert await stage.open_alerts() == ["refresh_failing"]
    assert await rows(stage.engine, "SELECT action FROM alert_notices") == [{"action": "opened"}]


async def test_the_alert_ends_with_the_first_read_that_works(stage: Stage) -> None:
    await fail(stage, RetryableError("HTTP 502"), ALERT_AFTER_FAILURES)
    await stage.make_due()
    await stage.read_due()
    assert await stage.open_alerts() == []
    assert (await refresh(stage))["failures"] == 0


async def test_an_order_that_the_marketplace_does_not_know_is_given_up_and_taken_up_by_the_next_hint(
    stage: Stage,
) -> None:
    await fail(stage, RejectedError("code 404"), GIVE_UP_AFTER_REFUSALS)
    assert (await refresh(stage))["state"] == "rejected"
    assert await stage.open_alerts() == ["refresh_failing"]
    await stage.make_due()
    await stage.executor(Effect.REFRESH).drain()
    assert stage.market.reads == GIVE_UP_AFTER_REFUSALS
    stage.market.show("1", "waitsellersend", paid=True)
    await stage.hear("waitsellersend")
    await stage.make_due()
    await stage.read_due()
    assert (await refresh(stage))["state"] == "succeeded"
    assert await stage.open_alerts() == []


async def test_a_read_that_could_not_be_kept_is_not_done(stage: Stage) -> None:
    stage.spool.failure = OSError("the disk is full")
    await stage.executor(Effect.REFRESH).drain()
    held = await refresh(stage)
    assert (held["state"], held["failures"]) == ("planned", 1)
    assert "NotDurableError" in str(held["reason"])


async def test_a_worker_killed_during_a_read_leaves_it_to_the_next(stage: Stage) -> None:
    await execute(
        stage.engine,
        "UPDATE follow_ups SET claim_token = gen_random_uuid(), claimed_until = now() + interval '1 minute'",
    )
    await stage.read_due()
    assert stage.market.reads == 0, "somebody works on it"
    await stage.end_leases()
    await stage.read_due()
    assert (await refresh(stage))["state"] == "succeeded"


async def test_an_executor_leaves_other_accounts_and_the_future_alone(stage: Stage) -> None:
    await execute(stage.engine, "UPDATE follow_ups SET account = 'other'")
    await stage.read_due()
    await execute(stage.engine, "UPDATE follow_ups SET account = 'main', due_at = now() + interval '1 hour'")
    await stage.read_due()
    assert stage.market.reads == 0


async def test_facts_of_a_read_are_timed_at_the_question(stage: Stage) -> None:
    before = stage.clock.now_ms()
    fact: Fact = await stage.market.read_order(Platform.ALIBABA_1688, "1", Source.RESPONSE)
    assert before <= fact.observed_at <= stage.clock.now_ms()
    await stage.read_due()
    done = await refresh(stage)
    (asked,) = await rows(stage.engine, "SELECT asked_at FROM orders")
    assert done["asked_at"] == asked["asked_at"]
