"""Over HTTP: look, preview, replay and discard; whoever may not is refused, and nothing is shown in passing."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.config.people import person
from tests.dead_letters.stage import NONCE, all_of, good, letters, poisoned, reconciler, resent, states, strange
from tests.operations.api_stage import NOWHERE, served
from tests.reconcile.stage import Topic
from tests.storage.database import value

LETTERS = "/api/v1/dead-letters"
ASK = {"filter": {"reason_contains": "envelope"}, "reason": "it is mended", "nonce": NONCE}


@pytest.fixture
async def client(database: str, engine: AsyncEngine) -> AsyncIterator[httpx2.AsyncClient]:
    """The API, with two unreadable records and one message that nobody understood."""
    body = b'{"messageType": "ORDER_NEW_THING", "messageBody": {"orderId": "77", "fullName": "Zhang San"}}'
    await reconciler(engine).handle(all_of(Topic(), [*poisoned(good(1), good(2)), strange(1, body)]))
    async with served(database, people=[person("ann", "operator", "anns-token")]) as client:
        client.headers["authorization"] = "Bearer anns-token"
        yield client


async def post(client: httpx2.AsyncClient, path: str, asked: Any, status: int) -> Any:
    answer = await client.post(LETTERS + path, json=asked)
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_causes_letters_and_one_letter_can_be_looked_at(client: httpx2.AsyncClient) -> None:
    groups = (await client.get(LETTERS)).json()["groups"]
    assert [(group["reason"], group["letters"], group["failed_replays"]) for group in groups] == [
        ("not understood: unknown messageType", 1, 0),
        ("envelope", 2, 0),
    ]
    params = {"fingerprint": groups[1]["fingerprint"], "limit": 1}
    page = (await client.get(f"{LETTERS}/letters", params=params)).json()
    assert [letter["record"]["offset"] for letter in page["letters"]] == [1]
    rest = (await client.get(f"{LETTERS}/letters", params=params | {"before": page["earlier"]})).json()
    assert ([letter["record"]["offset"] for letter in rest["letters"]], rest["earlier"]) == ([0], None)
    answer = await client.get(f"{LETTERS}/letters/{groups[0]['last_letter']}")
    shown = answer.json()
    assert shown["value"]["message"]["messageBody"]["orderId"] == "77"
    assert "Zhang" not in answer.text
    assert shown["headers"]["ce_type"] == "ordersync.fact.unrecognised.v1"
    assert (shown["state"], shown["replays"]) == ("open", [])
    assert (await client.get(f"{LETTERS}/letters/999999999")).status_code == 404


async def test_a_dry_run_counts_and_changes_nothing(client: httpx2.AsyncClient, engine: AsyncEngine) -> None:
    found = await post(client, "/replays", ASK | {"dry_run": True}, 202)
    assert (found["dry_run"], found["nonce"], found["counts"]) == (True, None, {"taken": 2, "skipped": {}, "left": 0})
    discarded = await post(client, "/discards", {"filter": {"topic": "x"}, "reason": "why", "dry_run": True}, 200)
    assert discarded["counts"]["taken"] == 0
    assert await states(engine) == ["open"] * 3
    assert await value(engine, "SELECT count(*) FROM audit_log") == 0


async def test_a_replay_is_asked_for_watched_and_asked_for_again_without_effect(
    client: httpx2.AsyncClient, engine: AsyncEngine
) -> None:
    begun = await post(client, "/replays", ASK, 202)
    assert (begun["repeated"], begun["counts"]["taken"], begun["waiting"]) == (False, 2, 2)
    await reconciler(engine).handle(await resent(engine, Topic("orders.status.v1", 1)))
    seen = (await client.get(f"{LETTERS}/replays/{NONCE}")).json()
    assert (seen["waiting"], seen["sent"], seen["replayed"], seen["failed_again"]) == (0, 0, 0, 2)
    assert seen["failures"] == {"envelope": 2}
    assert await post(client, "/replays", ASK, 202) == seen | {"repeated": True}
    other = ASK | {"filter": {"topic": "orders.status.v1"}}
    assert (await post(client, "/replays", other, 409))["error"]["code"] == "conflict"
    assert (await client.get(f"{LETTERS}/replays/never-asked-for")).status_code == 404
    history = (await client.get(f"{LETTERS}/letters/{(await letters(engine))[0]['id']}")).json()["replays"]
    assert [(one["nonce"], one["outcome"], one["reason"]) for one in history] == [(NONCE, "failed_again", "envelope")]


async def test_a_discard_marks_and_what_is_settled_can_still_be_listed(client: httpx2.AsyncClient) -> None:
    found = await post(client, "/discards", {"filter": {"reason_contains": "envelope"}, "reason": "a test"}, 200)
    assert found == {"dry_run": False, "counts": {"taken": 2, "skipped": {}, "left": 0}}
    assert len((await client.get(LETTERS)).json()["groups"]) == 1
    (group,) = (await client.get(LETTERS, params={"state": "discarded"})).json()["groups"]
    assert group["letters"] == 2
    (letter, _) = (await client.get(f"{LETTERS}/letters", params={"state": "discarded"})).json()["letters"]
    assert letter["settled_reason"] == "a test"


@pytest.mark.parametrize(
    "spoilt",
    [
        {"filter": {}},
        {"filter": {"letter": ["1"]}},
        {"filter": {"letters": ["x"]}},
        {"filter": {"letters": ["-1"]}},
        {"filter": {"letters": ["9" * 19]}},
        {"filter": {"since": "2026-01-01T00:00:00"}},
        {"filter": {"reason_contains": ""}},
        {"reason": ""},
        {"reason": "  "},
        {"reason": "x" * 501},
        {"reason": "escape\x1b[2J"},
        {"nonce": "short"},
        {"nonce": "new\nline-in-it"},
        {"everything": True},
    ],
)
async def test_a_request_that_makes_no_sense_is_refused_and_takes_nothing(
    client: httpx2.AsyncClient, engine: AsyncEngine, spoilt: dict[str, Any]
) -> None:
    found = await post(client, "/replays", ASK | spoilt, 422)
    assert found["error"]["code"] == "invalid_request"
    assert await states(engine) == ["open"] * 3


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
async def test_a_form_of_a_foreign_page_is_no_request(
    client: httpx2.AsyncClient, engine: AsyncEngine, content_type: str
) -> None:
    """A browser sends these to us without asking first; JSON it does not."""
    body = b'{"filter": {"reason_contains": "envelope"}, "reason": "x", "nonce": "nonce-of-a-page"}'
    answer = await client.post(f"{LETTERS}/replays", content=body, headers={"content-type": content_type})
    assert answer.status_code == 422
    assert await states(engine) == ["open"] * 3


@pytest.mark.parametrize("path", ["/replays", "/discards"])
async def test_who_is_no_operator_changes_nothing(database: str, path: str) -> None:
    """No token, the API's token that only reads, an approver's, another machine's, and this machine's own."""
    asked = ASK if path == "/replays" else {"filter": ASK["filter"], "reason": "x"}
    bob = person("bob", "approver", "bobs-token")
    async with served(database, token="correct-horse", people=[bob]) as client:
        for token, status in ((None, 401), ("wrong", 401), ("correct-horse", 403), ("bobs-token", 403)):
            headers = {"authorization": f"Bearer {token}"} if token else {}
            assert (await client.post(LETTERS + path, json=asked, headers=headers)).status_code == status, token
    for peer in ("203.0.113.9", "127.0.0.1"):
        async with served(database, peer=peer) as client:
            assert (await client.post(LETTERS + path, json=asked)).status_code == 403


async def test_a_database_that_is_away_is_said_to_whoever_wants_to_change_something() -> None:
    async with served(NOWHERE, people=[person("ann", "operator", "anns-token")]) as client:
        client.headers["authorization"] = "Bearer anns-token"
        answer = await client.post(f"{LETTERS}/replays", json=ASK)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert (await client.get(f"{LETTERS}/letters/1")).status_code == 503
