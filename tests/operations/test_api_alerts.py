"""Open alerts can be asked for, and dead letters come as causes, not as thousands of messages."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from tests.operations.api_stage import LONG_AGO, add, add_order, served, writing
from worker.storage.tables import alerts, dead_letters


@pytest.fixture
async def client(database: str) -> AsyncIterator[httpx2.AsyncClient]:
    async with served(database) as client:
        yield client


async def listed(client: httpx2.AsyncClient, **params: Any) -> tuple[list[str], str | None]:
    answer = await client.get("/api/v1/alerts", params=params)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    return [alert["cause"] for alert in body["alerts"]], body["earlier"]


async def add_alerts(database: str) -> None:
    async with writing(database) as connection:
        ref = await add_order(connection, "1")
        for cause, account, resolved_at in (
            ("a", "main", None),
            ("b", "main", LONG_AGO),
            ("c", "second", None),
            ("d", None, None),
        ):
            await add(
                connection,
                alerts,
                cause=cause,
                kind="payment_unknown",
                severity="critical",
                order_ref=ref if account == "main" else None,
                account=account,
                order_key=f"{account}/1688/1" if account else None,
                title=f"Look at {cause}",
                details={"amount_minor": 1234},
                resolved_at=resolved_at,
            )


async def test_alerts_come_newest_first_and_by_what_is_asked_for(database: str, client: httpx2.AsyncClient) -> None:
    await add_alerts(database)
    assert await listed(client) == (["d", "c", "b", "a"], None)
    assert await listed(client, open="true") == (["d", "c", "a"], None)
    assert await listed(client, open="false") == (["b"], None)
    assert await listed(client, account="main", open="true") == (["a"], None)


async def test_alerts_come_in_pages(database: str, client: httpx2.AsyncClient) -> None:
    await add_alerts(database)
    first, earlier = await listed(client, limit=3)
    assert first == ["d", "c", "b"]
    assert await listed(client, limit=3, before=earlier) == (["a"], None)


async def test_an_alert_says_what_it_is_about(database: str, client: httpx2.AsyncClient) -> None:
    await add_alerts(database)
    alert = (await client.get("/api/v1/alerts", params={"open": "false"})).json()["alerts"][0]
    assert (alert["kind"], alert["severity"], alert["order_key"]) == ("payment_unknown", "critical", "main/1688/1")
    assert (alert["title"], alert["details"], alert["occurrences"]) == ("Look at b", {"amount_minor": 1234}, 1)
    assert alert["resolved_at"] == "2026-01-01T00:00:00Z"
    assert isinstance(alert["id"], str)


@pytest.mark.parametrize("params", [{"open": "perhaps"}, {"limit": 201}, {"before": "x"}, {"is_open": "true"}])
async def test_a_question_that_makes_no_sense_is_refused(client: httpx2.AsyncClient, params: dict[str, Any]) -> None:
    assert (await client.get("/api/v1/alerts", params=params)).status_code == 422


async def test_dead_letters_are_shown_by_cause_without_what_stood_in_them(
    database: str, client: httpx2.AsyncClient
) -> None:
    async with writing(database) as connection:
        for offset, (fingerprint, reason) in enumerate(
            [("f1", "not understood: 1"), ("f2", "envelope"), ("f1", "not understood: 3")]
        ):
            await add(
                connection,
                dead_letters,
                fingerprint=fingerprint,
                reason=reason,
                detail="the buyer's address",
                topic="orders.status.v1",
                partition=0,
                offset=offset,
                headers={},
                value=b"the buyer's address",
                created_at=LONG_AGO,
            )
    answer = await client.get("/api/v1/dead-letters")
    assert "address" not in answer.text
    first, second = answer.json()["groups"]
    assert first == {
        "fingerprint": "f1",
        "letters": 2,
        "failed_replays": 0,
        "last_letter": first["last_letter"],
        "reason": "not understood: 3",
        "first_at": "2026-01-01T00:00:00Z",
        "last_at": "2026-01-01T00:00:00Z",
        "last_record": {"topic": "orders.status.v1", "partition": 0, "offset": 2},
    }
    assert (second["fingerprint"], second["letters"]) == ("f2", 1)
    assert len((await client.get("/api/v1/dead-letters", params={"limit": 1})).json()["groups"]) == 1
