"""Other systems plan orders over HTTP, and people pull the kill switch; whom the goods go to is shown to few."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.ledger.http_stage import by, refusal, serving, told
from tests.ledger.stage import deeds
from tests.storage.database import add_order, rows

PLAN = "/api/v1/plans/main/1688/123"
RECEIVER = {"name": "Jo Doe", "country": "US", "address": "1 Main St", "phone": "+1 555 0100"}
FREIGHT = {"service_id": "S1", "company": "Carrier", "category": "express", "max_price": "80.50"}
WHOLE: dict[str, Any] = {
    "reason": "ordered by the shop",
    "planned_total": "123.45",
    "own_order_number": "PO-77",
    "auto_pay": False,
    "receiver": RECEIVER,
    "freight": FREIGHT,
}


@pytest.fixture
async def client(database: str) -> AsyncIterator[httpx2.AsyncClient]:
    async with serving(database) as client:
        yield client


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"reason": None}, "reason"),
        ({"reason": " "}, "reason"),
        ({"planned_total": 123.45}, "planned_total"),
        ({"planned_total": "1.234"}, "planned_total"),
        ({"auto_pay": "no"}, "auto_pay"),
        ({"planed_total": "1"}, "planed_total"),
        ({"receiver": RECEIVER | {"country": "usa"}}, "receiver.country"),
        ({"receiver": {"name": "Jo Doe"}}, "address"),
        ({"freight": FREIGHT | {"max_price": "cheap"}}, "freight.max_price"),
    ],
)
async def test_a_plan_that_is_wrong_is_refused_without_repeating_it(
    client: httpx2.AsyncClient, engine: AsyncEngine, change: dict[str, Any], named: str
) -> None:
    answer = await client.put(PLAN, headers=by("ole"), json=WHOLE | change)
    said = refusal(answer, 422, "invalid_request")
    assert named in said
    assert "Jo Doe" not in said
    assert await rows(engine, "SELECT * FROM plans") == []


async def test_only_an_operator_plans_and_only_for_accounts_and_orders_that_can_be(
    client: httpx2.AsyncClient, engine: AsyncEngine
) -> None:
    refusal(await client.put(PLAN, json=WHOLE), 401, "unauthorized")
    for name in ("reader", "vera", "ann"):
        refusal(await client.put(PLAN, headers=by(name), json=WHOLE), 403, "forbidden")
    answer = await client.put("/api/v1/plans/mian/1688/123", headers=by("ole"), json=WHOLE)
    assert "expected one of main, second" in refusal(answer, 404, "not_found")
    answer = await client.put("/api/v1/plans/main/ebay/123", headers=by("ole"), json=WHOLE)
    refusal(answer, 422, "invalid_request")
    answer = await client.put("/api/v1/plans/main/1688/%20", headers=by("ole"), json=WHOLE)
    assert "order_id: expected 1 to 64" in refusal(answer, 422, "invalid_request")
    assert "PUT one here" in refusal(await client.get(PLAN, headers=by("ole")), 404, "not_found")
    assert await rows(engine, "SELECT * FROM plans") == []


async def test_a_plan_is_put_and_put_again(client: httpx2.AsyncClient, engine: AsyncEngine) -> None:
    assert told(await client.put(PLAN, headers=by("ole"), json=WHOLE)) == {
        "version": 1, "changed": True, "known": False,
    }  # fmt: skip
    await add_order(engine, "123")
    assert told(await client.put(PLAN, headers=by("ole"), json=WHOLE)) == {
        "version": 1, "changed": False, "known": True,
    }  # fmt: skip
    assert told(await client.put(PLAN, headers=by("ole"), json={"reason": "all off"}))["version"] == 2
    assert [row["state"] for row in await rows(engine, "SELECT state FROM follow_ups")] == ["planned"]
    shown = told(await client.get(PLAN, headers=by("ole")))
    assert (shown["version"], shown["planned_total"], shown["has_receiver"]) == (2, None, False)
    assert [one["version"] for one in shown["history"]] == [2, 1]


async def test_whom_the_goods_go_to_is_shown_to_who_acts_and_not_to_who_looks(
    client: httpx2.AsyncClient, engine: AsyncEngine
) -> None:
    put = await client.put(PLAN, headers=by("ole"), json=WHOLE)
    assert "Jo Doe" not in put.text
    for name in ("ole", "ann"):
        shown = told(await client.get(PLAN, headers=by(name)))
        assert {k: v for k, v in shown["receiver"].items() if v is not None} == RECEIVER
        assert (shown["planned_total"], shown["auto_pay"], shown["freight"]["max_price"]) == ("123.45", False, "80.50")
    for name in ("vera", "reader"):
        answer = await client.get(PLAN, headers=by(name))
        assert (told(answer)["receiver"], told(answer)["has_receiver"]) == (None, True)
        assert "Jo Doe" not in answer.text
        log = await client.get("/api/v1/audit-log", headers=by(name))
        assert "put_plan" in log.text
        assert "Jo Doe" not in log.text


async def test_the_kill_switch_is_pulled_and_released(client: httpx2.AsyncClient, engine: AsyncEngine) -> None:
    scope = {"account": "main", "effect": "pay"}
    refusal(await client.post("/api/v1/pauses", headers=by("vera"), json=scope | {"reason": "x"}), 403, "forbidden")
    refusal(await client.post("/api/v1/pauses", headers=by("ole"), json=scope), 422, "invalid_request")
    answer = await client.post("/api/v1/pauses", headers=by("ole"), json={"account": "mian", "reason": "x"})
    assert "no account 'mian' here; expected one of main, second" in refusal(answer, 404, "not_found")
    answer = await client.post("/api/v1/pauses", headers=by("ole"), json={"effect": "buy", "reason": "x"})
    assert "effect: expected one of pay," in refusal(answer, 422, "invalid_request")

    opened = told(await client.post("/api/v1/pauses", headers=by("ann"), json=scope | {"reason": "strange prices"}))
    assert opened["changed"]
    again = told(await client.post("/api/v1/pauses", headers=by("ole"), json=scope | {"reason": "me too"}))
    assert again == {"id": opened["id"], "changed": False}
    listed = told(await client.get("/api/v1/pauses", headers=by("vera"), params={"open": "true"}))
    assert [(one["id"], one["reason"], one["actor"]) for one in listed["pauses"]] == [
        (opened["id"], "strange prices", "ann")
    ]
    path = f"/api/v1/pauses/{opened['id']}"
    refusal(await client.delete(path, headers=by("ole")), 422, "invalid_request")
    refusal(await client.delete(path, headers=by("ann"), params={"reason": "over"}), 403, "forbidden")
    assert told(await client.delete(path, headers=by("ole"), params={"reason": "it was the seller"})) == scope
    refusal(await client.delete(path, headers=by("ole"), params={"reason": "again"}), 404, "not_found")
    listed = told(await client.get("/api/v1/pauses", headers=by("vera"), params={"open": "true"}))
    assert listed["pauses"] == []
    assert [deed[:2] for deed in await deeds(engine)] == [("ann", "pause"), ("ole", "resume")]
