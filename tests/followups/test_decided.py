"""What people decide is what executors do: no more than was approved, nothing after a no, and each thing once."""

import asyncio
from decimal import Decimal

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.followups.stage import PAID, UNCLEAR, Stage, answering, paused_call
from tests.ledger.stage import ANN, BOB, OLE, unreleased
from tests.reconcile.stage import order
from tests.storage.database import execute
from worker.domain.operators import RefusedError
from worker.domain.plans import Plan
from worker.domain.policy import Policy
from worker.storage import decision_store, plan_store
from worker.storage.decision_store import Decided
from worker.storage.engine import transaction
from worker.storage.pause_store import Scope, pause, resume

DEAR = 60_000
"""Above the limit of 500.00 for a payment without a person."""
POLICY = Policy(auto_pay=True, auto_pay_limit=50_000, price_tolerance=Decimal("0.02"), four_eyes_above=70_000)


@pytest.fixture
async def stage(engine: AsyncEngine) -> Stage:
    return Stage(engine, policy=POLICY)


async def number(stage: Stage) -> int:
    return int((await stage.payment())["id"])


async def approve(stage: Stage, seen: int = DEAR, *, actor: object = ANN) -> Decided:
    assert actor in (ANN, BOB)
    who = ANN if actor is ANN else BOB
    return await decision_store.approve(
        stage.engine, await number(stage), who, seen=seen, reason="agreed", policy_of=lambda _: POLICY
    )


async def plan(stage: Stage, planned: Plan) -> None:
    async with transaction(stage.engine) as connection:
        await plan_store.put(connection, order("1"), planned, requested_by="shop", reason="ordered")


async def test_what_was_approved_is_paid_once_however_often_it_is_approved(stage: Stage) -> None:
    await stage.unpaid_order(total=DEAR)
    await stage.pay_due()
    assert stage.market.calls == []
    await asyncio.gather(*(approve(stage) for _ in range(4)))
    await asyncio.gather(stage.pay_due(), stage.beside().pay_due(), approve(stage))
    await stage.pay_due()  # both may have passed over a row that the approval held locked just then
    assert stage.market.calls == ["1"]
    assert not (await approve(stage)).changed
    await stage.make_due()
    await stage.pay_due()
    assert stage.market.calls == ["1"]
    assert await stage.state() == "succeeded"
    (attempt,) = await stage.attempts()
    assert (attempt["amount_minor"], attempt["evidence"]["approved_minor"]) == (DEAR, DEAR)


async def test_reconcile_does_not_put_back_what_was_approved(stage: Stage) -> None:
    await stage.unpaid_order(total=DEAR)
    assert await stage.open_alerts() == ["price_beyond_tolerance"]
    await approve(stage)
    stage.market.show("1", "waitbuyerpay", DEAR)
    await stage.hear("waitbuyerpay")
    await stage.read_due()
    assert await stage.state() == "planned"
    assert await stage.open_alerts() == []
    await stage.make_due()
    await stage.pay_due()
    assert stage.market.calls == ["1"]


async def test_a_price_that_rises_after_the_approval_is_not_paid_and_needs_another_one(stage: Stage) -> None:
    await stage.unpaid_order(total=DEAR)
    await approve(stage)
    stage.market.show("1", "waitbuyerpay", DEAR + 1)
    await stage.pay_due()
    await stage.catch_up()
    assert stage.market.calls == []
    assert await stage.state() == "awaiting_approval"
    with pytest.raises(RefusedError, match=r"600\.01 CNY now, and you saw 600\.00"):
        await approve(stage)
    await approve(stage, DEAR + 1)
    await stage.make_due()
    await stage.pay_due()
    assert stage.market.calls == ["1"]
    assert (await stage.payment())["amount_minor"] == DEAR + 1


async def test_a_price_that_falls_after_the_approval_is_paid(stage: Stage) -> None:
    await stage.unpaid_order(total=DEAR)
    await approve(stage)
    stage.market.show("1", "waitbuyerpay", DEAR - 1)
    await stage.pay_due()
    assert stage.market.calls == ["1"]
    assert (await stage.payment())["amount_minor"] == DEAR - 1


async def test_one_word_for_a_price_that_fell_does_not_pay_it_when_it_rises_again(stage: Stage) -> None:
    await stage.unpaid_order(total=80_000)
    await approve(stage, 80_000)
    stage.market.show("1", "waitbuyerpay", DEAR)
    await stage.hear("waitbuyerpay")
    await stage.read_due()
    assert (await approve(stage)).approved_minor == 70_000
    stage.market.show("1", "waitbuyerpay", 80_000)
    await stage.make_due()
    await stage.pay_due()
    await stage.catch_up()
    assert stage.market.calls == []
    assert await stage.state() == "awaiting_approval"
    await approve(stage, 80_000, actor=BOB)
    await stage.make_due()
    await stage.pay_due()
    assert stage.market.calls == ["1"]


async def test_a_no_that_comes_while_the_order_is_read_stops_the_payment(stage: Stage) -> None:
    await stage.unpaid_order()
    an_id = await number(stage)

    async def somebody_says_no() -> None:
        await decision_store.reject(stage.engine, an_id, OLE, reason="bought elsewhere")

    stage.spool.after_put = somebody_says_no
    await stage.pay_due()
    assert stage.market.calls == []
    assert await stage.state() == "rejected"
    stage.market.show("1", "waitbuyerpay", 9_000)
    await stage.hear("waitbuyerpay")
    await stage.read_due()
    await stage.make_due()
    await stage.pay_due()
    assert (stage.market.calls, await stage.state()) == ([], "rejected")


async def test_a_no_after_the_call_was_written_comes_too_late_and_says_so(stage: Stage) -> None:
    await stage.unpaid_order()
    an_id = await number(stage)
    async with paused_call(stage) as (_, go_on):
        with pytest.raises(RefusedError, match="is sending"):
            await decision_store.reject(stage.engine, an_id, OLE, reason="bought elsewhere")
        go_on.set()
    assert await stage.state() == "succeeded"


@pytest.mark.parametrize("scope", [Scope(), Scope("main"), Scope(effect="pay"), Scope("main", "pay")])
async def test_the_kill_switch_stops_a_payment_that_is_about_to_be_sent(stage: Stage, scope: Scope) -> None:
    await stage.unpaid_order()
    opened: list[int] = []

    async def somebody_pulls_it() -> None:
        opened.append((await pause(stage.engine, OLE, scope, reason="prices look wrong")).id)

    stage.spool.after_put = somebody_pulls_it
    await stage.pay_due()
    await stage.make_due()
    await stage.end_leases()
    reads = stage.market.reads
    await stage.beside().pay_due()
    assert (stage.market.calls, stage.market.reads) == ([], reads), "not even asked about"
    await stage.hear("waitbuyerpay")
    await stage.read_due()
    assert stage.market.reads > reads, "reading goes on"
    await resume(stage.engine, OLE, opened[0], reason="they were right")
    await stage.make_due()
    await stage.pay_due()
    assert stage.market.calls == ["1"]


@pytest.mark.parametrize("scope", [Scope("second"), Scope(effect="cancel"), Scope("second", "pay")])
async def test_the_kill_switch_stops_nothing_else(stage: Stage, scope: Scope) -> None:
    await stage.unpaid_order()
    await pause(stage.engine, OLE, scope, reason="another matter")
    await stage.pay_due()
    assert stage.market.calls == ["1"]


async def test_a_plan_that_comes_while_the_order_is_read_is_judged_by_before_anything_is_sent(stage: Stage) -> None:
    await stage.unpaid_order()

    async def a_plan_comes() -> None:
        await plan(stage, Plan(auto_pay=False))

    stage.spool.after_put = a_plan_comes
    await stage.pay_due()
    assert stage.market.calls == []
    stage.market.show("1", "waitbuyerpay")
    await stage.make_due()
    await stage.read_due()
    await stage.make_due()
    await stage.pay_due()
    assert (stage.market.calls, await stage.state()) == ([], "awaiting_approval")
    await approve(stage, 10_000)
    await stage.pay_due()
    assert stage.market.calls == ["1"]


async def test_a_plan_is_what_the_price_is_held_against_and_never_above_the_accounts_limit(stage: Stage) -> None:
    await plan(stage, Plan(planned_total=9_000, auto_pay=True))
    await stage.unpaid_order()
    await stage.pay_due()
    assert (stage.market.calls, await stage.state()) == ([], "awaiting_approval")
    await plan(stage, Plan(planned_total=DEAR, auto_pay=True))
    stage.market.show("1", "waitbuyerpay", DEAR)
    await stage.make_due()
    await stage.read_due()
    await stage.make_due()
    await stage.pay_due()
    assert (stage.market.calls, await stage.state()) == ([], "awaiting_approval"), "the limit is 500.00"


async def test_an_unknown_payment_is_made_again_once_by_an_approver_who_looked_after_a_read(stage: Stage) -> None:
    await stage.unpaid_order()
    stage.market.pay_call = answering(UNCLEAR)
    await stage.pay_due()
    await stage.catch_up()
    an_id = await number(stage)
    assert await stage.state() == "unknown"
    assert await unreleased(stage.engine) == 10_000

    async def retry() -> Decided:
        return await decision_store.retry(
            stage.engine, an_id, ANN, reason="the bank says no", checked="the account's payments of today"
        )

    with pytest.raises(RefusedError, match=r"not read since|in doubt"):
        await retry()
    stage.market.show("1", "waitbuyerpay")
    await stage.make_due()
    await stage.recovery.recover_once()
    await stage.read_due()
    assert await stage.state() == "unknown"
    done = await asyncio.gather(*(retry() for _ in range(3)), return_exceptions=True)
    assert sum(isinstance(one, Decided) for one in done) == 1
    assert await unreleased(stage.engine) == 0
    assert await stage.open_alerts() == []
    stage.market.pay_call = answering(PAID)
    await asyncio.gather(stage.pay_due(), stage.beside().pay_due())
    assert stage.market.calls == ["1", "1"]
    assert await stage.state() == "succeeded"
    assert await unreleased(stage.engine) == 10_000


async def test_a_retry_of_what_had_been_paid_after_all_pays_nothing(stage: Stage) -> None:
    """The marketplace showed it unpaid for a while: the read before the second attempt tells."""
    await stage.unpaid_order()
    stage.market.pay_call = answering(UNCLEAR)
    await stage.pay_due()
    await stage.catch_up()
    stage.market.show("1", "waitbuyerpay")
    await stage.make_due()
    await stage.recovery.recover_once()
    await stage.read_due()
    await decision_store.retry(stage.engine, await number(stage), ANN, reason="not there", checked="the list")
    stage.market.show("1", "waitsellersend", paid=True)
    await stage.pay_due()
    await stage.catch_up()
    assert stage.market.calls == ["1"]
    assert await stage.state() in {"cancelled", "succeeded"}
    assert await unreleased(stage.engine) == 10_000, "it was spent after all"


async def test_a_word_that_nothing_happened_does_not_hide_from_the_budget_what_shows_up_later(stage: Stage) -> None:
    await stage.unpaid_order()
    stage.market.pay_call = answering(UNCLEAR)
    await stage.pay_due()
    await stage.catch_up()
    stage.market.show("1", "waitbuyerpay")
    await stage.make_due()
    await stage.recovery.recover_once()
    await stage.read_due()
    await decision_store.resolve(stage.engine, await number(stage), ANN, done=False, reason="not in the list")
    assert await unreleased(stage.engine) == 0
    stage.market.show("1", "waitsellersend", paid=True)
    await stage.hear("waitsellersend")
    await stage.read_due()
    assert await unreleased(stage.engine) == 10_000


async def test_what_a_person_saw_done_is_not_done_again(stage: Stage) -> None:
    await stage.unpaid_order()
    stage.market.pay_call = answering(UNCLEAR)
    await stage.pay_due()
    await stage.catch_up()
    await decision_store.resolve(stage.engine, await number(stage), OLE, done=True, reason="it is in the list")
    stage.market.show("1", "waitbuyerpay")
    await stage.hear("waitbuyerpay")
    await stage.read_due()
    await execute(stage.engine, "UPDATE follow_ups SET due_at = now()")
    await stage.pay_due()
    assert stage.market.calls == ["1"]
    assert await stage.state() == "succeeded"
