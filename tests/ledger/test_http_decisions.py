"""People decide over HTTP: by their own token, within their roles, with a reason, and told what to do if refused."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.ledger.http_stage import by, refusal, serving, told
from tests.ledger.stage import add_attempt, add_follow_up, deeds, follow_up, unreleased
from tests.storage.database import execute

LEDGER = "/api/v1/follow-ups"
OK = {"reason": "agreed by phone", "amount_minor": 10_000}


@pytest.fixture
async def client(database: str) -> AsyncIterator[httpx2.AsyncClient]:
    async with serving(database) as client:
        yield client


@pytest.mark.parametrize("deed", ["approve", "reject", "retry", "resolve"])
async def test_nobody_decides_without_a_token_of_their_own(
    client: httpx2.AsyncClient, engine: AsyncEngine, deed: str
) -> None:
    an_id = await add_follow_up(engine)
    body = {"reason": "x"} | ({"done": True} if deed == "resolve" else {})
    for headers in ({}, by("nobody")):
        refusal(await client.post(f"{LEDGER}/{an_id}/{deed}", headers=headers, json=body), 401, "unauthorized")
    for name in ("reader", "vera"):
        answer = await client.post(
            f"{LEDGER}/{an_id}/{deed}", headers=by(name), json=body | ({"amount_minor": 1} if deed == "approve" else {})
        )
        assert "needs the role" in refusal(answer, 403, "forbidden")
    assert await deeds(engine) == []


@pytest.mark.parametrize(
    ("deed", "body", "named"),
    [
        ("approve", {}, "reason"),
        ("approve", {"reason": 7}, "reason"),
        ("approve", {"reason": "x", "amount_minor": 1.5}, "amount_minor"),
        ("approve", {"reason": "x", "amount_minor": "100"}, "amount_minor"),
        ("approve", {"reason": "x", "amount_minor": -1}, "amount_minor"),
        ("approve", {"reason": "x", "amount": 10_000}, "amount"),
        ("approve", {"reason": " ", "amount_minor": 10_000}, "reason"),
        ("approve", {"reason": "x"}, "amount that you saw"),
        ("resolve", {"reason": "x"}, "done"),
        ("resolve", {"reason": "x", "done": "yes"}, "done"),
        ("retry", {"reason": "x" * 501}, "reason"),
        ("reject", [], "valid"),
    ],
)
async def test_what_is_not_said_rightly_is_named(
    client: httpx2.AsyncClient, engine: AsyncEngine, deed: str, body: Any, named: str
) -> None:
    an_id = await add_follow_up(engine)
    answer = await client.post(f"{LEDGER}/{an_id}/{deed}", headers=by("ann"), json=body)
    assert named in refusal(answer, 422, "invalid_request")
    assert await deeds(engine) == []


async def test_what_is_not_there_is_said(client: httpx2.AsyncClient, engine: AsyncEngine) -> None:
    assert "no follow-up 7" in refusal(await client.get(f"{LEDGER}/7", headers=by("vera")), 404, "not_found")
    answer = await client.post(f"{LEDGER}/7/reject", headers=by("ole"), json={"reason": "x"})
    assert "no follow-up 7" in refusal(answer, 404, "not_found")
    refusal(await client.get(f"{LEDGER}/seven", headers=by("vera")), 422, "invalid_request")
    refusal(await client.get(LEDGER, headers=by("vera"), params={"state": "lost"}), 422, "invalid_request")
    refusal(await client.get(LEDGER, headers=by("vera"), params={"effect": "payy"}), 422, "invalid_request")


async def test_two_people_approve_what_is_dear(client: httpx2.AsyncClient, engine: AsyncEngine) -> None:
    an_id = await add_follow_up(engine, reason="the total rose")
    first = told(await client.post(f"{LEDGER}/{an_id}/approve", headers=by("ann"), json=OK))
    assert first == {
        "id": str(an_id),
        "state": "awaiting_approval",
        "approved_minor": None,
        "missing_approvals": 1,
        "changed": True,
    }
    shown = told(await client.get(f"{LEDGER}/{an_id}", headers=by("vera")))
    assert shown["waits"] == ["1 approval(s) missing", "the total rose"]
    assert [(one["actor"], one["amount"]) for one in shown["approvals"]] == [
        ("ann", {"minor": 10_000, "currency": "CNY"})
    ]
    again = told(await client.post(f"{LEDGER}/{an_id}/approve", headers=by("ann"), json=OK))
    assert (again["changed"], again["missing_approvals"]) == (False, 1)
    second = told(await client.post(f"{LEDGER}/{an_id}/approve", headers=by("bob"), json=OK))
    assert (second["state"], second["approved_minor"], second["missing_approvals"]) == ("planned", 10_000, 0)
    assert [deed[:2] for deed in await deeds(engine)] == [("ann", "approve"), ("bob", "approve")]


async def test_two_people_at_once_are_two_people(client: httpx2.AsyncClient, engine: AsyncEngine) -> None:
    an_id = await add_follow_up(engine)
    answers = await asyncio.gather(
        *(client.post(f"{LEDGER}/{an_id}/approve", headers=by(who), json=OK) for who in ("ann", "bob", "ann", "bob"))
    )
    assert sum(told(answer)["changed"] for answer in answers) == 2
    assert (await follow_up(engine, an_id))["state"] == "planned"


async def test_an_amount_that_rose_meanwhile_is_not_approved(client: httpx2.AsyncClient, engine: AsyncEngine) -> None:
    an_id = await add_follow_up(engine)
    await execute(engine, "UPDATE follow_ups SET amount_minor = 12000")
    said = refusal(await client.post(f"{LEDGER}/{an_id}/approve", headers=by("ann"), json=OK), 409, "conflict")
    assert "the amount is 120.00 CNY now, and you saw 100.00; look at the order again" in said


async def test_an_order_of_an_account_that_is_no_longer_configured_needs_two(
    client: httpx2.AsyncClient, engine: AsyncEngine
) -> None:
    an_id = await add_follow_up(engine, order={"account": "gone"}, amount_minor=1)
    answer = await client.post(f"{LEDGER}/{an_id}/approve", headers=by("ann"), json=OK | {"amount_minor": 1})
    assert told(answer)["missing_approvals"] == 1


async def test_reject_retry_and_resolve(client: httpx2.AsyncClient, engine: AsyncEngine) -> None:
    an_id = await add_follow_up(engine)
    answer = await client.post(f"{LEDGER}/{an_id}/reject", headers=by("ole"), json={"reason": "bought elsewhere"})
    assert told(answer)["state"] == "rejected"
    answer = await client.post(f"{LEDGER}/{an_id}/retry", headers=by("ole"), json={"reason": "no, not bought"})
    assert told(answer)["state"] == "planned"
    await execute(engine, "UPDATE follow_ups SET state = 'sending'")
    await execute(engine, "UPDATE follow_ups SET state = 'unknown', attempts = 1")
    await add_attempt(engine, an_id, sent="now() - interval '1 minute'", spent=10_000)
    await execute(engine, "UPDATE orders SET asked_at = now()")
    answer = await client.post(f"{LEDGER}/{an_id}/retry", headers=by("ann"), json={"reason": "again"})
    assert "checked" in refusal(answer, 422, "invalid_request")
    answer = await client.post(
        f"{LEDGER}/{an_id}/resolve", headers=by("ann"), json={"reason": "not in the list", "done": False}
    )
    assert told(answer)["state"] == "rejected"
    assert await unreleased(engine) == 0
    shown = told(await client.get(f"{LEDGER}/{an_id}", headers=by("reader")))
    assert [entry["action"] for entry in shown["audit_log"]] == ["resolve", "retry", "reject"]
    assert [attempt["outcome"] for attempt in shown["attempt_log"]] == ["unclear"]
    log = told(await client.get("/api/v1/audit-log", headers=by("vera"), params={"actor": "ole", "limit": 1}))
    assert [entry["action"] for entry in log["entries"]] == ["retry"]
    rest = told(
        await client.get("/api/v1/audit-log", headers=by("vera"), params={"actor": "ole", "before": log["earlier"]})
    )
    assert [entry["action"] for entry in rest["entries"]] == ["reject"]
    by_subject = {"subject": f"follow_up:{an_id}"}
    assert len(told(await client.get("/api/v1/audit-log", headers=by("vera"), params=by_subject))["entries"]) == 3


async def test_the_ledger_comes_in_pages_and_by_what_is_asked_for(
    client: httpx2.AsyncClient, engine: AsyncEngine
) -> None:
    one = await add_follow_up(engine, state="unknown")
    two = await add_follow_up(engine, order={"order_id": "2", "account": "second"})
    page = told(await client.get(LEDGER, headers=by("vera"), params={"limit": 1}))
    assert [row["id"] for row in page["follow_ups"]] == [str(two)]
    page = told(await client.get(LEDGER, headers=by("vera"), params={"limit": 1, "before": page["earlier"]}))
    assert ([row["id"] for row in page["follow_ups"]], page["earlier"]) == ([str(one)], None)
    asked = {"state": ["unknown", "awaiting_person"], "effect": "pay", "account": "main"}
    (row,) = told(await client.get(LEDGER, headers=by("vera"), params=asked))["follow_ups"]
    assert (row["order_id"], row["state"], row["amount"]["minor"]) == ("1", "unknown", 10_000)


async def test_who_decides_while_the_database_is_away_is_told_so() -> None:
    async with serving("postgresql://nobody@127.0.0.1:1/nothing") as client:
        answer = await client.post(f"{LEDGER}/1/reject", headers=by("ole"), json={"reason": "x"})
        refusal(answer, 503, "database_unavailable")
        assert answer.headers["retry-after"]
        refusal(await client.get(LEDGER, headers=by("ole")), 503, "database_unavailable")
        answer = await client.post("/api/v1/pauses", headers=by("ole"), json={"reason": "x"})
        refusal(answer, 503, "database_unavailable")
