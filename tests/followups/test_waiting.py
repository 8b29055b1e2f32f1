"""What cannot begin waits with growing pauses, and nothing waits for long without a person being told."""

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.followups.stage import PAID, FakeMarketplace, Stage, answering
from tests.storage.database import execute, rows, value
from worker.followups.ledger import Begun
from worker.followups.perform import ALERT_AFTER_FAILURES, SEND_WITHIN_S
from worker.marketplaces.port import NotSentError
from worker.storage.follow_up_sending import Beginning


@pytest.fixture
async def stage(engine: AsyncEngine) -> Stage:
    return Stage(engine)


async def try_often(stage: Stage, times: int) -> list[float]:
    """Let it fail so often; the pauses in between, s."""
    pauses = []
    for _ in range(times):
        await stage.make_due()
        await stage.pay_due()
        await stage.catch_up()
        payment = await stage.payment()
        assert payment["state"] == "planned"
        pauses.append((payment["due_at"] - payment["updated_at"]).total_seconds())
    return pauses


async def test_a_call_that_never_leaves_is_told_to_a_person(stage: Stage) -> None:
    await stage.unpaid_order()
    stage.market.pay_call = answering(NotSentError("no connection"))
    await try_often(stage, ALERT_AFTER_FAILURES - 1)
    assert await stage.open_alerts() == []
    await try_often(stage, 1)
    assert await stage.open_alerts() == ["effect_waiting"]
    await stage.recovery.recover_once()
    assert await stage.open_alerts() == ["effect_waiting"], "it still waits"
    stage.market.pay_call = answering(PAID)
    await stage.make_due()
    await stage.pay_due()
    await stage.recovery.recover_once()
    assert (await stage.state(), await stage.open_alerts()) == ("succeeded", [])


async def test_our_own_failure_in_judging_is_told_to_a_person_and_not_tried_in_a_hot_loop(stage: Stage) -> None:
    await stage.unpaid_order()
    shown = stage.market.shown.pop("1")
    pauses = []
    for _ in range(ALERT_AFTER_FAILURES):
        await stage.make_due()
        (held,) = await stage.executor_claims()
        with pytest.raises(KeyError):
            await stage.pay(held)
        payment = await stage.payment()
        pauses.append((payment["due_at"] - payment["updated_at"]).total_seconds())
    assert (await stage.payment())["reason"] == "the judgement failed in our own code: KeyError"
    assert pauses[-1] > pauses[0] * 4
    assert await stage.open_alerts() == ["effect_waiting"]
    stage.market.shown["1"] = shown
    await stage.make_due()
    await stage.pay_due()
    assert stage.market.calls == ["1"]


async def test_what_another_call_excludes_is_asked_for_more_and_more_rarely(stage: Stage) -> None:
    """A cancellation is not known to have happened: for as long as that lasts, the payment must not begin."""
    await stage.unpaid_order()
    await execute(
        stage.engine,
        "INSERT INTO follow_ups (order_ref, account, effect, purpose, state, unknown_since)"
        " SELECT id, account, 'cancel', 'order', 'unknown', now() FROM orders",
    )
    pauses = await try_often(stage, ALERT_AFTER_FAILURES)
    assert pauses[-1] > pauses[0] * 4
    assert stage.market.calls == []
    assert await stage.attempts() == []
    assert await stage.open_alerts() == ["effect_waiting"]


async def test_a_worker_whose_machine_slept_after_writing_sent_does_not_send(engine: AsyncEngine) -> None:
    """The monotonic clock stood still meanwhile; the wall clock did not."""

    class Sleeping:
        def __init__(self) -> None:
            self.market_clock = FakeMarketplace().clock
            self.asleep = 0

        def now_ms(self) -> int:
            return self.market_clock.now_ms() + self.asleep

    clock = Sleeping()
    stage = Stage(engine)
    stage.pay._clock = clock
    begin = stage.ledger.begin

    async def sleep_after(call: Beginning) -> Begun:
        begun = await begin(call)
        clock.asleep += int((SEND_WITHIN_S + 1) * 1_000)
        return begun

    stage.ledger.begin = sleep_after  # type: ignore[method-assign]
    await stage.unpaid_order()
    await stage.pay_due()
    assert stage.market.calls == []
    assert [attempt["outcome"] for attempt in await stage.attempts()] == ["not_sent"]


async def test_a_booking_that_reconcile_holds_back_is_told_to_a_person_once(stage: Stage) -> None:
    await stage.unpaid_order()
    await execute(
        stage.engine,
        "INSERT INTO follow_ups (order_ref, account, effect, purpose, state, reason)"
        " SELECT id, account, 'book_international', 'b', 'awaiting_approval', 'another booking was made' FROM orders",
    )
    for _ in range(2):
        await stage.recovery.recover_once()
    (alert,) = await rows(stage.engine, "SELECT kind, title FROM alerts")
    assert alert["kind"] == "approval_waiting"
    assert "another booking was made" in alert["title"]
    await execute(stage.engine, "UPDATE follow_ups SET state = 'cancelled' WHERE effect = 'book_international'")
    await stage.recovery.recover_once()
    assert await stage.open_alerts() == []


async def test_pauses_are_kept_by_the_databases_clock(stage: Stage) -> None:
    await stage.unpaid_order()
    stage.market.pay_call = answering(NotSentError("no connection"))
    await stage.pay_due()
    left = await value(stage.engine, "SELECT due_at - now() FROM follow_ups WHERE effect = 'pay'")
    assert 0 < left.total_seconds() < 3
