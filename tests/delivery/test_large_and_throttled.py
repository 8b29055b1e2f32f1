"""End to end on embedded parts: orders of 60 lines in 7 parcels, and a marketplace that throttles for a long time.

The throttle is ten times shorter than two minutes, and so is the account's first pause (one second for ten): the ratio
of the two, which decides how often one runs into it, is that of the real thing.
"""

import asyncio
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.delivery.programs import silent
from tests.storage.database import connected, rows, value
from tests.waiting import until
from worker.demo.play import play
from worker.demo.stage import DemoOptions, set_stage

LINES, PARCELS = 60, 7
LARGE = 4
THROTTLED_S = 12.0
FIRST_PAUSE_S = 1.0


class Twin:
    """The sandbox's control pages."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client

    async def post(self, path: str, body: dict[str, Any]) -> None:
        answer = await self._client.post(f"/_sandbox/{path}", json=body)
        assert answer.status_code == 200, answer.text

    async def calls(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            page = (await self._client.get("/_sandbox/calls", params={"after": len(found)})).json()
            found += page["calls"]
            if not page["calls"]:
                return found

    async def orders(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self._client.get("/_sandbox/truth", params={"limit": 1000})).json()[
            "orders"
        ]
        return found


@pytest.mark.timeout(240)
async def test_orders_of_sixty_lines_in_seven_parcels_live_to_their_end(tmp_path: Path) -> None:
    options = DemoOptions(orders=4, seed=5, faults="none", lost_callbacks=None)
    async with set_stage(options, tmp_path) as stage, httpx2.AsyncClient(base_url=stage.twin.url) as client:
        twin = Twin(client)
        await twin.post("orders", {"count": LARGE, "lines": LINES, "parcels": PARCELS})
        large = await until(lambda: created(twin), 20, what="the large orders")
        playing = asyncio.create_task(play(stage, silent))
        # They cost more than the demo's limit: a person pays at the page those that nobody has closed yet.
        answers = [await client.post(f"/_sandbox/pay/{order_id}") for order_id in large]
        assert {answer.status_code for answer in answers} <= {200, 409}
        verdict = await playing
        by_hand = [f"order {order_id} was paid without an attempt in the ledger" for order_id in large]
        assert [text for text in verdict.broken if text not in by_hand] == []
        assert verdict.differences == []
        ended = [one for one in await twin.orders() if one["order_id"] in large and len(one["parcels"]) == PARCELS]
        assert ended, "none of them was shipped: choose another seed"
        async with connected(stage.postgres_dsn) as engine:
            for order in ended:
                given = {"order_id": order["order_id"]}
                count = "SELECT count(*) FROM {} x JOIN orders o ON o.id = x.order_ref WHERE o.order_id = :order_id"
                assert await value(engine, count.format("order_lines"), **given) == LINES
                assert await value(engine, count.format("parcels"), **given) == PARCELS


@pytest.mark.timeout(240)
async def test_a_long_throttle_is_survived_by_pollers_reads_and_payments(tmp_path: Path) -> None:
    options = DemoOptions(orders=20, seed=3, faults="none", lost_callbacks=0.3, throttle_pause_s=FIRST_PAUSE_S)
    async with set_stage(options, tmp_path) as stage, httpx2.AsyncClient(base_url=stage.twin.url) as client:
        twin = Twin(client)
        playing = asyncio.create_task(play(stage, silent))
        await until(lambda: counted(twin, "1688.order.pay", "ok", 2), 60, what="the first payments")
        await twin.post("throttle", {"seconds": THROTTLED_S})
        verdict = await playing
        calls = await twin.calls()
        assert verdict.broken == []
        assert verdict.differences == []
        refused = [call for call in calls if call["outcome"] == "throttled"]
        # Pauses of 1, 2, 4 and 8 s: a handful of tries, each by those who were let through together at a pause's end.
        bursts = gaps(call["at"] for call in refused)
        assert 2 <= len(bursts) <= 6, bursts
        assert all(later >= earlier for earlier, later in pairwise(bursts)), "pauses grow"
        after = [call for call in calls if call["at"] > refused[-1]["at"] and call["outcome"] == "ok"]
        assert {"1688.order.list", "1688.order.detail"} <= {call["operation"] for call in after}
        async with connected(stage.postgres_dsn) as engine:
            states = await rows(engine, "SELECT state, count(*) AS n FROM follow_ups WHERE effect = 'pay' GROUP BY 1")
        assert "unknown" not in Counter({row["state"]: row["n"] for row in states})


async def created(twin: Twin) -> list[str] | None:
    found = [order["order_id"] for order in await twin.orders() if len(order["lines"]) == LINES]
    return found if len(found) == LARGE else None


async def counted(twin: Twin, operation: str, outcome: str, least: int) -> bool:
    found = [call for call in await twin.calls() if (call["operation"], call["outcome"]) == (operation, outcome)]
    return len(found) >= least


def gaps(at: Any) -> list[int]:
    """Calls that come close together are one try; the pauses between tries, in whole seconds."""
    times = sorted(at)
    found = [later - earlier for earlier, later in pairwise(times)]
    return [round(gap / 1000) for gap in found if gap >= FIRST_PAUSE_S * 500]
