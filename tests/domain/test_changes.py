"""What watchers are told: one change per aspect, in a fixed order, ready for JSON."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.domain.examples import KEY, lines, read, refund, status, step, told
from tests.domain.strategies import facts
from worker.domain.changes import ChangeType, compare
from worker.domain.facts import Fact, Parcel, RefundSeen
from worker.domain.reducer import Order


def test_a_first_snapshot_tells_every_aspect_in_order() -> None:
    whole = read(
        "waitsellersend", 1, items=lines(1), parcels=(Parcel("L1"),), refunds=(RefundSeen("TQ1", "waitselleragree"),)
    )
    changes = step(Order.new(KEY), whole).changes
    assert [change.type.value for change in changes] == [
        "status_changed",
        "amounts_changed",
        "lines_changed",
        "parcels_changed",
        "refund_changed",
        "confirmation_changed",
    ]
    assert (changes[0].before, changes[0].after) == ("unknown", "awaiting_shipment")
    assert (changes[1].before, changes[1].after["total"]) == (None, 10_000)
    assert (changes[4].before, changes[4].after["status"]) == (None, "awaiting_seller")
    assert (changes[5].before, changes[5].after) == (False, True)


def test_each_refund_that_changed_is_told_with_what_it_was() -> None:
    before = told(read("waitsellersend", 1, refunds=(RefundSeen("TQ1", "waitselleragree"), RefundSeen("TQ2", "30"))))
    (change, _) = step(before, refund("TQ1", "refundsuccess", 60)).changes
    assert change.type is ChangeType.REFUND_CHANGED
    assert (change.before["refund_id"], change.before["status"]) == ("TQ1", "awaiting_seller")
    assert (change.after["refund_id"], change.after["status"], change.after["confirmed"]) == ("TQ1", "succeeded", False)


def test_becoming_unconfirmed_is_a_change() -> None:
    (change,) = step(told(read("waitsellersend", 1)), status("waitsellersend", 60)).changes
    assert (change.type, change.before, change.after) == (ChangeType.CONFIRMATION_CHANGED, True, False)


@settings(max_examples=150, deadline=None)
@given(st.lists(facts, max_size=8), st.lists(facts, max_size=4))
def test_changes_are_empty_between_equals_and_always_json(history: list[Fact], more: list[Fact]) -> None:
    before, after = told(*history).view, told(*history, *more).view
    assert list(compare(before, before)) == []
    encoded = msgspec.json.encode(list(compare(before, after)))
    assert isinstance(msgspec.json.decode(encoded), list)
