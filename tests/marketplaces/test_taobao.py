"""Taobao's purchase order as a snapshot: every field, in both spellings, and nothing half read."""

import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.marketplaces.examples import GOLDEN, RECEIVED_AT, TAOBAO_ORDER_ID
from tests.marketplaces.mutations import broken
from worker.domain.facts import Amounts, Lifecycle, Line, Parcel, RefundSeen, Snapshot, Source, StatusSeen
from worker.domain.identity import OrderKey, Platform
from worker.domain.status import OrderStatus, map_word
from worker.marketplaces.pandapon import taobao
from worker.marketplaces.values import UnreadableValueError, decode_json

FIRST, SECOND = "4400000000000000021", "4400000000000000022"
REFUND = "6600000000000000001"


def golden(name: str) -> Any:
    return decode_json((GOLDEN / f"{name}.json").read_bytes())


def order(**changes: Any) -> dict[str, Any]:
    whole: dict[str, Any] = golden("taobao_order")
    return whole | changes


def with_sub(**changes: Any) -> dict[str, Any]:
    """The order with its first sub-order alone, changed."""
    whole = order()
    return whole | {"sub_purchase_orders": [whole["sub_purchase_orders"][0] | changes]}


def camel(value: Any) -> Any:
    """The same value with its keys in camelCase, as PandaPon and Xport may spell them."""
    if isinstance(value, list):
        return [camel(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    return {re.sub(r"_([a-z])", lambda hit: hit[1].upper(), key): camel(entry) for key, entry in value.items()}


EXPECTED = Snapshot(
    lifecycle=Lifecycle(
        word="WAIT_BUYER_CONFIRM_GOODS",
        created_at=1_767_232_800_000,
        paid_at=1_767_233_000_000,
        modified_at=1_767_319_200_000,
        paid=True,
    ),
    amounts=Amounts(6_590, shipping=600, products=5_990, discount=0),
    lines=(
        Line(
            FIRST,
            product_id="700000000001",
            sku_id="5000000000001",
            name="不锈钢保温杯 500ml",
            image_url="//img.alicdn.com/a.jpg",
            quantity="2",
            amount=4_590,
            status_word="WAIT_BUYER_CONFIRM_GOODS",
            refund_id=REFUND,
            refund_word="10",
        ),
        Line(
            SECOND,
            product_id="700000000002",
            name="杯刷",
            image_url="https://img.alicdn.com/c.jpg",
            quantity="10",
            amount=2_000,
            status_word="WAIT_BUYER_CONFIRM_GOODS",
        ),
    ),
    parcels=(
        Parcel("73100000000001", "73100000000001", "中通快递", line_ids=(FIRST, SECOND), shipped_at=1_767_260_000_000),
        Parcel("SF1000000000001", "SF1000000000001", "顺丰速运", line_ids=(FIRST,), shipped_at=1_767_270_000_000),
    ),
    refunds=(RefundSeen(REFUND, word="10", line_ids=(FIRST,)),),
)


@pytest.mark.parametrize("spelling", [order(), camel(order())])
def test_an_order_becomes_its_snapshot_in_either_spelling(spelling: dict[str, Any]) -> None:
    assert taobao.snapshot_of(spelling) == EXPECTED
    assert taobao.order_id_of(spelling) == TAOBAO_ORDER_ID


def test_nothing_personal_gets_into_a_snapshot() -> None:
    assert "somewhere" not in repr(taobao.snapshot_of(order()))


CODES = {
    12: OrderStatus.BEING_CREATED,
    0: OrderStatus.AWAITING_PAYMENT,
    1: OrderStatus.PAYMENT_IN_PROGRESS,
    2: OrderStatus.PAYMENT_IN_PROGRESS,
    3: OrderStatus.AWAITING_PAYMENT,
    5: OrderStatus.PAYMENT_IN_PROGRESS,
    10: OrderStatus.AWAITING_SHIPMENT,
    11: OrderStatus.SHIPPED,
    4: OrderStatus.CLOSED,
    9: OrderStatus.UNKNOWN,
    77: OrderStatus.UNKNOWN,
}


@pytest.mark.parametrize(("code", "status"), CODES.items())
def test_a_status_may_be_a_number(code: int, status: OrderStatus) -> None:
    for given_code in (code, str(code)):
        snapshot = taobao.snapshot_of(order(status=given_code))
        assert snapshot.lifecycle is not None
        assert map_word(Platform.TAOBAO, snapshot.lifecycle.word) is status
        (line,) = taobao.snapshot_of(with_sub(status=given_code)).lines or ()
        assert line.status_word == snapshot.lifecycle.word


@pytest.mark.parametrize("field", ["status", "purchase_amount"])
@pytest.mark.parametrize("value", [None, "", [], {}, True])
def test_an_order_has_a_status_and_a_total(field: str, value: Any) -> None:
    with pytest.raises(UnreadableValueError):
        taobao.snapshot_of(order(**{field: value}))


@pytest.mark.parametrize(
    "field", ["purchase_amount", "domestic_post_fee", "product_amount", "hongbao_deduction_amount"]
)
@pytest.mark.parametrize("value", ["12.5", "abc", True, [], 10**40, "1_000"])
def test_an_amount_that_is_no_whole_number_of_fen_is_not_guessed_at(field: str, value: Any) -> None:
    with pytest.raises(UnreadableValueError):
        taobao.snapshot_of(order(**{field: value}))


def test_a_total_below_zero_and_a_currency_that_is_none_are_refused() -> None:
    with pytest.raises(UnreadableValueError, match="below zero"):
        taobao.snapshot_of(order(purchase_amount=-1))
    with pytest.raises(UnreadableValueError, match="currency"):
        taobao.snapshot_of(order(purchase_currency="yuan"))
    amounts = taobao.snapshot_of(order(purchase_currency="USD")).amounts
    assert amounts is not None
    assert amounts.currency == "USD"


@pytest.mark.parametrize("rows", [None, {}, "x", 5])
def test_an_answer_that_does_not_speak_of_sub_orders_erases_none(rows: Any) -> None:
    snapshot = taobao.snapshot_of(order(sub_purchase_orders=rows))
    assert (snapshot.lines, snapshot.parcels, snapshot.refunds) == (None, None, None)


def test_an_answer_without_sub_orders_says_that_there_are_none() -> None:
    snapshot = taobao.snapshot_of(order(sub_purchase_orders=[]))
    assert (snapshot.lines, snapshot.parcels, snapshot.refunds) == ((), (), ())


def test_sub_orders_may_stand_under_their_other_name_and_beyond_the_limit_are_left() -> None:
    whole = order()
    (sub, *_) = whole.pop("sub_purchase_orders")
    many = [sub | {"sub_purchase_order_id": n} for n in range(1, taobao.MAX_LINES + 50)]
    assert len(taobao.snapshot_of(whole | {"subOrders": many}).lines or ()) == taobao.MAX_LINES


def test_the_parcel_of_a_sub_order_without_an_id_covers_no_line() -> None:
    snapshot = taobao.snapshot_of(with_sub(sub_purchase_order_id=None, purchase_order_line_outer_id=None))
    assert snapshot.lines == ()
    assert [(parcel.parcel_id, parcel.line_ids) for parcel in snapshot.parcels or ()] == [
        ("73100000000001", ()),
        ("SF1000000000001", ()),
    ]


@pytest.mark.parametrize("waybill", [None, "", " ", "a b", [], "x" * 65])
def test_a_waybill_that_can_be_none_is_no_parcel(waybill: Any) -> None:
    snapshot = taobao.snapshot_of(with_sub(logistic_orders=[{"logistic_number": waybill}], logistic_number=None))
    assert snapshot.parcels == ()


def test_an_unpaid_order_is_not_paid_and_a_closed_one_says_why() -> None:
    life = taobao.snapshot_of(with_sub(close_reason="buyer") | {"pay_time": None, "status": "TRADE_CLOSED"}).lifecycle
    assert life is not None
    assert (life.paid, life.paid_at, life.close_reason) == (False, None, "buyer")


def test_an_order_goes_by_its_purchase_id_and_by_its_sales_order_id() -> None:
    both = order(salesOrderId="4500000000000000002")
    assert taobao.is_about(both, TAOBAO_ORDER_ID)
    assert taobao.is_about(both, "4500000000000000002")
    assert not taobao.is_about(both, FIRST)
    assert not taobao.is_about({}, "")
    assert taobao.order_id_of({"id": 7}) == "7"


@pytest.mark.parametrize("spelling", [order(status=11), camel(order(status=11))])
def test_a_row_of_the_order_list_is_a_hint(spelling: dict[str, Any]) -> None:
    fact = taobao.listed_order("main", spelling, RECEIVED_AT)
    assert fact.key == OrderKey("main", Platform.TAOBAO, TAOBAO_ORDER_ID)
    assert (fact.source, fact.observed_at, fact.provider_time) == (Source.POLL, RECEIVED_AT, 1_767_319_200_000)
    assert fact.content == StatusSeen(word="WAIT_BUYER_CONFIRM_GOODS")


def test_a_row_of_the_after_sales_list_is_a_hint_about_its_refund() -> None:
    fact = taobao.listed_refund("main", golden("taobao_refund_row"), RECEIVED_AT)
    assert fact.key == OrderKey("main", Platform.TAOBAO, TAOBAO_ORDER_ID)
    assert fact.provider_time == 1_767_319_200_000
    assert fact.content == RefundSeen(REFUND, word="10", amount=3_990, line_ids=(FIRST,), reason="七天无理由")
    flat = {"refund_id": REFUND, "purchase_order_id": TAOBAO_ORDER_ID, "refund_status": "-20", "refund_fee": "0"}
    assert taobao.listed_refund("main", flat, RECEIVED_AT).content == RefundSeen(REFUND, word="-20", amount=0)


@pytest.mark.parametrize("missing", ["refundOrder", "purchaseOrderId"])
def test_a_row_without_its_ids_is_kept_for_a_person(missing: str) -> None:
    with pytest.raises(UnreadableValueError):
        taobao.listed_refund("main", golden("taobao_refund_row") | {missing: None, "purchaseOrderLine": None}, 1)
    with pytest.raises(UnreadableValueError):
        taobao.listed_order("main", {"status": "BULIDING"}, 1)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.one_of(broken(golden("taobao_order")), broken(camel(golden("taobao_order")))))
def test_a_broken_order_is_read_or_refused_and_nothing_else(value: Any) -> None:
    whole = value if isinstance(value, dict) else {}
    try:
        snapshot = taobao.snapshot_of(whole)
        taobao.listed_order("main", whole, RECEIVED_AT)
    except UnreadableValueError:
        return
    assert snapshot.lifecycle is not None
    assert snapshot.amounts is not None
    assert snapshot.amounts.total >= 0


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(broken(golden("taobao_refund_row")))
def test_so_is_a_broken_refund(value: Any) -> None:
    try:
        fact = taobao.listed_refund("main", value if isinstance(value, dict) else {}, RECEIVED_AT)
    except UnreadableValueError:
        return
    assert isinstance(fact.content, RefundSeen)
