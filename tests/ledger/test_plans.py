"""Plans come before or after the order, twice, late, at once; the latest content stands and nothing is forgotten."""

import asyncio

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.ledger.stage import deeds
from tests.storage.database import add_order, execute, rows, value
from worker.domain.identity import OrderKey, Platform
from worker.domain.plans import Plan, read_plan
from worker.storage import plan_store
from worker.storage.engine import transaction
from worker.storage.plan_store import PutPlan

KEY = OrderKey("main", Platform.ALIBABA_1688, "1")
RECEIVER = {"name": "Jo Doe", "country": "US", "address": "1 Main St"}
FREIGHT = {"service_id": "S1", "company": "Carrier", "category": "express", "max_price": "80.50"}
WHOLE = read_plan({"planned_total": "123.45", "own_order_number": "PO-77", "auto_pay": False, "receiver": RECEIVER,
                   "freight": FREIGHT, "cancel_reason": "twice"})  # fmt: skip


async def put(engine: AsyncEngine, plan: Plan, *, by: str = "ole", event: str | None = None) -> PutPlan:
    async with transaction(engine) as connection:
        return await plan_store.put(connection, KEY, plan, requested_by=by, reason="ordered", event=event)


async def stored(engine: AsyncEngine) -> plan_store.StoredPlan | None:
    async with transaction(engine) as connection:
        return await plan_store.get(connection, KEY)


async def refreshes(engine: AsyncEngine) -> list[str]:
    return [row["state"] for row in await rows(engine, "SELECT state FROM follow_ups WHERE effect = 'refresh'")]


async def test_a_plan_may_come_before_its_order(engine: AsyncEngine) -> None:
    assert await stored(engine) is None
    assert await put(engine, WHOLE) == PutPlan(1, changed=True, known=False)
    (row,) = await rows(engine, "SELECT * FROM plans")
    assert (row["planned_total_minor"], row["currency"], row["own_order_number"]) == (12_345, "CNY", "PO-77")
    assert (row["auto_pay"], row["cancel_reason"], row["requested_by"]) == (False, "twice", "ole")
    assert row["receiver"] == RECEIVER
    assert row["freight"]["max_price_minor"] == 8_050
    found = await stored(engine)
    assert found is not None
    assert read_plan(found.content) == WHOLE
    assert await refreshes(engine) == []


async def test_the_same_plan_again_is_the_same_version(engine: AsyncEngine) -> None:
    await add_order(engine, "1")
    await put(engine, WHOLE)
    await execute(engine, "UPDATE follow_ups SET state = 'succeeded', asked_at = now()")
    assert await put(engine, WHOLE, by="somebody-else") == PutPlan(1, changed=False, known=True)
    assert await value(engine, "SELECT requested_by FROM plans") == "ole"
    assert await refreshes(engine) == ["succeeded"]
    assert len(await deeds(engine)) == 1


async def test_another_plan_is_another_version_and_has_a_known_order_read_afresh(engine: AsyncEngine) -> None:
    await add_order(engine, "1")
    await put(engine, WHOLE)
    assert await refreshes(engine) == ["planned"]
    await execute(engine, "UPDATE follow_ups SET state = 'succeeded', asked_at = now()")
    assert await put(engine, Plan(planned_total=1)) == PutPlan(2, changed=True, known=True)
    assert await refreshes(engine) == ["planned"]
    found = await stored(engine)
    assert found is not None
    assert (found.version, [row["version"] for row in found.history]) == (2, [2, 1])
    (row,) = await rows(engine, "SELECT receiver, freight, auto_pay FROM plans")
    assert row == {"receiver": None, "freight": None, "auto_pay": None}
    old = await value(engine, "SELECT content FROM plan_versions WHERE version = 1")
    assert read_plan(old) == WHOLE


async def test_a_message_that_comes_again_never_takes_a_later_plan_back(engine: AsyncEngine) -> None:
    first, later = Plan(planned_total=1), Plan(planned_total=2)
    assert (await put(engine, first, event="e1")).changed
    assert not (await put(engine, first, event="e2")).changed
    assert (await put(engine, later)).version == 2
    for event in ("e1", "e2"):
        assert await put(engine, first, event=event) == PutPlan(2, changed=False, known=False)
    assert await put(engine, first, event="e3") == PutPlan(3, changed=True, known=False)


async def test_the_audit_log_says_which_fields_were_planned_and_not_what_they_say(engine: AsyncEngine) -> None:
    await put(engine, WHOLE)
    assert await deeds(engine) == [("ole", "put_plan", "plan:main/1688/1", "ordered")]
    (row,) = await rows(engine, "SELECT details, CAST(details AS text) AS shown FROM audit_log")
    assert row["details"]["version"] == 1
    assert "receiver" in row["details"]["fields"]
    assert "Jo Doe" not in row["shown"]
    assert "Main St" not in row["shown"]


@pytest.mark.parametrize("_round", range(3))
async def test_plans_at_once_become_one_after_the_other(engine: AsyncEngine, _round: int) -> None:
    plans = [Plan(planned_total=total) for total in (1, 2, 3, 4)]
    done = await asyncio.gather(*(put(engine, plan) for plan in plans))
    assert sorted(one.version for one in done) == [1, 2, 3, 4]
    kept = await rows(engine, "SELECT version, content->>'planned_total' AS total FROM plan_versions ORDER BY version")
    assert [row["version"] for row in kept] == [1, 2, 3, 4]
    assert await value(engine, "SELECT planned_total_minor FROM plans") == int(kept[-1]["total"].replace(".", ""))


async def test_the_same_first_plan_at_once_is_one_version(engine: AsyncEngine) -> None:
    done = await asyncio.gather(*(put(engine, WHOLE) for _ in range(4)))
    assert sorted(one.changed for one in done) == [False, False, False, True]
    assert {one.version for one in done} == {1}
