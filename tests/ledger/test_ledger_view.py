"""Whoever looks at the ledger sees where each follow-up stands, why it waits, and who decided what."""

from sqlalchemy.ext.asyncio import AsyncEngine

from tests.ledger.stage import ANN, OLE, add_attempt, add_follow_up, four_eyes
from tests.storage.database import execute
from worker.domain.effects import EffectState
from worker.domain.identity import Platform
from worker.domain.policy import Effect
from worker.storage.decision_store import approve
from worker.storage.ledger_view import FollowUpDetail, LedgerFilter, list_follow_ups, show
from worker.storage.pause_store import Scope, pause, resume
from worker.storage.read_store import reading


async def listed(engine: AsyncEngine, wanted: LedgerFilter, *, before: int | None = None, limit: int = 10) -> list[int]:
    async with reading(engine) as connection:
        return [row["id"] for row in await list_follow_ups(connection, wanted, before=before, limit=limit)]


async def shown(engine: AsyncEngine, an_id: int) -> FollowUpDetail:
    async with reading(engine, one_snapshot=True) as connection:
        found = await show(connection, an_id, four_eyes)
    assert found is not None
    return found


async def test_there_is_nothing_to_show_of_what_is_not_there(engine: AsyncEngine) -> None:
    async with reading(engine) as connection:
        assert await show(connection, 1, four_eyes) is None
        assert await list_follow_ups(connection, LedgerFilter(), before=None, limit=5) == []


async def test_follow_ups_are_found_by_what_is_asked_for_newest_first_and_in_pages(engine: AsyncEngine) -> None:
    one = await add_follow_up(engine)
    two = await add_follow_up(engine, order={"order_id": "2", "account": "second"}, state="unknown")
    three = await add_follow_up(engine, order={"order_id": "3", "platform": "taobao"}, effect="cancel", purpose="order")
    assert await listed(engine, LedgerFilter()) == [three, two, one]
    assert await listed(engine, LedgerFilter(), limit=2) == [three, two]
    assert await listed(engine, LedgerFilter(), limit=2, before=two) == [one]
    assert await listed(engine, LedgerFilter(account="main")) == [three, one]
    assert await listed(engine, LedgerFilter(platform=Platform.TAOBAO)) == [three]
    assert await listed(engine, LedgerFilter(order_id="2")) == [two]
    assert await listed(engine, LedgerFilter(states=(EffectState.UNKNOWN,))) == [two]
    assert await listed(engine, LedgerFilter(effects=(Effect.PAY,))) == [two, one]


async def test_it_says_why_it_waits_and_who_has_decided_what(engine: AsyncEngine) -> None:
    an_id = await add_follow_up(engine, reason="the total rose", detail='{"receiver": {"name": "Jo Doe"}}')
    await add_attempt(engine, an_id)
    await approve(engine, an_id, ANN, seen=10_000, reason="fine with me", policy_of=four_eyes)
    other = await pause(engine, OLE, Scope("second"), reason="not this account")
    every = await pause(engine, OLE, Scope(effect="pay"), reason="strange prices")
    found = await shown(engine, an_id)
    assert str(found.key) == "main/1688/1"
    assert found.waits == (
        "1 approval(s) missing",
        f"paused by ole (pause {every.id}): strange prices",
        "the total rose",
    )
    assert found.missing == 1
    assert [(row["actor"], row["amount_minor"], row["reason"]) for row in found.approvals] == [
        ("ann", 10_000, "fine with me")
    ]
    assert [row["outcome"] for row in found.attempts] == ["unclear"]
    assert [(row["actor"], row["action"]) for row in found.entries] == [("ann", "approve")]
    assert "Jo Doe" not in str(found)
    await resume(engine, OLE, every.id, reason="over")
    assert len((await shown(engine, an_id)).waits) == 2
    assert other.id != every.id


async def test_what_is_planned_says_what_holds_it_up(engine: AsyncEngine) -> None:
    an_id = await add_follow_up(engine, state="planned", budget_refusals=2)
    await execute(engine, "UPDATE follow_ups SET due_at = now() + interval '1 hour'")
    await execute(engine, "UPDATE orders SET unconfirmed = true")
    doubt, budget, due = (await shown(engine, an_id)).waits
    assert doubt == "the order is in doubt until its next read"
    assert budget == "the account's budget refused it 2 time(s)"
    assert due.startswith("not before 20")
    await execute(engine, "UPDATE follow_ups SET due_at = now(), budget_refusals = 0")
    await execute(engine, "UPDATE orders SET unconfirmed = false")
    assert (await shown(engine, an_id)).waits == ("an executor takes it next",)


async def test_what_is_over_waits_for_nothing(engine: AsyncEngine) -> None:
    an_id = await add_follow_up(engine, state="rejected", reason="ole rejected it")
    await pause(engine, OLE, Scope(), reason="stop")
    assert (await shown(engine, an_id)).waits == ()


async def test_an_unknown_says_what_reads_have_shown_so_far(engine: AsyncEngine) -> None:
    an_id = await add_follow_up(engine, state="unknown", not_done_reads=3)
    (why,) = (await shown(engine, an_id)).waits
    assert "3 read(s) so far showed it not done" in why
