"""One order tells everything that is known of it, exactly, and where each piece of knowledge came from."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.operations.api_stage import LONG_AGO, add, add_order, served, writing
from worker.storage.tables import facts, follow_up_attempts, follow_ups, order_lines, parcels, refunds

AT = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
BEYOND_A_FLOAT = "9007199254740993"


@pytest.fixture
async def client(database: str) -> AsyncIterator[httpx2.AsyncClient]:
    async with served(database) as client:
        yield client


async def shown(client: httpx2.AsyncClient, order_id: str, **params: Any) -> dict[str, Any]:
    answer = await client.get(f"/api/v1/orders/main/1688/{order_id}", params=params)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def cny(minor: int) -> dict[str, Any]:
    return {"minor": minor, "currency": "CNY"}


async def add_fact(connection: AsyncConnection, ref: int, number: int, **values: Any) -> None:
    fact = {
        "fact_id": f"fact-{ref}-{number}",
        "order_ref": ref,
        "kind": "status",
        "source": "callback",
        "observed_at": AT,
        "outcome": "applied",
        "content": {"type": "status", "word": "waitbuyerpay"},
        "topic": "orders.status.v1",
        "partition": 3,
        "offset": number,
    }
    await add(connection, facts, **fact | values)


async def add_follow_up(connection: AsyncConnection, ref: int, **values: Any) -> int:
    follow_up = {"order_ref": ref, "account": "main", "effect": "pay", "purpose": "full", "due_at": AT}
    row = insert(follow_ups).values(follow_up | values).returning(follow_ups.c.id)
    return int((await connection.execute(row)).scalar_one())


async def test_an_order_of_which_little_is_known_says_so(database: str, client: httpx2.AsyncClient) -> None:
    async with writing(database) as connection:
        await add_order(connection, BEYOND_A_FLOAT)
    order = await shown(client, BEYOND_A_FLOAT)
    assert (order["order_id"], order["status"], order["unconfirmed"]) == (BEYOND_A_FLOAT, "unknown", True)
    assert order["amounts"] == dict.fromkeys(["total", "shipping", "products", "discount", "refunded"])
    assert (order["lines"], order["parcels"], order["refunds"], order["follow_ups"]) == ([], [], [], [])
    assert order["timeline"] == {"facts": [], "earlier": None}
    assert "evidence" not in order


async def test_a_word_that_this_version_does_not_know_is_shown_and_no_error(
    database: str, client: httpx2.AsyncClient
) -> None:
    async with writing(database) as connection:
        await add_order(connection, "1", status="teleported")
    assert (await shown(client, "1"))["status"] == "teleported"


async def test_the_order_itself(database: str, client: httpx2.AsyncClient) -> None:
    async with writing(database) as connection:
        await add_order(
            connection,
            "1",
            status="shipped",
            status_word="waitbuyerreceive",
            unconfirmed=False,
            paid=True,
            currency="CNY",
            total_minor=9_007_199_254_740_993,
            shipping_minor=0,
            paid_at=AT,
            asked_at=AT,
            sequence=7,
        )
    order = await shown(client, "1")
    assert (order["account"], order["platform"]) == ("main", "1688")
    assert (order["status"], order["status_word"]) == ("shipped", "waitbuyerreceive")
    assert (order["unconfirmed"], order["paid"], order["sequence"]) == (False, True, 7)
    assert order["amounts"]["total"] == cny(9_007_199_254_740_993)
    assert order["amounts"]["shipping"] == cny(0)
    assert order["amounts"]["discount"] is None
    assert order["paid_at"] == order["asked_at"] == "2026-01-02T03:04:05.678000Z"
    assert order["updated_at"] == "2026-01-01T00:00:00Z"
    listed = (await client.get("/api/v1/orders")).json()["orders"][0]
    assert listed == {name: value for name, value in order.items() if name in listed}


async def test_lines_parcels_and_refunds(database: str, client: httpx2.AsyncClient) -> None:
    async with writing(database) as connection:
        ref = await add_order(connection, "1")
        other = await add_order(connection, "2")
        await add(connection, order_lines, order_ref=ref, line_id="b", position=1)
        await add(
            connection,
            order_lines,
            order_ref=ref,
            line_id=BEYOND_A_FLOAT,
            position=0,
            name="茶杯",
            quantity="2.5",
            price_minor=400,
            amount_minor=999,
            logistics_status=2,
        )
        await add(connection, order_lines, order_ref=other, line_id="b", position=0)
        await add(
            connection,
            parcels,
            order_ref=ref,
            parcel_id="p1",
            waybill="YT1",
            carrier="yuantong",
            line_ids=["b"],
            shipped_at=AT,
            tracked="SIGN",
            moved_at=AT,
            signed=True,
        )
        refund = {"refund_id": "r1", "status": "awaiting_seller", "status_word": "waitselleragree", "confirmed": True}
        await add(connection, refunds, order_ref=ref, amount_minor=250, line_ids=["b"], **refund)
    order = await shown(client, "1")
    assert [line["line_id"] for line in order["lines"]] == [BEYOND_A_FLOAT, "b"]
    first, second = order["lines"]
    assert (first["name"], first["quantity"], first["price"], first["amount"]) == ("茶杯", "2.5", cny(400), cny(999))
    assert (first["logistics_status"], second["amount"]) == (2, None)
    parcel = {"parcel_id": "p1", "waybill": "YT1", "carrier": "yuantong", "status_word": None, "line_ids": ["b"]}
    moment = "2026-01-02T03:04:05.678000Z"
    assert order["parcels"] == [parcel | {"shipped_at": moment, "tracked": "SIGN", "moved_at": moment, "signed": True}]
    assert order["refunds"] == [refund | {"amount": cny(250), "line_ids": ["b"]}]


async def test_follow_ups_with_their_attempts(database: str, client: httpx2.AsyncClient) -> None:
    async with writing(database) as connection:
        ref = await add_order(connection, "1")
        read = await add_follow_up(connection, ref, effect="refresh", purpose="sync", state="succeeded")
        pay = await add_follow_up(
            connection, ref, state="awaiting_person", reason="no agreement", amount_minor=1234, pay_url="https://pay/1"
        )
        other = await add_follow_up(connection, await add_order(connection, "2"))
        for number, (follow_up, finished_at, outcome) in enumerate(
            [(pay, AT + timedelta(seconds=1), "not_sent"), (other, AT, "paid"), (pay, None, None)]
        ):
            await add(
                connection,
                follow_up_attempts,
                follow_up_id=follow_up,
                claim_token=f"00000000-0000-0000-0000-00000000000{number}",
                operation="order_pay",
                amount_minor=1234,
                evidence={},
                answer={"secret": "of the account"},
                sent_at=AT,
                finished_at=finished_at,
                outcome=outcome,
            )
    answer = await client.get("/api/v1/orders/main/1688/1")
    assert "secret" not in answer.text
    assert "claim_token" not in answer.text
    first, second = answer.json()["follow_ups"]
    assert (first["id"], first["effect"], first["state"]) == (str(read), "refresh", "succeeded")
    assert (first["amount"], first["attempts"], first["attempts_in_all"]) == (None, [], 0)
    assert (second["id"], second["effect"], second["purpose"]) == (str(pay), "pay", "full")
    assert (second["state"], second["reason"]) == ("awaiting_person", "no agreement")
    assert (second["amount"], second["pay_url"]) == (cny(1234), "https://pay/1")
    assert second["attempts_in_all"] == 2
    assert [attempt["outcome"] for attempt in second["attempts"]] == ["not_sent", None]
    assert second["attempts"][0] == {
        "operation": "order_pay",
        "amount": cny(1234),
        "sent_at": "2026-01-02T03:04:05.678000Z",
        "finished_at": "2026-01-02T03:04:06.678000Z",
        "outcome": "not_sent",
    }


async def test_of_very_many_attempts_the_latest_are_shown_and_all_are_counted(
    database: str, client: httpx2.AsyncClient
) -> None:
    async with writing(database) as connection:
        pay = await add_follow_up(connection, await add_order(connection, "1"))
        for number in range(23):
            await add(
                connection,
                follow_up_attempts,
                follow_up_id=pay,
                claim_token=f"00000000-0000-0000-0000-0000000000{number:02}",
                operation="order_pay",
                evidence={},
                finished_at=AT,
                outcome=str(number),
            )
    (follow_up,) = (await shown(client, "1"))["follow_ups"]
    assert follow_up["attempts_in_all"] == 23
    assert [attempt["outcome"] for attempt in follow_up["attempts"]] == [str(number) for number in range(3, 23)]


async def test_every_fact_tells_where_it_came_from_and_what_became_of_it(
    database: str, client: httpx2.AsyncClient
) -> None:
    content = {"type": "price", "amounts": {"total": 9_007_199_254_740_993, "currency": "CNY"}}
    async with writing(database) as connection:
        ref = await add_order(connection, "1")
        await add_fact(
            connection,
            ref,
            9_007_199_254_740_993,
            kind="price",
            source="poll",
            provider_time=AT,
            recorded_at=LONG_AGO,
            outcome="stale",
            content=content,
            deliveries=3,
        )
    answer = await client.get("/api/v1/orders/main/1688/1")
    (fact,) = answer.json()["timeline"]["facts"]
    assert isinstance(fact.pop("id"), str)
    assert fact == {
        "fact_id": f"fact-{ref}-9007199254740993",
        "kind": "price",
        "source": "poll",
        "provider_time": "2026-01-02T03:04:05.678000Z",
        "observed_at": "2026-01-02T03:04:05.678000Z",
        "recorded_at": "2026-01-01T00:00:00Z",
        "outcome": "stale",
        "record": {"topic": "orders.status.v1", "partition": 3, "offset": 9_007_199_254_740_993},
        "deliveries": 3,
        "content": content,
    }


async def test_the_timeline_is_read_backwards_in_stretches_each_with_the_newest_last(
    database: str, client: httpx2.AsyncClient
) -> None:
    async with writing(database) as connection:
        ref, other = await add_order(connection, "1"), await add_order(connection, "2")
        for number in range(5):
            await add_fact(connection, ref, number)
            await add_fact(connection, other, number)
    stretches: list[list[int]] = []
    params: dict[str, Any] = {"timeline_limit": 2}
    while True:
        timeline = (await shown(client, "1", **params))["timeline"]
        stretches.append([fact["record"]["offset"] for fact in timeline["facts"]])
        if timeline["earlier"] is None:
            break
        params["timeline_before"] = timeline["earlier"]
    assert stretches == [[3, 4], [1, 2], [0]]
    assert (await shown(client, "1", timeline_before="1"))["timeline"] == {"facts": [], "earlier": None}
