"""What people decide is judged, written and told in one transaction, or not at all."""

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.ledger.stage import (
    ANN,
    BOB,
    CID,
    OLE,
    VERA,
    add_attempt,
    add_follow_up,
    deeds,
    follow_up,
    four_eyes,
    one_is_enough,
    open_alert,
    open_causes,
    unreleased,
)
from tests.storage.database import add_order, execute, rows, value
from worker.domain.effects import EffectState
from worker.domain.operators import RefusalKind, RefusedError
from worker.storage.decision_store import approve, reject, resolve, retry


async def nothing_happened(engine: AsyncEngine, an_id: int, state: str) -> None:
    assert (await follow_up(engine, an_id))["state"] == state
    assert await deeds(engine) == []
    assert await value(engine, "SELECT count(*) FROM approvals") == 0


async def test_what_is_not_there_cannot_be_decided(engine: AsyncEngine) -> None:
    for deciding in (
        approve(engine, 7, ANN, seen=1, reason="ok", policy_of=one_is_enough),
        reject(engine, 7, OLE, reason="no"),
        retry(engine, 7, OLE, reason="again"),
        resolve(engine, 7, OLE, done=True, reason="saw it"),
    ):
        with pytest.raises(RefusedError, match="there is no follow-up 7; list them") as caught:
            await deciding
        assert caught.value.kind is RefusalKind.NOT_FOUND


async def test_a_refused_decision_writes_nothing(engine: AsyncEngine) -> None:
    an_id = await add_follow_up(engine)
    for deciding in (
        approve(engine, an_id, OLE, seen=10_000, reason="ok", policy_of=one_is_enough),
        approve(engine, an_id, ANN, seen=9_999, reason="ok", policy_of=one_is_enough),
        approve(engine, an_id, ANN, seen=10_000, reason=" ", policy_of=one_is_enough),
        reject(engine, an_id, VERA, reason="no"),
        reject(engine, an_id, OLE, reason=""),
        retry(engine, an_id, OLE, reason="again"),
        resolve(engine, an_id, OLE, done=True, reason="saw it"),
    ):
        with pytest.raises(RefusedError):
            await deciding
    await nothing_happened(engine, an_id, "awaiting_approval")


async def test_an_approval_lets_the_payment_go_on_up_to_its_amount(engine: AsyncEngine) -> None:
    an_id = await add_follow_up(engine, reason="the total rose", failures=3)
    await open_alert(engine, "price_beyond_tolerance")
    await add_order(engine, "2")
    await open_alert(engine, "price_beyond_tolerance", "2")
    decided = await approve(engine, an_id, ANN, seen=10_000, reason="agreed by phone", policy_of=one_is_enough)
    assert (decided.state, decided.approved_minor, decided.missing, decided.changed) == (
        EffectState.PLANNED, 10_000, 0, True,
    )  # fmt: skip
    row = await follow_up(engine, an_id)
    assert (row["state"], row["approved_minor"], row["reason"], row["failures"]) == ("planned", 10_000, None, 0)
    assert await deeds(engine) == [("ann", "approve", f"follow_up:{an_id}", "agreed by phone")]
    (details,) = [row["details"] for row in await rows(engine, "SELECT details FROM audit_log")]
    assert details == {
        "order": "main/1688/1",
        "effect": "pay",
        "purpose": "full",
        "amount_minor": 10_000,
        "before": "awaiting_approval",
        "after": "planned",
        "seen_minor": 10_000,
        "approved_minor": 10_000,
        "missing": 0,
    }
    assert await open_causes(engine) == ["price_beyond_tolerance:main/1688/2"]


async def test_the_same_approval_again_changes_nothing_whatever_became_of_it(engine: AsyncEngine) -> None:
    an_id = await add_follow_up(engine)
    await approve(engine, an_id, ANN, seen=10_000, reason="ok", policy_of=one_is_enough)
    again = await approve(engine, an_id, ANN, seen=10_000, reason="ok", policy_of=one_is_enough)
    assert (again.changed, again.state, again.approved_minor) == (False, EffectState.PLANNED, 10_000)
    await execute(engine, "UPDATE follow_ups SET state = 'sending'")
    again = await approve(engine, an_id, ANN, seen=10_000, reason="ok", policy_of=one_is_enough)
    assert (again.changed, again.state) == (False, EffectState.SENDING)
    assert len(await deeds(engine)) == 1


async def test_above_the_limit_it_takes_two_and_neither_is_who_asked(engine: AsyncEngine) -> None:
    an_id = await add_follow_up(engine, requested_by="cid")
    first = await approve(engine, an_id, ANN, seen=10_000, reason="ok", policy_of=four_eyes)
    assert (first.state, first.missing, first.approved_minor) == (EffectState.AWAITING_APPROVAL, 1, None)
    again = await approve(engine, an_id, ANN, seen=10_000, reason="ok", policy_of=four_eyes)
    assert (again.state, again.missing, again.changed) == (EffectState.AWAITING_APPROVAL, 1, False)
    with pytest.raises(RefusedError, match="cid asked for this"):
        await approve(engine, an_id, CID, seen=10_000, reason="ok", policy_of=four_eyes)
    second = await approve(engine, an_id, BOB, seen=10_000, reason="ok", policy_of=four_eyes)
    assert (second.state, second.approved_minor) == (EffectState.PLANNED, 10_000)
    assert [deed[0] for deed in await deeds(engine)] == ["ann", "bob"]


async def test_who_wrote_the_orders_plan_or_had_it_retried_asked_for_it_too(engine: AsyncEngine) -> None:
    an_id = await add_follow_up(engine, cleared={"by": "person", "actor": "cid"})
    await execute(
        engine,
        "INSERT INTO plans (account, platform, order_id, version, requested_by) VALUES ('main', '1688', '1', 1, 'bob')",
    )
    for actor in (BOB, CID):
        with pytest.raises(RefusedError, match=f"{actor.name} asked for this"):
            await approve(engine, an_id, actor, seen=10_000, reason="ok", policy_of=four_eyes)


async def test_one_word_for_a_high_amount_pays_no_more_than_one_may(engine: AsyncEngine) -> None:
    an_id = await add_follow_up(engine)
    await approve(engine, an_id, ANN, seen=10_000, reason="ok", policy_of=four_eyes)
    await execute(engine, "UPDATE follow_ups SET amount_minor = 4000")
    decided = await approve(engine, an_id, ANN, seen=4_000, reason="fell", policy_of=four_eyes)
    assert (decided.state, decided.approved_minor) == (EffectState.PLANNED, 5_000)


async def test_a_rejection_ends_it_and_voids_what_was_approved_before(engine: AsyncEngine) -> None:
    an_id = await add_follow_up(engine)
    await open_alert(engine, "price_beyond_tolerance")
    await approve(engine, an_id, ANN, seen=10_000, reason="ok", policy_of=one_is_enough)
    decided = await reject(engine, an_id, OLE, reason="bought elsewhere")
    assert decided.state is EffectState.REJECTED
    row = await follow_up(engine, an_id)
    assert (row["state"], row["approved_minor"]) == ("rejected", None)
    assert row["reason"] == "ole rejected it: bought elsewhere"
    assert await open_causes(engine) == []

    await retry(engine, an_id, OLE, reason="no, not bought")
    await execute(engine, "UPDATE follow_ups SET state = 'awaiting_approval'")
    assert (await follow_up(engine, an_id))["approved_minor"] is None
    again = await approve(engine, an_id, ANN, seen=10_000, reason="ok then", policy_of=one_is_enough)
    assert (again.state, again.changed) == (EffectState.PLANNED, True)
    assert [deed[1] for deed in await deeds(engine)] == ["approve", "reject", "retry", "approve"]


async def test_a_rejection_takes_the_claim_from_an_executor_that_is_about_to_send(engine: AsyncEngine) -> None:
    an_id = await add_follow_up(engine, state="planned")
    await execute(engine, "UPDATE follow_ups SET claim_token = gen_random_uuid(), claimed_until = now() + '1 minute'")
    await reject(engine, an_id, OLE, reason="stop")
    row = await follow_up(engine, an_id)
    assert (row["claim_token"], row["claimed_until"]) == (None, None)


async def test_an_unknown_payment_is_retried_only_once_it_was_read_and_somebody_looked(engine: AsyncEngine) -> None:
    an_id = await add_follow_up(engine, state="unknown", attempts=1, approved_minor=10_000, not_done_reads=2)
    await execute(engine, "UPDATE follow_ups SET unknown_since = now(), not_done_at = now(), pay_url = 'x'")
    await add_attempt(engine, an_id, spent=10_000)
    await open_alert(engine, "payment_unknown")
    looked = "no payment of today in the account's list"
    with pytest.raises(RefusedError, match="needs the role approver"):
        await retry(engine, an_id, OLE, reason="again", checked=looked)
    with pytest.raises(RefusedError, match="say in `checked`"):
        await retry(engine, an_id, ANN, reason="again")
    with pytest.raises(RefusedError, match="was not read since the attempt was sent"):
        await retry(engine, an_id, ANN, reason="again", checked=looked)
    await execute(engine, "UPDATE orders SET asked_at = now() + interval '1 second', unconfirmed = true")
    with pytest.raises(RefusedError, match="in doubt"):
        await retry(engine, an_id, ANN, reason="again", checked=looked)
    await execute(engine, "UPDATE orders SET unconfirmed = false, paid = true")
    with pytest.raises(RefusedError, match="shown as paid"):
        await retry(engine, an_id, ANN, reason="again", checked=looked)
    assert await deeds(engine) == []
    assert await unreleased(engine) == 10_000

    await execute(engine, "UPDATE orders SET paid = false")
    assert (await retry(engine, an_id, ANN, reason="again", checked=looked)).state is EffectState.PLANNED
    row = await follow_up(engine, an_id)
    cleared = row["cleared"]
    assert (cleared["by"], cleared["actor"], cleared["reason"], cleared["checked"]) == (
        "person",
        "ann",
        "again",
        looked,
    )
    assert (cleared["before"], cleared["attempts"]) == ("unknown", 1)
    assert (row["unknown_since"], row["not_done_reads"], row["not_done_at"], row["pay_url"]) == (None, 0, None, None)
    assert (row["approved_minor"], row["attempts"]) == (10_000, 1)
    assert await unreleased(engine) == 0
    assert await open_causes(engine) == []


async def test_what_an_attempt_in_the_past_did_not_spend_is_not_released_by_a_word_that_it_was_done(
    engine: AsyncEngine,
) -> None:
    an_id = await add_follow_up(engine, state="unknown", attempts=1)
    await add_attempt(engine, an_id, spent=10_000)
    await open_alert(engine, "payment_unknown")
    decided = await resolve(engine, an_id, OLE, done=True, reason="seen in the account's payments")
    assert decided.state is EffectState.SUCCEEDED
    assert await unreleased(engine) == 10_000
    assert await open_causes(engine) == []
    assert (await follow_up(engine, an_id))["reason"] == "ole saw that it was done: seen in the account's payments"


async def test_a_word_that_it_was_not_done_frees_the_budget(engine: AsyncEngine) -> None:
    an_id = await add_follow_up(engine, state="unknown", attempts=1, order={"asked_at": None})
    await add_attempt(engine, an_id, sent="now() - interval '1 minute'", spent=10_000)
    await execute(engine, "UPDATE orders SET asked_at = now()")
    assert (await resolve(engine, an_id, ANN, done=False, reason="not there")).state is EffectState.REJECTED
    assert await unreleased(engine) == 0


async def test_what_waited_for_a_person_ends_by_that_persons_word(engine: AsyncEngine) -> None:
    an_id = await add_follow_up(engine, state="awaiting_person", attempts=1)
    assert (await resolve(engine, an_id, OLE, done=False, reason="will not be paid")).state is EffectState.CANCELLED
    assert (await retry(engine, an_id, OLE, reason="it will, after all")).state is EffectState.PLANNED


async def test_a_read_that_was_given_up_can_be_tried_again(engine: AsyncEngine) -> None:
    an_id = await add_follow_up(engine, effect="refresh", purpose="sync", state="rejected", amount_minor=None)
    assert (await retry(engine, an_id, OLE, reason="the marketplace is back")).state is EffectState.PLANNED


async def test_an_effect_without_an_amount_is_approved_as_such(engine: AsyncEngine) -> None:
    an_id = await add_follow_up(engine, effect="cancel", purpose="order", amount_minor=None)
    decided = await approve(engine, an_id, ANN, seen=None, reason="yes", policy_of=four_eyes)
    assert (decided.state, decided.approved_minor) == (EffectState.PLANNED, 0)


async def test_only_the_alerts_of_the_effect_in_question_end(engine: AsyncEngine) -> None:
    an_id = await add_follow_up(engine, effect="book_international", purpose="p", state="unknown", attempts=1)
    await open_alert(engine, "payment_unknown")
    await open_alert(engine, "effect_unknown", details='{"effect": "book_international"}')
    await open_alert(engine, "effect_rejected", details='{"effect": "cancel"}')
    await resolve(engine, an_id, OLE, done=True, reason="booked, number FF1")
    assert await open_causes(engine) == ["effect_rejected:main/1688/1", "payment_unknown:main/1688/1"]
