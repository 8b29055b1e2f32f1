"""Confirming receipts, cancelling, paying many at once: what is refused, and what the books say of what is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.sandbox.stage import DAY_S, HOUR_S, Stage
from worker.sandbox.life import Size
from worker.sandbox.order import CANCEL, NOT_SHIPPED, PART_SHIPPED, Order
from worker.sandbox.script import ApplyRefund, Ship

CONFIRM = "/alibaba/order/receivegoods"
CANCEL_PATH = "/alibaba/order/cancel"
BATCH = "/alibaba/order/batch/submit/to/pay"


def paid_stage(**config: Any) -> Stage:
    """All orders paid; the buyer leaves receipts to our calls."""
    stage = Stage(**{"orders": 60, "agreement_share": 1.0, "buyer_confirms": False} | config)
    for order in stage.begin():
        stage.sandbox.world.pay(order, "agreement")
    return stage


def one_that(stage: Stage, holds: Callable[[Order], bool]) -> Order:
    return stage.until(lambda: next((order for order in stage.orders if holds(order)), None))


def all_received(order: Order) -> bool:
    return order.received_ms is not None and not order.ended and not order.refund_open


def ids(order: Order) -> list[int]:
    return [line.line_id for line in order.lines if line.status != CANCEL]


async def confirm(stage: Stage, order_id: object, line_ids: list[int] | None = None) -> dict[str, Any]:
    body = {"orderId": order_id} | ({} if line_ids is None else {"orderEntryIds": line_ids})
    data: dict[str, Any] = (await stage.post(CONFIRM, body))["data"]
    return data


async def test_a_confirmed_receipt_moves_the_order_tells_it_and_stands_in_the_book() -> None:
    stage = paid_stage()
    order = one_that(stage, all_received)
    assert order.status == "waitbuyerreceive"
    stage.pushed.clear()
    assert await confirm(stage, order.life.order_id, ids(order)) == {
        "success": True,
        "errorInfo": None,
        "errorCode": None,
    }
    assert order.status == "confirm_goods"
    stage.advance(0)
    told = [push.topic for _, push in stage.pushed if push.order_id == order.order_id]
    assert told == ["ORDER_BUYER_VIEW_ORDER_COMFIRM_RECEIVEGOODS"]
    (row,) = await stage.book("receipts")
    refunded = sum(refund.amount_fen for refund in order.refunds if refund.status == "refundsuccess")
    assert row["amount_fen"] == order.total_fen - refunded or order.refunds
    assert (row["by"], row["whole"], row["signed"], row["refund_open"]) == ("call", True, True, False)
    stage.advance(2 * DAY_S)
    assert order.status == "success"


async def test_without_our_call_nobody_confirms_and_with_a_buyer_the_book_says_that_it_was_the_buyer() -> None:
    stage = paid_stage()
    stage.play(pay=False)
    assert {order.status for order in stage.orders} == {"waitbuyerreceive", "cancel"}
    assert await stage.book("receipts") == []
    other = paid_stage(buyer_confirms=True)
    other.play(pay=False)
    rows = await other.book("receipts")
    good = {order.order_id for order in other.orders if order.status == "success"}
    assert {row["order_id"] for row in rows if row["whole"]} == good
    assert {row["by"] for row in rows} == {"buyer"}


async def test_a_receipt_before_everything_is_shipped_is_too_early() -> None:
    stage = paid_stage()
    unshipped = one_that(
        stage, lambda order: order.paid and all(x.logistics_status == NOT_SHIPPED for x in order.lines)
    )
    assert (await confirm(stage, unshipped.life.order_id))["errorCode"] == "SANDBOX_NOT_SHIPPED"
    begun = one_that(stage, lambda order: any(line.logistics_status == PART_SHIPPED for line in order.lines))
    assert (await confirm(stage, begun.life.order_id))["errorCode"] == "SANDBOX_NOT_SHIPPED"
    assert await stage.book("receipts") == []
    refused = [row["order_id"] for row in await stage.book("refusals")]
    assert refused == [unshipped.order_id, begun.order_id]


async def test_shipped_lines_are_confirmed_one_by_one_and_the_last_one_completes_the_order() -> None:
    stage = paid_stage()
    order = one_that(stage, lambda order: all_received(order) and len(ids(order)) > 2 and not order.refunds)
    for place, line_id in enumerate(ids(order)):
        assert order.status == "waitbuyerreceive"
        assert (await confirm(stage, order.life.order_id, [line_id]))["success"]
        assert (await confirm(stage, order.life.order_id, [line_id]))["errorCode"] == "SANDBOX_ALREADY_CONFIRMED"
        assert [line.status for line in order.lines][place] == "confirm_goods"
    assert order.status == "confirm_goods"
    rows = await stage.book("receipts")
    assert [row["whole"] for row in rows] == [False] * (len(rows) - 1) + [True]
    assert sum(row["amount_fen"] for row in rows) == order.total_fen


async def test_a_line_confirmed_before_the_last_parcel_left_stays_confirmed() -> None:
    stage = paid_stage(orders=0)
    stage.sandbox.world.add_orders(8, Size(lines=6, parcels=3))
    stage.advance(0)
    for order in stage.orders:
        stage.sandbox.world.pay(order, "agreement")
    order = one_that(stage, lambda order: order.status == "waitsellersend" and len(order.parcels) > 0)
    early = list(order.parcels[0].line_ids)
    assert (await confirm(stage, order.life.order_id, early))["success"]
    (row,) = await stage.book("receipts")
    assert not row["whole"], "an early receipt is allowed upstream, and the book shows it"
    stage.play(pay=False)
    assert {line.status for line in order.lines if line.line_id in early} == {"confirm_goods"}
    assert order.status == "waitbuyerreceive"
    assert (await confirm(stage, order.life.order_id))["success"], "what is left"
    assert order.status == "confirm_goods"


async def test_a_wrong_order_or_line_is_refused_inside_the_data() -> None:
    stage = paid_stage()
    order = one_that(stage, all_received)
    assert (await confirm(stage, 1))["errorCode"] == "4003"
    assert (await confirm(stage, order.life.order_id, [1]))["errorCode"] == "SANDBOX_NO_SUCH_LINE"
    stage.play(pay=False)
    closed = next(order for order in stage.orders if order.status == "cancel")
    assert (await confirm(stage, closed.life.order_id))["errorCode"] == "SANDBOX_ORDER_CLOSED"
    assert await stage.book("receipts") == []


@pytest.mark.parametrize("lenient", [False, True])
async def test_an_open_refund_forbids_it_or_lets_the_book_prove_that_the_client_did_not_look(*, lenient: bool) -> None:
    stage = paid_stage(lenient_receipts=lenient, orders=200)
    order = one_that(
        stage, lambda order: order.refund_open and order.all_delivered_ms is not None and len(order.lines) > 1
    )
    answer = await confirm(stage, order.life.order_id, ids(order))
    rows = await stage.book("receipts")
    if lenient:
        assert [row["refund_open"] for row in rows] == [True]
        stage.advance(20 * DAY_S)
        assert not order.refund_open, "the refund still comes to its end"
        assert order.ended
    else:
        assert (answer["errorCode"], rows) == ("SANDBOX_REFUND_OPEN", [])


async def test_before_payment_an_order_is_cancelled_with_our_reason() -> None:
    stage = Stage(orders=10, agreement_share=1.0, settle_s=10.0)
    order = next(order for order in stage.begin() if order.payable)
    body = {"webSite": "1688", "orderId": order.life.order_id, "cancelReason": "other"}
    assert (await stage.post(CANCEL_PATH, body))["data"] is True
    assert (order.status, order.close_reason) == ("cancel", "other")
    assert (await stage.post(CANCEL_PATH, body))["code"] == 40901
    (row,) = await stage.book("cancels")
    assert (row["order_id"], row["reason"], row["amount_fen"]) == (order.order_id, "other", order.total_fen)
    stage.advance(0)
    assert [push.topic for _, push in stage.pushed if push.order_id == order.order_id][-1].endswith("BUYER_CLOSE")
    stage.play()
    assert order.status == "cancel"


async def test_once_money_is_on_its_way_nothing_is_cancelled() -> None:
    stage = Stage(orders=10, agreement_share=1.0, settle_s=10.0)
    order = next(order for order in stage.begin() if order.payable)
    body = {"webSite": "1688", "orderId": order.life.order_id, "cancelReason": "buyerCancel"}
    stage.sandbox.world.pay(order, "agreement")
    assert (await stage.post(CANCEL_PATH, body))["code"] == 40902
    stage.advance(10)
    assert (await stage.post(CANCEL_PATH, body))["code"] == 40900
    assert await stage.book("cancels") == []
    assert [row["reason"] for row in await stage.book("refusals")] == ["40902", "40900"]


async def test_a_batch_pays_what_can_be_paid_and_names_the_rest() -> None:
    stage = Stage(orders=40, agreement_share=0.5, settle_s=0.0)
    stage.begin()
    paid = next(order for order in stage.orders if order.payable and order.life.agreement)
    await stage.pay(paid.order_id)
    stage.advance(1)
    by_agreement = [order for order in stage.orders if order.life.agreement and order.payable][:2]
    by_hand = next(order for order in stage.orders if not order.life.agreement and order.payable)
    asked = [*(order.order_id for order in by_agreement), by_hand.order_id, paid.order_id, "1"]
    rows = (await stage.post(BATCH, {"orderIds": asked}))["data"]
    assert [row["orderId"] for row in rows] == asked
    assert [row["protocolPaySuccess"] for row in rows] == [True, True, False, False, False]
    assert rows[2]["payUrl"].endswith(by_hand.order_id)
    assert [row["cantPayOrderList"] for row in rows[3:]] == [[int(paid.order_id)], [1]]
    assert len(stage.sandbox.world.ledger) == 3
    assert stage.sandbox.stats().double_payments == 0


@pytest.mark.parametrize("order_ids", [[], ["1", "1"], [str(number) for number in range(11)], ["one"]])
async def test_a_batch_of_none_too_many_doubled_or_wrong_ids_is_refused_whole(order_ids: list[str]) -> None:
    stage = Stage(orders=1)
    stage.begin()
    assert (await stage.post(BATCH, {"orderIds": order_ids}))["code"] == 40000


async def test_paying_at_xport_is_a_post_and_the_same_book() -> None:
    stage = Stage(orders=4, agreement_share=1.0)
    order = next(order for order in stage.begin() if order.payable)
    data = (await stage.post("/api/alibaba/ka/order/pay", {"orderId": order.order_id}))["data"]
    assert (data["orderId"], data["protocolPaySuccess"]) == (order.order_id, True)
    assert [row["order_id"] for row in await stage.book("payments")] == [order.order_id]


async def test_a_buyer_with_an_open_refund_waits_with_the_receipt() -> None:
    stage = paid_stage(buyer_confirms=True, orders=1)
    order = stage.orders[0]
    stage.until(lambda: order if order.all_delivered_ms else None)
    refund = order.apply_refund("TQ1", 0, 1, stage.clock.ms)
    stage.advance(20 * DAY_S)
    assert order.status == "waitbuyerreceive"
    order.settle_refund(refund, stage.clock.ms, granted=False)
    stage.advance(5 * DAY_S)
    assert order.status == "success"


async def test_a_whole_life_runs_to_its_end_by_our_calls_alone() -> None:
    stage = Stage(orders=60, agreement_share=1.0, buyer_confirms=False, settle_s=0.0)
    stage.begin()
    stage.advance(5 * HOUR_S)
    order = next(order for order in stage.orders if order.price_changes and order.payable and has_parts(order))
    await stage.pay(order.order_id)
    stage.until(lambda: order if order.received_ms else None)
    assert len(order.parcels) > 1
    assert all(parcel.signed for parcel in order.parcels)
    assert (await confirm(stage, order.life.order_id, ids(order)))["success"]
    stage.advance(2 * DAY_S)
    assert order.status == "success"
    topics = [
        push.topic.removeprefix("ORDER_BUYER_VIEW_") for _, push in stage.pushed if push.order_id == order.order_id
    ]
    assert [topic for topic in topics if topic != "LOGISTICS_MAIL_NO_CHANGE"] == [
        "BUYER_MAKE",
        *["ORDER_PRICE_MODIFY"] * order.price_changes,
        "ORDER_PAY",
        *["PART_PART_SENDGOODS"] * (len(order.parcels) - 1),
        "ANNOUNCE_SENDGOODS",
        "ORDER_COMFIRM_RECEIVEGOODS",
        "ORDER_SUCCESS",
    ]
    (receipt,) = await stage.book("receipts")
    (payment,) = await stage.book("payments")
    assert receipt["amount_fen"] == payment["amount_fen"] == order.total_fen


def has_parts(order: Order) -> bool:
    """The script ships it in several parcels and refunds nothing."""
    kinds = [type(step.deed) for step in order.life.after]
    return kinds.count(Ship) > 1 and ApplyRefund not in kinds


async def test_books_are_named_and_read_from_where_one_left_off() -> None:
    stage = Stage(orders=5, agreement_share=1.0)
    stage.play()
    answer = (await stage.client.get("/_sandbox/ledgers/payments?after=2")).json()
    assert answer["next"] == 2 + len(answer["rows"]) == len(stage.sandbox.world.ledger)
    wrong = await stage.client.get("/_sandbox/ledgers/loans")
    assert wrong.status_code == 404
    assert "warehouse-notices" in wrong.json()["error"]
