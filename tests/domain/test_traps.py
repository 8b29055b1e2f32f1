"""The things that break naive merges, one test each, as the domain meets them."""

from __future__ import annotations

from itertools import permutations

import msgspec
import pytest

from tests.domain.examples import (
    KEY,
    SKEW,
    at,
    lines,
    listed,
    outcomes,
    parcel_moved,
    price,
    read,
    refund,
    status,
    told,
)
from worker.domain.clock import HOUR, MINUTE
from worker.domain.facts import Amounts, RefundSeen, Snapshot
from worker.domain.money import MoneyError, fen_from_fen, fen_from_yuan
from worker.domain.policy import Policy
from worker.domain.reducer import Outcome
from worker.domain.status import OrderStatus
from worker.domain.view import MAX_READ_PAUSE, STALE_READ_PAUSE, STRANGE_WORD_PAUSE
from worker.domain.wanted import wanted_follow_ups

PAYING = Policy(auto_pay=True, auto_pay_limit=10**9)
HALF_HOUR = 30 * 60


def test_an_old_paid_re_stamped_half_an_hour_later_does_not_undo_shipped() -> None:
    order = told(status("waitbuyerreceive", 100), read("waitbuyerreceive", 200), status("waitsellersend", HALF_HOUR))
    assert order.view.status is OrderStatus.SHIPPED
    assert order.view.refresh_after == at(HALF_HOUR) + SKEW, "what it claims is settled by a read"


def test_an_old_shipped_re_stamped_after_completion_is_settled_by_the_next_read() -> None:
    order = told(read("success", 100), status("waitbuyerreceive", HALF_HOUR), read("success", HALF_HOUR + 5))
    assert (order.view.status, order.view.unconfirmed) == (OrderStatus.COMPLETED, False)


def test_a_price_that_goes_there_and_back_ends_at_the_last_push() -> None:
    story = [price(10_000, 1), price(9_000, 2), price(10_000, 3)]
    for arrival in permutations(story):
        amounts = told(*arrival).view.amounts
        assert amounts is not None
        assert amounts.total == 10_000


def test_a_price_change_without_amounts_only_asks_for_a_read() -> None:
    calm = told(read("waitbuyerpay", 0, total=10_000))
    order = told(read("waitbuyerpay", 0, total=10_000), price(None, 60))
    assert order.view.amounts == calm.view.amounts
    assert order.view.status is OrderStatus.AWAITING_PAYMENT
    assert order.view.refresh_after == at(60) + SKEW
    assert [wanted.effect.value for wanted in wanted_follow_ups(order, PAYING)] == ["refresh"]


def test_a_part_shipment_shows_although_its_word_is_that_of_an_unshipped_order() -> None:
    order = told(read("waitsellersend", 0), status("waitsellersend", 60, event="ORDER_BUYER_VIEW_PART_PART_SENDGOODS"))
    assert order.view.status is OrderStatus.PARTLY_SHIPPED


@pytest.mark.parametrize(
    ("logistics", "partly"), [(2, True), (3, True), (5, True), (1, False), (8, False), (None, False)]
)
def test_a_snapshot_with_that_word_shows_part_shipment_by_its_lines(logistics: int | None, partly: bool) -> None:  # noqa: FBT001 - a table
    view = told(read("waitsellersend", 0, items=lines(1, logistics))).view
    assert view.status is (OrderStatus.PARTLY_SHIPPED if partly else OrderStatus.AWAITING_SHIPMENT)
    assert (view.word, view.unconfirmed) == ("waitsellersend", False)


def test_a_part_shipment_survives_the_snapshot_that_confirms_it() -> None:
    pushed = status("waitsellersend", 60, event="1688_ORDER_BUYER_VIEW_PART_PART_SENDGOODS")
    story = [read("waitsellersend", 0), pushed, read("waitsellersend", 70, items=lines(2, 1))]
    assert outcomes(*story) == [Outcome.APPLIED, Outcome.APPLIED, Outcome.APPLIED]
    assert told(*story).view.status is OrderStatus.PARTLY_SHIPPED


@pytest.mark.parametrize("word", ["confirm_goods_and_has_subsidy", "confirm_goods", "some word outside the enum", None])
def test_the_receipt_topic_fires_per_part_so_it_moves_nothing_and_asks_for_a_read(word: str | None) -> None:
    receipt = status(word, 60, event="ORDER_BUYER_VIEW_ORDER_COMFIRM_RECEIVEGOODS")
    view = told(read("waitbuyerreceive", 0), receipt).view
    assert view.status is OrderStatus.SHIPPED
    assert view.strange_words == ()
    assert view.refresh_after == at(60) + SKEW


def test_a_close_that_came_from_a_refund_is_shown_but_settled_by_a_read() -> None:
    closed = status("cancel", 60, event="ORDER_BUYER_VIEW_ORDER_SELLER_CLOSE")
    order = told(read("waitsellersend", 0, paid=True), closed)
    assert (order.view.status, order.view.unconfirmed) == (OrderStatus.CLOSED, True)
    settled = told(read("waitsellersend", 0, paid=True), closed, read("cancel", 70, paid=True))
    assert (settled.view.status, settled.view.unconfirmed, settled.view.is_paid) == (OrderStatus.CLOSED, False, True)


def test_a_close_for_payment_time_out_ends_all_wish_to_pay() -> None:
    order = told(read("waitbuyerpay", 0), status("cancel", 60, event="ORDER_BUYER_VIEW_ORDER_BOPS_CLOSE"))
    assert [wanted.effect.value for wanted in wanted_follow_ups(order, PAYING)] == ["refresh"]
    assert wanted_follow_ups(told(read("cancel", 70)), PAYING) == ()


def test_a_slow_poll_that_answers_after_newer_facts_changes_nothing_they_said() -> None:
    slow = read("waitbuyerpay", 10, modified=5)
    view = told(status("waitsellersend", 20), status("waitbuyerreceive", 40), slow).view
    assert (view.status, view.unconfirmed) == (OrderStatus.SHIPPED, True)
    assert told(read("waitbuyerreceive", 50, modified=40), slow).view.status is OrderStatus.SHIPPED


def test_an_answer_that_covers_nothing_takes_nothing_away() -> None:
    full = [read("waitsellersend", 0, items=lines(1)), price(9_000, 50), refund("TQ1", "waitselleragree", 51)]
    empty = read(None, 100, total=None, items=None, parcels=None, refunds=None)
    assert told(*full, empty) == told(*full)


def test_an_answer_covers_only_what_it_says_so_newer_hints_on_the_rest_stay() -> None:
    shown = read("waitbuyerpay", 0, total=10_000, refunds=(RefundSeen("TQ1", "waitselleragree"),))
    partial = read("waitbuyerpay", 100, total=None, refunds=None)
    view = told(shown, price(9_000, 50), refund("TQ1", "refundsuccess", 51), partial).view
    assert view.amounts == Amounts(9_000)
    assert not view.amounts_confirmed
    assert view.unconfirmed, "the answer said nothing about the price"
    assert [(each.word, each.confirmed) for each in view.refunds] == [("refundsuccess", False)]


def test_yuan_and_fen_of_one_answer_meet_in_fen() -> None:
    assert fen_from_yuan("123.40") == fen_from_fen(12_340)
    with pytest.raises(MoneyError, match="fraction of a fen"):
        fen_from_yuan("123.405")


def test_ids_above_2_to_the_53_stay_apart_and_intact() -> None:
    near = [msgspec.structs.replace(KEY, order_id=str(2**53 + offset)) for offset in (0, 1)]
    facts = [msgspec.structs.replace(status("success", 1), key=key) for key in near]
    assert near[0] != near[1]
    assert facts[0].derive_id() != facts[1].derive_id()
    assert str(near[1]) == "main/1688/9007199254740993"


def test_an_unknown_word_in_a_callback_is_kept_alerted_and_moves_nothing() -> None:
    story = [read("waitbuyerpay", 0), status("waitselleract", 60)]
    view = told(*story).view
    assert outcomes(*story)[-1] is Outcome.CONFLICT
    assert (view.status, view.strange_words) == (OrderStatus.AWAITING_PAYMENT, ("waitselleract",))
    assert [wanted.effect.value for wanted in wanted_follow_ups(told(*story), PAYING)] == ["refresh"]


@pytest.mark.parametrize("hinted", [False, True])
def test_an_unknown_word_in_a_snapshot_is_kept_alerted_and_moves_nothing(hinted: bool) -> None:  # noqa: FBT001 - a table
    known = [read("waitbuyerpay", 0, modified=0), *([status("waitsellersend", 30)] if hinted else [])]
    story = [*known, read("waitselleract", 60, modified=50)]
    order = told(*story)
    assert outcomes(*story)[-1] is Outcome.CONFLICT
    assert order.view.status is told(*known).view.status
    assert (order.view.word, order.view.strange_words) == ("waitselleract", ("waitselleract",))
    assert order.view.unconfirmed, "nothing irreversible starts on a word that nobody knows"
    assert [wanted.effect.value for wanted in wanted_follow_ups(order, PAYING)] == ["refresh"]


def test_an_unknown_word_in_the_first_snapshot_leaves_the_order_unknown() -> None:
    view = told(read("waitselleract", 60)).view
    assert (view.status, view.unconfirmed, view.strange_words) == (OrderStatus.UNKNOWN, True, ("waitselleract",))


def test_an_order_with_an_unknown_word_is_read_again_more_and_more_rarely() -> None:
    day = 24 * HOUR // 1_000
    pauses = []
    for asked in (60, 3_600, day, 10 * day):
        view = told(read("waitselleract", asked, modified=0)).view
        assert view.refresh_after is not None
        pauses.append(view.refresh_after - at(asked))
    assert pauses == [STRANGE_WORD_PAUSE, STRANGE_WORD_PAUSE, 12 * HOUR, MAX_READ_PAUSE]


def test_an_unknown_word_does_not_delay_the_read_that_a_newer_hint_asks_for() -> None:
    strange, hint = read("waitselleract", 100, modified=90), status("waitsellersend", 200)
    assert told(strange, hint).view.refresh_after == at(200) + SKEW
    stale = read("waitbuyerpay", 205, modified=80)
    assert told(strange, hint, stale).view.refresh_after == at(205) + STALE_READ_PAUSE


def test_a_known_word_after_an_unknown_one_ends_the_matter() -> None:
    view = told(read("waitbuyerpay", 0), read("waitselleract", 60), read("waitsellersend", 120)).view
    assert (view.status, view.unconfirmed, view.strange_words) == (OrderStatus.AWAITING_SHIPMENT, False, ())


def test_a_broken_modification_time_in_the_far_future_does_not_freeze_the_order() -> None:
    life = read("waitbuyerpay", 10).content
    assert isinstance(life, Snapshot)
    assert life.lifecycle is not None
    broken = msgspec.structs.replace(life.lifecycle, modified_at=at(0) + 365 * 24 * HOUR)
    frozen = msgspec.structs.replace(read("waitbuyerpay", 10), content=msgspec.structs.replace(life, lifecycle=broken))
    assert told(frozen, read("waitsellersend", 60, modified=50)).view.status is OrderStatus.AWAITING_SHIPMENT


def test_a_broken_time_in_a_list_does_not_put_the_next_read_off() -> None:
    row = listed("waitsellersend", 365 * 24 * 3_600, received=60)
    view = told(read("waitbuyerpay", 0, modified=0), row).view
    assert view.refresh_after is not None
    assert view.refresh_after <= at(60) + MINUTE
    assert not told(read("waitbuyerpay", 0, modified=0), row, read("waitsellersend", 90, modified=50)).view.unconfirmed


def test_a_word_about_a_parcel_only_asks_for_a_read() -> None:
    calm, moved = told(read("waitbuyerreceive", 0)).view, told(read("waitbuyerreceive", 0), parcel_moved(60)).view
    assert moved.refresh_after == at(60) + SKEW
    assert msgspec.structs.replace(moved, unconfirmed=False, refresh_after=None) == calm
