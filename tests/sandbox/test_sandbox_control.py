"""The control endpoints: what a demo or a test can see and steer."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from tests.sandbox.stage import Stage
from worker.sandbox import SandboxConfig, create_app


@pytest.fixture
def stage() -> Stage:
    return Stage(orders=7)


async def get(stage: Stage, path: str) -> Any:
    return (await stage.client.get(path)).json()


@pytest.mark.parametrize("path", ["stats", "truth", "ledger"])
async def test_other_hosts_see_nothing_unless_the_twin_was_opened(path: str) -> None:
    for is_open, status in ((False, 403), (True, 200)):
        stage = Stage(orders=1, open_control=is_open)
        transport = httpx2.ASGITransport(create_app(stage.sandbox), client=("10.1.2.3", 1))
        async with httpx2.AsyncClient(transport=transport, base_url="http://sandbox.invalid") as client:
            assert (await client.get(f"/_sandbox/{path}")).status_code == status


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "truth?limit=0", b"", 400),
        ("GET", "truth?limit=1001", b"", 400),
        ("GET", "truth?after=first", b"", 400),
        ("GET", "orders/1", b"", 404),
        ("POST", "orders", b"{}", 400),
        ("POST", "orders", b'{"count":-1}', 400),
        ("POST", "orders", b'{"count":50001}', 400),
        ("POST", "callback-url", b"[]", 400),
    ],
)
async def test_a_mistake_gets_a_text_that_says_what_is_wrong(
    stage: Stage, method: str, path: str, body: bytes, status: int
) -> None:
    answer = await stage.client.request(method, f"/_sandbox/{path}", content=body)
    assert answer.status_code == status
    assert answer.json()["error"]


async def test_life_does_not_start_before_it_is_told_to(stage: Stage) -> None:
    stage.advance(10)
    before = await get(stage, "/_sandbox/stats")
    assert (before["orders"], before["started"], before["quiet"]) == (0, False, False)
    for _ in range(2):
        await stage.client.post("/_sandbox/start")
    stage.advance(0)
    after = await get(stage, "/_sandbox/stats")
    assert (after["orders"], after["orders_planned"], after["quiet"]) == (7, 7, False)


async def test_unpaid_orders_keep_the_world_from_being_quiet_until_they_are_closed(stage: Stage) -> None:
    stage.begin()
    stage.advance(432_000 - 1)
    assert not (await get(stage, "/_sandbox/stats"))["quiet"]
    stage.advance(1)
    assert (await get(stage, "/_sandbox/stats"))["quiet"]
    stage.sandbox.world.add_orders(1)
    assert not (await get(stage, "/_sandbox/stats"))["quiet"]


async def test_a_sandbox_told_to_play_no_orders_is_quiet_at_once() -> None:
    stage = Stage(orders=0)
    stage.begin()
    assert stage.sandbox.stats().quiet


async def test_every_price_that_an_order_had_is_told_whatever_became_of_the_callbacks() -> None:
    stage = Stage(orders=60, lost_callbacks=1.0)
    stage.begin()
    stage.advance(432_000)
    prices = (await get(stage, "/_sandbox/prices"))["prices"]
    changed = [order for order in stage.sandbox.world.orders.values() if order.price_changes]
    assert changed, "some prices changed"
    assert stage.pushed == []
    for order in stage.sandbox.world.orders.values():
        had = prices[order.order_id]
        assert [at for at, _ in had] == sorted(at for at, _ in had)
        assert had[0][0] == order.created_ms
        assert had[-1][1] == order.total_fen
    assert any(len(prices[order.order_id]) > 1 for order in changed)


async def test_orders_can_be_added_while_it_runs(stage: Stage) -> None:
    stage.begin()
    assert (await stage.client.post("/_sandbox/orders", json={"count": 3})).json() == {"orders_planned": 10}
    stage.advance(0)
    assert len({order.order_id for order in stage.orders}) == 10


async def test_the_truth_comes_in_pages_without_gaps(stage: Stage) -> None:
    stage.begin()
    rows: list[dict[str, Any]] = []
    after: int | None = -1
    while after is not None:
        page = await get(stage, f"/_sandbox/truth?after={after}&limit=3")
        rows, after = rows + page["orders"], page["next"]
    assert [row["number"] for row in rows] == list(range(7))
    assert {row["order_id"] for row in rows} == {order.order_id for order in stage.orders}


async def test_truth_ledger_and_one_order_speak_in_fen_and_text_ids(stage: Stage) -> None:
    order = stage.begin()[0]
    stage.sandbox.world.pay(order, "agreement")
    stage.play()
    (row,) = [row for row in (await get(stage, "/_sandbox/truth"))["orders"] if row["order_id"] == order.order_id]
    assert row["total_fen"] == row["taken_fen"]
    assert row["total_fen"] == sum(line["amount_fen"] for line in row["lines"]) + row["shipping_fen"]
    assert all(isinstance(line["line_id"], str) for line in row["lines"])
    ledger = (await get(stage, "/_sandbox/ledger"))["payments"]
    assert ledger[0] == {
        "order_id": order.order_id,
        "amount_fen": order.total_fen,
        "at": ledger[0]["at"],
        "how": "agreement",
        "call_no": 1,
        "platform": "1688",
    }
    assert (await get(stage, f"/_sandbox/ledger?after={len(ledger)}"))["payments"] == []
    one = await get(stage, f"/_sandbox/orders/{order.order_id}")
    assert one["truth"] == row
    assert one["trade_info"]["baseInfo"]["idOfStr"] == order.order_id


async def test_calls_are_counted_by_operation(stage: Stage) -> None:
    order = stage.begin()[0]
    await stage.detail(order.order_id)
    await stage.detail("1", signature="0" * 32)
    await stage.post("/alibaba/order/page", {})
    await stage.pay("1")
    assert (await get(stage, "/_sandbox/stats"))["calls"] == {
        "1688.order.detail": 2,
        "1688.order.list": 1,
        "1688.order.pay": 1,
    }


def test_a_wrong_configuration_names_every_mistake() -> None:
    with pytest.raises(ValueError, match=r"agreement_share.*speed.*settle_s.*orders"):
        SandboxConfig(agreement_share=1.5, speed=0, settle_s=-1, orders=-1)
    with pytest.raises(ValueError, match="faults: expected one of none, usual, hostile"):
        SandboxConfig(faults="some")  # type: ignore[arg-type]
