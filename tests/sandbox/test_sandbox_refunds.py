"""After-sales on 1688 through PandaPon, and where parcels are."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.sandbox.stage import DAY_S, Stage
from worker.catalogue.operation import Dialect
from worker.catalogue.tables import find
from worker.sandbox.menu import paths_of
from worker.sandbox.order import Order
from worker.sandbox.script import ApplyRefund


def path(name: str, dialect: Dialect = Dialect.PANDAPON) -> str:
    return paths_of(find(dialect, name))[0]


CREATE = path("1688.refund.create")
DETAIL = path("1688.refund.detail")
RETURN = path("1688.refund.return_goods")


def paid(**config: Any) -> Stage:
    stage = Stage(**{"orders": 60, "agreement_share": 1.0, "settle_s": 0.0, "buyer_confirms": False} | config)
    for order in stage.begin():
        stage.sandbox.world.pay(order, "agreement")
    stage.advance(1)
    return stage


def asked(order: Order, **changes: Any) -> dict[str, Any]:
    line = order.lines[0]
    body = {
        "orderId": order.life.order_id,
        "orderEntryIds": [line.line_id],
        "disputeRequest": "refund",
        "applyPayment": line.amount_fen,
        "applyCarriage": 0,
        "applyReasonId": 20006,
        "description": "too many",
        "goodsStatus": "refundWaitSellerSend",
    }
    return body | changes


async def test_the_seller_answers_and_the_refund_is_the_same_wherever_it_is_seen() -> None:
    stage = paid()
    ids = {}
    orders = [order for order in stage.orders if not any(isinstance(s.deed, ApplyRefund) for s in order.life.after)]
    for order in orders:
        ids[order.order_id] = (await stage.post(CREATE, asked(order)))["data"]["refundId"]
    rows = await stage.book("refunds")
    assert {row["refund_id"] for row in rows} == set(ids.values())
    stage.advance(DAY_S)
    seen: Counter[str] = Counter()
    for order in orders:
        data = (await stage.post(DETAIL, {"refundId": ids[order.order_id]}))["data"]
        shown = (await stage.detail(order.order_id))["data"]
        seen[data["status"]] += 1
        assert data["id"] == shown["productItems"][0]["refundId"]
        assert data["applyPayment"] == order.refund_of(0).amount_fen  # type: ignore[union-attr]
        word = shown["productItems"][0]["refundStatus"].replace("_", "").lower()
        assert word == {"refundclose": "refundclosed"}.get(data["status"], data["status"])
    # closed: the seller sent the goods instead
    assert {"refundsuccess", "refundclose"} <= seen.keys() <= {"refundsuccess", "refundclose", "waitbuyermodify"}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"orderEntryIds": [1]}, 40000),
        ({"orderEntryIds": []}, 40000),
        ({"disputeRequest": "gift"}, 40000),
        ({"applyReasonId": 1}, 40000),
        ({"goodsStatus": "somewhere"}, 40000),
        ({"goodsStatus": "refundBuyerReceived"}, 40920),
        ({"goodsStatus": "aftersaleBuyerReceived"}, 40920),
        ({"disputeRequest": "returnRefund"}, 40920),
        ({"applyPayment": 0}, 40920),
        ({"applyPayment": 10**9}, 40920),
        ({"applyCarriage": 10**9}, 40920),
        ({"orderId": 1}, 40400),
    ],
)
async def test_a_refund_that_cannot_be_is_refused(change: dict[str, Any], code: int) -> None:
    stage = paid(orders=3)
    assert (await stage.post(CREATE, asked(stage.orders[0], **change)))["code"] == code
    assert await stage.book("refunds") == []


async def test_nothing_is_asked_back_of_an_unpaid_order_or_twice_for_the_same_goods() -> None:
    stage = paid(orders=3)
    stage.sandbox.world.add_orders(1)
    stage.advance(0)
    assert (await stage.post(CREATE, asked(stage.orders[-1])))["code"] == 40920
    order = stage.orders[0]
    assert (await stage.post(CREATE, asked(order)))["code"] == 200
    assert (await stage.post(CREATE, asked(order)))["code"] == 40920
    assert [row["reason"] for row in await stage.book("refusals")] == ["40920", "40920"]


async def test_goods_go_back_before_the_money_comes() -> None:
    stage = paid()
    stage.advance(12 * DAY_S)
    orders = [order for order in stage.orders if order.status == "waitbuyerreceive" and not order.refunds]
    ids = {}
    for order in orders:
        body = asked(order, disputeRequest="returnRefund", goodsStatus="refundBuyerReceived")
        ids[order.order_id] = (await stage.post(CREATE, body))["data"]["refundId"]
    stage.advance(DAY_S)
    order = next(order for order in orders if order.refunds[-1].status == "waitbuyersend")
    other = next(order for order in orders if order.refunds[-1].status == "waitbuyermodify")
    body = {"refundId": ids[order.order_id], "logisticsCompanyNo": "SF", "freightBill": "SF1"}
    assert (await stage.post(RETURN, body | {"logisticsCompanyNo": "DOVE"}))["code"] == 40000
    assert (await stage.post(RETURN, body | {"refundId": ids[other.order_id]}))["code"] == 40920
    assert (await stage.post(RETURN, body))["data"] is True
    assert order.refunds[-1].status == "waitsellerreceive"
    stage.advance(3 * DAY_S)
    assert (await stage.post(DETAIL, {"refundId": ids[order.order_id]}))["data"]["status"] == "refundsuccess"


async def test_reasons_vouchers_and_carriers_are_there_to_ask_with() -> None:
    stage = paid(orders=1)
    order = stage.orders[0]
    body = {
        "orderId": order.life.order_id,
        "orderEntryIds": [order.lines[0].line_id],
        "goodsStatus": "refundWaitSellerSend",
    }
    reasons = (await stage.post(path("1688.refund.reasons"), body))["data"]["reasons"]
    assert 20006 in [reason["id"] for reason in reasons]
    voucher = (await stage.post(path("1688.refund.upload_voucher"), {"imageBase64": "AAAA"}))["data"]
    assert voucher["imageRelativeUrl"].endswith(".jpg")
    carriers = (await stage.get(path("1688.refund.logistics_companies")))["data"]
    assert "SF" in [carrier["companyNo"] for carrier in carriers]
    assert (await stage.post(DETAIL, {"refundId": "TQ1"}))["code"] == 40401


async def test_parcels_have_traces_and_before_they_leave_there_is_nothing_to_say() -> None:
    stage = paid()
    order = stage.orders[0]
    for dialect, name in ((Dialect.PANDAPON, "1688.order.tracking"), (Dialect.XPORT, "1688.order.logistics")):
        operation = find(dialect, name)
        answer = (
            await stage.get(path(name, dialect), orderId=order.order_id)
            if operation.method == "GET"
            else await stage.post(path(name, dialect), {"orderId": order.order_id})
        )
        assert answer["code"] == 40903
    stage.until(lambda: order if order.received_ms else None)
    rows = (await stage.get(path("1688.order.tracking"), orderId=order.order_id))["data"]
    assert {row["logisticsBillNo"] for row in rows} == {parcel.waybill for parcel in order.parcels}
    assert {row["status"] for row in rows if row["logisticsSteps"]} <= {"SIGN"}
