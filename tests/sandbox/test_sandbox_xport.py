"""Xport's words: types without prefix, bodies as text, and silence about everything that its table does not name."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from tests.sandbox.stage import Stage
from worker.sandbox.xport import XportCourier, order_no

KINDS = {
    "ORDER_CREATE": "WAITING_FOR_PAYMENT",
    "ORDER_PAY_SUCCESS": "WAITING_FOR_SENT",
    "ORDER_CANCEL": "CANCEL",
    "ORDER_BUYER_VIEW_ORDER_PRICE_MODIFY": "WAITING_FOR_PAYMENT",
}
COMMON = {
    "orderId", "orderNo", "orderStatus", "payStatus", "totalAmount", "shippingFee", "productAmount", "refundAmount",
    "refundStatus", "closeReason", "tbCreateTime", "payTime",
}  # fmt: skip


def pushed(stage: Stage) -> list[tuple[str, dict[str, Any]]]:
    """Every message as it left, taken apart."""
    found = []
    for _, push in stage.pushed:
        body, headers = stage.sandbox.outbox.courier.written(push, stage.clock.ms, "n" * 32)
        assert {"access-key", "timestamp", "nonce-str", "user-id", "signature"} <= headers.keys()
        message = msgspec.json.decode(body)
        assert isinstance(message["messageBody"], str)
        found.append((message["messageType"], msgspec.json.decode(message["messageBody"])))
    return found


def test_the_table_is_told_in_fen_and_naive_times_and_nothing_else_is_told() -> None:
    stage = Stage(orders=120, push="xport")
    assert isinstance(stage.sandbox.outbox.courier, XportCourier)
    stage.play()
    messages = pushed(stage)
    refund = "ORDER_BUYER_VIEW_ORDER_BUYER_REFUND"
    assert {kind for kind, _ in messages} == {*KINDS, refund}
    orders = {order.order_id: order for order in stage.orders}
    for kind, body in messages:
        if kind == refund:
            assert body["refundId"].startswith("TQ")
            assert str(body["orderId"]) in orders
            continue
        assert body.keys() == COMMON
        assert body["totalAmount"] == body["productAmount"] + body["shippingFee"]
        assert body["orderStatus"] == KINDS[kind]
        assert re.fullmatch(r"PO\d{12}", body["orderNo"])
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", body["tbCreateTime"])
        assert body["orderNo"] == order_no(orders[str(body["orderId"])])
    paid = [body for kind, body in messages if kind == "ORDER_PAY_SUCCESS"]
    assert {body["payStatus"] for body in paid} == {2}
    assert all(body["payTime"] for body in paid)
