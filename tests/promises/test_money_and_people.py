"""Limits, tolerance, budgets, four eyes, pauses, plans, rejections: what goes beyond them is named."""

from __future__ import annotations

import pytest

from tests.promises.desk import ORDER, POLICIES, Desk
from worker.domain.policy import Effect
from worker.promises import money, people
from worker.promises.effects import Knowable

EXACT = Knowable()


def leave(desk: Desk) -> list[str]:
    return [line.rpartition(": ")[2] for line in money.beyond_leave(desk.ledger, POLICIES)]


def test_within_limit_and_tolerance_nobody_is_asked() -> None:
    desk = Desk()
    desk.called(desk.wanted(Effect.PAY), 100, 10_000, baseline_minor=9_100)
    desk.called(desk.wanted(Effect.BOOK_INTERNATIONAL), 100, 4_000)
    assert leave(desk) == []


def test_beyond_limit_tolerance_plan_or_freight_limit_people_are_asked() -> None:
    desk = Desk()
    desk.planned(1, auto_pay=False)
    desk.planned(2, planned_total="40.00")
    desk.planned(3, freight={"max_price": "29.99"})
    desk.called(desk.wanted(Effect.PAY), 100, 10_001)
    desk.called(desk.wanted(Effect.PAY), 100, 5_501, baseline_minor=5_000)
    desk.called(desk.wanted(Effect.PAY), 100, 5_000, plan_version=1)
    desk.called(desk.wanted(Effect.PAY), 100, 5_000, baseline_minor=5_000, plan_version=2)
    desk.called(desk.wanted(Effect.BOOK_INTERNATIONAL), 100, 3_000, plan_version=3)
    desk.called(desk.wanted(Effect.BOOK_INTERNATIONAL), 100, 4_001)
    assert leave(desk) == [
        "the limit is 10000",
        "it was to be 5000",
        "the plan asks for approval",
        "it was to be 4000",
        "the freight's limit is 2999",
        "the freight's limit is 4000",
    ]


def test_one_person_is_enough_below_the_limit_for_one() -> None:
    desk = Desk()
    payment = desk.wanted(Effect.PAY)
    desk.called(payment, 100, 20_000)
    desk.said(payment, "ann", 20_000)
    assert leave(desk) == []


@pytest.mark.parametrize(
    ("words", "enough"),
    [
        ([("ann", 25_000, 50), ("bob", 25_000, 60)], True),
        ([("ann", 25_000, 50)], False),
        ([("ann", 25_000, 50), ("ann", 26_000, 60)], False),
        ([("ann", 25_000, 50), ("bob", 24_999, 60)], False),
        ([("ann", 25_000, 50), ("bob", 25_000, 101)], False),
        ([("ann", 25_000, 50), ("shop", 25_000, 60)], False),
    ],
)
def test_above_it_two_strangers_have_to_have_said_so_before(words: list[tuple[str, int, int]], *, enough: bool) -> None:
    desk = Desk()
    desk.planned(1, by="shop", auto_pay=False)
    payment = desk.wanted(Effect.PAY)
    desk.called(payment, 100, 25_000, plan_version=1)
    for actor, amount, at in words:
        desk.said(payment, actor, amount, at)
    assert (leave(desk) == []) is enough


def test_a_rejection_voids_what_was_approved_before() -> None:
    desk = Desk()
    payment = desk.wanted(Effect.PAY)
    desk.called(payment, 100, 12_000)
    desk.said(payment, "ann", 12_000, 40)
    desk.said(payment, "bob", 12_000, 50, "reject")
    assert leave(desk) != []
    desk.said(payment, "ann", 12_000, 60)
    assert leave(desk) == []


def test_the_budgets_count_what_was_decided_on_per_beijing_day() -> None:
    desk = Desk()
    payment = desk.wanted(Effect.PAY)
    midnight = 16 * 3_600_000
    desk.called(payment, midnight - 1, 20_000)
    desk.called(payment, midnight, 30_000)
    assert list(money.over_budget(desk.ledger, POLICIES)) == []
    desk.called(payment, midnight + 1, 1)
    assert list(money.over_budget(desk.ledger, POLICIES)) == [
        "I1: 30001 fen were spent by main in the day 1970-01-02, 30000 are allowed"
    ]


@pytest.mark.parametrize(("spent", "is_broken"), [(25_000, True), (25_001, False)])
def test_nothing_waits_for_a_budget_that_has_room(spent: int, *, is_broken: bool) -> None:
    desk = Desk()
    desk.called(desk.wanted(Effect.PAY), 100, spent)
    desk.wanted(Effect.PAY, "planned", amount_minor=5_000, reason="the account's daily budget does not allow it now")
    desk.wanted(Effect.PAY, "planned", amount_minor=1, reason="the order is in doubt")
    told = f"I6: pay of order {ORDER} waits for a budget that has room for 5000 fen"
    assert list(money.held_back_in_vain(desk.ledger, POLICIES)) == [told] * is_broken


def test_what_was_taken_counts_in_the_budget() -> None:
    desk = Desk()
    desk.called(desk.wanted(Effect.PAY), 100, 5_000)
    desk.paid(5_001)
    assert list(money.unseen_spending(desk.ledger, desk.books)) == [
        f"I1: pay of order {ORDER} took 5001 fen, the budget knows of 5000"
    ]


@pytest.mark.parametrize(("moved_at", "is_broken"), [(89, True), (95, False)])
def test_a_price_may_rise_under_a_payment_but_not_before_its_read(moved_at: int, *, is_broken: bool) -> None:
    desk = Desk()
    desk.called(desk.wanted(Effect.PAY), 100, 5_000, asked_at=90)
    desk.paid(6_000)
    prices = {ORDER: [(1, 5_000), (moved_at, 6_000)]}
    assert bool(list(money.paid_otherwise(desk.ledger, desk.books, prices, EXACT))) is is_broken
    assert money.moved(desk.ledger, desk.books) == 1


def test_what_was_decided_on_may_be_paid_whatever_became_of_the_price_between() -> None:
    desk = Desk()
    desk.called(desk.wanted(Effect.PAY), 100, 5_000, asked_at=90)
    desk.paid(5_000)
    assert list(money.paid_otherwise(desk.ledger, desk.books, {}, EXACT)) == []


def against(desk: Desk, slack: int = 5) -> list[str]:
    return list(people.against_people(desk.ledger, written_within_ms=slack))


def test_nothing_begins_during_a_pause() -> None:
    desk = Desk()
    payment = desk.wanted(Effect.PAY)
    desk.paused(50, 90)
    desk.paused(50, effect="cancel")
    desk.paused(96)
    desk.called(payment, 100, 5_000)
    assert against(desk) == []
    assert against(desk, slack=3) == [f"I1: pay of order {ORDER} was begun during a pause"]


def test_nothing_begins_by_an_old_plan() -> None:
    desk = Desk()
    desk.planned(1, 10)
    desk.planned(2, 96)
    desk.called(desk.wanted(Effect.PAY), 100, 5_000, plan_version=1)
    assert against(desk) == []
    assert against(desk, slack=3) == [f"I1: pay of order {ORDER} was begun by plan 1, 2 was known"]


def test_what_is_to_be_cancelled_is_not_paid_and_nothing_else_is_cancelled() -> None:
    desk = Desk()
    desk.planned(1, cancel_reason="bought elsewhere")
    desk.called(desk.wanted(Effect.PAY), 100, 5_000, plan_version=1)
    desk.called(desk.wanted(Effect.CANCEL), 100, plan_version=1)
    desk.called(desk.wanted(Effect.CANCEL), 1, plan_version=0)
    assert against(desk) == [
        f"I1: order {ORDER} was paid although its plan says to cancel it",
        f"I1: order {ORDER} was cancelled although no plan says so",
    ]


def test_after_a_no_only_a_retry_lets_it_go_on() -> None:
    desk = Desk()
    payment = desk.wanted(Effect.PAY)
    desk.decided(payment, "reject", 50, "rejected")
    desk.decided(payment, "resolve", 55, "succeeded", "bob")
    desk.called(payment, 100, 5_000)
    assert against(desk) == [f"I1: pay of order {ORDER} was begun after ann had said no"]
    desk.decided(payment, "retry", 60)
    assert against(desk) == []
