"""The order detail after a whole life: parcels, refunds, times, the payment term."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.stage import Stage, exact
from worker.sandbox.courier import encoder
from worker.sandbox.timetext import read_stamp

SPELLINGS = {"waitselleragree": "WAIT_SELLER_AGREE", "refundsuccess": "REFUND_SUCCESS", "refundclose": "REFUND_CLOSED"}


@pytest.fixture(scope="module")
def told() -> list[tuple[Any, dict[str, Any]]]:
    """Every order of a finished play: its truth beside what the API shows."""
    stage = Stage(orders=150)
    stage.play()
    shown = [exact.decode(encoder.encode(stage.sandbox.world.shown(order))) for order in stage.orders]
    return list(zip(stage.truth, shown, strict=True))


def test_parcels_name_their_lines_in_one_comma_separated_text(told: list[tuple[Any, dict[str, Any]]]) -> None:
    several = 0
    for true, shown in told:
        items = shown["nativeLogistics"]["logisticsItems"]
        assert [item["subItemIds"].split(",") for item in items] == [parcel.line_ids for parcel in true.parcels]
        assert [item["logisticsBillNo"] for item in items] == [parcel.waybill for parcel in true.parcels]
        assert [str(item["id"]) for item in items] == [parcel.parcel_id for parcel in true.parcels]
        several += len(items) > 1
    assert several > 10


def test_a_replaced_waybill_keeps_its_logistics_id(told: list[tuple[Any, dict[str, Any]]]) -> None:
    replaced = [
        item
        for _, shown in told
        for item in shown["nativeLogistics"]["logisticsItems"]
        if item["gmtModified"] != item["gmtCreate"]
    ]
    assert replaced
    assert all(item["logisticsCode"].startswith("LP00") for item in replaced)


def test_a_refund_is_spelled_one_way_on_the_order_and_another_on_its_line(
    told: list[tuple[Any, dict[str, Any]]],
) -> None:
    seen = set()
    for true, shown in told:
        base = shown["baseInfo"]
        lines = {item["subItemIDString"]: item for item in shown["productItems"]}
        for refund in true.refunds:
            seen.add(refund.status)
            assert lines[refund.line_id]["refundStatus"] == SPELLINGS[refund.status]
            assert lines[refund.line_id]["refundId"] == refund.refund_id
        latest = [(refund.refund_id, refund.status) for refund in true.refunds[-1:]]
        assert latest in ([], [(base["refundId"], base["refundStatus"])])
        assert base["refund"] * 100 == true.refunded_fen
    assert seen == {"refundsuccess", "refundclose"}


def test_a_trade_that_a_refund_closed_was_paid_and_fully_refunded(told: list[tuple[Any, dict[str, Any]]]) -> None:
    closed = [(true, shown) for true, shown in told if true.status == "cancel" and true.paid]
    assert closed
    for true, shown in closed:
        assert true.refunded_fen == true.total_fen == true.taken_fen
        assert int(shown["tradeTerms"][0]["payStatus"]) == 4


def test_the_times_of_a_good_trade_follow_each_other(told: list[tuple[Any, dict[str, Any]]]) -> None:
    names = ("createTime", "payTime", "allDeliveredTime", "receivingTime", "confirmedTime", "completeTime")
    for true, shown in told:
        if true.status == "success":
            moments = [read_stamp(shown["baseInfo"][name]) for name in names]
            assert moments == sorted(moments)
            assert read_stamp(shown["baseInfo"]["modifyTime"]) == moments[-1]


def test_a_refunded_line_that_never_left_stays_cancelled_in_a_good_trade(
    told: list[tuple[Any, dict[str, Any]]],
) -> None:
    left = [
        line
        for true, _ in told
        if true.status == "success"
        for line in true.lines
        if line.refund_status == "REFUND_SUCCESS" and line.logistics_status == 1
    ]
    assert left
    assert {line.status for line in left} == {"cancel"}
