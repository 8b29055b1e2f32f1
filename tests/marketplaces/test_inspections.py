"""A warehouse's word about a parcel: only the plain one passes, and what is no report is kept, never half taken."""

from typing import Any

import pytest

from tests.marketplaces.examples import ORDER_ID, RECEIVED_AT, dump
from worker.domain.facts import InspectionSeen
from worker.marketplaces.events import NotUnderstoodError
from worker.marketplaces.pandapon.callbacks import parse


def report(**changes: Any) -> dict[str, Any]:
    """The documented body of `wms/package/inbound`."""
    return {
        "out_order_id": "PO202601010001",
        "alibaba_order_id": ORDER_ID,
        "logistics_tracking_number": "SF1234567890",
        "quality_inspection_info": {"status": "质检通过", "weight": 0.4, "length": "10", "images": []},
    } | changes


def heard(**changes: Any) -> InspectionSeen:
    (fact,) = parse("main", dump(report(**changes)), RECEIVED_AT)
    assert str(fact.key) == f"main/1688/{ORDER_ID}"
    assert isinstance(fact.content, InspectionSeen)
    return fact.content


def test_goods_that_passed() -> None:
    assert heard() == InspectionSeen("SF1234567890", passed=True)


@pytest.mark.parametrize("status", ["质检不通过", "质检失败", "passed", "质检通过 ?", "1"])
def test_any_other_word_does_not_pass(status: str) -> None:
    assert not heard(quality_inspection_info={"status": status}).passed


def test_an_id_as_a_number_keeps_its_digits() -> None:
    assert heard(alibaba_order_id=int(ORDER_ID)).passed


@pytest.mark.parametrize(
    "changes",
    [
        {"alibaba_order_id": None},
        {"alibaba_order_id": "../1"},
        {"logistics_tracking_number": ""},
        {"logistics_tracking_number": None},
        {"quality_inspection_info": None},
        {"quality_inspection_info": "质检通过"},
        {"quality_inspection_info": {}},
    ],
)
def test_a_report_that_misses_something_is_not_understood(changes: dict[str, Any]) -> None:
    with pytest.raises(NotUnderstoodError, match="an inspection needs"):
        parse("main", dump(report(**changes)), RECEIVED_AT)
