"""After-sales on Taobao: asking, the seller's answer, sending back, withdrawing."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.sandbox.stage import DAY_S, Stage
from worker.catalogue.operation import Dialect
from worker.catalogue.tables import find
from worker.sandbox.menu import unpublished_path
from worker.sandbox.taobao.order import CLOSED, SHIPPED, WAIT_SEND, TaobaoOrder

LIST = "/open/order/refund/queryList"
CANCEL = "/open/order/refund/cancel/{}"
MESSAGE = "/open/order/refund/submit/message"


def path(name: str) -> str:
    return unpublished_path(find(Dialect.PANDAPON, f"taobao.refund.{name}"))


@pytest.fixture
def stage() -> Stage:
    """Everything paid, nothing shipped, no case open."""
    stage = Stage(orders=0, taobao_orders=60, settle_s=0.0)
    stage.sandbox.start()
    stage.advance(120)
    for order in stage.sandbox.taobao.orders.values():
        if order.payable:
            stage.sandbox.taobao.pay(order, "agreement")
    stage.advance(1)
    return stage


def unshipped(stage: Stage) -> list[TaobaoOrder]:
    return [order for order in stage.sandbox.taobao.orders.values() if order.status == WAIT_SEND]


def shipped(stage: Stage) -> list[TaobaoOrder]:
    stage.advance(10 * DAY_S)
    return [
        order
        for order in stage.sandbox.taobao.orders.values()
        if order.status == SHIPPED and order.refund_of(0) is None
    ]


def asked(order: TaobaoOrder, **changes: Any) -> dict[str, Any]:
    sub = order.subs[0]
    body = {
        "subPurchaseOrderId": str(sub.sub_id),
        "refundType": 1,
        "goodsStatus": 1,
        "refundFee": sub.amount_fen,
        "reasonId": 1,
    }
    return body | changes


async def create(stage: Stage, order: TaobaoOrder, **changes: Any) -> str:
    data = (await stage.post(path("create"), asked(order, **changes)))["data"]
    return str(data["refundId"])


async def test_money_that_is_asked_for_comes_back_or_is_refused_and_the_book_remembers(stage: Stage) -> None:
    orders = unshipped(stage)
    for order in orders:
        await create(stage, order)
    assert len(await stage.book("refunds")) == len(orders)
    stage.advance(DAY_S)
    seen = Counter(order.refunds[0].status for order in orders)
    assert seen.keys() == {100, -10}
    whole = [order for order in orders if len(order.subs) == 1 and order.refunds[0].status == 100 and order.closed_ms]
    assert all(order.status == CLOSED for order in whole)
    assert whole


async def test_a_case_is_seen_on_the_order_in_the_list_and_alone(stage: Stage) -> None:
    order = unshipped(stage)[0]
    refund_id = await create(stage, order, refundDesc="broken")
    row = (await stage.get(path("detail"), refundId=refund_id))["data"]
    assert (row["refundOrder"]["refundFee"], row["refundOrder"]["refundDesc"]) == (order.subs[0].amount_fen, "broken")
    assert row["purchaseOrderLine"]["purchaseOrderLineId"] == order.subs[0].sub_id
    listed = (await stage.post(LIST, {"pageSize": 20, "purchaseOrderId": order.order_id}))["data"]
    assert (listed["totalRecords"], listed["data"][0]) == (1, row)
    at = order.refunds[0].modified_ms
    for window, count in (((at, at), 1), ((at + 1, at + 2), 0)):
        body = {"pageSize": 20, "refundStartTime": window[0], "refundEndTime": window[1], "refundId": refund_id}
        assert (await stage.post(LIST, body))["data"]["totalRecords"] == count
    assert (await stage.post(LIST, {"pageSize": 20, "refundStatus": 100}))["data"]["totalRecords"] == 0
    assert (await stage.post(LIST, {"pageSize": 21}))["code"] == 40002
    detail = unpublished_path(find(Dialect.PANDAPON, "taobao.order.detail"))
    sub = (await stage.get(detail, id=order.order_id))["data"]["sub_purchase_orders"][0]
    assert (sub["refund_id"], sub["refund_status"]) == (int(refund_id), 10)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"refundFee": 0}, 40920),
        ({"refundFee": 10**9}, 40920),
        ({"refundType": 2}, 40000),
        ({"refundType": 3}, 40000),
        ({"reasonId": 9}, 40000),
        ({"subPurchaseOrderId": "1"}, 40400),
    ],
)
async def test_a_case_that_cannot_be_is_refused(stage: Stage, change: dict[str, Any], code: int) -> None:
    assert (await stage.post(path("create"), asked(unshipped(stage)[0], **change)))["code"] == code
    assert await stage.book("refunds") == []


async def test_a_second_case_for_the_same_goods_is_refused_while_the_first_is_open(stage: Stage) -> None:
    order = unshipped(stage)[0]
    await create(stage, order)
    assert (await stage.post(path("create"), asked(order)))["code"] == 40920


async def test_goods_go_back_before_the_money_comes(stage: Stage) -> None:
    orders = shipped(stage)
    shown = (await stage.post(path("preview"), {"subPurchaseOrderId": str(orders[0].subs[0].sub_id)}))["data"]
    assert shown["refundTypes"] == [1, 2]
    ids = [await create(stage, order, refundType=2, goodsStatus=4) for order in orders]
    assert (await stage.get(path("return_preview"), refundId=ids[0]))["code"] == 40920, "nobody has agreed yet"
    stage.advance(DAY_S)
    refund_id, order = next((i, o) for i, o in zip(ids, orders, strict=True) if o.refunds[-1].status == 20)
    assert (await stage.get(path("return_preview"), refundId=refund_id))["data"]["receiverAddress"]
    body = {"refundId": refund_id, "logisticCompanyCode": "SF", "logisticsNo": "SF1"}
    assert (await stage.post(path("return_submit"), body))["data"] is True
    assert order.refunds[-1].status == 30
    assert (await stage.post(path("return_submit"), body))["code"] == 40920
    stage.advance(2 * DAY_S)
    assert order.refunds[-1].status == 100
    row = (await stage.get(path("detail"), refundId=refund_id))["data"]
    assert row["logistics"]["logisticsNo"] == "SF1"


async def test_a_refused_case_is_changed_and_asked_anew_or_withdrawn_by_a_get(stage: Stage) -> None:
    orders = unshipped(stage)
    ids = {order.order_id: await create(stage, order) for order in orders}
    stage.advance(DAY_S)
    refused = [order for order in orders if order.refunds[-1].status == -10][:2]
    changed, withdrawn = refused
    body = {"refundId": ids[changed.order_id], "refundFee": 1, "reasonId": 2}
    assert (await stage.post(path("modify"), body))["data"] is True
    assert (changed.refunds[-1].status, changed.refunds[-1].fee_fen) == (10, 1)
    assert (await stage.post(path("modify"), body | {"refundFee": 0}))["code"] == 40920
    answer = (await stage.get(CANCEL.format(ids[withdrawn.order_id])))["data"]
    assert (answer["cancelSuccess"], answer["refundOrderAggregate"]["refundOrder"]["refundStatus"]) == (True, -20)
    assert (await stage.get(CANCEL.format(ids[withdrawn.order_id])))["data"]["cancelSuccess"] is False
    assert (await stage.post(path("modify"), body | {"refundId": ids[withdrawn.order_id]}))["code"] == 40920
    assert (await stage.get(CANCEL.format(1)))["code"] == 40401


async def test_what_is_said_about_a_case_is_kept(stage: Stage) -> None:
    refund_id = await create(stage, unshipped(stage)[0])
    body = {"refundId": refund_id, "refundMessage": "please hurry"}
    assert (await stage.post(MESSAGE, body))["data"] is True
    said = (await stage.post(path("messages"), {"refundId": refund_id}))["data"]
    assert [row["content"] for row in said] == ["please hurry"]
