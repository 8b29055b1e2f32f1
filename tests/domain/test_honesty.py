"""Every fact gets an outcome, the outcome tells what happened, and only a snapshot takes an order back (I4)."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.domain.examples import (
    KEY,
    SKEW,
    lines,
    listed,
    outcomes,
    parcel_moved,
    price,
    read,
    refund,
    status,
    step,
    told,
)
from tests.domain.strategies import hints, known_words, part_reads, reads
from worker.domain.changes import ChangeType, compare
from worker.domain.facts import Fact, RefundSeen, Snapshot
from worker.domain.policy import Effect, Policy
from worker.domain.reducer import Applied, Order, Outcome
from worker.domain.status import OrderStatus
from worker.domain.view import View, derive
from worker.domain.wanted import wanted_follow_ups

GENEROUS = Policy(auto_pay=True, auto_pay_limit=10**9)


class OrderLife(RuleBasedStateMachine):
    """One order that is told anything, in any order, again and again."""

    @initialize()
    def begin(self) -> None:
        self.order = Order.new(KEY)
        self.spoken: list[Fact] = []

    @rule(fact=hints)
    def hear(self, fact: Fact) -> None:
        before = self.order.view
        applied = self._tell(fact)
        assert applied.order.view.status.rank >= before.status.rank
        assert applied.order.view.lifecycle == before.lifecycle

    @rule(fact=reads)
    def read(self, fact: Fact) -> None:
        self._tell(fact)

    @rule(fact=part_reads)
    def read_a_part(self, fact: Fact) -> None:
        before = self.order.view
        after = self._tell(fact).order.view
        assert (after.status, after.amounts, after.lines) == (before.status, before.amounts, before.lines)
        assert after.refresh_after == before.refresh_after

    @rule(data=st.data())
    def hear_again(self, data: st.DataObject) -> None:
        if self.spoken:
            again = self._tell(data.draw(st.sampled_from(self.spoken)))
            assert (again.outcome, again.changes) == (Outcome.STALE, ())

    def _tell(self, fact: Fact) -> Applied:
        before = self.order
        applied = step(before, fact)
        self.order = applied.order
        self.spoken.append(fact)
        _assert_honest(before.view, applied, fact)
        return applied

    @invariant()
    def shows_what_the_evidence_amounts_to(self) -> None:
        assert self.order.view == derive(KEY, self.order.evidence, SKEW)

    @invariant()
    def wants_a_read_exactly_while_unconfirmed(self) -> None:
        view = self.order.view
        assert view.unconfirmed == (view.refresh_after is not None)
        wanted = wanted_follow_ups(self.order, GENEROUS)
        if view.unconfirmed:
            assert [each.effect for each in wanted] == [Effect.REFRESH]
            assert wanted[0].not_before == view.refresh_after
        elif wanted:
            assert wanted[0].effect is Effect.PAY
            assert view.amounts_confirmed
            assert not view.strange_words

    @invariant()
    def tells_confirmed_amounts_from_heard_ones(self) -> None:
        assert self.order.view.amounts_confirmed is False or self.order.view.amounts is not None


def _assert_honest(before: View, applied: Applied, fact: Fact) -> None:
    after = applied.order.view
    assert applied.changes == tuple(compare(before, after))
    corrected = [change for change in applied.changes if change.type is ChangeType.STATUS_CORRECTED]
    went_down = after.status.rank < before.status.rank
    assert bool(corrected) == went_down == (applied.outcome is Outcome.CORRECTED)
    if went_down:
        assert isinstance(fact.content, Snapshot)
        assert (corrected[0].before, corrected[0].after) == (before.status.value, after.status.value)
    if applied.outcome in (Outcome.STALE, Outcome.NO_OP):
        assert applied.changes == ()
    if applied.outcome is Outcome.APPLIED:
        assert applied.changes
    if applied.outcome is Outcome.CONFLICT:
        assert after.unconfirmed, "a conflict is followed by a read"
    msgspec.json.encode(applied.changes)  # changes go out as JSON


TestOrderLife = OrderLife.TestCase
TestOrderLife.settings = settings(max_examples=50, stateful_step_count=25, deadline=None)


def test_a_snapshot_that_leads_down_is_a_recorded_correction() -> None:
    order = told(read("waitsellersend", 1), status("success", 20))
    assert order.view.status is OrderStatus.COMPLETED
    applied = step(order, read("waitbuyerreceive", 30))
    assert applied.outcome is Outcome.CORRECTED
    assert [(change.type, change.before, change.after) for change in applied.changes] == [
        (ChangeType.STATUS_CORRECTED, "completed", "shipped"),
        (ChangeType.CONFIRMATION_CHANGED, False, True),
    ]


def test_a_correction_by_the_lines_alone_is_a_correction_too() -> None:
    order = told(read("waitsellersend", 1, items=lines(2, 1)))
    applied = step(order, read(None, 20, total=None, items=lines(1, 1)))
    assert (applied.outcome, applied.order.view.status) == (Outcome.CORRECTED, OrderStatus.AWAITING_SHIPMENT)


def test_a_correction_stays_one_when_the_snapshot_also_uses_an_unknown_word() -> None:
    order = told(read("waitsellersend", 1, modified=0, items=lines(2, 1)))
    applied = step(order, read("other", 20, modified=10, items=lines(1, 1)))
    assert (applied.outcome, applied.order.view.status) == (Outcome.CORRECTED, OrderStatus.AWAITING_SHIPMENT)
    assert applied.order.view.strange_words == ("other",)


@pytest.mark.parametrize(
    ("story", "expected"),
    [
        (lambda: [read("waitsellersend", 20), status("waitbuyerpay", 10)], Outcome.STALE),
        (lambda: [read("waitsellersend", 20), status("waitbuyerpay", 30)], Outcome.CONFLICT),
        (lambda: [read("waitsellersend", 20), status("waitbuyerreceive", 30)], Outcome.APPLIED),
        (lambda: [status("waitbuyerreceive", 30), status("waitbuyerreceive", 31)], Outcome.NO_OP),
        (lambda: [read("waitsellersend", 20), status("waitsellersend", 30)], Outcome.APPLIED),
        (lambda: [read("waitsellersend", 20), status("success", 30), status("success", 31)], Outcome.NO_OP),
        (lambda: [read("waitsellersend", 20), parcel_moved(15)], Outcome.STALE),
        (lambda: [read("waitsellersend", 20), status("success", 17), parcel_moved(16)], Outcome.NO_OP),
        (lambda: [read("waitsellersend", 20), parcel_moved(16)], Outcome.APPLIED),
        (lambda: [price(9_000, 10), price(9_000, 11)], Outcome.NO_OP),
        (lambda: [refund("TQ1", "30", 10), refund("TQ1", "30", 11)], Outcome.NO_OP),
        (lambda: [status("waitsellersend", 30), status("never heard of", 31)], Outcome.CONFLICT),
        (lambda: [read("waitsellersend", 20), read("never heard of", 30)], Outcome.CONFLICT),
        (lambda: [read("success", 20, modified=15), read("waitsellersend", 30, modified=10)], Outcome.STALE),
        (lambda: [read("success", 20), read("success", 30)], Outcome.NO_OP),
        (lambda: [price(9_000, 10), price(9_500, 9)], Outcome.STALE),
        (lambda: [refund("TQ1", "refundsuccess", 10), refund("TQ1", "waitselleragree", 9)], Outcome.STALE),
        (lambda: [read("waitsellersend", 20, modified=10), listed("waitsellersend", 12, received=40)], Outcome.APPLIED),
    ],
)
def test_each_arrival_gets_the_outcome_that_fits(story: Callable[[], list[Fact]], expected: Outcome) -> None:
    assert outcomes(*story())[-1] is expected


def test_a_late_fact_that_still_fills_a_gap_is_applied_not_called_stale() -> None:
    order = told(read("waitsellersend", 100))
    late_refund = step(order, refund("TQ1", "waitselleragree", 50))
    assert [change.type for change in late_refund.changes] == [ChangeType.REFUND_CHANGED]
    assert late_refund.outcome is Outcome.APPLIED
    late_read = step(told(read("waitsellersend", 100, total=None)), read("waitbuyerpay", 50, total=8_000))
    assert [change.type for change in late_read.changes] == [ChangeType.AMOUNTS_CHANGED]
    assert late_read.outcome is Outcome.APPLIED


class Ladder(RuleBasedStateMachine):
    """Hints alone only ever climb, and no refund, price or parcel touches the status."""

    @initialize(word=known_words)
    def begin(self, word: str) -> None:
        self.order = told(read(word, 0, refunds=(RefundSeen("TQ1", "waitselleragree"),)))

    @rule(fact=hints)
    def hear(self, fact: Fact) -> None:
        applied = step(self.order, fact)
        assert applied.order.view.status.rank >= self.order.view.status.rank
        if fact.kind != "status":
            assert applied.order.view.status is self.order.view.status
        self.order = applied.order


TestLadder = Ladder.TestCase
TestLadder.settings = settings(max_examples=40, stateful_step_count=15, deadline=None)
