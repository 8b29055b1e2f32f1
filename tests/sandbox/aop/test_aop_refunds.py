"""Money back: what may be asked for, what the seller makes of it, and how it is told; all amounts in fen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.sandbox.aop.caller import OpenStage, message_of
from tests.sandbox.stage import DAY_S, HOUR_S
from worker.sandbox import refunding
from worker.sandbox.order import Order
from worker.sandbox.refund import Refund

CREATE, CANCEL, RETURN = "1688.refund.create", "1688.refund.cancel", "1688.refund.return_goods"
LIST, DETAIL, OPERATIONS, BY_ORDER = (
    "1688.refund.list",
    "1688.refund.detail",
    "1688.refund.operations",
    "1688.refund.by_order",
)
UNSHIPPED = "refundWaitSellerSend"


def paid(**config: Any) -> OpenStage:
    stage = OpenStage(**{"orders": 60, "settle_s": 0.0, "buyer_confirms": False} | config)
    for order in stage.begin():
        stage.sandbox.world.pay(order, "agreement")
    stage.advance(0)
    return stage


@pytest.fixture
def stage() -> OpenStage:
    return paid()


def lines_of(stage: OpenStage, count: int) -> Order:
    return next(order for order in stage.orders if len(order.lines) == count)


def that(stage: OpenStage, holds: Callable[[Order], bool]) -> Order:
    return stage.until(lambda: next((order for order in stage.orders if holds(order)), None))


async def ask(stage: OpenStage, order: Order, places: list[int], **changes: Any) -> Any:
    goods = sum(order.lines[place].amount_fen for place in places)
    given: dict[str, Any] = {
        "orderId": order.order_id,
        "orderEntryIds": [order.lines[place].line_id for place in places],
        "disputeRequest": "refund",
        "applyPayment": goods,
        "applyCarriage": 0,
        "applyReasonId": 20006,
        "description": "不想要了",
        "goodsStatus": UNSHIPPED,
    }
    return (await stage.call(CREATE, **(given | changes)))["result"]


def refund_of(order: Order) -> Refund:
    return order.refunds[-1]


def decide(stage: OpenStage, order: Order, *, granted: bool) -> None:
    """The seller answers now instead of some hours later."""
    refunding.answer(stage.sandbox, order, refund_of(order), granted=granted)


async def rows(stage: OpenStage, **filters: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await stage.call(LIST, **filters))["result"]["opOrderRefundModels"]
    return found


async def test_a_whole_order_is_paid_back_before_it_is_shipped_and_the_seller_closes_it(stage: OpenStage) -> None:
    order = lines_of(stage, 1)
    answer = await ask(stage, order, [0], applyCarriage=order.shipping_fen)
    assert answer["success"] is True
    refund_id = answer["result"]["refundId"]
    assert refund_id.startswith("TQ")
    (row,) = await rows(stage, orderId=order.order_id)
    assert (row["refundId"], row["status"], row["applyPayment"]) == (refund_id, "waitselleragree", order.goods_fen)
    decide(stage, order, granted=True)
    assert (order.status, order.refunded_fen) == ("cancel", order.total_fen)
    stage.advance(0)
    told = [push.topic for _, push in stage.pushed if push.order_id == order.order_id]
    assert told[-2:] == ["ORDER_BUYER_VIEW_ORDER_BUYER_REFUND_IN_SALES", "ORDER_BUYER_VIEW_ORDER_SELLER_CLOSE"]
    shown = (await stage.call("1688.order.detail", webSite="1688", orderId=order.order_id))["result"]
    assert shown["baseInfo"]["refundStatus"] == "refundsuccess"
    assert shown["productItems"][0]["refundStatus"] == "REFUND_SUCCESS"
    stage.advance(20 * DAY_S)
    assert order.status == "cancel", "nothing of the script happens to it any more"
    assert order.parcels == []
    (book,) = await stage.book("refunds")
    assert (book["refund_id"], book["amount_fen"]) == (refund_id, order.total_fen)


async def test_two_lines_of_three_go_and_the_third_is_delivered(stage: OpenStage) -> None:
    order = lines_of(stage, 3)
    await ask(stage, order, [0, 2])
    decide(stage, order, granted=True)
    assert [line.status for line in order.lines] == ["cancel", "waitsellersend", "cancel"]
    stage.advance(0)
    words = [message_of(stage, push)["type"] for _, push in stage.pushed if push.order_id == order.order_id]
    assert words[-1] == "ORDER_BUYER_VIEW_ORDER_PRICE_MODIFY", "a closed sub-order is told so"
    stage.advance(6 * DAY_S)
    assert {line_id for parcel in order.parcels for line_id in parcel.line_ids} == {order.lines[1].line_id}
    (truth,) = [row for row in stage.truth if row.order_id == order.order_id]
    assert truth.refunds[0].line_ids == [str(order.lines[0].line_id), str(order.lines[2].line_id)]


async def test_a_seller_answers_by_himself_within_hours() -> None:
    stage = paid(orders=40)
    asked = [order for order in stage.orders if len(order.lines) == 1]
    for order in asked:
        await ask(stage, order, [0])
    stage.advance(12 * HOUR_S)
    words = {refund.status for order in asked for refund in order.refunds}
    assert {"refundsuccess", "waitbuyermodify"} <= words
    stage.advance(6 * DAY_S)
    assert not any(refund.open for order in asked for refund in order.refunds), "who does nothing loses the refund"


async def test_a_refused_refund_can_be_withdrawn_and_asked_again(stage: OpenStage) -> None:
    order = lines_of(stage, 2)
    first = (await ask(stage, order, [0]))["result"]["refundId"]
    decide(stage, order, granted=False)
    assert refund_of(order).status == "waitbuyermodify"
    assert (await ask(stage, order, [0]))["code"] == "5010", "one is open"
    assert (await stage.call(CANCEL, refundId=first))["result"]["success"] is True
    assert refund_of(order).status == "refundclose"
    assert (await stage.call(CANCEL, refundId=first))["result"]["code"] == "5010"
    assert (await ask(stage, order, [0]))["success"] is True
    steps = (await stage.call(OPERATIONS, refundId=first, pageNo=1, pageSize=20))["result"]
    assert [row["afterOperateStatus"] for row in steps["opOrderRefundOperationModels"]] == [
        "waitselleragree",
        "waitbuyermodify",
        "refundclose",
    ]
    assert [row["operatorRoleId"] for row in steps["opOrderRefundOperationModels"]] == [1, 2, 1]


async def test_shipping_what_was_asked_back_closes_the_refund(stage: OpenStage) -> None:
    order = next(one for one in stage.orders if len(one.lines) == 2 and not one.refunds)
    refund = Refund("TQ1", 0, order.lines[0].amount_fen, stage.clock.ms, before_shipping=True)
    order.ask_refund(refund, stage.clock.ms)
    stage.until(lambda: order if order.parcels and refund.status != "waitselleragree" else None)
    assert (refund.status, refund.operations[-1].action) == ("refundclose", "SELLER_SEND_GOODS_CLOSE")


async def test_goods_go_back_before_the_money_comes(stage: OpenStage) -> None:
    order = that(stage, lambda one: one.received_ms is not None and not one.refunds and not one.ended)
    more = {"disputeRequest": "returnRefund", "goodsStatus": "refundBuyerReceived"}
    refund_id = (await ask(stage, order, [0], **more))["result"]["refundId"]
    back = {"refundId": refund_id, "logisticsCompanyNo": "YTO", "freightBill": "YT1"}
    assert (await stage.call(RETURN, **back))["result"]["errorCode"] == "5001", "the seller has not agreed"
    decide(stage, order, granted=True)
    assert refund_of(order).status == "waitbuyersend"
    assert (await stage.call(RETURN, **back))["result"]["success"] is True
    assert refund_of(order).status == "waitsellerreceive"
    stage.advance(2 * DAY_S)
    assert refund_of(order).status == "refundsuccess"
    stage.advance(0)
    actions = [
        message_of(stage, push)["data"]["refundAction"]
        for _, push in stage.pushed
        if push.order_id == order.order_id and "REFUND" in push.topic
    ]
    assert actions == [
        "BUYER_APPLY_REFUND",
        "SELLER_AGREE_REFUND_PROCOTOL",
        "BUYER_SEND_GOODS",
        "SELLER_RECEIVE_GOODS",
    ]


async def test_after_the_sale_it_is_another_kind_of_refund_under_another_topic() -> None:
    stage = paid(buyer_confirms=True)
    order = that(stage, lambda one: one.status == "success" and not one.refunds)
    assert (await ask(stage, order, [0], goodsStatus="refundBuyerReceived"))["code"] == "5010"
    await ask(stage, order, [0], goodsStatus="aftersaleBuyerReceived", applyPayment=1)
    decide(stage, order, granted=True)
    assert order.status == "success"
    stage.advance(0)
    assert stage.pushed[-1][1].topic == "ORDER_BUYER_VIEW_ORDER_REFUND_AFTER_SALES"
    shown = (await stage.call("1688.order.detail", webSite="1688", orderId=order.order_id))["result"]["baseInfo"]
    assert (shown["refundStatus"], shown["refundStatusForAs"]) == (None, "refundsuccess")
    assert [row["disputeType"] for row in await rows(stage, dipsuteType=2)] == [2]
    assert order.order_id not in [str(row["orderId"]) for row in await rows(stage, dipsuteType=1, pageSize=100)]


WRONG = [
    ({"applyPayment": 1}, "5011"),
    ({"applyCarriage": 1}, "5011"),
    ({"goodsStatus": "refundBuyerReceived"}, "5010"),
    ({"disputeRequest": "returnRefund"}, "5010"),
    ({"disputeRequest": "exchange"}, "4002"),
    ({"goodsStatus": "lost"}, "4005"),
    ({"description": "无"}, "4003"),
    ({"vouchers": ["v"] * 6}, "4003"),
    ({"applyReasonId": 1}, "4004"),
    ({"orderEntryIds": [1]}, "4001"),
]


@pytest.mark.parametrize(("changes", "code"), WRONG)
async def test_what_may_not_be_asked_for_is_refused_with_its_code(
    stage: OpenStage, changes: dict[str, Any], code: str
) -> None:
    order = lines_of(stage, 2)
    answer = await ask(stage, order, [0], **changes)
    assert (answer["success"], answer["code"]) == (False, code)
    assert order.refunds == []


async def test_more_pieces_than_were_bought_are_refused(stage: OpenStage) -> None:
    order = lines_of(stage, 1)
    line = order.lines[0]
    count = [{"id": line.line_id, "count": line.goods.quantity + 1}]
    assert (await ask(stage, order, [0], orderEntryCountList=count))["code"] == "5013"


async def test_an_unpaid_order_has_nothing_to_give_back() -> None:
    stage = OpenStage(orders=1)
    (order,) = stage.begin()
    assert (await ask(stage, order, [0]))["code"] == "5010"


async def test_the_largest_amount_is_goods_and_with_the_last_line_the_postage(stage: OpenStage) -> None:
    order = lines_of(stage, 2)
    given: dict[str, Any] = {"orderId": order.life.order_id, "goodsStatus": UNSHIPPED}
    whole = (await stage.call("1688.refund.max_fee", input=given))["result"]["result"]
    assert (whole["maxGoodsFee"], whole["maxPostFee"]) == (order.goods_fen, order.shipping_fen)
    assert whole["maxRefundFee"] == order.total_fen
    given["refundGoodsCountList"] = [{"id": order.lines[0].line_id, "count": 1}]
    part = (await stage.call("1688.refund.max_fee", input=given))["result"]["result"]
    assert (part["maxGoodsFee"], part["maxPostFee"]) == (order.lines[0].amount_fen, 0)


async def test_the_reasons_have_the_number_that_is_used_in_the_field(stage: OpenStage) -> None:
    order = stage.orders[0]
    lines = [line.line_id for line in order.lines]
    answer = await stage.call("1688.refund.reasons", orderId=order.order_id, orderEntryIds=lines, goodsStatus=UNSHIPPED)
    assert 20006 in [row["id"] for row in answer["result"]["result"]["reasons"]]


async def test_vouchers_come_as_base64_too_and_not_above_one_megabyte(stage: OpenStage) -> None:
    answer = await stage.call("1688.refund.upload_voucher", imageData="/9j/2Q==")
    assert answer["result"]["result"]["imageRelativeUrl"].endswith(".jpg")
    for wrong in ("no base64!", "AAAA" * 350_000):
        assert (await stage.call("1688.refund.upload_voucher", imageData=wrong))["result"]["code"] == "4001"


async def test_the_list_counts_pages_from_zero_and_reaches_back_730_days() -> None:
    stage = paid(orders=200)
    stage.advance(10 * DAY_S)
    everything = (await stage.call(LIST, pageSize=100))["result"]
    assert everything["totalCount"] == len(everything["opOrderRefundModels"]) > 25
    pages = [await rows(stage, currentPageNum=page, pageSize=20) for page in (0, 1)]
    assert pages[0] + pages[1] == everything["opOrderRefundModels"][:40]
    for row in everything["opOrderRefundModels"]:
        order = stage.sandbox.world.orders[str(row["orderId"])]
        paid_back = row["refundPayment"] + row["refundCarriage"]
        assert paid_back == (row["applyPayment"] if row["status"] == "refundsuccess" else 0)
        assert row["orderEntryIdList"][0] in [line.line_id for line in order.lines]
    good = await rows(stage, refundStatusSet=["refundsuccess"], pageSize=100)
    assert {row["status"] for row in good} == {"refundsuccess"}
    old = await stage.call(LIST, applyStartTime="20200101000000000+0800")
    assert (old["result"]["success"], old["result"]["errorCode"]) == (False, "APPLY_TIME_ERROR")
    await stage.steer("agreement", {"signed": True, "main_account": False})
    assert (await stage.call(LIST))["result"]["errorCode"] == "500_2"


async def test_refunds_of_one_order_are_the_open_or_the_successful_ones(stage: OpenStage) -> None:
    order = lines_of(stage, 2)
    refund_id = (await ask(stage, order, [0]))["result"]["refundId"]

    async def of(kind: int) -> list[str]:
        found = (await stage.call(BY_ORDER, orderId=order.order_id, queryType=kind))["result"]
        return [row["refundId"] for row in found["opOrderRefundModels"]]

    assert (await of(1), await of(3)) == ([refund_id], [])
    decide(stage, order, granted=True)
    assert (await of(1), await of(3)) == ([], [refund_id])
    unknown = await stage.call(BY_ORDER, orderId="1", queryType=1)
    assert unknown["result"]["errorCode"] == "order.find.error"


async def test_a_refund_is_read_with_its_history_if_asked(stage: OpenStage) -> None:
    order = lines_of(stage, 1)
    refund_id = (await ask(stage, order, [0]))["result"]["refundId"]
    plain = (await stage.call(DETAIL, refundId=refund_id))["result"]["opOrderRefundModelDetail"]
    assert "refundOperationList" not in plain
    told = await stage.call(DETAIL, refundId=refund_id, needOrderRefundOperation="true")
    assert len(told["result"]["opOrderRefundModelDetail"]["refundOperationList"]) == 1
    assert (await stage.call(DETAIL, refundId="TQ0"))["result"]["errorCode"] == "500"
