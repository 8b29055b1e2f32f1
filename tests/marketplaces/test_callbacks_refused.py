"""What is no message is called malformed or not understood, with the reason, and never half taken."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.marketplaces.examples import (
    CALLBACKS,
    ORDER_ID,
    RECEIVED_AT,
    body_object,
    callback,
    callback_object,
    dump,
)
from tests.marketplaces.mutations import broken
from worker.broker.envelope import fact_event
from worker.marketplaces.events import MAX_ORDERS_PER_MESSAGE, MalformedError, NotUnderstoodError
from worker.marketplaces.pandapon.callbacks import parse


def refused(message: Any, reason: str) -> None:
    with pytest.raises(NotUnderstoodError, match=reason):
        parse("main", dump(message), RECEIVED_AT)


def with_body(name: str, **changes: Any) -> dict[str, Any]:
    return callback_object(name) | {"messageBody": body_object(name) | changes}


@pytest.mark.parametrize(
    "body", [b"", b" ", b"hello", b"{", b'{"messageType"', b"\x00", b"\xff\xfe", b"a=b&c=d", b"<xml/>"]
)
def test_a_body_that_is_no_json_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedError):
        parse("main", body, RECEIVED_AT)


@pytest.mark.parametrize("message", [None, True, 5, "text", [], [callback_object("1688_paid")]])
def test_json_that_is_no_object_is_not_understood(message: Any) -> None:
    refused(message, "not a JSON object")


@pytest.mark.parametrize("kind", [None, "", 5, [], {}, True])
def test_a_message_names_its_type(kind: Any) -> None:
    refused(callback_object("1688_paid") | {"messageType": kind}, "messageType is missing or not text")


@pytest.mark.parametrize(
    "kind", ["1688_NEW_TOPIC", "1688_", "1688_order_pay", "1688_ORDER_BUYER_VIEW_", "1688_ ORDER_PAY"]
)
def test_an_unknown_type_is_not_understood(kind: str) -> None:
    refused(callback_object("1688_paid") | {"messageType": kind}, "unknown messageType")


@pytest.mark.parametrize("platform", [None, 2, "", "1688", True, [], {}, -1, 10**30])
def test_a_bare_type_needs_a_known_platform(platform: Any) -> None:
    message = callback_object("1688_paid") | {"messageType": "ORDER_BUYER_VIEW_ORDER_PAY", "messagePlatform": platform}
    refused(message, "messagePlatform is")


def test_a_message_that_contradicts_itself_about_its_platform_is_not_guessed_at() -> None:
    refused(callback_object("1688_paid") | {"messagePlatform": 0}, "messageType says 1688, messagePlatform taobao")
    refused(callback_object("1688_paid") | {"messageType": "1688_TAOBAO_ORDER_PAY"}, "messageType says taobao")


@pytest.mark.parametrize("body", [None, "", "{", "5", '"{}"', "[]", 5, [], True])
def test_a_body_is_an_object(body: Any) -> None:
    refused(callback_object("1688_paid") | {"messageBody": body}, "messageBody is")


@pytest.mark.parametrize("order_id", [None, "", 0, "0", True, [], {}, "a b", "../etc", -5, "x" * 65, 10**80, 1.5])
@pytest.mark.parametrize(
    "name", ["1688_paid", "1688_refund_in_sales", "1688_price_modify_native", "xport_order_create"]
)
def test_a_message_names_its_order(name: str, order_id: Any) -> None:
    refused(with_body(name, orderId=order_id), "no order id")


@pytest.mark.parametrize("value", ["abc", "", "12.5", 12.5, True, [], {}, "1e400", 10**40, "1,000"])
@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("xport_price_modify", "totalAmount"),
        ("xport_price_modify", "shippingFee"),
        ("xport_price_modify", "productAmount"),
        ("xport_order_create", "totalAmount"),
        ("xport_order_pay_success", "refundAmount"),
    ],
)
def test_an_amount_that_is_no_whole_number_of_fen_costs_the_whole_message(name: str, field: str, value: Any) -> None:
    refused(with_body(name, **{field: value}), f"{field}: ")


@pytest.mark.parametrize("field", ["purchaseTotalFee", "purchaseShippingFee", "purchaseProductFee"])
@pytest.mark.parametrize("value", ["abc", 12.5, True, [], {}])
def test_taobaos_amounts_are_no_less_strict(field: str, value: Any) -> None:
    price = body_object("taobao_price_modify")["purchaseOrderPriceDTO"] | {field: value}
    refused(with_body("taobao_price_modify", purchaseOrderPriceDTO=price), field)


@pytest.mark.parametrize("value", ["abc", True, [], {}, "1e400", 10**40])
def test_nor_are_1688s(value: Any) -> None:
    order = body_object("1688_price_modify")
    refused(with_body("1688_price_modify", baseInfo=order["baseInfo"] | {"totalAmount": value}), "totalAmount: ")


@pytest.mark.parametrize("total", [None, -1])
def test_a_price_change_has_a_total_from_zero(total: Any) -> None:
    refused(with_body("xport_price_modify", totalAmount=total), "totalAmount")
    price = body_object("taobao_price_modify")["purchaseOrderPriceDTO"] | {"purchaseTotalFee": total}
    refused(with_body("taobao_price_modify", purchaseOrderPriceDTO=price), "purchaseTotalFee")


@pytest.mark.parametrize("rows", [None, [], {}, "x", 5])
def test_a_batch_without_orders_is_not_understood(rows: Any) -> None:
    refused(with_body("1688_batch_pay", batchPay=rows), "it names no order")


def test_one_row_without_an_id_keeps_the_whole_batch_for_a_person() -> None:
    refused(with_body("1688_batch_pay", batchPay=[{"orderId": ORDER_ID}, {}]), "no order id")


def test_orders_beyond_the_limit_are_not_cut_off_behind_our_200() -> None:
    rows = [{"orderId": str(3_300_000_000_000_000_000 + n)} for n in range(MAX_ORDERS_PER_MESSAGE + 1)]
    refused(with_body("1688_batch_pay", batchPay=rows), "101 orders in one message")
    refused(with_body("1688_logistics_trace", OrderLogisticsTracingModel={"orderLogsItems": rows}), "101 orders")
    most = dump(with_body("1688_batch_pay", batchPay=rows[:-1]))
    assert len(parse("main", most, RECEIVED_AT)) == MAX_ORDERS_PER_MESSAGE


def test_a_reason_stays_short_whatever_came() -> None:
    for message in (
        callback_object("1688_paid") | {"messageType": "1688_" + "X" * 10_000},
        with_body("xport_price_modify", totalAmount="9" * 10_000),
        callback_object("1688_paid") | {"messageType": "ORDER_PAY", "messagePlatform": "p" * 10_000},
    ):
        with pytest.raises(NotUnderstoodError) as caught:
            parse("main", dump(message), RECEIVED_AT)
        assert len(str(caught.value)) < 2_500


@st.composite
def broken_messages(draw: st.DrawFn) -> bytes:
    """A golden message after one to three changes."""
    name = draw(st.sampled_from(CALLBACKS))
    message = draw(broken(callback_object(name) | {"messageBody": body_object(name)}))
    if isinstance(message, dict) and draw(st.booleans()):
        message = message | {"messageBody": dump(message.get("messageBody")).decode()}
    return dump(message)


def accepted_or_refused(body: bytes) -> None:
    try:
        facts = parse("main", body, RECEIVED_AT)
    except (MalformedError, NotUnderstoodError):
        return
    assert facts
    for fact in facts:
        assert fact.key.account == "main"
        assert fact_event(fact).headers["ce_id"] == fact.derive_id()


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(broken_messages())
def test_a_broken_message_is_accepted_with_facts_or_refused_and_nothing_else(body: bytes) -> None:
    accepted_or_refused(body)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(CALLBACKS), st.data())
def test_so_is_a_message_with_broken_bytes(name: str, data: st.DataObject) -> None:
    body = bytearray(callback(name))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at : at + data.draw(st.integers(0, 5))] = data.draw(st.binary(max_size=5))
    accepted_or_refused(bytes(body))


@pytest.mark.parametrize("depth", [900, 5_000, 100_000])
@pytest.mark.parametrize("pair", [(b"[", b"]"), (b'{"a":', b"}")])
def test_no_depth_of_nesting_breaks_it(depth: int, pair: tuple[bytes, bytes]) -> None:
    deep = pair[0] * depth + b"1" + pair[1] * depth
    accepted_or_refused(deep)
    accepted_or_refused(b'{"messageType":"1688_ORDER_PAY","messageBody":{"orderId":"1","x":' + deep + b"}}")
    accepted_or_refused(dump({"messageType": "1688_ORDER_PAY", "messageBody": deep.decode()}))
