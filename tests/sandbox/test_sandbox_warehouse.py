"""Freight previews, bookings, notices to the warehouse and packages that came in."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.stage import Stage
from worker.sandbox.order import Order

PREVIEW = "/open/pp/logistics/orderRenderFreight"
BOOK = "/open/pp/logistics/orderBookingFreight"
UPDATE = "/open/pp/logistics/updateLogisticInfo"
ESTIMATE = "/v2/open/pp/logistics/itemLogisticsPrice"
INBOUND = "/api/wms/package/inbound"
RECEIVER = {"name": "A", "address": "1 Example Road", "city": "Example", "country": "US", "zip": "00000"}
FREIGHT = {"serviceId": "SEA-STANDARD", "companyName": "Sandbox Sea", "serviceCategory": "SEA"}


@pytest.fixture
def stage() -> Stage:
    stage = Stage(orders=20, agreement_share=1.0, settle_s=0.0, render_valid_s=60.0)
    for order in stage.begin():
        stage.sandbox.world.pay(order, "agreement")
    stage.advance(1)
    return stage


def items(order: Order) -> list[dict[str, Any]]:
    return [
        {
            "itemId": str(line.goods.product_id),
            "skuId": str(line.goods.sku_id),
            "quantity": line.goods.quantity,
            "freightInfo": FREIGHT,
            "currency": "CNY",
            "price": "1.50",
        }
        for line in order.lines
    ]


async def previewed(stage: Stage, order: Order) -> dict[str, Any]:
    answer = await stage.warehouse(PREVIEW, {"receiverAddress": RECEIVER, "renderItems": items(order)})
    data: dict[str, Any] = answer["data"]
    return data


async def booked(stage: Stage, order: Order, render_id: str, **changes: Any) -> dict[str, Any]:
    body = {
        "renderId": render_id,
        "receiverAddress": RECEIVER,
        "lineItems": items(order),
        "tmallOrderInfo": {"tmallOrderId": order.order_id},
    }
    return await stage.warehouse(BOOK, body | changes)


async def test_a_preview_promises_a_price_that_the_booking_charges_and_the_order_shows_the_number(stage: Stage) -> None:
    order = stage.orders[0]
    assert (await stage.detail(order.order_id))["data"]["internationalLogistics"] is None
    render = await previewed(stage, order)
    assert render["renderId"].startswith("FF20260101")
    assert (render["currency"], render["freightInfo"]) == ("CNY", FREIGHT)
    assert render["expireTime"] == stage.clock.ms + 60_000
    answer = (await booked(stage, order, render["renderId"]))["data"]
    (row,) = await stage.book("bookings")
    assert (row["number"], row["render_id"], row["order_id"]) == (
        answer["logisticNumer"],
        render["renderId"],
        order.order_id,
    )
    assert f"{row['amount_fen'] / 100:.2f}" == render["price"]
    shown = (await stage.detail(order.order_id))["data"]["internationalLogistics"]["logisticsItems"]
    assert [item["logisticsBillNo"] for item in shown] == [row["number"]]


async def test_a_render_id_is_good_once_but_a_second_booking_is_a_second_booking(stage: Stage) -> None:
    order = stage.orders[0]
    first = (await previewed(stage, order))["renderId"]
    assert (await booked(stage, order, first))["code"] == 200
    assert (await booked(stage, order, first))["code"] == 40911
    second = (await previewed(stage, order))["renderId"]
    assert second != first
    assert (await booked(stage, order, second))["code"] == 200
    assert [row["order_call_no"] for row in await stage.book("bookings")] == [1, 2]
    stats = stage.sandbox.stats()
    assert (stats.bookings, stats.double_bookings) == (2, 1)
    assert [row["reason"] for row in await stage.book("refusals")] == ["40911"]


async def test_an_expired_or_unknown_render_id_and_other_goods_than_previewed_book_nothing(stage: Stage) -> None:
    order, other = stage.orders[0], stage.orders[1]
    render_id = (await previewed(stage, order))["renderId"]
    assert (await booked(stage, order, "FF2024080200007"))["code"] == 40404
    assert (await booked(stage, order, render_id, lineItems=items(other)))["code"] == 40912
    stage.advance(60.001)
    assert (await booked(stage, order, render_id))["code"] == 40910
    assert await stage.book("bookings") == []
    again = (await previewed(stage, order))["renderId"]
    assert (await booked(stage, order, again))["code"] == 200


async def test_only_paid_orders_that_exist_are_booked_and_goods_without_an_order_too(stage: Stage) -> None:
    stage.sandbox.world.add_orders(1)
    stage.advance(0)
    unpaid = stage.orders[-1]
    assert unpaid.payable
    render_id = (await previewed(stage, unpaid))["renderId"]
    assert (await booked(stage, unpaid, render_id))["code"] == 40904
    assert (await booked(stage, unpaid, render_id, tmallOrderInfo={"tmallOrderId": "1"}))["code"] == 40400
    assert (await booked(stage, unpaid, render_id, tmallOrderInfo=None))["code"] == 200
    assert [row["order_id"] for row in await stage.book("bookings")] == [""]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"receiverAddress": RECEIVER | {"country": "usa"}}, 40000),
        ({"receiverAddress": {"country": "US"}}, 40000),
        ({"renderItems": []}, 40000),
        ({"renderItems": [{"itemId": "1"}]}, 40000),
        ({"renderItems": "all"}, 40000),
    ],
)
async def test_a_preview_without_what_it_needs_is_refused(stage: Stage, change: dict[str, Any], code: int) -> None:
    body = {"receiverAddress": RECEIVER, "renderItems": items(stage.orders[0])} | change
    assert (await stage.warehouse(PREVIEW, body))["code"] == code
    assert await stage.book("renders") == []


@pytest.mark.parametrize(
    "change", [{"quantity": 0}, {"price": "free"}, {"currency": None}, {"freightInfo": {"serviceId": "TELEPORT"}}]
)
async def test_an_item_that_cannot_be_sent_is_refused(stage: Stage, change: dict[str, Any]) -> None:
    row = items(stage.orders[0])[0] | change
    answer = await stage.warehouse(PREVIEW, {"receiverAddress": RECEIVER, "renderItems": [row]})
    assert answer["code"] in (40000, 40005)


async def test_an_estimate_prices_every_service(stage: Stage) -> None:
    item = {"itemId": "1", "skuId": "2", "quantity": 3, "price": "1.00", "currency": "CNY"}
    rows = (await stage.warehouse(ESTIMATE, item | {"receiverAddress": RECEIVER}))["data"]
    assert {row["freightInfo"]["serviceId"]: row["price"] for row in rows} == {
        "SEA-STANDARD": "33.60",
        "AIR-ECONOMY": "52.80",
        "AIR-EXPRESS": "117.30",
    }


@pytest.mark.parametrize(
    ("query", "code"), [({"sign": ""}, 40100), ({"sign": "0" * 32}, 40102), ({"timestamp": "1"}, 40102)]
)
async def test_these_calls_are_signed_in_the_query(stage: Stage, query: dict[str, str], code: int) -> None:
    body = {"receiverAddress": RECEIVER, "renderItems": items(stage.orders[0])}
    assert (await stage.warehouse(PREVIEW, body, **query))["code"] == code


def notice(order: Order, waybill: str = "YT1") -> dict[str, Any]:
    line = order.lines[0].goods
    described = {
        "itemId": str(line.product_id),
        "skuId": str(line.sku_id),
        "quantity": 1,
        "title": "t",
        "imageUrl": "u",
    }
    parcel = {"logisticNumer": waybill, "logisticCompanyName": "c", "rtsTime": "1767240000"}
    return {
        "orderId": order.order_id,
        "logisticInfos": [{"lineItem": described, "logisticNumer": None, "domesticLogisticInfo": [parcel]}],
    }


async def test_the_warehouse_takes_down_every_notice_and_counts_the_same_news_told_twice(stage: Stage) -> None:
    order, other = stage.orders[:2]
    for body in (notice(order), notice(order, "YT2"), notice(order), notice(other)):
        assert (await stage.warehouse(UPDATE, body))["data"] is True
    rows = await stage.book("warehouse-notices")
    assert [(row["order_id"], row["repeats"]) for row in rows] == [
        (order.order_id, 0),
        (order.order_id, 0),
        (order.order_id, 1),
        (other.order_id, 0),
    ]
    assert rows[1]["content"] == notice(order, "YT2")
    stats = stage.sandbox.stats()
    assert (stats.warehouse_notices, stats.warehouse_repeats) == (4, 1)


async def test_a_notice_about_no_order_or_without_parcels_is_refused(stage: Stage) -> None:
    order = stage.orders[0]
    assert (await stage.warehouse(UPDATE, notice(order) | {"orderId": "1"}))["code"] == 40400
    assert (await stage.warehouse(UPDATE, notice(order) | {"logisticInfos": [{}]}))["code"] == 40000
    wrong = notice(order)
    wrong["logisticInfos"][0]["domesticLogisticInfo"][0]["rtsTime"] = "2026-01-01"
    assert (await stage.warehouse(UPDATE, wrong))["code"] == 40000
    assert await stage.book("warehouse-notices") == []


@pytest.mark.parametrize("path", [INBOUND, "/unpublished/xport/wms/package/forecast"])
async def test_packages_of_the_order_are_taken_down_and_others_refused(stage: Stage, path: str) -> None:
    order = stage.until(lambda: next((order for order in stage.orders if order.parcels), None))
    quality = {"status": "质检通过", "weight": 0.4, "length": "10", "images": []}
    body = {
        "out_order_id": "SHOP-1",
        "alibaba_order_id": order.order_id,
        "logistics_tracking_number": order.parcels[0].waybill,
        "quality_inspection_info": quality,
    }
    assert (await stage.post(path, body))["data"] is True
    assert (await stage.post(path, body | {"logistics_tracking_number": "elsewhere"}))["code"] == 40405
    (row,) = await stage.book("inbounds")
    assert (row["order_id"], row["waybill"]) == (order.order_id, order.parcels[0].waybill)
    assert row["content"]["quality_inspection_info"]["weight"] == 0.4
