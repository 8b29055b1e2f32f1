"""A consumer of the changes: gaps, steps back and what it never saw are named, repeats are not."""

from __future__ import annotations

import json

from worker.promises.changes import Follower

KEY = "main/1688/1"


def change(sequence: int, what: str = "price_changed", after: str | None = None) -> bytes:
    return json.dumps({"sequence": sequence, "change": what, "after": after}).encode()


def test_repeats_are_dropped_and_a_gap_is_named() -> None:
    follower = Follower()
    told = [*follower.take(KEY, change(1)), *follower.take(KEY, change(1)), *follower.take(KEY, change(3))]
    assert told == [f"I5: order {KEY} jumps from change 1 to 3"]
    assert follower.repeats == 1


def test_only_a_correction_leads_back() -> None:
    follower = Follower()
    list(follower.take(KEY, change(1, "status_changed", "shipped")))
    assert list(follower.take(KEY, change(2, "status_corrected", "awaiting_shipment"))) == []
    list(follower.take(KEY, change(3, "status_changed", "shipped")))
    assert list(follower.take(KEY, change(4, "status_changed", "awaiting_shipment"))) == [
        f"I4: order {KEY} goes back to awaiting_shipment without a correction"
    ]


def test_what_was_made_was_seen() -> None:
    follower = Follower()
    list(follower.take(KEY, change(1, "status_changed", "shipped")))
    assert list(follower.at_rest([(KEY, 1, "shipped")])) == []
    assert list(follower.at_rest([(KEY, 2, "completed")])) == [
        f"I5: order {KEY} has 2 changes, its consumer saw 1",
        f"I4: order {KEY} is completed, its consumer was told otherwise",
    ]
