"""Previewing, creating, cancelling, confirming: the limits, the split, and answers that contradict themselves."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.aop.caller import OpenStage
from tests.sandbox.stage import always
from worker.sandbox.faults import CallFaults, Fault
from worker.sandbox.offers import FREE, NOT_TRADED, SHOPS, Offer, find_offer
from worker.sandbox.order import Order

PREVIEW, CREATE, CANCEL, CONFIRM = (
    "1688.order.preview",
    "1688.order.create",
    "1688.order.cancel",
    "1688.order.confirm_receipt",
)
ADDRESS = {
    "fullName": "甲",
    "mobile": "10000000001",
    "provinceText": "浙江省",
    "cityText": "杭州市",
    "address": "路 1 号",
}
SEED = 1


@pytest.fixture
def stage() -> OpenStage:
    return OpenStage(orders=0, seed=SEED)


def offers(count: int, *, shop: int = 5, warehouse: int | None = None) -> list[Offer]:
    """Plain offers of one shop: traded, priced, in stock, of no mixing rule."""
    found: list[Offer] = []
    offer_id = 610_000_000_000 + (shop - 610_000_000_000) % SHOPS
    while len(found) < count:
        offer = find_offer(SEED, offer_id)
        offer_id += SHOPS
        if offer and offer.traded and offer.price_fen and offer_id % 7 and offer.skus[0].stock == 5_000:
            plain = offer.offer_id % 7 and warehouse in (None, offer.warehouse)
            found += [offer] if plain else []
    return found


def cargo(*wanted: Offer, quantity: int = 5) -> list[dict[str, Any]]:
    return [{"offerId": one.offer_id, "specId": one.skus[0].spec_id, "quantity": quantity} for one in wanted]


async def preview(stage: OpenStage, rows: list[dict[str, Any]], **more: Any) -> Any:
    return await stage.call(PREVIEW, addressParam=ADDRESS, cargoParamList=rows, **more)


async def create(stage: OpenStage, rows: list[dict[str, Any]], **more: Any) -> Any:
    given = {"flow": "general", "addressParam": ADDRESS, "cargoParamList": rows} | more
    return await stage.call(CREATE, **given)


async def test_a_preview_sums_in_fen_and_shows_the_cargo_in_yuan(stage: OpenStage) -> None:
    (offer,) = offers(1)
    answer = await preview(stage, cargo(offer, quantity=5))
    (entry,) = answer["orderPreviewResuslt"]
    assert answer["success"] is True
    assert entry["sumPaymentNoCarriage"] == 5 * offer.skus[0].price_fen
    assert entry["sumPayment"] == entry["sumPaymentNoCarriage"] + entry["sumCarriage"]
    assert entry["cargoList"][0]["amount"] * 100 == entry["sumPaymentNoCarriage"]
    assert "quantity" not in entry["cargoList"][0]
    assert entry["flowFlag"] == "general"
    assert stage.orders == []


async def test_what_is_previewed_is_what_is_created(stage: OpenStage) -> None:
    rows = cargo(*offers(3, warehouse=0))
    (entry,) = (await preview(stage, rows))["orderPreviewResuslt"]
    answer = await create(stage, rows, outOrderId="own-1")
    result = answer["result"]
    assert (answer["success"], result["totalSuccessAmount"]) == (True, entry["sumPayment"])
    (order,) = stage.orders
    assert (result["orderId"], order.total_fen) == (order.order_id, entry["sumPayment"])
    assert result["orderList"][0]["orderAmmount"] == entry["sumPayment"]
    shown = (await stage.call("1688.order.detail", webSite="1688", orderId=order.order_id))["result"]
    assert shown["baseInfo"]["outOrderId"] == "own-1"
    assert [item["productID"] for item in shown["productItems"]] == [row["offerId"] for row in rows]
    listed = await stage.call("1688.order.list", outOrderId="own-1")
    assert [row["baseInfo"]["idOfStr"] for row in listed["result"]] == [order.order_id]
    (created,) = (await stage.client.get("/_sandbox/ledgers/created")).json()["rows"]
    assert created["external_id"] == "own-1"


async def test_a_created_order_lives_like_any_other(stage: OpenStage) -> None:
    await create(stage, cargo(*offers(2, warehouse=1)))
    (order,) = stage.orders
    stage.sandbox.world.pay(order, "agreement")
    stage.advance(40 * 86_400)
    assert order.status in ("success", "cancel")


async def test_the_platform_may_split_an_order_and_then_names_it_in_the_list_alone(stage: OpenStage) -> None:
    rows = cargo(offers(1, warehouse=0)[0], offers(1, warehouse=1)[0])
    assert len((await preview(stage, rows))["orderPreviewResuslt"]) == 2
    result = (await create(stage, rows))["result"]
    assert (result["orderId"], result["totalSuccessAmount"]) == ("", None)
    assert [row["orderId"] for row in result["orderList"]] == [order.order_id for order in stage.orders]
    assert len(stage.orders) == 2


async def test_success_false_can_stand_beside_an_order_that_was_made() -> None:
    stage = OpenStage(orders=0, seed=SEED, aop={"create_says_false": True})
    answer = await create(stage, cargo(*offers(1)))
    assert (answer["success"], answer["result"]["success"]) == (False, False)
    assert answer["result"]["orderId"] == stage.orders[0].order_id


@pytest.mark.parametrize(("unique", "made"), [(False, 2), (True, 1)])
async def test_whether_the_buyers_own_id_protects_is_a_switch(*, unique: bool, made: int) -> None:
    stage = OpenStage(orders=0, seed=SEED, aop={"out_order_id_unique": unique})
    answers = [await create(stage, cargo(*offers(1)), outOrderId="own-1") for _ in range(2)]
    assert len(stage.orders) == made
    assert len({answer["result"]["orderId"] for answer in answers}) == made


async def test_a_creation_whose_answer_is_lost_has_created_the_order(stage: OpenStage) -> None:
    stage.sandbox.faults = CallFaults(1, always(Fault.LATE_HANG))
    with pytest.raises(ConnectionResetError):
        await create(stage, cargo(*offers(1)), outOrderId="own-1")
    stage.sandbox.faults = CallFaults(1, always(Fault.NONE))
    assert len(stage.orders) == 1
    assert (await stage.call("1688.order.list", outOrderId="own-1"))["totalRecord"] == 1


def special(modulus: int) -> dict[str, Any]:
    near = range(610_000_000_000, 610_000_100_000)
    offer_id = next(one for one in near if one % modulus == 0 and (one % NOT_TRADED == 0) is (modulus == NOT_TRADED))
    offer = find_offer(SEED, offer_id)
    assert offer is not None
    return {"offerId": offer_id, "specId": offer.skus[0].spec_id, "quantity": max(1, offer.min_quantity)}


def few(quantity: int) -> dict[str, Any]:
    offer = next(one for one in offers(40) if one.min_quantity > 1)
    return cargo(offer, quantity=quantity)[0]


def without_spec() -> dict[str, Any]:
    return {"offerId": next(one for one in offers(40) if len(one.skus) > 1).offer_id, "quantity": 5}


PLAIN = next(offer for offer in offers(40) if offer.min_quantity == 1)
WRONG: list[tuple[str, list[dict[str, Any]], dict[str, Any]]] = [
    ("500_001", [special(NOT_TRADED)], {}),
    ("500_001", [{"offerId": 1, "quantity": 1}], {}),
    ("500_002", cargo(offers(1, shop=1)[0], offers(1, shop=2)[0]), {}),
    ("500_002", [without_spec()], {}),
    ("500_003", [{"offerId": PLAIN.offer_id, "specId": "0" * 32, "quantity": 5}], {}),
    ("500_004", cargo(PLAIN, quantity=5_001), {}),
    ("500_005", [few(1)], {}),
    ("500_007", cargo(PLAIN), {"flow": "saleproxy"}),
    ("500_008", [special(FREE)], {}),
    ("500_009", cargo(PLAIN, quantity=2), {"flow": "boutiquepifa"}),
    ("400", cargo(PLAIN, PLAIN), {}),
    ("400", cargo(PLAIN) * 51, {}),
    ("400", cargo(PLAIN), {"flow": "elsewhere"}),
    ("400", cargo(PLAIN), {"addressParam": {"addressId": 7}}),
    ("400", cargo(PLAIN), {"addressParam": {"fullName": "甲"}}),
]


@pytest.mark.parametrize(("code", "rows", "more"), WRONG)
async def test_what_cannot_be_ordered_is_refused_alike_in_preview_and_creation(
    stage: OpenStage, code: str, rows: list[dict[str, Any]], more: dict[str, Any]
) -> None:
    given: dict[str, Any] = {"flow": "general", "addressParam": ADDRESS, "cargoParamList": rows} | more
    seen = await stage.call(PREVIEW, **given)
    made = await stage.call(CREATE, **given)
    assert (seen["success"], seen["errorCode"]) == (False, code)
    assert (made["success"], made["code"]) == (False, code)
    assert stage.orders == []


async def test_a_mixed_batch_wants_two_pieces(stage: OpenStage) -> None:
    for offer_id in range(610_000_000_000, 610_000_010_000):
        offer = find_offer(SEED, offer_id)
        assert offer is not None
        plain = offer.traded and offer.price_fen and offer.min_quantity == 1 and offer.skus[0].stock > 2
        if offer_id % 7 == 0 and plain:
            assert (await preview(stage, cargo(offer, quantity=1)))["errorCode"] == "500_006"
            assert (await preview(stage, cargo(offer, quantity=2)))["success"] is True
            return
    pytest.fail("no offer of a mixed batch was found")


async def test_a_way_of_trading_that_does_not_exist_is_named(stage: OpenStage) -> None:
    answer = await create(stage, cargo(PLAIN), tradeType="631staged")
    assert answer["message"] == "not support tradeType:【631staged】"


async def cancel(stage: OpenStage, order: Order, **changes: str) -> Any:
    given = {"webSite": "1688", "tradeID": order.order_id, "cancelReason": "buyerCancel"} | changes
    return await stage.call(CANCEL, **given)


async def test_an_order_is_cancelled_after_ten_seconds_and_before_it_is_paid() -> None:
    stage = OpenStage(orders=2)
    order, paid = stage.begin()
    assert (await cancel(stage, order))["errorCode"] == "CLOSE_ORDER_TOO_FAST"
    stage.advance(10)
    assert (await cancel(stage, order, cancelReason="bored"))["errorCode"] == "400"
    assert (await cancel(stage, order))["success"] is True
    assert (order.status, order.close_reason) == ("cancel", "buyerCancel")
    stage.sandbox.world.pay(paid, "agreement")
    for one in (order, paid):
        assert (await cancel(stage, one))["errorCode"] == "ORDER_STATUS_ERROR"
    stage.advance(0)
    assert [push.topic for _, push in stage.pushed].count("ORDER_BUYER_VIEW_ORDER_BUYER_CLOSE") == 1
    assert len(await stage.book("cancels")) == 1
    assert [row["reason"] for row in await stage.book("refusals")] == [
        "CLOSE_ORDER_TOO_FAST",
        *["ORDER_STATUS_ERROR"] * 2,
    ]


async def test_a_receipt_is_confirmed_line_by_line() -> None:
    stage = OpenStage(orders=60, agreement_share=1.0, buyer_confirms=False)
    for order in stage.begin():
        stage.sandbox.world.pay(order, "agreement")

    def received() -> Order | None:
        return next((one for one in stage.orders if one.received_ms and not one.refunds and len(one.lines) > 1), None)

    early = stage.orders[0]
    stage.advance(1)
    answer = await stage.call(CONFIRM, orderId=early.order_id, orderEntryIds=[early.lines[0].line_id])
    assert answer["result"]["success"] is False
    assert set(answer["result"]) == {"success", "errorCode", "errorInfo"}
    order = stage.until(received)
    first, *others = (line.line_id for line in order.lines)
    answer = await stage.call(CONFIRM, orderId=order.order_id, orderEntryIds=[first])
    assert answer["result"] == {"success": True, "errorCode": None, "errorInfo": None}
    assert order.status == "waitbuyerreceive"
    assert (await stage.call(CONFIRM, orderId=order.order_id, orderEntryIds=others))["result"]["success"] is True
    assert order.status == "confirm_goods"
    assert [row["by"] for row in await stage.book("receipts")] == ["call", "call"]
