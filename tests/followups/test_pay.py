"""A payment is written down before it is made, decided on a fresh read, and made once."""

import asyncio
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.followups.stage import LINK, NEEDS_PERSON, PAID, FakeMarketplace, Stage, answering
from tests.storage.database import execute, rows, value
from worker.domain.facts import Fact, Source
from worker.domain.identity import Platform
from worker.domain.policy import Policy
from worker.followups.perform import SEND_WITHIN_S
from worker.marketplaces.port import EffectAnswer, NotSentError, RetryableError


@pytest.fixture
async def stage(engine: AsyncEngine) -> Stage:
    return Stage(engine)


async def test_the_attempt_is_committed_before_the_call_and_ended_after_it(stage: Stage) -> None:
    await stage.unpaid_order()
    seen: list[dict[str, Any]] = []

    async def call(order_id: str) -> EffectAnswer:
        seen.append(await stage.payment(order_id))
        seen.extend(await stage.attempts())
        return await answering(PAID)(order_id)

    stage.market.pay_call = call
    await stage.pay_due()
    payment, attempt = seen
    assert (payment["state"], payment["amount_minor"]) == ("sending", 10_000)
    assert attempt["claim_token"] == payment["claim_token"]
    assert (attempt["operation"], attempt["amount_minor"], attempt["finished_at"]) == ("order_pay", 10_000, None)
    assert attempt["evidence"]["baseline_minor"] == 10_000
    assert stage.market.calls == ["1"]
    assert await stage.state() == "succeeded"
    (ended,) = await stage.attempts()
    assert (ended["outcome"], ended["answer"]) == ("done", PAID.detail)
    assert ended["finished_at"] >= ended["sent_at"]
    assert await stage.open_alerts() == []


async def test_it_pays_only_after_reading_the_order_afresh(stage: Stage) -> None:
    await stage.unpaid_order()
    await stage.pay_due()
    assert stage.market.reads == 1
    (attempt,) = await stage.attempts()
    published = await rows(stage.engine, "SELECT headers->>'ce_id' AS fact_id FROM spool")
    assert published == [{"fact_id": attempt["evidence"]["fact_id"]}]


async def test_after_the_call_the_order_is_read_and_the_payment_confirmed(stage: Stage) -> None:
    await stage.unpaid_order()
    await stage.pay_due()
    stage.market.show("1", "waitsellersend", paid=True)
    await stage.read_due()
    assert await value(stage.engine, "SELECT paid FROM orders") is True
    assert await stage.state() == "succeeded"


async def test_a_link_to_pay_is_for_a_person_and_never_called_again(stage: Stage) -> None:
    await stage.unpaid_order()
    stage.market.pay_call = answering(NEEDS_PERSON)
    await stage.pay_due()
    payment = await stage.payment()
    assert (payment["state"], payment["pay_url"]) == ("awaiting_person", LINK)
    (alert,) = await rows(stage.engine, "SELECT kind, severity, title, details, order_key FROM alerts")
    assert (alert["kind"], alert["severity"]) == ("payment_needs_person", "critical")
    assert LINK in alert["title"]
    assert alert["details"] == {"amount_minor": 10_000, "pay_url": LINK}
    assert alert["order_key"] == "main/1688/1"
    await stage.make_due()
    await stage.pay_due()
    assert stage.market.calls == ["1"]


@pytest.mark.parametrize(
    ("word", "paid", "state"), [("waitsellersend", True, "succeeded"), ("cancel", False, "cancelled")]
)
async def test_what_became_of_the_link_is_read_from_the_order(stage: Stage, word: str, paid: bool, state: str) -> None:  # noqa: FBT001 - a table of cases
    await stage.unpaid_order()
    stage.market.pay_call = answering(NEEDS_PERSON)
    await stage.pay_due()
    stage.market.show("1", word, paid=paid)
    await stage.read_due()
    assert await stage.state() == state
    assert await stage.open_alerts() == []


@pytest.mark.parametrize(
    ("total", "reason"), [(10_201, "more than the tolerance of 2"), (60_000, "above the limit of 500.00")]
)
async def test_a_price_that_rose_too_far_waits_for_a_person_until_it_falls_again(
    stage: Stage, total: int, reason: str
) -> None:
    await stage.unpaid_order()
    stage.market.show("1", "waitbuyerpay", total)
    await stage.pay_due()
    await stage.catch_up()
    assert stage.market.calls == []
    payment = await stage.payment()
    assert (payment["state"], payment["amount_minor"]) == ("awaiting_approval", total)
    assert reason in payment["reason"]
    assert await stage.open_alerts() == ["price_beyond_tolerance"]
    await stage.make_due()
    await stage.pay_due()
    assert stage.market.calls == []
    stage.market.show("1", "waitbuyerpay", 10_200)
    await stage.hear("waitbuyerpay")
    await stage.read_due()
    assert await stage.open_alerts() == []
    await stage.make_due()
    await stage.pay_due()
    assert stage.market.calls == ["1"]
    assert (await stage.payment())["amount_minor"] == 10_200


async def test_a_held_payment_is_not_forgotten_when_the_price_fell_during_the_read(stage: Stage) -> None:
    """The read of the dear price is published; before its executor goes on, reconcile has heard of the lower one."""
    await stage.unpaid_order()
    stage.market.show("1", "waitbuyerpay", 60_000, older_s=30)

    async def price_falls() -> None:
        stage.market.show("1", "waitbuyerpay", 10_000)
        await stage.tell(await stage.market.read_order(Platform.ALIBABA_1688, "1", Source.RESPONSE))

    stage.spool.after_put = price_falls
    await stage.pay_due()
    assert stage.market.calls == []
    assert await stage.state() == "planned"
    await stage.make_due()
    await stage.pay_due()
    assert stage.market.calls == ["1"]


async def test_a_total_of_nothing_is_not_paid(stage: Stage) -> None:
    await stage.unpaid_order()
    stage.market.show("1", "waitbuyerpay", 0)
    await stage.pay_due()
    await stage.catch_up()
    assert stage.market.calls == []
    assert await stage.state() == "awaiting_approval"


async def test_an_answer_older_than_what_is_known_pays_nothing(stage: Stage) -> None:
    """Eventually consistent reads: the order was modified after what this answer tells."""
    await stage.unpaid_order()
    stage.market.show("1", "waitbuyerpay", 10_000, older_s=500)
    await stage.pay_due()
    assert stage.market.calls == []
    payment = await stage.payment()
    assert payment["state"] == "planned"
    assert payment["due_at"] > payment["updated_at"]
    stage.market.show("1", "waitbuyerpay", 10_000)
    await stage.catch_up()
    await stage.make_due()
    await stage.pay_due()
    assert stage.market.calls == ["1"]


async def test_an_order_in_doubt_is_not_even_asked_about(stage: Stage) -> None:
    """Its refresh reads it. A payment that read it, too, would do so every other second for as long as it lasts."""
    await stage.unpaid_order()
    await stage.hear("no such word")
    await stage.make_due()
    await stage.pay_due()
    assert (stage.market.reads, stage.market.calls) == (0, [])
    await stage.read_due()
    await stage.pay_due()
    assert stage.market.calls == ["1"]


async def test_an_order_that_was_heard_of_during_the_read_is_not_paid(stage: Stage) -> None:
    await stage.unpaid_order()
    stage.spool.after_put = lambda: stage.hear("waitsellersend", at=stage.clock.now_ms() + 5_000)
    await stage.pay_due()
    assert (stage.market.reads, stage.market.calls) == (1, [])
    assert await stage.state() == "planned"
    assert await stage.attempts() == []


@pytest.mark.parametrize(("word", "paid"), [("waitsellersend", True), ("cancel", False)])
async def test_an_order_found_paid_or_closed_is_not_paid(stage: Stage, word: str, paid: bool) -> None:  # noqa: FBT001 - a table of cases
    await stage.unpaid_order()
    stage.market.show("1", word, paid=paid)
    await stage.pay_due()
    assert stage.market.calls == []
    assert await stage.state() == "cancelled"
    await stage.catch_up()
    assert await stage.state() == "cancelled"


async def test_what_was_planned_waits_while_its_account_does_not_pay_by_itself(stage: Stage) -> None:
    await stage.unpaid_order()
    await Stage(stage.engine, stage.market, policy=Policy()).pay_due()
    assert stage.market.calls == []
    assert await stage.state() == "planned"
    await stage.make_due()
    await stage.pay_due()
    assert stage.market.calls == ["1"]


async def test_a_read_that_fails_pays_nothing_and_is_tried_again_later(stage: Stage) -> None:
    await stage.unpaid_order()
    stage.market.read_failures = [RetryableError("HTTP 502"), RetryableError("HTTP 502")]
    pauses = []
    for failures in (1, 2):
        await stage.make_due()
        await stage.pay_due()
        payment = await stage.payment()
        assert (payment["state"], payment["failures"]) == ("planned", failures)
        pauses.append(payment["due_at"] - payment["updated_at"])
    assert pauses[1] > pauses[0]
    assert stage.market.calls == []
    await stage.make_due()
    await stage.pay_due()
    assert stage.market.calls == ["1"]


async def test_a_read_that_could_not_be_kept_pays_nothing(stage: Stage) -> None:
    await stage.unpaid_order()
    stage.spool.failure = OSError("the disk is full")
    await stage.pay_due()
    assert stage.market.calls == []
    assert "NotDurableError" in (await stage.payment())["reason"]


async def test_a_call_that_never_left_is_planned_again_after_a_pause(stage: Stage) -> None:
    await stage.unpaid_order()
    stage.market.pay_call = answering(NotSentError("no connection: ConnectError"))
    await stage.pay_due()
    payment = await stage.payment()
    assert (payment["state"], payment["failures"]) == ("planned", 1)
    assert payment["due_at"] > payment["updated_at"]
    assert await stage.open_alerts() == []
    stage.market.pay_call = answering(PAID)
    await stage.pay_due()
    assert len(stage.market.calls) == 1, "not before the pause is over"
    await stage.make_due()
    await stage.catch_up()
    await stage.pay_due()
    assert [attempt["outcome"] for attempt in await stage.attempts()] == ["not_sent", "done"]
    assert await stage.state() == "succeeded"


async def test_a_worker_that_was_held_up_after_writing_sent_does_not_send(engine: AsyncEngine) -> None:
    instants = iter([0.0, SEND_WITHIN_S + 0.1, 100.0, 100.0 + SEND_WITHIN_S])
    stage = Stage(engine, monotonic=lambda: next(instants))
    await stage.unpaid_order()
    await stage.pay_due()
    assert stage.market.calls == []
    assert await stage.state() == "planned"
    assert [attempt["outcome"] for attempt in await stage.attempts()] == ["not_sent"]
    await stage.make_due()
    await stage.catch_up()
    await stage.pay_due()
    assert stage.market.calls == ["1"]


async def test_many_executors_on_the_same_payment_make_one_call(engine: AsyncEngine) -> None:
    market = FakeMarketplace()
    stages = [Stage(engine, market) for _ in range(20)]
    await stages[0].unpaid_order()
    await asyncio.gather(*(stage.pay_due() for stage in stages))
    assert market.calls == ["1"]
    assert len(await stages[0].attempts()) == 1


async def test_even_the_same_claim_worked_on_twice_makes_one_call(stage: Stage) -> None:
    await stage.unpaid_order()
    (held,) = await stage.executor_claims()
    await asyncio.gather(*(stage.pay(held) for _ in range(20)))
    assert stage.market.calls == ["1"]


async def test_payments_of_several_orders_do_not_wait_for_each_other(stage: Stage) -> None:
    for number in range(6):
        await stage.unpaid_order(str(number))
    stage.market.read_failures = [RetryableError("HTTP 502")]
    await stage.pay_due()
    assert len(stage.market.calls) == len(set(stage.market.calls)) == 5


async def test_a_marketplace_that_answers_about_another_order_is_not_believed(stage: Stage) -> None:
    await stage.unpaid_order()
    await stage.unpaid_order("2")
    other = await stage.market.read_order(Platform.ALIBABA_1688, "2", Source.RESPONSE)

    async def wrong(_platform: Platform, _order_id: str, _source: Source) -> Fact:
        return other

    stage.market.read_order = wrong  # type: ignore[assignment,method-assign]  # the answer of another order
    (held,) = [claim for claim in await stage.executor_claims() if claim.key.order_id == "1"]
    with pytest.raises(ValueError, match="belongs to"):
        await stage.pay(held)
    assert stage.market.calls == []


async def test_a_price_that_rises_under_the_payment_counts_as_it_was_taken_and_is_told_once(stage: Stage) -> None:
    """The call takes no amount: what was decided on a read a moment ago is not what is paid."""
    await stage.unpaid_order()

    async def call(_order_id: str) -> EffectAnswer:
        stage.market.show("1", "waitsellersend", 10_150, paid=True)
        return PAID

    stage.market.pay_call = call
    await stage.pay_due()
    spent = "SELECT amount_minor FROM spendings WHERE released_at IS NULL"
    assert await value(stage.engine, spent) == 10_000
    await stage.read_due()
    assert await value(stage.engine, spent) == 10_150
    assert (await stage.payment())["amount_minor"] == 10_000
    await stage.recovery.recover_once()
    assert await stage.open_alerts() == ["paid_more"]
    await execute(stage.engine, "UPDATE alerts SET resolved_at = now()")
    await stage.recovery.recover_once()
    assert await stage.open_alerts() == []
