"""Money: who takes it, when, and what the ledger remembers."""

from __future__ import annotations

import pytest

from tests.sandbox.stage import DAY_S, HOUR_S, Stage
from worker.sandbox.order import Order


def waiting(stage: Stage, *, agreement: bool) -> Order:
    return next(order for order in stage.begin() if order.life.agreement is agreement and order.payable)


@pytest.fixture
def stage() -> Stage:
    return Stage(orders=20, agreement_share=0.5, settle_s=10.0)


async def test_paying_an_unknown_order_is_refused(stage: Stage) -> None:
    assert (await stage.pay("3300000000000000001"))["code"] == 40400
    assert (await stage.pay(""))["code"] == 40000
    assert stage.sandbox.world.ledger == []


async def test_an_order_shown_as_paid_refuses_another_payment(stage: Stage) -> None:
    order = waiting(stage, agreement=True)
    await stage.pay(order.order_id)
    stage.advance(10)
    assert (await stage.pay(order.order_id))["code"] == 40900
    assert len(stage.sandbox.world.ledger) == 1


async def test_an_order_nobody_pays_is_closed_by_the_platform_and_then_takes_no_money() -> None:
    stage = Stage(orders=20, agreement_share=1.0)
    order = waiting(stage, agreement=True)
    stage.advance(5 * DAY_S)
    assert (order.status, order.paid) == ("cancel", False)
    assert (await stage.pay(order.order_id))["code"] == 40901
    assert stage.sandbox.world.ledger == []
    closings = {push.topic for _, push in stage.pushed if push.topic.endswith("_CLOSE")}
    assert "ORDER_BUYER_VIEW_ORDER_BOPS_CLOSE" in closings


async def test_with_an_agreement_the_read_that_looks_harmless_pays(stage: Stage) -> None:
    order = waiting(stage, agreement=True)
    answer = await stage.pay(order.order_id, "/alibaba/order/pay/url")
    assert answer["data"] == {
        "orderId": order.order_id,
        "protocolPaySuccess": True,
        "payUrl": None,
        "cantPayOrderList": [],
    }
    (payment,) = stage.sandbox.world.ledger
    assert (payment.order_id, payment.amount_fen, payment.how) == (order.order_id, order.total_fen, "agreement")


async def test_a_second_call_while_the_first_payment_settles_takes_the_money_again(stage: Stage) -> None:
    order = waiting(stage, agreement=True)
    await stage.pay(order.order_id)
    assert (await stage.detail(order.order_id))["data"]["baseInfo"]["status"] == "waitbuyerpay"
    await stage.pay(order.order_id)
    stats = stage.sandbox.stats()
    assert [payment.call_no for payment in stage.sandbox.world.ledger] == [1, 2]
    assert (stats.payments_accepted, stats.double_payments) == (2, 1)
    assert stage.sandbox.world.taken_fen(order) == 2 * order.total_fen


async def test_once_money_was_taken_the_price_stays_and_the_platform_does_not_close(stage: Stage) -> None:
    orders = [order for order in stage.begin() if order.life.before and order.payable]
    totals = [order.total_fen for order in orders]
    for order in orders:
        stage.sandbox.world.pay(order, "page")
    stage.play()
    assert [order.total_fen for order in orders] == totals
    assert all(order.paid for order in orders)


async def test_without_an_agreement_the_call_takes_nothing_and_gives_a_page_for_a_person(stage: Stage) -> None:
    order = waiting(stage, agreement=False)
    data = (await stage.pay(order.order_id))["data"]
    assert (data["protocolPaySuccess"], stage.sandbox.world.ledger) == (False, [])
    shown = await stage.client.get(data["payUrl"])
    assert f"{order.total_fen // 100}.{order.total_fen % 100:02d}" in shown.text
    assert stage.sandbox.world.ledger == [], "looking costs nothing"
    assert (await stage.client.post(data["payUrl"])).status_code == 200
    assert stage.sandbox.world.ledger[0].how == "page"
    stage.advance(10)
    assert (await stage.client.post(data["payUrl"])).status_code == 409
    assert len(stage.sandbox.world.ledger) == 1


async def test_the_pay_page_of_an_unknown_order_is_not_found(stage: Stage) -> None:
    assert (await stage.client.post("/_sandbox/pay/1")).status_code == 404


async def test_a_person_follows_a_pay_url_once_however_often_it_was_given_out() -> None:
    stage = Stage(orders=12, agreement_share=0.0, person_share=1.0)
    for order in [order for order in stage.begin() if not order.life.before]:
        await stage.pay(order.order_id)
        await stage.pay(order.order_id)
    stage.advance(9 * HOUR_S)
    paid = [order for order in stage.orders if order.paid]
    assert len(stage.sandbox.world.ledger) == len(paid) > 0
    assert stage.sandbox.stats().double_payments == 0


async def test_nobody_pays_where_no_person_is_there() -> None:
    stage = Stage(orders=12, agreement_share=0.0, person_share=0.0)
    stage.play()
    assert stage.sandbox.world.ledger == []
    assert stage.sandbox.stats().orders_by_status == {"cancel": 12}
