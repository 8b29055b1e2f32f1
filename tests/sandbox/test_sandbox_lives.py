"""Lives: the same seed tells the same story, and every story keeps the marketplace's rules."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sandbox.stage import Stage, exact
from worker.sandbox.courier import encoder
from worker.sandbox.life import write_life
from worker.sandbox.order import Order
from worker.sandbox.parcelling import load_parcels
from worker.sandbox.seeded import stream
from worker.sandbox.truth import TrueOrder

LADDER = ("waitbuyerpay", "waitsellersend", "waitbuyerreceive", "confirm_goods", "success")
FINAL = {"success", "cancel"}

seeds = st.integers(min_value=0, max_value=2**31)


def shown(stage: Stage, order: Order) -> dict[str, Any]:
    info: dict[str, Any] = exact.decode(encoder.encode(stage.sandbox.world.shown(order)))
    return info


@given(seed=seeds)
@settings(max_examples=25, deadline=None)
def test_in_every_state_the_total_is_the_sum_of_the_lines_and_the_postage(seed: int) -> None:
    stage = Stage(seed=seed, orders=4)
    stage.begin()
    for _ in range(14 * 4):
        for order in stage.orders:
            info = shown(stage, order)
            base = info["baseInfo"]
            items = sum((Decimal(item["itemAmount"]) for item in info["productItems"]), Decimal(0))
            assert base["totalAmount"] == items + base["shippingFee"]
            assert base["sumProductPayment"] == items
            assert all(item["itemAmount"] > 0 for item in info["productItems"])
            assert 0 <= base["refund"] <= base["totalAmount"]
            if order.payable and not order.settling and order.life.number % 2:
                stage.sandbox.world.pay(order, "agreement")
        stage.advance(6 * 3600)


@given(seed=seeds)
@settings(max_examples=12, deadline=None)
def test_a_life_only_climbs_the_ladder_or_ends_and_every_change_is_stamped(seed: int) -> None:
    stage = Stage(seed=seed, orders=4)
    stage.begin()
    before: dict[str, tuple[str, int, bytes]] = {}
    for _ in range(14 * 24):
        for order in stage.orders:
            content = encoder.encode(stage.sandbox.world.shown(order))
            old = before.get(order.order_id, (order.status, 0, b""))
            assert order.status == old[0] or old[0] not in FINAL
            if order.status != "cancel":
                assert LADDER.index(order.status) >= LADDER.index(old[0])
            assert content == old[2] or order.modified_ms > old[1] or order.settling
            before[order.order_id] = (order.status, order.modified_ms, content)
            if order.payable and not order.settling:
                stage.sandbox.world.pay(order, "agreement")
        stage.advance(3600)
    assert {order.status for order in stage.orders} <= FINAL


@given(seed=seeds, number=st.integers(min_value=0, max_value=50_000))
@settings(max_examples=200, deadline=None)
def test_a_life_is_written_by_seed_and_number_alone(seed: int, number: int) -> None:
    life = write_life(seed, number, 0.5, 0.5)
    assert life == write_life(seed, number, 0.5, 0.5)
    assert life.order_id % 2 == 1
    assert len(str(life.order_id)) == 19
    assert life.order_id + 2 * len(life.goods) < write_life(seed, number + 1, 0.5, 0.5).order_id


@given(seed=seeds, quantities=st.lists(st.integers(min_value=1, max_value=5), min_size=1, max_size=4))
@settings(max_examples=200, deadline=None)
def test_parcels_together_hold_every_line_and_finish_it_once(seed: int, quantities: list[int]) -> None:
    places = list(range(len(quantities)))
    loads = load_parcels(stream(seed), places, quantities)
    assert 1 <= len(loads) <= 3
    finished = [place for load in loads for place in load.lines if place not in load.unfinished]
    assert sorted(finished) == places
    assert all(load.lines for load in loads)


def without_times(orders: list[TrueOrder]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = msgspec.json.decode(msgspec.json.encode(orders))
    for row in rows:
        for part in (row, *row["parcels"], *row["refunds"]):
            for name in [name for name in part if name.endswith("_at")]:
                del part[name]
    return rows


def test_the_same_seed_ends_in_the_same_truth_at_any_speed_and_another_seed_does_not() -> None:
    ends = []
    for seed, speed in ((5, 1.0), (5, 1.0), (5, 2.0), (6, 1.0)):
        stage = Stage(seed=seed, speed=speed, orders=60, agreement_share=1.0)
        for order in stage.begin():
            stage.sandbox.world.pay(order, "agreement")
        stage.play(20)
        ends.append((without_times(stage.truth), len(stage.pushed)))
    assert ends[0] == ends[1] == ends[2]
    assert ends[0][0] != ends[3][0]


def test_more_orders_later_change_nothing_about_the_earlier_ones() -> None:
    one, other = Stage(orders=20, agreement_share=1.0), Stage(orders=8, agreement_share=1.0)
    one.begin()
    other.begin()
    other.sandbox.world.add_orders(12)
    other.advance(0)
    assert without_times(one.truth) == without_times(other.truth)


def test_two_hundred_lives_visit_every_turn_a_life_can_take() -> None:
    stage = Stage(orders=200, agreement_share=0.85)
    stage.play()
    seen: Counter[str] = Counter()
    for order in stage.truth:
        seen[order.status] += 1
        seen[f"reason {order.close_reason}"] += 1
        seen[f"parcels {len(order.parcels)}"] += 1
        seen["repriced"] += order.price_changes > 0
        seen["refunded"] += order.refunded_fen > 0
        seen["refused"] += any(refund.status == "refundclose" for refund in order.refunds)
        seen["one line over several parcels"] += len(order.lines) == 1 and len(order.parcels) > 1
    turns = [
        "success",
        "cancel",
        "reason buyerCancel",
        "reason sellerGoodsLack",
        "reason BUYER_NO_PAY",
        "reason other",
        "parcels 1",
        "parcels 2",
        "parcels 3",
        "repriced",
        "refunded",
        "refused",
        "one line over several parcels",
    ]
    assert [turn for turn in turns if not seen[turn]] == []
    assert seen["success"] > 100


def test_some_prices_go_there_and_back() -> None:
    series = [
        [step.deed for step in write_life(1, number, 1.0, 1.0).before if step.deed.__class__.__name__ == "ChangePrice"]
        for number in range(300)
    ]
    assert any(len(deeds) == 3 and deeds[0] == deeds[2] != deeds[1] for deeds in series)


def test_at_demo_speed_a_paid_life_is_over_within_half_a_minute() -> None:
    lengths = [sum(step.gap_s for step in write_life(seed, 0, 1, 1).after) for seed in range(2_000)]
    assert max(lengths) / 20_000 < 30
