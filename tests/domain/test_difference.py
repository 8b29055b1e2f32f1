"""What an audit calls a difference, and what it does not."""

import msgspec

from worker.domain.difference import differences, view_of
from worker.domain.facts import Amounts, Fact, Lifecycle, Line, Parcel, RefundSeen, Snapshot, Source
from worker.domain.identity import OrderKey, Platform
from worker.domain.view import View

KEY = OrderKey("main", Platform.ALIBABA_1688, "1")
SNAPSHOT = Snapshot(
    Lifecycle("waitsellersend", paid=True, modified_at=1_700_000_000_000),
    Amounts(10_000),
    (Line("11", amount=9_000, logistics_status=1), Line("12", amount=1_000)),
    (Parcel("p1", waybill="SF1"),),
    (RefundSeen("TQ1", word="waitselleragree", line_ids=("11",)),),
)


def view(**changes: object) -> View:
    content = msgspec.structs.replace(SNAPSHOT, **changes)
    return view_of(Fact(KEY, Source.SWEEP, content, observed_at=1_700_000_001_000))


def test_the_same_order_does_not_differ() -> None:
    assert differences(view(), view()) == {}
    assert SNAPSHOT.lines is not None
    assert differences(view(), view(lines=SNAPSHOT.lines[::-1])) == {}, "the order of the lines says nothing"


def test_each_field_that_differs_is_named_with_both_values() -> None:
    unpaid = Lifecycle("waitbuyerpay", modified_at=1_700_000_000_000)
    assert differences(view(), view(lifecycle=unpaid)) == {
        "status": ("awaiting_shipment", "awaiting_payment"),
        "paid": (True, False),
    }
    assert differences(view(), view(amounts=Amounts(9_999))) == {"total": (10_000, 9_999)}
    assert differences(view(), view(amounts=Amounts(10_000, currency="USD"))) == {"currency": ("CNY", "USD")}
    assert set(differences(view(), view(parcels=(Parcel("p1", waybill="SF2"),)))) == {"parcels"}
    assert set(differences(view(), view(refunds=(RefundSeen("TQ1", word="refundsuccess"),)))) == {"refunds"}
    assert set(differences(view(), view(lines=()))) == {"lines"}


def test_a_refund_that_the_read_does_not_name_is_no_difference() -> None:
    assert differences(view(), view(refunds=())) == {}
