"""Callbacks are hints, snapshots are truth: what supersedes what, and when the next read is wanted."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.domain.examples import KEY, SKEW, at, heard, lines, listed, parcel_moved, price, read, refund, status, told
from tests.domain.strategies import facts, known_words
from worker.domain.clock import MINUTE, SECOND
from worker.domain.facts import Amounts, Fact, Lifecycle, Parcel, RefundSeen, Snapshot, Source
from worker.domain.reducer import Order, apply
from worker.domain.status import OrderStatus, map_word
from worker.domain.view import MAX_READ_PAUSE, STALE_READ_PAUSE, View

ASKED = 100


def test_nothing_known_wants_a_read_at_once() -> None:
    view = Order.new(KEY).view
    assert (view.status, view.unconfirmed, view.refresh_after) == (OrderStatus.UNKNOWN, True, 0)
    assert Order.of(KEY, Order.new(KEY).evidence) == Order.new(KEY)


@pytest.mark.parametrize("hint", [status("success", ASKED - 5), price(1, ASKED - 5), parcel_moved(ASKED - 5)])
def test_a_snapshot_supersedes_what_was_stamped_before_it_was_asked(hint: Fact) -> None:
    snapshot = read("waitsellersend", ASKED)
    for arrival in ([hint, snapshot], [snapshot, hint]):
        view = told(*arrival).view
        assert (view.status, view.unconfirmed, view.amounts) == (
            OrderStatus.AWAITING_SHIPMENT,
            False,
            Amounts(10_000),
        )


@pytest.mark.parametrize("hint", [status("success", ASKED - 4), price(1, ASKED - 4), parcel_moved(ASKED - 4)])
def test_a_stamp_within_the_skew_of_the_clocks_is_not_superseded(hint: Fact) -> None:
    view = told(read("waitsellersend", ASKED), hint).view
    assert view.unconfirmed
    assert view.refresh_after == at(ASKED - 4) + SKEW


def test_the_skew_is_the_caller_s_choice() -> None:
    snapshot, hint = read("waitsellersend", ASKED), status("success", ASKED)
    order = apply(Order.new(KEY), snapshot, snapshot.derive_id(), skew=0).order
    assert apply(order, hint, hint.derive_id(), skew=0).order.view.status is OrderStatus.AWAITING_SHIPMENT
    assert apply(order, hint, hint.derive_id(), skew=1).order.view.status is OrderStatus.COMPLETED


def test_a_callback_newer_than_the_snapshot_moves_forward_unconfirmed_and_wants_a_later_read() -> None:
    view = told(read("waitsellersend", ASKED), status("waitbuyerreceive", ASKED + 60)).view
    assert view.status is OrderStatus.SHIPPED
    assert (view.unconfirmed, view.refresh_after) == (True, at(ASKED + 60) + SKEW)
    assert (view.word, view.lifecycle) == ("waitsellersend", Lifecycle("waitsellersend"))
    assert view.strange_words == ()


def test_the_latest_of_several_hints_says_when_the_read_must_be_asked() -> None:
    hints = [
        status("waitbuyerreceive", 160),
        price(9_000, 170),
        refund("TQ1", "waitselleragree", 180),
        parcel_moved(150),
    ]
    assert told(read("waitsellersend", ASKED), *hints).view.refresh_after == at(180) + SKEW
    assert not told(*hints, read("waitbuyerreceive", 185)).view.unconfirmed


def test_a_hinted_price_overlays_what_it_says_and_is_not_confirmed() -> None:
    shown = read("waitbuyerpay", ASKED)
    life = msgspec.structs.replace(shown, content=Snapshot(Lifecycle("waitbuyerpay"), Amounts(10_000, shipping=300)))
    view = told(life, price(9_000, 160)).view
    assert (view.amounts, view.amounts_confirmed) == (Amounts(9_000, shipping=300), False)


def test_a_hinted_refund_keeps_what_the_snapshot_knew_of_it() -> None:
    shown = read("waitsellersend", ASKED, refunds=(RefundSeen("TQ1", "waitselleragree", None, 500, ("line0",)),))
    (shown_refund,) = told(shown, refund("TQ1", "refundsuccess", 160)).view.refunds
    assert (shown_refund.word, shown_refund.amount, shown_refund.line_ids, shown_refund.confirmed) == (
        "refundsuccess",
        500,
        ("line0",),
        False,
    )


def test_a_hinted_refund_shows_what_it_says_itself() -> None:
    shown = read("waitsellersend", ASKED, refunds=(RefundSeen("TQ1", "waitselleragree", None, 500, ("line0",)),))
    (seen,) = told(shown, heard(RefundSeen("TQ1", "30", amount=0, line_ids=("line1",)), 160)).view.refunds
    assert (seen.amount, seen.line_ids) == (0, ("line1",))


@pytest.mark.parametrize(("second", "confirmed"), [(ASKED - 5, True), (ASKED - 4, False)])
def test_a_refund_s_hint_is_superseded_like_any_other(second: int, confirmed: bool) -> None:  # noqa: FBT001 - a table
    shown = read("waitsellersend", ASKED, refunds=(RefundSeen("TQ1", "waitselleragree"),))
    (seen,) = told(refund("TQ1", "refundsuccess", second), shown).view.refunds
    assert (seen.word, seen.confirmed) == ("waitselleragree" if confirmed else "refundsuccess", confirmed)


@pytest.mark.parametrize(("second", "shown"), [(ASKED - 5, ()), (ASKED - 4, ("waitselleract",))])
def test_an_unknown_word_is_superseded_like_any_other(second: int, shown: tuple[str, ...]) -> None:
    assert told(status("waitselleract", second), read("waitsellersend", ASKED)).view.strange_words == shown


def test_a_refund_that_only_a_callback_told_of_stays_shown_as_heard() -> None:
    order = told(refund("TQ1", "waitselleragree", 50), read("waitsellersend", ASKED))
    assert [(each.refund_id, each.confirmed) for each in order.view.refunds] == [("TQ1", False)]
    assert not order.view.unconfirmed


def test_a_read_asked_later_that_is_older_by_its_own_time_loses() -> None:
    fresh, stale = read("waitbuyerreceive", 100, modified=90), read("waitsellersend", 130, modified=80)
    assert told(fresh, stale).view.status is OrderStatus.SHIPPED
    assert told(stale, fresh).view.status is OrderStatus.SHIPPED


def test_of_two_reads_of_one_modification_the_later_asked_wins() -> None:
    first, second = read("waitsellersend", 100, modified=90, total=1), read("waitsellersend", 130, modified=90, total=2)
    assert told(second, first).view.amounts == Amounts(2)


def test_stale_reads_back_off_more_and_more() -> None:
    fresh, hint = read("waitsellersend", 100, modified=90), status("waitbuyerreceive", 200)
    story, pauses = [fresh, hint], []
    for asked in (205, 215, 230, 300, 600, 3_600, 10**6):
        story.append(read("waitsellersend", asked, modified=80))
        view = told(*story).view
        assert view.status is OrderStatus.SHIPPED
        assert view.refresh_after is not None
        pauses.append(view.refresh_after - at(asked))
    assert pauses[:3] == [STALE_READ_PAUSE, STALE_READ_PAUSE, 12_500]
    assert pauses == sorted(pauses)
    assert pauses[-2] > 20 * MINUTE
    assert pauses[-1] == MAX_READ_PAUSE


def test_a_list_row_newer_than_the_snapshot_wants_a_read_even_if_its_time_is_before_we_asked() -> None:
    snapshot, row = read("waitbuyerpay", ASKED, modified=50), listed("waitsellersend", 60, received=200)
    for arrival in ([snapshot, row], [row, snapshot]):
        view = told(*arrival).view
        assert (view.status, view.unconfirmed) == (OrderStatus.AWAITING_PAYMENT, True)
        assert view.refresh_after == at(ASKED) + 20 * SECOND
    assert not told(snapshot, row, read("waitsellersend", 210, modified=60)).view.unconfirmed


def test_a_list_row_as_old_as_the_snapshot_wants_nothing() -> None:
    assert not told(read("waitbuyerpay", ASKED, modified=50), listed("waitbuyerpay", 50, received=200)).view.unconfirmed


def test_a_list_row_compares_with_the_asking_time_of_a_snapshot_without_modification_time() -> None:
    assert not told(read("waitbuyerpay", ASKED), listed("waitbuyerpay", 90, received=200)).view.unconfirmed
    assert told(read("waitbuyerpay", ASKED), listed("waitbuyerpay", 101, received=200)).view.unconfirmed


def test_the_latest_modification_seen_in_any_list_counts_whatever_arrives_last() -> None:
    rows = [listed("waitsellersend", 80, received=200), listed("waitsellersend", 60, received=210)]
    for arrival in (rows, rows[::-1]):
        assert told(read("waitbuyerpay", ASKED, modified=70), *arrival).view.unconfirmed
        assert not told(read("waitbuyerpay", ASKED, modified=80), *arrival).view.unconfirmed


def test_only_a_list_tells_modification_times() -> None:
    assert not told(read("waitbuyerpay", ASKED, modified=50), status("waitbuyerpay", 60)).view.unconfirmed


def test_parts_of_the_answer_come_from_the_best_snapshot_that_covers_them() -> None:
    parcel = Parcel("L1", "SF1")
    whole = read("waitbuyerreceive", 100, modified=90, items=lines(2), parcels=(parcel,), total=7)
    partial = read("success", 200, modified=190, items=None, parcels=None, total=None, refunds=None)
    for arrival in ([whole, partial], [partial, whole]):
        view = told(*arrival).view
        assert (view.status, view.lines, view.parcels, view.amounts) == (
            OrderStatus.COMPLETED,
            lines(2),
            (parcel,),
            Amounts(7),
        )


def test_is_paid_is_what_a_snapshot_shows_and_never_what_a_callback_claims() -> None:
    assert not told(status("waitsellersend", 1)).view.is_paid
    assert not told(read("waitbuyerpay", 1), status("success", 60)).view.is_paid
    assert told(read("waitsellersend", 1, paid=True)).view.is_paid


@st.composite
def last_words(draw: st.DrawFn, after: int) -> Fact:
    """Draw the read that ends it all: asked after everything, covering everything, modified last."""
    content = Snapshot(
        Lifecycle(draw(known_words), modified_at=at(after), paid=draw(st.booleans())),
        Amounts(draw(st.integers(1, 10**6))),
        lines(*draw(st.lists(st.sampled_from([None, 1, 2]), max_size=2))),
        (Parcel("L9", "SF9"),),
        tuple(RefundSeen(each, "refundsuccess", amount=7) for each in ("TQ1", "TQ2", "TQ3")),
    )
    return Fact(KEY, Source.POLL, content, observed_at=at(after) + SKEW)


@settings(max_examples=120, deadline=None)
@given(st.lists(facts, max_size=12), last_words(24 * 3_600), st.data())
def test_when_the_world_goes_quiet_the_order_equals_the_last_snapshot(
    history: list[Fact], last: Fact, data: st.DataObject
) -> None:
    arrival = data.draw(st.permutations([*history, last]))
    view = told(*arrival).view
    content = last.content
    assert isinstance(content, Snapshot)
    assert content.lifecycle is not None
    assert (view.unconfirmed, view.amounts_confirmed, view.refresh_after) == (False, True, None)
    assert (view.lifecycle, view.word) == (content.lifecycle, content.lifecycle.word)
    assert (view.amounts, view.lines, view.parcels) == (content.amounts, content.lines, content.parcels)
    assert [(each.refund_id, each.amount, each.confirmed) for each in view.refunds] == [
        (each.refund_id, each.amount, True) for each in content.refunds or ()
    ]
    _assert_status_is_that_of(view, content)


def _assert_status_is_that_of(view: View, content: Snapshot) -> None:
    assert content.lifecycle is not None
    mapped = map_word(KEY.platform, content.lifecycle.word)
    shipped = any(line.logistics_status == 2 for line in content.lines or ())
    partly = mapped is OrderStatus.AWAITING_SHIPMENT and shipped
    assert view.status is (OrderStatus.PARTLY_SHIPPED if partly else mapped)
    assert view.strange_words == ()
