"""Paying through the open platform: what takes money, what only says so, and what a client can never know."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.aop.caller import OpenStage
from tests.sandbox.stage import HOUR_S, always
from worker.sandbox.faults import CallFaults, Fault
from worker.sandbox.order import Order

PREPARE, LINK, WAYS = "1688.payment.prepare", "1688.payment.url", "1688.payment.ways"


@pytest.fixture
def stage() -> OpenStage:
    stage = OpenStage(orders=8)
    stage.begin()
    return stage


def taken(stage: OpenStage, order: Order) -> int:
    return [row.order_id for row in stage.sandbox.world.ledger].count(order.order_id)


async def pay(stage: OpenStage, order: Order, **changes: Any) -> dict[str, Any]:
    """The block that has the verdict."""
    param = {"orderId": order.life.order_id, "payChannel": "alipay", "payAmount": order.total_fen} | changes
    given = {name: value for name, value in param.items() if value is not None}
    result: dict[str, Any] = (await stage.call(PREPARE, tradeWithholdPreparePayParam=given))["result"]
    return result


async def test_a_payment_takes_the_whole_amount_and_stands_in_the_one_ledger(stage: OpenStage) -> None:
    order = stage.orders[0]
    answer = await pay(stage, order)
    assert answer["result"] == {"payChannel": "alipay", "paySuccess": True}
    assert (await stage.client.get("/_sandbox/ledger")).json()["payments"][0]["amount_fen"] == order.total_fen
    stage.advance(1)
    assert order.paid
    again = await pay(stage, order)
    assert (again["success"], again["code"]) == (False, "ORDER_STATUS_ERROR")
    assert taken(stage, order) == 1


async def test_the_platform_computes_an_amount_that_is_not_given(stage: OpenStage) -> None:
    assert (await pay(stage, stage.orders[0], payAmount=None))["result"]["paySuccess"] is True


@pytest.mark.parametrize("changes", [{"payAmount": 1}, {"payChannel": "kjpayV2"}])
async def test_a_wrong_amount_or_channel_takes_nothing(stage: OpenStage, changes: dict[str, Any]) -> None:
    order = stage.orders[0]
    answer = await pay(stage, order, **changes)
    assert answer["success"] is False
    assert taken(stage, order) == 0


async def test_without_a_signed_agreement_nothing_is_taken_and_the_texts_say_so(stage: OpenStage) -> None:
    for signed in (True, False):
        await stage.steer("agreement", {"signed": signed})
        rows = (await stage.call("1688.payment.agreement"))["result"]["result"]["paymentAgreements"]
        whole = [row for row in rows if row["bindingStatus"] == row["signedStatus"] == "true"]
        assert [row["payChannel"] for row in whole] == ["ALIPAY"] * signed
    assert (await pay(stage, stage.orders[0]))["code"] == "PROTOCOL_NOT_SIGNED"
    assert stage.sandbox.world.ledger == []


async def test_there_are_three_tries(stage: OpenStage) -> None:
    order = stage.orders[0]
    await stage.steer("payments", {"next": ["false"] * 3})
    said = [(await pay(stage, order))["result"]["paySuccess"] for _ in range(3)]
    assert said == [False] * 3
    assert (await pay(stage, order))["code"] == "PAY_TIMES_EXCEEDED"
    assert taken(stage, order) == 0
    assert (await stage.client.get("/_sandbox/aop")).json()["pay_tries"] == {order.order_id: 4}


async def test_false_may_be_said_of_money_that_is_gone(stage: OpenStage) -> None:
    order = stage.orders[0]
    await stage.steer("payments", {"next": ["false_but_debited"]})
    assert (await pay(stage, order))["result"]["paySuccess"] is False
    assert taken(stage, order) == 1
    second = await pay(stage, order)
    assert second["result"]["paySuccess"] is True, "a blind second try pays twice while the first one settles"
    assert taken(stage, order) == 2
    assert (await stage.client.get("/_sandbox/stats")).json()["double_payments"] == 1


@pytest.mark.parametrize(("way", "money"), [("timeout", 0), ("timeout_but_debited", 1)])
async def test_no_answer_says_nothing_about_the_money(stage: OpenStage, way: str, money: int) -> None:
    order = stage.orders[0]
    await stage.steer("payments", {"next": [way]})
    with pytest.raises(ConnectionResetError):
        await pay(stage, order)
    assert stage.slept == [stage.sandbox.config.hang_s]
    assert taken(stage, order) == money


async def test_chance_says_false_in_the_documented_form(stage: OpenStage) -> None:
    order = stage.orders[0]
    stage.sandbox.faults = CallFaults(1, always(Fault.LATE_REFUSAL))
    answer = await pay(stage, order)
    assert answer["result"]["paySuccess"] is False
    assert taken(stage, order) == 1


@pytest.mark.parametrize(("counts", "payments"), [(False, 2), (True, 1)])
async def test_whether_a_request_id_protects_is_a_switch(*, counts: bool, payments: int) -> None:
    stage = OpenStage(orders=1, aop={"request_id_counts": counts})
    (order,) = stage.begin()
    answers = [await pay(stage, order, opRequestId="r1") for _ in range(2)]
    assert [answer["result"]["paySuccess"] for answer in answers] == [True, True]
    assert taken(stage, order) == payments


async def test_an_order_that_does_not_exist_cannot_be_paid(stage: OpenStage) -> None:
    param = {"orderId": 1, "payChannel": "alipay"}
    answer = await stage.call(PREPARE, tradeWithholdPreparePayParam=param)
    assert answer["result"]["code"] == "ORDER_NOT_EXIST"
    assert await stage.refused(PREPARE, tradeWithholdPreparePayParam="no json") == (400, "gw.ParamInvalid")


async def test_one_order_gets_the_cashier_and_several_get_alipays_page(stage: OpenStage) -> None:
    one, two, closed = stage.orders[:3]
    stage.sandbox.world.cancel(closed, "buyerCancel")
    answer = await stage.call(LINK, orderIdList=[one.life.order_id])
    assert answer["payUrl"] == f"https://trade.1688.com/order/cashier.htm?orderId={one.order_id}"
    some = await stage.call(LINK, orderIdList=[one.life.order_id, two.life.order_id, closed.life.order_id, 1])
    assert some["success"] is True
    assert ".alipay.com/" in some["payUrl"]
    assert some["payFailureOrderList"] == [closed.life.order_id, 1]
    assert stage.sandbox.world.ledger == [], "a link moves no money"


async def test_no_link_is_refused_in_their_spelling(stage: OpenStage) -> None:
    answer = await stage.call(LINK, orderIdList=[1])
    assert (answer["success"], answer["errorCode"]) == (False, "PRODUCT_TRADE_STAT_ERROR")
    assert "erroMsg" in answer
    for wrong in (list(range(1, 102)), []):
        assert (await stage.call(LINK, orderIdList=wrong))["errorCode"] == "400"


async def test_a_person_who_got_a_link_may_pay_hours_later() -> None:
    stage = OpenStage(orders=40, agreement_share=0.0, person_share=1.0)
    orders = stage.begin()
    await stage.call(LINK, orderIdList=[order.life.order_id for order in orders])
    stage.advance(9 * HOUR_S)
    assert sum(order.paid for order in orders) > 30
    assert stage.sandbox.world.double_payments == 0


async def test_the_ways_to_pay_are_in_fen_and_for_main_accounts(stage: OpenStage) -> None:
    order = stage.orders[0]
    answer = await stage.call(WAYS, orderId=order.life.order_id)
    assert answer["success"] == "true"
    assert answer["resultList"]["payFee"] == order.total_fen
    await stage.steer("agreement", {"signed": True, "main_account": False})
    answer = await stage.call(WAYS, orderId=order.life.order_id)
    assert (answer["success"], answer["errorCode"]) == ("false", "500_2")
    assert "errorMsg" in answer
