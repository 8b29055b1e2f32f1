"""The order list: filters, pages, and how far it can be trusted."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.stage import NOON_MS, Stage
from worker.sandbox.timetext import plain, read_stamp, stamp

LIST = "/v2/alibaba/order/page"


@pytest.fixture
def stage() -> Stage:
    stage = Stage(orders=45, arrival_s=60.0)
    stage.sandbox.start()
    stage.advance(3600)
    return stage


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"page": 0}, 40000),
        ({"page": "one"}, 40000),
        ({"page": 1, "pageSize": 21}, 40002),
        ({"page": 1, "pageSize": 0}, 40002),
        ({"page": 1, "pageSize": 20, "modifyStartTime": "2026-01-01 00:00:00"}, 40003),
        ({"page": 1, "pageSize": 20, "modifyEndTime": "20261301000000000+0800"}, 40003),
        ({"page": 1, "pageSize": 20, "orderStatus": "confirm_goods"}, 40000),
        (b"", 40001),
    ],
)
async def test_a_wrong_list_call_is_refused(stage: Stage, body: Any, code: int) -> None:
    assert (await stage.post(LIST, body))["code"] == code


@pytest.mark.parametrize("path", [LIST, "/alibaba/order/page"])
async def test_pages_hold_every_order_once_newest_change_first(stage: Stage, path: str) -> None:
    pages = [(await stage.post(path, {"page": page, "pageSize": 20}))["data"] for page in (1, 2, 3, 4)]
    assert [len(page["data"]) for page in pages] == [20, 20, 5, 0]
    assert {(page["totalRecords"], page["totalPage"], page["pageSize"]) for page in pages} == {(45, 3, 20)}
    assert [page["currentPage"] for page in pages] == [1, 2, 3, 4]
    shown = [info["baseInfo"] for page in pages for info in page["data"]]
    assert {base["idOfStr"] for base in shown} == {order.order_id for order in stage.orders}
    times = [read_stamp(base["modifyTime"]) for base in shown]
    assert times == sorted(times, reverse=True)


async def test_the_list_shows_no_parcels(stage: Stage) -> None:
    data = (await stage.post(LIST, {"page": 1, "pageSize": 20}))["data"]["data"]
    assert all("logisticsItems" not in info["nativeLogistics"] for info in data)


async def test_both_ends_of_the_modification_window_are_included(stage: Stage) -> None:
    order = stage.orders[0]
    for offset_h in (8, -7, 0):
        moment = stamp(order.modified_ms, offset_h)
        body = {"page": 1, "pageSize": 20, "modifyStartTime": moment, "modifyEndTime": moment}
        found = (await stage.post(LIST, body))["data"]["data"]
        assert order.order_id in [info["baseInfo"]["idOfStr"] for info in found]
    later = stamp(order.modified_ms + 1)
    body = {"page": 1, "pageSize": 20, "modifyStartTime": later, "modifyEndTime": stamp(order.modified_ms)}
    assert (await stage.post(LIST, body))["data"]["data"] == []


async def test_every_change_moves_the_order_to_the_top(stage: Stage) -> None:
    order = next(order for order in stage.orders if order.payable and order.life.shows_paying)
    stage.advance(1)
    stage.sandbox.world.pay(order, "page")
    first = (await stage.post(LIST, {"page": 1, "pageSize": 1}))["data"]["data"][0]
    assert first["baseInfo"]["idOfStr"] == order.order_id
    assert first["tradeTerms"][0]["payStatus"] in (9, "9")


async def test_the_status_filter_counts_what_it_shows(stage: Stage) -> None:
    stage.play()
    counts = stage.sandbox.stats().orders_by_status
    for status in ("success", "cancel", "waitbuyerpay"):
        answer = await stage.post(LIST, {"page": 1, "pageSize": 20, "orderStatus": status})
        assert answer["data"]["totalRecords"] == counts.get(status, 0)


def test_time_texts_are_read_and_written_alike() -> None:
    assert stamp(NOON_MS) == "20260101120000123+0800"
    assert stamp(NOON_MS, -7) == "20251231210000123-0700"
    assert read_stamp(stamp(NOON_MS)) == read_stamp(stamp(NOON_MS, -7)) == NOON_MS
    assert plain(NOON_MS) == "2026-01-01 12:00:00"
