"""What is shown of a letter tells what is wrong with it, and nothing about a person."""

import json
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.dead_letters.stage import good
from worker.broker.envelope import Unrecognised, fact_event, unrecognised_event
from worker.operations.dead_letters.decoding import decoded
from worker.operations.dead_letters.masking import mask, mask_text

PERSONS = {
    "fullName": "Zhang San",
    "receiver": {"line1": "Wenyi-Road-969", "deep": [{"type": "flat-12"}]},
    "buyerLoginId": "zhangsan88",
    "mobile": 13_800_138_000,
    "toPhone": "0571-88886666",
    "toArea": "浙江省 杭州市",
    "remark": "ring-twice",
    "address": "x",
    "email": "a@b.cn",
    "zip": "310000",
    "whatever": "浙江省杭州市西湖区文一路969号",
    "unheardOf": "call 13800138000",
    "alsoNew": "+8613800138000",
    "dashes": "138-0013-8000",
    "free": "Please leave it with the porter",
}
HARMLESS = {
    "messageType": "ORDER_NEW_THING",
    "orderId": "3300000000000000001",
    "orderStatus": "waitbuyerpay",
    "totalAmount": 1234,
    "price": "12.34",
    "gmtModified": "2026-01-01 12:00:00",
    "flag": True,
    "nothing": None,
}


def leaks(shown: Any) -> list[str]:
    text = json.dumps(shown, ensure_ascii=False)
    secrets = [
        "Zhang", "Wenyi", "flat-12", "zhangsan", "13800138000", "138-0013", "88886666", "杭州", "ring-twice",
        "a@b.cn", "310000", "porter",
    ]  # fmt: skip
    return [secret for secret in secrets if secret in text]


def callback(body: bytes) -> tuple[dict[str, str], bytes]:
    event = unrecognised_event(Unrecognised("main", "unknown messageType", body, 1), "id")
    return event.headers, event.value


def test_persons_are_left_out_and_what_is_wrong_stays() -> None:
    shown = mask(PERSONS | HARMLESS)
    assert leaks(shown) == []
    assert {name: shown[name] for name in HARMLESS} == HARMLESS
    assert set(shown) == {*PERSONS, *HARMLESS}, "which fields there were is shown"


@pytest.mark.parametrize("nested", [False, True])
def test_a_kept_message_is_opened_down_to_json_in_text(nested: bool) -> None:  # noqa: FBT001 - two ways of the sender
    inner: Any = PERSONS | HARMLESS
    body = json.dumps({"messageType": "ORDER_NEW_THING", "messageBody": json.dumps(inner) if nested else inner})
    shown = decoded(*callback(body.encode()))
    assert leaks(shown) == []
    assert shown["message"]["messageBody"]["orderId"] == "3300000000000000001"
    assert (shown["account"], shown["reason"]) == ("main", "unknown messageType")


def test_a_pushed_form_is_opened_and_its_signature_left_out() -> None:
    form = urlencode({"message": json.dumps({"data": PERSONS | HARMLESS}), "_aop_signature": "ABCDEF"})
    shown = decoded(*callback(form.encode()))
    assert leaks(shown) == []
    assert shown["message"]["form"]["message"]["data"]["orderId"] == "3300000000000000001"
    assert "ABCDEF" not in json.dumps(shown)


@pytest.mark.parametrize("raw", [b"", b"\xff\xfe\x00", b"Zhang San, 13800138000", b"[" * 100_000, b'{"a"'])
def test_what_cannot_be_opened_is_described_and_not_shown(raw: bytes) -> None:
    assert decoded({}, raw) == f"({len(raw)} bytes that are neither JSON nor a form)"


def test_an_unrecognised_record_that_is_none_is_opened_as_far_as_it_goes() -> None:
    headers, _ = callback(b"")
    assert decoded(headers, b'{"account": 5}') == {"account": 5}
    assert decoded(headers, b'{"account":"main","reason":"r","body":"","received_at":99999999999999999}')


def test_a_fact_shows_what_it_says() -> None:
    event = fact_event(good(1))
    shown = decoded(event.headers, event.value)
    assert shown["key"] == {"account": "main", "platform": "1688", "order_id": "1"}


def test_reasons_and_stacks_lose_phones_and_mail_addresses_alone() -> None:
    text = "ValueError: '13800138000' and a.b@example.cn of order 3300000000000000001"
    assert mask_text(text) == "ValueError: '(left out)' and (left out) of order 3300000000000000001"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=20), inner, max_size=5),
    max_leaves=30,
)


@given(value=_JSON)
def test_whatever_it_is_it_can_be_shown(value: Any) -> None:
    raw = msgspec.json.encode(value)
    msgspec.json.encode(decoded({}, raw))
    msgspec.json.encode(decoded(*callback(raw)))


@given(raw=st.binary(max_size=300))
def test_whatever_bytes_they_are_they_can_be_shown(raw: bytes) -> None:
    for headers in ({}, callback(b"")[0]):
        msgspec.json.encode(decoded(headers, raw))


@given(name=st.text(max_size=20), phone=st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True))
def test_a_phone_number_is_shown_under_no_name(name: str, phone: str) -> None:
    for value in (phone, int(phone), f"tel:{phone}", [phone], {name: phone}):
        assert phone not in json.dumps(mask({name: value}))
