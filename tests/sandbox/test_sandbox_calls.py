"""Who gets in, and what the two reads answer."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest

from tests.sandbox.stage import NOON_MS, Stage
from worker.sandbox import sign

STAMP = re.compile(r"\d{17}\+0800|\d{17}-0700")


@pytest.fixture
def stage() -> Stage:
    stage = Stage(orders=30)
    stage.begin()
    return stage


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"signature": ""}, 40100),
        ({"timestamp": "", "signature": "0" * 32}, 40100),
        ({"user_id": ""}, 40100),
        ({"access_key": "somebody else"}, 40101),
        ({"signature": "0" * 32}, 40102),
        ({"timestamp": str(NOON_MS - 600_001)}, 40103),
        ({"timestamp": str(NOON_MS + 600_001)}, 40103),
        ({"timestamp": "yesterday"}, 40103),
        ({"user_id": "1"}, 40104),
    ],
)
async def test_a_call_that_is_not_signed_in_time_by_the_account_is_refused(
    stage: Stage, changes: dict[str, str], code: int
) -> None:
    assert (await stage.detail(stage.orders[0].order_id, **changes))["code"] == code


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"timestamp": str(NOON_MS - 600_000)},
        {"timestamp": str(NOON_MS // 1000)},
        {"nonce_str": ""},
    ],
)
async def test_milliseconds_seconds_and_a_missing_nonce_are_accepted(stage: Stage, changes: dict[str, str]) -> None:
    assert (await stage.detail(stage.orders[0].order_id, **changes))["msg"] == "成功"


def test_the_signature_matches_the_recorded_vectors() -> None:
    key = "58c0201dfdf148eca63cbf6bb5e7cf03"
    assert sign(key, "1715669977082", "nonce-str", "test-secret") == "47CB965C3AB252BDF9ED348A90C6B66D"
    assert sign(key, "1715669977", "A" * 32, "test-secret") == "3DA9229D6AB182D627590ADC0BC4D22F"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"not json", 40001),
        (b"[]", 40001),
        (b'{"webSite":"1688"}', 40000),
        (b'{"webSite":"taobao","orderId":"1"}', 40000),
        (b'{"webSite":"1688","orderId":"12a"}', 40000),
        (b'{"webSite":"1688","orderId":"12345678901234567890"}', 40000),
        (b'{"webSite":"1688","orderId":"1"}', 40400),
        (b'{"webSite":"1688","orderId":"' + b"1" * 70_000 + b'"}', 40004),
    ],
)
async def test_a_detail_call_with_a_wrong_body_is_refused(stage: Stage, body: bytes, code: int) -> None:
    assert (await stage.post("/alibaba/order/detail", body))["code"] == code


@pytest.mark.parametrize("prefix", ["", "/v2"])
async def test_ids_keep_all_their_digits_as_numbers_and_as_text(stage: Stage, prefix: str) -> None:
    for order in stage.orders:
        body = {"webSite": "1688", "orderId": order.life.order_id}
        info = (await stage.post(f"{prefix}/alibaba/order/detail", body))["data"]
        assert info["baseInfo"]["id"] == int(order.order_id) == int(info["baseInfo"]["idOfStr"])
        assert len(order.order_id) == 19
        assert int(float(order.order_id)) != info["baseInfo"]["id"], "a float would have held this id"
        for item in info["productItems"]:
            assert str(item["subItemID"]) == item["subItemIDString"]


async def test_money_is_yuan_except_for_the_two_discounts(stage: Stage) -> None:
    stage.advance(3600 * 11)  # long enough for some price changes
    assert any(order.price_changes for order in stage.orders)
    for order in stage.orders:
        info = (await stage.detail(order.order_id))["data"]
        base = info["baseInfo"]
        assert base["totalAmount"] * 100 == order.total_fen
        assert base["shippingFee"] * 100 == order.shipping_fen
        assert base["sumProductPayment"] * 100 == order.goods_fen
        assert base["discount"] == sum(item["entryDiscount"] for item in info["productItems"])
        for item in info["productItems"]:
            paid_yuan = item["price"] * item["quantity"] + Decimal(item["entryDiscount"]) / 100
            assert item["itemAmount"] == paid_yuan


async def test_times_carry_their_zone_and_mean_the_same_instant_in_every_zone(stage: Stage) -> None:
    texts = {order.order_id: (await stage.detail(order.order_id))["data"]["baseInfo"] for order in stage.orders}
    assert all(STAMP.fullmatch(base["createTime"]) for base in texts.values())
    assert {base["createTime"] for base in texts.values()} == {"20260101120000123+0800", "20251231210000123-0700"}


async def test_an_unknown_path_and_a_wrong_method_are_plain_http_errors(stage: Stage) -> None:
    assert (await stage.client.post("/alibaba/order/elsewhere")).status_code == 404
    assert (await stage.client.get("/alibaba/order/detail")).status_code == 405
