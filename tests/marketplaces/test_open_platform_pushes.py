"""Pushes of the 1688 open platform: signed forms, every documented topic, and never an exception for what is odd."""

from typing import Any
from urllib.parse import quote, urlencode

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain.facts import Fact, LogisticsSeen, PriceSeen, RefundSeen, StatusSeen
from worker.domain.identity import Platform
from worker.marketplaces.alibaba1688.callbacks import message_facts, parse, verify
from worker.marketplaces.alibaba1688.signing import call_signature, push_signature
from worker.marketplaces.events import MalformedError, NotUnderstoodError

SECRET = "test123"
ORDER_ID = 9007199254740993
AT = 1_790_000_000_000
STATUS_TOPICS = {
    "ORDER_BUYER_VIEW_BUYER_MAKE": "waitbuyerpay",
    "ORDER_BUYER_VIEW_ORDER_PAY": "waitsellersend",
    "ORDER_BUYER_VIEW_ORDER_STEP_PAY": "waitsellersend",
    "ORDER_BUYER_VIEW_ANNOUNCE_SENDGOODS": "waitbuyerreceive",
    "ORDER_BUYER_VIEW_PART_PART_SENDGOODS": "waitsellersend",
    "ORDER_BUYER_VIEW_ORDER_COMFIRM_RECEIVEGOODS": "confirm_goods_and_has_subsidy",
    "ORDER_BUYER_VIEW_ORDER_SUCCESS": "success",
    "ORDER_BUYER_VIEW_ORDER_BUYER_CLOSE": "cancel",
    "ORDER_BUYER_VIEW_ORDER_SELLER_CLOSE": "cancel",
    "ORDER_BUYER_VIEW_ORDER_BOPS_CLOSE": "cancel",
}


def message(topic: str, **data: Any) -> dict[str, Any]:
    return {"msgId": 68891027, "gmtBorn": AT - 5_000, "type": topic, "userInfo": "b2b-1", "data": data}


def order_data(word: str, **more: Any) -> dict[str, Any]:
    known = {"orderId": ORDER_ID, "currentStatus": word, "msgSendTime": "2026-09-21 10:00:00"}
    return known | {"buyerMemberId": "b2b-1", "sellerMemberId": "b2b-2"} | more


def form(body: dict[str, Any], secret: str = SECRET) -> bytes:
    text = msgspec.json.encode(body).decode()
    return urlencode({"message": text, "_aop_signature": push_signature([("message", text)], secret)}).encode()


def one(body: dict[str, Any]) -> Fact:
    (fact,) = parse("main", form(body), AT)
    return fact


def test_the_documented_vectors_of_both_signatures() -> None:
    path = "param2/1/system/currentTime/1000000"
    assert call_signature(path, [("b", "2"), ("a", "1")], SECRET) == "33E54F4F7B989E3E0E912D3FBD2F1A03CA7CCE88"
    assert push_signature([("message", '{"a":1}')], SECRET) == "FC52FBC8B0E9CEE4D4B0111BE3FBC445F5D4E912"


def test_joined_pairs_are_sorted_not_keys() -> None:
    """They differ where one key begins another: `a` + `z` stands after `ab` + `c` (official SDKs)."""
    assert push_signature([("a", "z"), ("ab", "c")], SECRET) == push_signature([("abc", ""), ("az", "")], SECRET)


@pytest.mark.parametrize("topic", STATUS_TOPICS)
def test_every_topic_of_an_order_is_a_status(topic: str) -> None:
    fact = one(message(topic, **order_data(STATUS_TOPICS[topic])))
    assert isinstance(fact.content, StatusSeen)
    assert fact.content.word == STATUS_TOPICS[topic]
    assert (fact.key.platform, fact.key.order_id) == (Platform.ALIBABA_1688, str(ORDER_ID))
    assert (fact.provider_time, fact.message_id) == (AT - 5_000, "68891027")


def test_a_price_change_names_no_amount() -> None:
    fact = one(message("ORDER_BUYER_VIEW_ORDER_PRICE_MODIFY", **order_data("waitbuyerpay")))
    assert fact.content == PriceSeen(None)


@pytest.mark.parametrize("topic", ["ORDER_BUYER_REFUND_IN_SALES", "ORDER_REFUND_AFTER_SALES"])
def test_a_refund_has_its_own_word(topic: str) -> None:
    data = order_data("refundsuccess", refundId="TQ1", refundAction="SYSTEM_AGREE_REFUND", operator="system")
    content = one(message(f"ORDER_BUYER_VIEW_{topic}", **data)).content
    assert content == RefundSeen("TQ1", word="refundsuccess", action="SYSTEM_AGREE_REFUND")


def test_a_parcel_of_two_orders_is_told_to_both() -> None:
    entries = [{"orderId": ORDER_ID, "orderEntryId": 1}, {"orderId": str(ORDER_ID + 2), "orderEntryId": 2}]
    model = {"logisticsId": "LP1", "mailNo": "SF1", "statusChanged": "SIGN", "orderLogsItems": entries}
    facts = parse("main", form(message("LOGISTICS_BUYER_VIEW_TRACE", OrderLogisticsTracingModel=model)), AT)
    assert {fact.key.order_id for fact in facts} == {str(ORDER_ID), str(ORDER_ID + 2)}
    assert {fact.content for fact in facts} == {LogisticsSeen("LOGISTICS_BUYER_VIEW_TRACE", "SF1")}


def test_a_replaced_waybill_is_the_new_one() -> None:
    model = {"logisticsId": "LP1", "oldMailNo": "SF1", "newMailNo": "SF2", "orderLogsItems": {"orderId": ORDER_ID}}
    fact = one(message("LOGISTICS_MAIL_NO_CHANGE", MailNoChangeModel=model))
    assert fact.content == LogisticsSeen("LOGISTICS_MAIL_NO_CHANGE", "SF2")


def test_a_batch_of_payments_asks_for_a_read_of_each_order() -> None:
    rows = [{"orderId": str(ORDER_ID), "status": "successed"}, {"orderId": "12", "status": "ACCOUNT_FROZEN"}]
    facts = parse("main", form(message("ORDER_BATCH_PAY", batchPay=rows)), AT)
    assert [fact.content for fact in facts] == [StatusSeen(event="ORDER_BATCH_PAY")] * 2


def test_data_may_be_text_and_ids_may_be_text() -> None:
    body = message("ORDER_BUYER_VIEW_ORDER_PAY")
    body |= {"msgId": "68891027", "data": msgspec.json.encode(order_data("waitsellersend")).decode()}
    assert one(body) == one(message("ORDER_BUYER_VIEW_ORDER_PAY", **order_data("waitsellersend")))


def test_the_queue_may_name_group_and_topic_apart() -> None:
    body = message("", **order_data("success"))
    body |= {"type": None, "topicGroup": "ORDER_BUYER_VIEW", "topicName": "ORDER_SUCCESS"}
    (fact,) = message_facts("main", body, AT)
    assert fact.content == StatusSeen("success", "ORDER_SUCCESS")


@pytest.mark.parametrize("topic", ["PRODUCT_PRODUCT_INVENTORY_CHANGE", "AUTHORIZATION_CANCEL", "ORDER_NEW_KIND", ""])
def test_what_is_no_topic_of_ours_is_kept_for_a_person(topic: str) -> None:
    with pytest.raises(NotUnderstoodError):
        parse("main", form(message(topic, **order_data("x"))), AT)


@pytest.mark.parametrize("body", [b"", b"{}", b"a=1", b"message=", b"message=%7B", b"\xff=1", b"message=1&message=2"])
def test_what_is_no_form_with_one_message_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedError):
        parse("main", body, AT)


def test_only_the_right_signature_over_the_very_text_opens() -> None:
    body = form(message("ORDER_BUYER_VIEW_ORDER_PAY", **order_data("waitsellersend")))
    assert verify(body, SECRET)
    assert not verify(body, "another")
    assert not verify(body.replace(b"waitsellersend", b"success"), SECRET)
    assert not verify(body + b"&extra=1", SECRET)
    assert not verify(body + b"&message=%7B%7D", SECRET), "a field given twice is signed as one and read as the other"
    assert not verify(body.split(b"&")[0], SECRET)


def test_the_case_of_the_signature_does_not_count() -> None:
    text = "{}"
    signature = push_signature([("message", text)], SECRET).lower()
    assert verify(f"message={quote(text)}&_aop_signature={signature}".encode(), SECRET)


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False), st.text(max_size=20)
)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)
EXAMPLES = [
    message("ORDER_BUYER_VIEW_ORDER_PAY", **order_data("waitsellersend")),
    message("ORDER_BUYER_VIEW_ORDER_PRICE_MODIFY", **order_data("waitbuyerpay")),
    message("ORDER_BUYER_VIEW_ORDER_BUYER_REFUND_IN_SALES", **order_data("waitbuyersend", refundId="TQ1")),
    message("ORDER_BATCH_PAY", batchPay=[{"orderId": "12", "status": "successed"}]),
    message("LOGISTICS_MAIL_NO_CHANGE", MailNoChangeModel={"newMailNo": "1", "orderLogsItems": [{"orderId": 12}]}),
]


@given(st.data())
def test_no_mutation_of_a_message_raises_anything_else(data: st.DataObject) -> None:
    body: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(data.draw(st.sampled_from(EXAMPLES))))
    target = body
    while True:
        name = data.draw(st.sampled_from(sorted(target)))
        inner = target[name]
        if isinstance(inner, dict) and inner and data.draw(st.booleans()):
            target = inner
            continue
        if data.draw(st.booleans()):
            del target[name]
        else:
            target[name] = data.draw(JSON)
        break
    try:
        facts = message_facts("main", body, AT)
    except NotUnderstoodError:
        return
    assert facts


@given(st.binary(max_size=200))
def test_no_body_at_all_raises_anything_else(body: bytes) -> None:
    assert not verify(body, SECRET)
    with pytest.raises((MalformedError, NotUnderstoodError)):
        parse("main", body, AT)
