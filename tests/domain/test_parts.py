"""Reads of a part of an order stand beside its dated details: they add what those lack, and displace nothing."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.domain.examples import KEY, SKEW, at, parcel_moved, read, refund, step, told
from tests.domain.strategies import facts
from worker.domain.clock import HOUR
from worker.domain.evidence import MAX_BOOKINGS, MAX_TRACKS, Evidence
from worker.domain.facts import (
    Fact,
    Line,
    Parcel,
    ParcelTrack,
    RefundDetail,
    RefundSeen,
    Snapshot,
    Source,
)
from worker.domain.handover import known_parcels, logistics_purpose, signed_for, wanted_handover
from worker.domain.part_reads import MAX_REFUNDS_READ, REFUND_EVERY, TRACK_EVERY, PartReads, wanted_part_reads
from worker.domain.plans import NO_PLAN
from worker.domain.policy import Effect, Policy
from worker.domain.reducer import Order, Outcome
from worker.domain.status import RefundStatus

OPEN, DONE = "waitselleragree", "refundsuccess"
LISTED = Parcel("56001", waybill="SF0001", carrier="SF", status_word="alreadysend", code="LP1")
TRACK = ParcelTrack("LP1", waybill="SF0001", status_word="TRANSPORT", moved_at=at(3))


def tracked(asked: int, *tracks: ParcelTrack) -> Fact:
    return Fact(KEY, Source.RESPONSE, Snapshot(tracks=tracks), observed_at=at(asked))


def refund_read(asked: int, word: str, *, modified: int | None = None, amount: int | None = None) -> Fact:
    detail = RefundDetail(RefundSeen("TQ1", word, amount=amount), None if modified is None else at(modified))
    return Fact(KEY, Source.RESPONSE, Snapshot(refund=detail), observed_at=at(asked))


def shipped(asked: int, *parcels: Parcel, modified: int | None = None) -> Fact:
    return read("waitbuyerreceive", asked, modified=modified, parcels=parcels, paid=True)


def is_part(fact: Fact) -> bool:
    content = fact.content
    return isinstance(content, Snapshot) and (
        content.tracks is not msgspec.UNSET or content.refund is not msgspec.UNSET
    )


@settings(max_examples=150, deadline=None)
@given(st.lists(facts, max_size=14))
def test_part_reads_touch_no_evidence_but_their_own(history: list[Fact]) -> None:
    with_parts = told(*history).evidence
    without = told(*(fact for fact in history if not is_part(fact))).evidence
    bare = msgspec.structs.replace(with_parts, tracks={}, tracked_at=None, refund_reads={})
    assert bare == without


@settings(max_examples=100, deadline=None)
@given(st.lists(facts, max_size=14))
def test_the_orders_own_reads_touch_no_evidence_of_parts(history: list[Fact]) -> None:
    whole = told(*history).evidence
    parts = told(*(fact for fact in history if is_part(fact))).evidence
    assert (whole.tracks, whole.tracked_at, whole.refund_reads) == (parts.tracks, parts.tracked_at, parts.refund_reads)


# Parcels


def test_a_track_says_where_a_listed_parcel_is() -> None:
    order = told(shipped(10, LISTED), tracked(20, TRACK))
    (parcel,) = order.view.parcels
    assert parcel == msgspec.structs.replace(LISTED, tracked="TRANSPORT", moved_at=at(3))
    assert not parcel.is_signed


def test_an_undated_read_does_not_hide_a_detail_that_was_asked_for_later() -> None:
    """The order was last modified long before the logistics were read, and its detail still counts."""
    replaced = msgspec.structs.replace(LISTED, waybill="YT0009")
    order = told(tracked(20, TRACK), shipped(30, replaced, modified=1))
    assert [parcel.waybill for parcel in order.view.parcels] == ["YT0009"]
    assert [parcel.waybill for parcel in told(shipped(10, replaced), tracked(20, TRACK)).view.parcels] == ["SF0001"]


@pytest.mark.parametrize(
    "track",
    [ParcelTrack("LP1"), ParcelTrack("56001", waybill="YT0009"), ParcelTrack("other", waybill="SF0001")],
)
def test_one_parcel_with_two_names_is_shown_once(track: ParcelTrack) -> None:
    for story in ([shipped(10, LISTED), tracked(20, track)], [tracked(5, track), shipped(10, LISTED)]):
        assert [parcel.parcel_id for parcel in told(*story).view.parcels] == ["56001"]


def test_ids_are_believed_before_waybills() -> None:
    other = Parcel("56002", waybill="SF0001")
    order = told(shipped(10, other, LISTED), tracked(20, TRACK))
    assert [parcel.tracked for parcel in order.view.parcels] == [msgspec.UNSET, "TRANSPORT"]


def test_a_parcel_that_left_since_is_shown_and_one_that_is_gone_since_is_not() -> None:
    fresh = ParcelTrack("LP2", waybill="YT0002", line_ids=("line0",))
    order = told(shipped(10, LISTED), tracked(20, fresh))
    assert [parcel.parcel_id for parcel in order.view.parcels] == ["56001", "LP2"]
    assert order.view.parcels[1].line_ids == ("line0",)
    gone = step(order, shipped(30, LISTED)).order
    assert [parcel.parcel_id for parcel in gone.view.parcels] == ["56001"]


@pytest.mark.parametrize(
    ("parcel", "signed"),
    [
        (Parcel("1", status_word="SIGN"), True),
        (Parcel("1", status_word="sign"), True),
        (Parcel("1", status_word="alreadysend", tracked="SIGN"), True),
        (Parcel("1", tracked="SIGNED"), True),
        (Parcel("1", tracked="AGENT_SIGN"), False),
        (Parcel("1", tracked="UNSIGN"), False),
        (Parcel("1", status_word="waitbuyersign"), False),
        (Parcel("1"), False),
    ],
)
def test_only_plain_words_say_that_a_parcel_was_signed_for(parcel: Parcel, signed: bool) -> None:  # noqa: FBT001
    assert parcel.is_signed is signed


@pytest.mark.parametrize(
    ("waybill", "number"), [("SF0001", "SF0001"), ("无需物流", None), ("no carrier", None), ("", None), (None, None)]
)
def test_words_in_place_of_a_waybill_are_no_number(waybill: str | None, number: str | None) -> None:
    assert Parcel("1", waybill=waybill).number == number


def test_more_parcels_than_we_remember_still_converge() -> None:
    reads = [tracked(second, ParcelTrack(f"P{second:04}")) for second in range(MAX_TRACKS + 20)]
    order = told(*reads)
    assert order == told(*reversed(reads), *reads[:30])
    assert len(order.evidence.tracks) == MAX_TRACKS


# Refunds


@pytest.mark.parametrize(
    ("story", "word"),
    [
        # the order's detail was answered from an older state, though it was asked for later
        (
            lambda: [refund_read(20, "refundsuccess", modified=18), _shown(25, "waitselleragree", modified=10)],
            "refundsuccess",
        ),
        (
            lambda: [refund_read(20, "waitselleragree", modified=8), _shown(25, "refundsuccess", modified=10)],
            "refundsuccess",
        ),
        # without a time of its own, the read that was asked for later decides
        (lambda: [refund_read(20, "waitselleragree"), _shown(25, "refundsuccess", modified=10)], "refundsuccess"),
        (lambda: [_shown(15, "waitselleragree", modified=10), refund_read(20, "refundclose")], "refundclose"),
        # among reads of the refund alone, a dated one is never displaced by an undated one
        (lambda: [refund_read(20, "refundsuccess", modified=18), refund_read(30, "waitselleragree")], "refundsuccess"),
        (lambda: [refund_read(20, "waitselleragree", modified=10**9), refund_read(30, "refundclose")], "refundclose"),
    ],
)
def test_which_read_of_a_refund_decides(story: Callable[[], list[Fact]], word: str) -> None:
    facts_told = story()
    for order in (told(*facts_told), told(*reversed(facts_told))):
        (shown,) = order.view.refunds
        assert (shown.word, shown.confirmed) == (word, True)


def _shown(asked: int, word: str, *, modified: int) -> Fact:
    return read("waitsellersend", asked, modified=modified, refunds=(RefundSeen("TQ1", word, line_ids=("line0",)),))


def test_a_refunds_own_read_brings_its_amount_and_the_order_its_lines() -> None:
    order = told(_shown(10, "waitselleragree", modified=9), refund_read(20, "waitselleragree", amount=1_200))
    (shown,) = order.view.refunds
    assert (shown.amount, shown.line_ids, shown.confirmed) == (1_200, ("line0",), True)


def test_a_message_after_the_read_is_news_again() -> None:
    order = told(_shown(10, "waitselleragree", modified=9), refund_read(20, "waitselleragree"))
    later = step(order, refund("TQ1", "refundsuccess", 40)).order
    (shown,) = later.view.refunds
    assert (shown.status, shown.confirmed) == (RefundStatus.SUCCEEDED, False)


def test_an_older_read_of_a_refund_changes_nothing() -> None:
    order = told(read("waitsellersend", 1), refund_read(30, "refundsuccess", modified=25))
    again = step(order, refund_read(28, "waitselleragree", modified=20))
    assert (again.order, again.changes, again.outcome) == (order, (), Outcome.STALE)


# Which parts are worth a read


def wanted(*story: Fact, now: int = 60) -> PartReads:
    return wanted_part_reads(told(*story), at(now), SKEW)


def test_nothing_is_on_its_way_before_it_is_shipped_or_once_it_is_signed_for() -> None:
    signed = msgspec.structs.replace(LISTED, status_word="sign")
    assert wanted(read("waitsellersend", 10, paid=True)) == PartReads()
    assert wanted(shipped(10, signed)) == PartReads()
    assert wanted(read("success", 10, parcels=(LISTED,), paid=True)) == PartReads()


def test_parcels_on_their_way_are_tracked_rarely_and_after_each_message() -> None:
    assert wanted(shipped(10, LISTED)).logistics
    assert not wanted(shipped(10, LISTED), tracked(11, TRACK)).logistics
    assert wanted(shipped(10, LISTED), tracked(11, TRACK), parcel_moved(20)).logistics
    assert wanted(shipped(10, LISTED), tracked(11, TRACK), now=11 + TRACK_EVERY // 1_000).logistics
    assert not wanted(shipped(10, LISTED), tracked(11, TRACK), now=10 + TRACK_EVERY // 1_000).logistics
    assert wanted(read("waitsellersend", 10, items=(Line("line0", logistics_status=2),), paid=True)).logistics


def test_a_refund_is_read_once_then_after_each_message_and_while_it_is_open() -> None:
    shown = _shown(10, "waitselleragree", modified=9)
    assert wanted(shown).refund_ids == ("TQ1",)
    assert wanted(shown, refund_read(11, "waitselleragree")).refund_ids == ()
    assert wanted(shown, refund_read(11, "waitselleragree"), refund("TQ1", "refundsuccess", 20)).refund_ids == ("TQ1",)
    late = 11 + REFUND_EVERY // 1_000
    assert wanted(shown, refund_read(11, "waitselleragree"), now=late).refund_ids == ("TQ1",)
    assert wanted(shown, refund_read(11, "refundsuccess"), now=late + HOUR // 1_000).refund_ids == ()


def test_a_flood_of_refunds_is_read_a_few_at_a_time() -> None:
    many = tuple(RefundSeen(f"TQ{number:02}", "waitselleragree") for number in range(20))
    assert len(wanted(read("waitsellersend", 10, refunds=many)).refund_ids) == MAX_REFUNDS_READ


def test_evidence_written_before_there_were_parts_is_still_read() -> None:
    old = b'{"lifecycle":{"version":{"modified_at":1,"asked_at":2,"fact_id":"a"},"value":{"word":"waitbuyerreceive"}},'
    old += b'"parcels":{"version":{"modified_at":1,"asked_at":2,"fact_id":"a"},"value":[{"parcel_id":"56001"}]}}'
    evidence = msgspec.json.decode(old, type=Evidence)
    assert Order.of(KEY, evidence, SKEW).view.parcels == (Parcel("56001"),)
    assert b"tracks" not in msgspec.json.encode(evidence)


def test_a_fact_that_says_nothing_of_parts_keeps_the_id_that_it_always_had() -> None:
    fact = shipped(10, Parcel("56001", waybill="SF0001"), modified=9)
    assert b"tracks" not in msgspec.json.encode(fact)
    assert fact.derive_id() == "e4ae9fe11f5da736eec2ef8fe2ad3e0e"


def test_the_number_that_the_order_goes_abroad_under_counts_as_booked() -> None:
    seen = Fact(KEY, Source.RESPONSE, Snapshot(international=("FAR1", "FAR2")), observed_at=at(20))
    assert told(shipped(10, LISTED), seen).view.bookings == ("FAR1", "FAR2")
    flood = Snapshot(international=tuple(f"FAR{number:03}" for number in range(MAX_BOOKINGS + 5)))
    many = Fact(KEY, Source.RESPONSE, flood, observed_at=at(30))
    assert told(seen, many) == told(many, seen)
    assert len(told(seen, many).evidence.bookings) == MAX_BOOKINGS


def test_goods_are_signed_for_when_the_last_of_their_parcels_is() -> None:
    one = msgspec.structs.replace(LISTED, line_ids=("line0",))
    other = Parcel("56002", waybill="YT0002", code="LP2", line_ids=("line0",))
    order = told(
        read("waitbuyerreceive", 10, items=(Line("line0", logistics_status=2),), parcels=(one, other), paid=True),
        tracked(20, ParcelTrack("LP1", status_word="SIGN", moved_at=at(12))),
    )
    assert not signed_for(order.view)
    late = step(order, tracked(30, ParcelTrack("LP2", status_word="SIGN", moved_at=at(25)))).order
    assert signed_for(late.view)
    policy = Policy(confirm_receipt=True, confirm_after=HOUR)
    (want,) = (one for one in wanted_handover(late, policy, NO_PLAN) if one.effect is Effect.CONFIRM_RECEIPT)
    assert want.not_before == at(25) + HOUR


def test_a_parcel_that_nobody_carries_is_nothing_to_tell_the_warehouse() -> None:
    order = told(shipped(10, msgspec.structs.replace(LISTED, waybill="无需物流")))
    assert known_parcels(order.view) == ()
    assert logistics_purpose(order.view) is None
