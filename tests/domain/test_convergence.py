"""Arrival order is never an input: the same facts, shuffled and repeated, end in the same order."""

from __future__ import annotations

from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.domain.examples import KEY, SKEW, at, heard, price, read, refund, status, step, told
from tests.domain.strategies import facts, retellings
from worker.domain.evidence import MAX_HINTED_REFUNDS, MAX_STRANGE_WORDS, Evidence
from worker.domain.facts import Fact, RefundSeen, StatusSeen
from worker.domain.reducer import Order, Outcome, apply


@settings(max_examples=250, deadline=None)
@given(retellings(st.lists(facts, max_size=12)))
def test_any_order_and_any_repetition_ends_in_the_same_order(retelling: tuple[list[Fact], list[Fact]]) -> None:
    first, again = retelling
    assert told(*again) == told(*first)


@settings(max_examples=100, deadline=None)
@given(retellings(st.lists(facts, max_size=12)))
def test_facts_known_by_their_id_alone_need_telling_only_once(retelling: tuple[list[Fact], list[Fact]]) -> None:
    _, again = retelling
    distinct = {fact.derive_id(): fact for fact in again}
    assert told(*again) == told(*distinct.values())


@settings(max_examples=100, deadline=None)
@given(st.lists(facts, min_size=1, max_size=12), st.data())
def test_a_fact_told_twice_changes_nothing_the_second_time(history: list[Fact], data: st.DataObject) -> None:
    order = told(*history)
    again = step(order, data.draw(st.sampled_from(history)))
    assert again.order == order
    assert again.changes == ()
    assert again.outcome in (Outcome.STALE, Outcome.NO_OP)


@settings(max_examples=100, deadline=None)
@given(st.lists(facts, max_size=12))
def test_an_order_survives_being_stored(history: list[Fact]) -> None:
    order = told(*history)
    stored = msgspec.json.encode(order.evidence)
    assert Order.of(KEY, msgspec.json.decode(stored, type=Evidence), SKEW) == order


@settings(max_examples=100, deadline=None)
@given(st.lists(facts, max_size=6), st.lists(facts, max_size=6))
def test_a_batch_may_be_cut_anywhere(early: list[Fact], late: list[Fact]) -> None:
    order = Order.of(KEY, told(*early).evidence, SKEW)
    for fact in late:
        order = step(order, fact).order
    assert order == told(*early, *late)


@pytest.mark.parametrize("source_order", [1, -1])
def test_equal_stamps_are_decided_the_same_way_everywhere(source_order: int) -> None:
    rivals = [price(10_000, 5), price(9_000, 5), refund("TQ1", "refundclose", 5), refund("TQ1", "waitselleragree", 5)]
    rivals += [read("waitbuyerpay", 9, modified=3), read("waitsellersend", 9, modified=3)]
    assert told(*rivals[::source_order]) == told(*rivals)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 69), st.integers(0, 40)), min_size=60, max_size=160), st.randoms())
def test_more_refund_ids_than_we_remember_still_converge(heard_of: list[tuple[int, int]], random: Random) -> None:
    spoken = [heard(RefundSeen(f"TQ{number}", "waitselleragree"), second) for number, second in heard_of]
    shuffled = [*spoken, *spoken[:20]]
    random.shuffle(shuffled)
    order = told(*spoken)
    assert told(*shuffled) == order
    assert len(order.evidence.refund_hints) <= MAX_HINTED_REFUNDS


def test_a_refund_dropped_for_its_age_is_announced_and_cannot_come_back_by_redelivery() -> None:
    spoken = [refund(f"TQ{number:03}", "waitselleragree", number) for number in range(MAX_HINTED_REFUNDS)]
    full = told(*spoken)
    overflowing = step(full, refund("TQ999", "waitselleragree", 900))
    assert [(change.before is None, change.after is None) for change in overflowing.changes] == [
        (True, False),
        (False, True),
    ]
    assert [change.before["refund_id"] for change in overflowing.changes if change.after is None] == ["TQ000"]
    again = step(overflowing.order, spoken[0])
    assert (again.order, again.outcome, again.changes) == (overflowing.order, Outcome.STALE, ())


def test_a_refund_that_a_snapshot_has_shown_is_never_dropped() -> None:
    shown = read("waitsellersend", 1, refunds=(RefundSeen("TQshown", "waitselleragree"),))
    flood = [refund(f"TQ{number:03}", "waitselleragree", 2 + number) for number in range(MAX_HINTED_REFUNDS + 30)]
    assert "TQshown" in {each.refund_id for each in told(shown, *flood).view.refunds}


@settings(max_examples=20, deadline=None)
@given(st.permutations([(f"strange{number}", number // 2) for number in range(MAX_STRANGE_WORDS + 15)]))
def test_a_flood_of_unknown_words_is_bounded_and_converges(spoken: list[tuple[str, int]]) -> None:
    order = told(*(status(word, second) for word, second in spoken))
    assert order == told(*(status(word, second) for word, second in sorted(spoken)))
    latest = sorted((second, word) for word, second in spoken)[-MAX_STRANGE_WORDS + 1 :]
    assert len(order.view.strange_words) == MAX_STRANGE_WORDS
    assert {word for _, word in latest} < set(order.view.strange_words)
    assert order.view.unconfirmed


def test_a_flood_of_unknown_words_forgets_no_rung() -> None:
    flood = [status(f"strange{number}", 10 + number) for number in range(2 * MAX_STRANGE_WORDS)]
    paid = status("waitsellersend", 1)
    assert told(paid, *flood).view.status.value == "awaiting_shipment"


def test_a_fact_of_another_order_is_refused() -> None:
    stranger = msgspec.structs.replace(KEY, order_id="3300000000000000002")
    fact = Fact(stranger, status("success", 1).source, StatusSeen("success"), at(1))
    with pytest.raises(ValueError, match="belongs to main/1688/3300000000000000002, not to main/1688/"):
        apply(Order.new(KEY), fact, fact.derive_id())
