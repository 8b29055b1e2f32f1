"""Every documented (and every inferred) message becomes exactly these facts, in each of its documented shapes."""

import json
from typing import Any

import pytest

from tests.marketplaces.examples import (
    CALLBACKS,
    ORDER_ID,
    OTHER_ORDER_ID,
    PUSHED_AT,
    RECEIVED_AT,
    REFUND_ID,
    TAOBAO_ORDER_ID,
    body_object,
    callback,
    callback_object,
    dump,
)
from worker.domain.facts import (
    Amounts,
    Content,
    Fact,
    LogisticsSeen,
    PriceSeen,
    RefundSeen,
    Snapshot,
    Source,
    StatusSeen,
)
from worker.domain.identity import OrderKey, Platform
from worker.marketplaces.pandapon.callbacks import parse

XPORT_AMOUNTS = Amounts(12_300, shipping=300, products=12_000, refunded=0)

STATUSES = {
    "1688_made": ("waitbuyerpay", "BUYER_MAKE"),
    "1688_paid": ("waitsellersend", "ORDER_PAY"),
    "1688_step_paid": ("waitsellersend", "ORDER_STEP_PAY"),
    "1688_shipped": ("waitbuyerreceive", "ANNOUNCE_SENDGOODS"),
    "1688_part_shipped": ("waitsellersend", "PART_PART_SENDGOODS"),
    "1688_receipt": ("confirm_goods_and_has_subsidy", "ORDER_COMFIRM_RECEIVEGOODS"),
    "1688_success": ("success", "ORDER_SUCCESS"),
    "1688_closed_by_buyer": ("cancel", "ORDER_BUYER_CLOSE"),
    "1688_closed_by_seller": ("cancel", "ORDER_SELLER_CLOSE"),
    "1688_closed_by_platform": ("cancel", "ORDER_BOPS_CLOSE"),
}
XPORT = {
    "xport_order_create": ("WAITING_FOR_PAYMENT", "ORDER_CREATE"),
    "xport_order_cancel": ("CANCEL", "ORDER_CANCEL"),
    "xport_order_pay_success": ("WAITING_FOR_SENT", "ORDER_PAY_SUCCESS"),
}
EXPECTED: dict[str, list[tuple[str, Content]]] = {
    **{name: [(ORDER_ID, StatusSeen(*seen))] for name, seen in STATUSES.items()},
    **{name: [(ORDER_ID, StatusSeen(*seen)), (ORDER_ID, PriceSeen(XPORT_AMOUNTS))] for name, seen in XPORT.items()},
    "xport_price_modify": [(ORDER_ID, PriceSeen(Amounts(11_300, shipping=300, products=11_000, refunded=0)))],
    "xport_buyer_refund": [(ORDER_ID, RefundSeen(REFUND_ID))],
    "taobao_price_modify": [(TAOBAO_ORDER_ID, PriceSeen(Amounts(6_590, shipping=600, products=5_990)))],
    "taobao_status": [(TAOBAO_ORDER_ID, StatusSeen("WAIT_BUYER_CONFIRM_GOODS", "ORDER_STATUS_MODIFY"))],
    "taobao_refund": [(TAOBAO_ORDER_ID, RefundSeen("5500000000000000001", "10"))],
    "1688_price_modify": [
        (ORDER_ID, PriceSeen(Amounts(11_350, shipping=300, products=11_050, discount=-150, refunded=0)))
    ],
    "1688_price_modify_native": [(ORDER_ID, PriceSeen(None))],
    "1688_refund_in_sales": [(ORDER_ID, RefundSeen(REFUND_ID, "waitselleragree", "BUYER_APPLY_REFUND"))],
    "1688_refund_after_sales": [(ORDER_ID, RefundSeen(REFUND_ID, "refundsuccess", "SYSTEM_AGREE_REFUND"))],
    "1688_batch_pay": [
        (ORDER_ID, StatusSeen(event="ORDER_BATCH_PAY")),
        (OTHER_ORDER_ID, StatusSeen(event="ORDER_BATCH_PAY")),
    ],
    "1688_logistics_trace": [
        (ORDER_ID, LogisticsSeen("LOGISTICS_BUYER_VIEW_TRACE", "73100000000001")),
        (OTHER_ORDER_ID, LogisticsSeen("LOGISTICS_BUYER_VIEW_TRACE", "73100000000001")),
    ],
    "1688_waybill_changed": [(ORDER_ID, LogisticsSeen("LOGISTICS_MAIL_NO_CHANGE", "SF1000000000001"))],
}


def seen(message: Any) -> list[tuple[str, Content]]:
    facts = parse("main", message if isinstance(message, bytes) else dump(message), RECEIVED_AT)
    return [(fact.key.order_id, fact.content) for fact in facts]


def test_every_golden_message_has_its_expectation() -> None:
    assert sorted(EXPECTED) == CALLBACKS


@pytest.mark.parametrize("name", CALLBACKS)
def test_a_message_becomes_its_facts(name: str) -> None:
    assert seen(callback(name)) == EXPECTED[name]


@pytest.mark.parametrize("name", CALLBACKS)
def test_the_body_may_be_an_object_or_the_json_text_of_one(name: str) -> None:
    message, body = callback_object(name), body_object(name)
    assert seen(message | {"messageBody": body}) == EXPECTED[name]
    assert seen(message | {"messageBody": dump(body).decode()}) == EXPECTED[name]


@pytest.mark.parametrize("name", CALLBACKS)
def test_the_type_may_be_prefixed_or_bare_and_carry_the_views_name_or_not(name: str) -> None:
    message = callback_object(name)
    prefix = "TAOBAO_" if message["messagePlatform"] == 0 else "1688_"
    bare = message["messageType"].removeprefix(prefix)
    assert seen(message | {"messageType": bare}) == EXPECTED[name]
    assert seen(message | {"messageType": prefix + bare}) == EXPECTED[name]
    assert seen(message | {"messageType": bare.removeprefix("ORDER_BUYER_VIEW_")}) == EXPECTED[name]


@pytest.mark.parametrize("name", CALLBACKS)
def test_the_platform_may_be_a_number_or_text_and_a_prefix_is_enough(name: str) -> None:
    message = callback_object(name)
    platform = message["messagePlatform"]
    prefix = "TAOBAO_" if platform == 0 else "1688_"
    prefixed = prefix + message["messageType"].removeprefix(prefix)
    assert seen(message | {"messagePlatform": str(platform)}) == EXPECTED[name]
    assert seen(message | {"messageType": prefixed, "messagePlatform": None}) == EXPECTED[name]


@pytest.mark.parametrize("name", CALLBACKS)
def test_a_fact_says_whose_it_is_where_it_came_from_and_when_it_was_pushed(name: str) -> None:
    platform = Platform.TAOBAO if name.startswith("taobao") else Platform.ALIBABA_1688
    for fact in parse("main", callback(name), RECEIVED_AT):
        assert fact.key == OrderKey("main", platform, fact.key.order_id)
        assert (fact.source, fact.observed_at, fact.provider_time) == (Source.CALLBACK, RECEIVED_AT, PUSHED_AT)


@pytest.mark.parametrize("name", CALLBACKS)
def test_a_redelivery_is_the_same_facts_however_late_and_in_whichever_shape(name: str) -> None:
    message = callback_object(name)
    in_text = dump(message | {"messageBody": dump(body_object(name)).decode()})
    first = [fact.derive_id() for fact in parse("main", callback(name), RECEIVED_AT)]
    again = [fact.derive_id() for fact in parse("main", in_text, RECEIVED_AT + 1_800_000)]
    assert first == again


@pytest.mark.parametrize("name", CALLBACKS)
def test_ids_come_through_as_numbers_and_as_text(name: str) -> None:
    text = callback(name).decode()
    for order_id in (ORDER_ID, OTHER_ORDER_ID, TAOBAO_ORDER_ID):
        number, quoted = f": {order_id}", f': "{order_id}"'
        assert seen(text.replace(quoted, number).encode()) == EXPECTED[name]
        assert seen(text.replace(quoted, number).replace(number, quoted).encode()) == EXPECTED[name]


def one_fact(**changes: Any) -> Fact:
    (fact,) = parse("main", dump(callback_object("1688_paid") | changes), RECEIVED_AT)
    return fact


def test_a_number_that_no_double_can_hold_is_kept_digit_by_digit() -> None:
    body = (
        b'{"messageType":"1688_ORDER_PAY","messageBody":{"orderId":9007199254740993,"currentStatus":"waitsellersend"}}'
    )
    (fact,) = parse("main", body, RECEIVED_AT)
    assert fact.key.order_id == "9007199254740993"


def test_a_push_time_that_is_none_gives_way_to_the_upstreams_own() -> None:
    assert one_fact(timestamp=None).provider_time == PUSHED_AT - 1_000
    assert one_fact(timestamp="garbage").provider_time == PUSHED_AT - 1_000
    assert one_fact(timestamp=PUSHED_AT // 1000).provider_time == PUSHED_AT
    assert one_fact(timestamp=None, messageBody={"orderId": ORDER_ID}).provider_time is None


def test_a_senders_message_id_is_part_of_the_facts_identity() -> None:
    assert one_fact(msgId=9_007_199_254_740_993).message_id == "9007199254740993"
    assert one_fact(msgId="a").derive_id() != one_fact(msgId="b").derive_id()
    assert one_fact(msgId=None).message_id is None


def test_the_same_price_pushed_again_later_is_another_fact() -> None:
    """A price goes A, B, A: the third callback equals the first one apart from its push time."""
    message = callback_object("taobao_price_modify")
    (first,) = parse("main", dump(message), RECEIVED_AT)
    (third,) = parse("main", dump(message | {"timestamp": str(PUSHED_AT + 60_000)}), RECEIVED_AT)
    assert first.content == third.content
    assert first.derive_id() != third.derive_id()


def test_unknown_fields_are_no_reason_to_doubt_a_message() -> None:
    message = callback_object("1688_paid")
    body = body_object("1688_paid") | {"newField": [{"deep": 1}], "totalPrice": "?"}
    assert seen(message | {"messageBody": body, "newer": True}) == EXPECTED["1688_paid"]


def test_an_integer_refund_word_is_kept_as_text() -> None:
    message = callback_object("xport_buyer_refund")
    body = body_object("xport_buyer_refund") | {"refundStatus": -20}
    assert seen(message | {"messageBody": json.dumps(body)}) == [(ORDER_ID, RefundSeen(REFUND_ID, "-20"))]


def test_a_refund_message_without_a_refund_id_asks_for_a_fresh_read() -> None:
    message = callback_object("1688_refund_in_sales")
    body = body_object("1688_refund_in_sales") | {"refundId": None}
    assert seen(message | {"messageBody": body}) == [(ORDER_ID, StatusSeen(event="ORDER_BUYER_REFUND_IN_SALES"))]


def test_a_word_is_cut_at_its_limit_and_an_odd_one_only_asks_for_a_fresh_read() -> None:
    message, body = callback_object("1688_paid"), body_object("1688_paid")
    assert seen(message | {"messageBody": body | {"currentStatus": "w" * 5_000}}) == [
        (ORDER_ID, StatusSeen("w" * 100, "ORDER_PAY"))
    ]
    no_words: list[Any] = [None, "", [], {}, True]
    for odd in no_words:
        assert seen(message | {"messageBody": body | {"currentStatus": odd}}) == [
            (ORDER_ID, StatusSeen(None, "ORDER_PAY"))
        ]


def test_a_currency_other_than_yuan_is_told() -> None:
    message, body = callback_object("taobao_price_modify"), body_object("taobao_price_modify")
    body["purchaseOrderPriceDTO"]["purchaseCurrency"] = "USD"
    ((_, price),) = seen(message | {"messageBody": body})
    assert isinstance(price, PriceSeen)
    assert price.amounts is not None
    assert price.amounts.currency == "USD"


@pytest.mark.parametrize("field", ["purchase_id", "purchaseId", "purchaseOrderId", "salesOrderId", "orderId"])
def test_a_taobao_order_is_known_by_each_of_its_ids_names(field: str) -> None:
    message, body = callback_object("taobao_status"), body_object("taobao_status")
    body[field] = body.pop("purchase_id")
    assert seen(message | {"messageBody": body}) == EXPECTED["taobao_status"]


@pytest.mark.parametrize("status", [11, "11"])
def test_a_taobao_status_may_be_a_number_as_in_the_order_itself(status: Any) -> None:
    message, body = callback_object("taobao_status"), body_object("taobao_status")
    assert seen(message | {"messageBody": body | {"status": status}}) == EXPECTED["taobao_status"]
    native = callback_object("1688_paid") | {"messageBody": {"orderId": ORDER_ID, "status": 11}}
    assert seen(native) == [(ORDER_ID, StatusSeen("11", "ORDER_PAY"))]


def test_taobaos_own_time_stands_in_for_a_push_time_that_is_none() -> None:
    (fact,) = parse("main", dump(callback_object("taobao_status") | {"timestamp": None}), RECEIVED_AT)
    assert fact.provider_time == PUSHED_AT - 1_000


@pytest.mark.parametrize("name", CALLBACKS)
def test_no_message_ever_becomes_a_snapshot(name: str) -> None:
    """Not even a price change that carries the whole order: it was true when it was sent, not when it came."""
    assert not [fact for fact in parse("main", callback(name), RECEIVED_AT) if isinstance(fact.content, Snapshot)]
