"""Purchase orders on Taobao: their lives, the two asynchronous effects, and what the platform tells."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sandbox.stage import DAY_S, Stage, envelope
from worker.catalogue.operation import Dialect
from worker.catalogue.tables import find
from worker.sandbox import SandboxConfig
from worker.sandbox.menu import unpublished_path
from worker.sandbox.offers import found_offers
from worker.sandbox.taobao.order import CLOSED, SHIPPED, WAIT_PAY, WAIT_SEND, TaobaoOrder

LADDER = ["BULIDING", "WAIT_BUYER_P", "WAIT_FINANCE_PAY", "WAIT_SELLER_SEND_GOODS", "WAIT_BUYER_CONFIRM_GOODS"]
XPORT_LIST = "/api/open/purchase/page"
MINUTE_S = 60.0


def path(name: str, dialect: Dialect = Dialect.PANDAPON) -> str:
    return unpublished_path(find(dialect, f"taobao.order.{name}"))


def taobao(**config: Any) -> Stage:
    return Stage(**{"orders": 0, "taobao_orders": 20, "settle_s": 10.0} | config)


def orders(stage: Stage) -> list[TaobaoOrder]:
    return list(stage.sandbox.taobao.orders.values())


def waiting(stage: Stage) -> TaobaoOrder:
    """One that waits for its payment."""
    stage.sandbox.start()
    stage.advance(2 * MINUTE_S)
    return next(order for order in orders(stage) if order.status == WAIT_PAY)


async def read(stage: Stage, order_id: object) -> dict[str, Any]:
    answer = await stage.client.get(path("detail"), params={"id": str(order_id)}, headers=stage.headers())
    return envelope(answer)


async def pay(stage: Stage, *order_ids: object) -> dict[str, Any]:
    return await stage.post(path("pay"), {"purchaseOrderIdList": list(order_ids)})


def pay_all(stage: Stage) -> None:
    for order in orders(stage):
        if order.payable and not order.settling:
            stage.sandbox.taobao.pay(order, "agreement")


@given(seed=st.integers(min_value=0, max_value=2**31))
@settings(max_examples=15, deadline=None)
def test_a_life_only_climbs_or_closes_and_every_change_is_stamped(seed: int) -> None:
    stage = taobao(seed=seed, taobao_orders=4)
    stage.sandbox.start()
    before: dict[str, tuple[str, int, object]] = {}
    for _ in range(10 * 24):
        stage.advance(3600)
        pay_all(stage)
        for order in orders(stage):
            state = (order.total_fen, [(sub.status, sub.parcels) for sub in order.subs], len(order.refunds))
            old = before.get(order.order_id, ("BULIDING", 0, None))
            assert old[0] != CLOSED or order.status == CLOSED
            assert order.status == CLOSED or LADDER.index(order.status) >= LADDER.index(old[0])
            assert state == old[2] or order.modified_ms > old[1]
            assert order.total_fen == sum(sub.amount_fen for sub in order.subs) + order.postage_fen
            before[order.order_id] = (order.status, order.modified_ms, state)
    assert {order.status for order in orders(stage)} <= {SHIPPED, CLOSED}


async def test_the_object_is_the_upstreams_in_fen_with_ids_beyond_any_float() -> None:
    stage = taobao()
    order = waiting(stage)
    data = (await read(stage, order.order_id))["data"]
    assert data["purchase_id"] == int(order.order_id) != int(float(order.order_id))
    assert data["purchase_amount"] == order.total_fen
    assert data["purchase_amount"] == data["product_amount"] + data["domestic_post_fee"]
    assert data["status"] == "WAIT_BUYER_P"
    assert data["modify_time"] == order.modified_ms
    assert [row["purchase_amount"] for row in data["sub_purchase_orders"]] == [sub.amount_fen for sub in order.subs]
    assert (await read(stage, "1"))["code"] == 40400


@pytest.mark.parametrize("two_ids", [True, False])
async def test_an_order_is_found_by_either_of_its_names(*, two_ids: bool) -> None:
    stage = taobao(taobao_two_ids=two_ids)
    order = waiting(stage)
    assert (str(order.sales_id) == order.order_id) is not two_ids
    for name in (order.sales_id, order.order_id):
        assert (await read(stage, name))["data"]["purchase_id"] == order.life.purchase_id


async def test_a_payment_is_accepted_shown_later_and_taken_again_if_asked_again_meanwhile() -> None:
    stage = taobao()
    order = waiting(stage)
    total_fen = order.total_fen
    answer = (await pay(stage, order.order_id, "1"))["data"]
    assert answer["willPayPurchaseOrderIds"] == [order.order_id]
    assert answer["payFailurePurchaseOrderIds"] == ["1"]
    assert answer["payFailedResults"] == [{"purchaseOrderId": "1", "reason": "order not found"}]
    assert order.paid_ms is None
    assert (await pay(stage, order.order_id))["data"]["willPayPurchaseOrderIds"] == [order.order_id]
    stage.advance(10)
    assert order.status == WAIT_SEND
    assert (await pay(stage, order.order_id))["data"]["payFailurePurchaseOrderIds"] == [order.order_id]
    rows = await stage.book("payments")
    assert [(row["platform"], row["amount_fen"], row["call_no"]) for row in rows] == [
        ("taobao", total_fen, 1),
        ("taobao", total_fen, 2),
    ]
    assert stage.sandbox.stats().double_payments == 1


@pytest.mark.parametrize("ids", [[], ["1", "1"], [str(number) for number in range(11)], ["x"]])
async def test_a_payment_of_none_too_many_or_doubled_orders_is_refused_whole(ids: list[str]) -> None:
    stage = taobao()
    stage.sandbox.start()
    assert (await pay(stage, *ids))["code"] == 40000


async def test_a_cancel_is_accepted_at_once_and_carried_out_later() -> None:
    stage = taobao()
    order = waiting(stage)
    body = {"purchaseId": order.order_id, "cancelReason": "buyerCancel"}
    assert (await stage.post(path("cancel"), body))["data"] == {"success": True}
    assert order.status == WAIT_PAY
    stage.advance(MINUTE_S)
    assert (order.status, order.subs[0].close_reason) == (CLOSED, "buyerCancel")
    assert [row["order_id"] for row in await stage.book("cancels")] == [order.order_id]
    assert (await stage.post(path("cancel"), body))["code"] == 40901
    assert (await pay(stage, order.order_id))["data"]["willPayPurchaseOrderIds"] == []


async def test_a_payment_that_is_quicker_than_an_accepted_cancel_wins() -> None:
    stage = taobao(settle_s=100.0)
    order = waiting(stage)
    assert (await stage.post(path("cancel"), {"purchaseId": order.order_id, "cancelReason": "x"}))["code"] == 200
    await pay(stage, order.order_id)
    stage.advance(2 * MINUTE_S)
    assert order.status == WAIT_SEND
    assert await stage.book("cancels") == []
    assert (await stage.post(path("cancel"), {"purchaseId": order.order_id, "cancelReason": "x"}))["code"] == 40900


async def test_a_part_of_an_order_is_cancelled_and_the_rest_costs_less() -> None:
    stage = taobao()
    waiting(stage)
    order = next(order for order in orders(stage) if order.status == WAIT_PAY and len(order.subs) > 1)
    first = order.subs[0]
    body = {"purchaseId": order.order_id, "cancelReason": "x", "subPurchaseOrderIdList": [first.sub_id]}
    total_fen = order.total_fen
    assert (await stage.post(path("cancel"), body | {"subPurchaseOrderIdList": [1]}))["code"] == 40000
    await stage.post(path("cancel"), body)
    stage.advance(MINUTE_S)
    assert (first.status, order.status) == (CLOSED, WAIT_PAY)
    assert order.total_fen == total_fen - first.amount_fen


async def test_an_order_nobody_pays_is_closed() -> None:
    stage = taobao()
    order = waiting(stage)
    stage.advance(5 * DAY_S)
    assert order.status == CLOSED
    assert stage.sandbox.ledgers.payments == []


async def test_a_voucher_goes_through_finance_and_pays() -> None:
    stage = taobao()
    order = waiting(stage)
    body = {"purchaseId": order.order_id, "voucherUrl": "https://img.example.invalid/v.jpg"}
    assert (await stage.post(path("upload_payment_voucher"), body))["data"] is True
    assert order.status == "ORDER_PAY_STATUS"
    assert (await stage.post(path("upload_payment_voucher"), body))["code"] == 40920
    stage.advance(31 * MINUTE_S)
    assert order.paid_ms is not None
    assert [row["how"] for row in await stage.book("payments")] == ["voucher"]


async def test_the_list_pages_filters_by_modification_and_shows_xport_numbers() -> None:
    stage = taobao(taobao_orders=45)
    order = waiting(stage)
    pages = [(await stage.post(path("list"), {"pageNo": page, "pageSize": 20}))["data"] for page in (1, 2, 3)]
    assert [len(page["data"]) for page in pages] == [20, 20, 5]
    assert {page["totalRecords"] for page in pages} == {45}
    times = [row["modify_time"] for page in pages for row in page["data"]]
    assert times == sorted(times, reverse=True)
    window = {"modifyTimeStart": order.modified_ms, "modifyTimeEnd": order.modified_ms}
    found = (await stage.post(path("list"), window))["data"]["data"]
    assert order.life.purchase_id in [row["purchase_id"] for row in found]
    numbers = (await stage.post(XPORT_LIST, {"status": 0}))["data"]
    assert numbers["totalRecords"] == sum(order.status == WAIT_PAY for order in orders(stage))
    assert {row["status"] for row in numbers["data"]} == {0}
    assert (await stage.post(path("list"), {"status": "success"}))["code"] == 40000
    assert (await stage.post(path("list"), {"pageSize": 21}))["code"] == 40002
    assert (await stage.post(path("list"), {"pageNo": 0}))["code"] == 40000


async def test_the_platform_tells_prices_by_one_name_and_states_by_the_other() -> None:
    stage = taobao(taobao_orders=60, taobao_two_ids=True)
    stage.sandbox.start()
    stage.advance(DAY_S)
    pay_all(stage)
    stage.advance(20 * DAY_S)
    assert stage.sandbox.stats().quiet
    told: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for _, push in stage.pushed:
        fields = msgspec.json.decode(push.rendered())
        assert fields["messagePlatform"] == 0
        assert fields["messageType"] in (push.topic, f"TAOBAO_{push.topic}")
        told[push.topic].append(msgspec.json.decode(push.body))
    by_sales = {str(order.sales_id) for order in orders(stage)}
    prices = told["ORDER_BUYER_VIEW_ORDER_PRICE_MODIFY"]
    assert prices
    for body in prices:
        assert body["salesOrderId"] in by_sales
        price = body["purchaseOrderPriceDTO"]
        assert price["purchaseTotalFee"] == price["purchaseProductFee"] + price["purchaseShippingFee"]
    assert {body["status"] for body in told["ORDER_STATUS_MODIFY"]} == {*LADDER[1:2], *LADDER[3:], CLOSED}
    assert {body["refundStatus"] for body in told["ORDER_BUYER_VIEW_ORDER_BUYER_REFUND"]} >= {10, 20, 30, 100}


async def test_parcels_of_a_sub_order_have_traces_and_a_number_can_be_replaced() -> None:
    stage = taobao(taobao_orders=60)
    waiting(stage)
    pay_all(stage)
    for _ in range(10 * 24):
        stage.advance(3600)
    order = next(order for order in orders(stage) if order.status == SHIPPED)
    sub = order.subs[0]
    query = {"subPurchaseOrderId": str(sub.sub_id)}
    for road in ("/open/order/logistics/detail/get", "/v2/taobao/order/logistics/detail/get"):
        data = envelope(await stage.client.get(road, params=query, headers=stage.headers()))["data"]
        assert [row["mailNo"] for row in data["pnmLogisticsDetails"]] == [parcel.waybill for parcel in sub.parcels]
        assert "standerdDesc" in data["pnmLogisticsDetails"][0]["logisticsTraces"][0]
    unknown = await stage.client.get(road, params={"subPurchaseOrderId": "1"}, headers=stage.headers())
    assert envelope(unknown)["code"] == 40400
    truth = (await stage.client.get("/_sandbox/taobao/truth?limit=1")).json()
    assert truth["next"] == 0
    assert len(truth["orders"]) == 1


async def test_lines_of_several_sellers_become_several_orders_and_nothing_is_created_twice_by_itself() -> None:
    stage = taobao(taobao_orders=0)
    stage.sandbox.start()
    offers = [offer for offer in found_offers(1, "any", 40) if offer.traded and offer.skus[0].price_fen]
    first = offers[0]
    lines = [
        {
            "itemId": str(article.offer_id),
            "skuId": str(article.skus[0].sku_id),
            "orderLineNo": str(place),
            "quantity": "2",
            "price": "1",
            "currency": "CNY",
        }
        for place, article in enumerate((first, next(offer for offer in offers if offer.shop != first.shop)))
    ]
    receiver = {"name": "A", "address": "B", "city": "C", "state": "D", "country": "CN"}
    body = {"orderLineList": msgspec.json.encode(lines).decode(), "receiver": msgspec.json.encode(receiver).decode()}
    shown = (await stage.post("/open/order/render", body))["data"]
    assert len(shown["renderItemList"]) == 2
    total_fen = shown["totalRealPayPrice"]["amount"]
    wanted = body | {"sellerOrderNumber": "SHOP-1", "orderSource": "lazada", "purchaseAmount": total_fen}
    assert (await stage.post("/open/order", wanted | {"purchaseAmount": total_fen - 1}))["code"] == 40920
    assert orders(stage) == []
    created = (await stage.post("/open/order", wanted))["data"]
    assert sum(row["estimateAmount"] for row in created["orderList"]) == total_fen
    assert {order.status for order in orders(stage)} == {"BULIDING"}
    stage.advance(2 * MINUTE_S)
    assert (await read(stage, created["orderList"][0]["purchaseId"]))["data"]["seller_order_number"] == "SHOP-1"
    assert (await read(stage, created["orderList"][0]["purchaseId"]))["data"]["receiver"]["state"] == "D"
    again = (await stage.post("/open/order", wanted))["data"]
    assert not {row["purchaseId"] for row in again["orderList"]} & {row["purchaseId"] for row in created["orderList"]}
    assert len(await stage.book("created")) == 4
    lines[0]["itemId"] = "1"
    wrong = body | {"orderLineList": msgspec.json.encode(lines).decode()}
    assert (await stage.post("/open/order", wrong))["code"] == 40402
    assert (await stage.post("/open/order/render", wrong))["data"]["unavailableSkuList"][0]["itemId"] == "1"
    assert (await stage.post("/open/order/render", body | {"receiver": "{}"}))["code"] == 40000
    assert (await stage.post("/open/order/render", body | {"receiver": "{"}))["code"] == 40000


async def test_the_first_warehouse_can_be_changed_until_the_goods_have_left() -> None:
    stage = taobao()
    order = waiting(stage)
    body = {"orderId": order.order_id, "warehouseName": "W", "warehouseAddress": "somewhere"}
    assert (await stage.post("/open/order/updateWarehouse", body))["data"] is True
    assert (await read(stage, order.order_id))["data"]["warehouse_name"] == "W"
    pay_all(stage)
    stage.advance(10 * DAY_S)
    assert (await stage.post("/open/order/updateWarehouse", body))["code"] == 40920


async def test_the_link_to_talk_is_a_text_on_a_host_that_does_not_exist() -> None:
    stage = taobao()
    answer = await stage.post("/open/order/page/link/get", {"sourceType": "item", "bizId": "600000000000"})
    assert answer["data"].startswith("https://im.example.invalid/")


async def test_more_purchase_orders_come_on_demand_and_none_where_nobody_tells_of_them() -> None:
    stage = taobao(taobao_orders=0)
    stage.sandbox.start()
    answer = await stage.client.post("/_sandbox/orders", json={"count": 3, "platform": "taobao"})
    assert answer.json() == {"taobao_planned": 3}
    stage.advance(0)
    assert stage.sandbox.stats().taobao_orders == 3
    with pytest.raises(ValueError, match="taobao_orders"):
        SandboxConfig(taobao_orders=1, push="alibaba1688")
