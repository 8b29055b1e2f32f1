"""The buyer's list and detail, parcels and traces: units, ids, times, and the filters that lie."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.aop.caller import OpenStage
from tests.sandbox.stage import DAY_S, HOUR_S
from worker.sandbox.goods import NO_WAYBILL
from worker.sandbox.order import Order

LIST, DETAIL = "1688.order.list", "1688.order.detail"
INFOS, TRACE = "1688.order.logistics", "1688.order.trace"


@pytest.fixture
def stage() -> OpenStage:
    stage = OpenStage(orders=30)
    stage.begin()
    return stage


def paid(**config: Any) -> OpenStage:
    stage = OpenStage(**{"orders": 40} | config)
    for order in stage.begin():
        stage.sandbox.world.pay(order, "agreement")
    return stage


def ids(answer: dict[str, Any]) -> list[str]:
    return [row["baseInfo"]["idOfStr"] for row in answer["result"]]


def about(order: Order) -> dict[str, Any]:
    return {"webSite": "1688", "orderId": order.life.order_id}


async def test_a_detail_is_the_same_order_in_both_apis(stage: OpenStage) -> None:
    for order in stage.orders[:8]:
        answer = await stage.call(DETAIL, **about(order))
        assert answer["success"] == "true", "a text"
        theirs = (await stage.detail(order.order_id))["data"]
        ours = answer["result"]
        ours["baseInfo"].pop("outOrderId")
        assert ours == theirs


async def test_ids_are_bare_numbers_beyond_a_double_and_times_carry_their_zone(stage: OpenStage) -> None:
    zones = set()
    for order in stage.orders:
        base = (await stage.call(DETAIL, **about(order)))["result"]["baseInfo"]
        assert base["id"] == order.life.order_id > 2**53
        assert base["totalAmount"] * 100 == order.total_fen
        zones.add(base["createTime"][-5:])
    assert zones == {"+0800", "-0700"}


async def test_numeric_ids_can_be_rounded_as_in_the_manuals_samples() -> None:
    stage = OpenStage(orders=5, aop={"round_ids": True})
    for order in stage.begin():
        info = (await stage.call(DETAIL, **about(order)))["result"]
        assert info["baseInfo"]["id"] == int(float(order.life.order_id)) != order.life.order_id
        assert info["baseInfo"]["idOfStr"] == order.order_id
        assert [item["subItemIDString"] for item in info["productItems"]] == [str(one.line_id) for one in order.lines]


@pytest.mark.parametrize(("offset_h", "zone"), [(8, "+0800"), (-7, "-0700")])
async def test_all_times_can_be_in_one_zone(offset_h: int, zone: str) -> None:
    stage = OpenStage(orders=15, offset_h=offset_h)
    stage.begin()
    rows = (await stage.call(LIST))["result"]
    assert {row["baseInfo"]["modifyTime"][-5:] for row in rows} == {zone}


async def test_only_the_sections_asked_for_are_shown(stage: OpenStage) -> None:
    order = stage.orders[0]
    whole = (await stage.call(DETAIL, **about(order)))["result"]
    some = (await stage.call(DETAIL, **about(order), includeFields="RateDetail"))["result"]
    assert "nativeLogistics" in whole
    assert "nativeLogistics" not in some
    assert "orderRateInfo" in some
    assert some["baseInfo"] == whole["baseInfo"]


async def test_an_order_that_is_not_there_is_a_failure_with_http_200(stage: OpenStage) -> None:
    answer = await stage.call(DETAIL, webSite="1688", orderId="1")
    assert (answer["success"], answer["errorCode"]) == ("false", "ORDER_NOT_EXIST")
    answer = await stage.call(DETAIL, webSite="alibaba", orderId=stage.orders[0].order_id)
    assert answer["success"] == "false"


async def test_pages_of_twenty_by_default_and_fifty_at_most_hold_every_order_once(stage: OpenStage) -> None:
    pages = [await stage.call(LIST, page=page) for page in (1, 2, 3)]
    assert [len(page["result"]) for page in pages] == [20, 10, 0]
    assert {page["totalRecord"] for page in pages} == {30}
    assert sorted(ids(pages[0]) + ids(pages[1])) == sorted(order.order_id for order in stage.orders)
    assert len((await stage.call(LIST, pageSize=50))["result"]) == 30
    for wrong in ({"pageSize": 51}, {"pageSize": 0}, {"page": 0}):
        assert (await stage.call(LIST, **wrong))["errorCode"] == "400"


async def test_a_row_has_neither_parcels_nor_the_receiver_unless_asked(stage: OpenStage) -> None:
    (row, *_) = (await stage.call(LIST))["result"]
    assert set(row) == {"baseInfo", "productItems", "tradeTerms"}
    assert "receiverInfo" not in row["baseInfo"]
    (row, *_) = (await stage.call(LIST, needBuyerAddressAndPhone="true"))["result"]
    assert row["baseInfo"]["receiverInfo"]["toFullName"]


async def test_the_list_filters_by_modification(stage: OpenStage) -> None:
    stage.advance(HOUR_S)
    changed = [order for order in stage.orders if order.modified_ms > order.created_ms]
    assert changed
    found = await stage.call(LIST, pageSize=50, modifyStartTime="20260101120001000+0800")
    assert sorted(ids(found)) == sorted(order.order_id for order in changed)
    assert await stage.refused(LIST, modifyStartTime="2026-01-01") == (400, "gw.ParamInvalid")


async def test_a_filter_by_ids_has_no_effect_and_old_kinds_of_business_find_nothing(stage: OpenStage) -> None:
    everything = await stage.call(LIST)
    assert await stage.call(LIST, orderIds=[stage.orders[0].life.order_id]) == everything
    assert (await stage.call(LIST, bizTypes=["cn", "ws"]))["totalRecord"] == 0
    assert (await stage.call(LIST, bizTypes=["cb"]))["totalRecord"] == 30
    assert (await stage.call(LIST, orderStatus="waitbuyerpay"))["totalRecord"] == 30
    assert (await stage.call(LIST, orderStatus="terminated"))["errorCode"] == "400"
    seller = stage.orders[3].life.seller
    assert ids(await stage.call(LIST, sellerMemberId=seller.member_id)) == [stage.orders[3].order_id]


async def test_orders_older_than_three_months_are_listed_as_history_alone(stage: OpenStage) -> None:
    stage.advance(91 * DAY_S)
    assert (await stage.call(LIST))["totalRecord"] == 0
    assert (await stage.call(LIST, isHis="false"))["totalRecord"] == 0
    assert (await stage.call(LIST, isHis="true"))["totalRecord"] == 30
    assert await stage.refused(LIST, isHis="yes") == (400, "gw.ParamInvalid")


async def test_before_shipping_the_parcels_are_a_failure_with_http_200() -> None:
    stage = paid()
    order = stage.orders[0]
    answer = await stage.call(INFOS, **about(order))
    assert (answer["success"], answer["errorCode"]) == (False, "500_2")
    assert (await stage.call(TRACE, **about(order)))["errorCode"] == "404"


async def test_parcels_and_traces_tell_of_every_parcel() -> None:
    stage = paid()
    stage.advance(2 * DAY_S)
    shipped = [order for order in stage.orders if order.parcels]
    assert any(len(order.parcels) > 1 for order in shipped)
    for order in shipped:
        rows = (await stage.call(INFOS, **about(order)))["result"]
        assert [row["logisticsBillNo"] for row in rows] == [parcel.waybill for parcel in order.parcels]
        assert [row["orderEntryIds"] for row in rows] == [
            ",".join(map(str, parcel.line_ids)) for parcel in order.parcels
        ]
        traced = [parcel for parcel in order.parcels if parcel.waybill != NO_WAYBILL]
        answer = await stage.call(TRACE, **about(order))
        if not traced:
            assert answer["errorCode"] == "404"
            continue
        traces = answer["logisticsTrace"]
        assert [row["logisticsId"] for row in traces] == [parcel.ship.logistics_code for parcel in traced]
        for row in traces:
            times = [step["acceptTime"] for step in row["logisticsSteps"]]
            assert times == sorted(times)
        one = await stage.call(TRACE, **about(order), logisticsId=traced[-1].ship.logistics_code)
        assert one["logisticsTrace"] == traces[-1:]


async def test_there_is_no_trace_of_an_order_older_than_a_year() -> None:
    stage = paid(orders=3)
    stage.advance(366 * DAY_S)
    order = next(order for order in stage.orders if order.parcels)
    assert (await stage.call(TRACE, **about(order)))["errorCode"] == "order.createtime.history"


async def test_the_carriers_are_listed(stage: OpenStage) -> None:
    rows = (await stage.call("1688.logistics.companies"))["result"]
    assert {row["companyNo"] for row in rows} == {"YTO", "ZTO", "SF", "YUNDA"}


async def test_a_read_may_lag_behind_like_the_other_apis() -> None:
    stage = OpenStage(orders=1, stale_reads_s=60.0)
    (order,) = stage.begin()
    stage.advance(70)
    stage.sandbox.world.cancel(order, "buyerCancel")
    stage.advance(30)
    seen = {(await stage.call(DETAIL, **about(order)))["result"]["baseInfo"]["status"] for _ in range(30)}
    assert seen == {"waitbuyerpay", "cancel"}
