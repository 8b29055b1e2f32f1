"""Reads that lag behind the truth, and large orders."""

from __future__ import annotations

import pytest

from tests.sandbox.stage import DAY_S, Stage
from worker.sandbox.config import FaultName
from worker.sandbox.life import Size
from worker.sandbox.order import Order
from worker.sandbox.timetext import stamp

LIST = "/v2/alibaba/order/page"


async def words(stage: Stage, order: Order, reads: int = 40) -> set[str]:
    """The status words that many reads of one moment show."""
    return {(await stage.detail(order.order_id))["data"]["baseInfo"]["status"] for _ in range(reads)}


async def test_for_a_while_some_reads_still_see_what_was_and_later_none_does() -> None:
    stage = Stage(orders=1, agreement_share=1.0, settle_s=0.0, stale_reads_s=60.0)
    (order,) = stage.begin()
    stage.advance(60)
    stage.sandbox.world.pay(order, "agreement")
    stage.advance(30)
    assert await words(stage, order) == {"waitbuyerpay", "waitsellersend"}
    stage.advance(31)
    assert await words(stage, order) == {"waitsellersend"}


async def test_without_the_fault_every_read_sees_the_truth_at_once() -> None:
    stage = Stage(orders=1, agreement_share=1.0, settle_s=0.0)
    (order,) = stage.begin()
    stage.sandbox.world.pay(order, "agreement")
    stage.advance(0)
    assert await words(stage, order) == {"waitsellersend"}


@pytest.mark.parametrize(("level", "stale"), [("none", False), ("usual", False), ("hostile", True)])
def test_a_hostile_world_alone_shows_the_past_and_not_for_long(level: FaultName, stale: bool) -> None:  # noqa: FBT001 - a column
    stage = Stage(orders=1, agreement_share=1.0, settle_s=0.0, faults=level)
    (order,) = stage.begin()
    stage.advance(60)
    stage.sandbox.world.pay(order, "agreement")
    stage.advance(1.0)
    assert (seen_words(stage, order) == {"waitbuyerpay", "waitsellersend"}) is stale
    stage.advance(1.0)
    assert seen_words(stage, order) == {"waitsellersend"}


def seen_words(stage: Stage, order: Order) -> set[str]:
    """What many reads of one moment see, faults left aside."""
    seen = (stage.sandbox.world.history.seen(order.order_id) for _ in range(40))
    return {one.status for one in seen if one is not None}


async def test_a_stale_list_leaves_out_what_it_does_not_know_yet_and_an_effect_is_never_stale() -> None:
    stage = Stage(orders=1, agreement_share=1.0, settle_s=0.0, stale_reads_s=60.0)
    (order,) = stage.begin()
    stage.advance(30)
    window = {"page": 1, "pageSize": 20, "modifyStartTime": stamp(order.modified_ms)}
    counts = {(await stage.post(LIST, window))["data"]["totalRecords"] for _ in range(40)}
    assert counts == {0, 1}, "an empty list is no proof that there is nothing"
    assert {(await stage.detail(order.order_id))["code"] for _ in range(40)} == {200, 40400}
    await stage.pay(order.order_id)
    stage.advance(1)
    assert {(await stage.pay(order.order_id))["code"] for _ in range(20)} == {40900}


async def test_what_is_seen_is_one_state_and_never_a_mixture() -> None:
    stage = Stage(orders=30, agreement_share=1.0, stale_reads_s=20 * DAY_S, seed=4)
    orders = stage.begin()
    stage.advance(2 * DAY_S)
    for order in orders:
        stage.sandbox.world.pay(order, "agreement")
    stage.advance(18 * DAY_S)
    seen = set()
    for order in stage.orders * 10:
        info = (await stage.detail(order.order_id))["data"]
        if info is not None:
            base, items = info["baseInfo"], info["productItems"]
            seen.add(base["status"])
            assert base["totalAmount"] == sum(item["itemAmount"] for item in items) + base["shippingFee"]
            if base["status"] != "cancel":
                assert (base["payTime"] is None) == (base["status"] == "waitbuyerpay")
                assert (base["allDeliveredTime"] is None) == (base["status"] in ("waitbuyerpay", "waitsellersend"))
    assert {"waitbuyerpay", "waitsellersend", "waitbuyerreceive", "confirm_goods", "success"} <= seen


async def test_an_order_of_sixty_lines_in_seven_parcels_lives_to_its_end() -> None:
    stage = Stage(orders=0, agreement_share=1.0)
    stage.sandbox.start()
    answer = await stage.client.post("/_sandbox/orders", json={"count": 3, "lines": 60, "parcels": 7})
    assert answer.status_code == 200
    stage.advance(0)
    stage.play(60)
    for order in stage.orders:
        assert len(order.lines) == 60
        if order.paid and order.status == "success":
            assert len(order.parcels) == 7
            info = (await stage.detail(order.order_id))["data"]
            assert len(info["productItems"]) == 60
            covered = [ids.split(",") for ids in (p["subItemIds"] for p in info["nativeLogistics"]["logisticsItems"])]
            assert sorted(line_id for ids in covered for line_id in ids) == sorted(
                item["subItemIDString"] for item in info["productItems"]
            )
    assert any(order.status == "success" for order in stage.orders)


def test_a_share_of_large_orders_can_be_asked_for() -> None:
    stage = Stage(orders=20, large_share=0.5)
    assert {len(order.lines) for order in stage.begin() if len(order.lines) > 4} == {60}


@pytest.mark.parametrize(("lines", "parcels"), [(0, 0), (3, 4), (91, 1)])
def test_a_size_that_cannot_be_is_refused(lines: int, parcels: int) -> None:
    with pytest.raises(ValueError, match="expected 1 <= parcels <= lines <= 90"):
        Size(lines, parcels)


def test_lives_give_back_parts_and_wholes_and_sign_for_parcels_one_by_one() -> None:
    stage = Stage(orders=400, agreement_share=1.0)
    stage.play()
    granted = [
        (order, refund)
        for order in stage.orders
        for refund in order.refunds
        if refund.status == "refundsuccess" and len(order.lines) > 1
    ]
    assert any(refund.amount_fen < order.lines[refund.line].amount_fen for order, refund in granted), "a part"
    whole = [order for order in stage.orders if order.status == "cancel" and order.paid and len(order.lines) > 1]
    assert any(len(order.refunds) == len(order.lines) for order in whole), "every line, one after the other"
    assert all(order.refunded_fen == order.total_fen for order in whole)
    signed = [{parcel.signed_ms for parcel in order.parcels} for order in stage.orders if order.status == "success"]
    assert any(len(moments) > 1 for moments in signed), "one by one"
