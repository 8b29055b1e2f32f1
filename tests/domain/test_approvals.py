"""Nobody's word counts for more than it says, and above the limit it takes two others than who asked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain.approvals import (
    Approval,
    Subject,
    approved,
    approved_up_to,
    check_approval,
    check_rejection,
    check_resolution,
    check_retry,
    needed,
)
from worker.domain.effects import TRANSITIONS, EffectState
from worker.domain.operators import MAX_REASON_CHARS, Actor, RefusalKind, RefusedError, Role, require, stated

ANN = Actor("ann", frozenset({Role.APPROVER}))
BOB = Actor("bob", frozenset({Role.APPROVER}))
OLE = Actor("ole", frozenset({Role.OPERATOR}))
VERA = Actor("vera", frozenset({Role.VIEWER}))
WAITING = Subject("pay", EffectState.AWAITING_APPROVAL, 10_000)

people = st.sampled_from(["ann", "bob", "cid", "dot"])
amounts = st.integers(0, 60)
approvals = st.lists(st.builds(Approval, people, amounts), max_size=6)
limits = st.one_of(st.none(), amounts)
groups = st.frozensets(people, max_size=2)


def refused(kind: RefusalKind, match: str) -> "pytest.RaisesExc[RefusedError]":
    return pytest.raises(RefusedError, match=match, check=lambda error: error.kind is kind)


def enough(amount: int, given_ones: list[Approval], limit: int | None, requesters: frozenset[str]) -> bool:
    """The rule itself, word by word."""
    who = {one.actor for one in given_ones if one.amount >= amount}
    if limit is None or amount <= limit:
        return len(who) >= 1
    return len(who - requesters) >= 2


@given(approvals, limits, groups)
def test_what_is_approved_is_exactly_what_enough_people_have_approved(
    given_ones: list[Approval], limit: int | None, requesters: frozenset[str]
) -> None:
    up_to = approved_up_to(given_ones, limit, requesters)
    for amount in range(62):
        assert enough(amount, given_ones, limit, requesters) == (up_to is not None and amount <= up_to)


@given(approvals, limits, groups, amounts)
def test_it_is_approved_or_says_how_many_are_missing(
    given_ones: list[Approval], limit: int | None, requesters: frozenset[str], amount: int
) -> None:
    found = approved(Subject("pay", EffectState.AWAITING_APPROVAL, amount, requesters), given_ones, limit)
    assert (found.missing == 0) == enough(amount, given_ones, limit, requesters)
    assert (found.up_to is not None and found.up_to >= amount) == (found.missing == 0)
    assert 0 <= found.missing <= needed(amount, limit)


@given(approvals, st.builds(Approval, people, amounts), limits, groups)
def test_another_approval_never_takes_any_away_and_the_order_does_not_matter(
    given_ones: list[Approval], one: Approval, limit: int | None, requesters: frozenset[str]
) -> None:
    before = approved_up_to(given_ones, limit, requesters)
    after = approved_up_to([one, *given_ones], limit, requesters)
    assert after == approved_up_to([*given_ones, one, one], limit, requesters)
    assert before is None or (after is not None and after >= before)


@given(st.builds(Approval, people, amounts), amounts)
def test_one_word_never_reaches_beyond_the_limit_for_one(one: Approval, limit: int) -> None:
    assert approved_up_to([one, one], limit, frozenset()) == min(one.amount, limit)


def test_only_an_approver_approves() -> None:
    for actor in (OLE, VERA):
        with refused(RefusalKind.FORBIDDEN, "needs the role approver"):
            check_approval(WAITING, actor, 10_000, (), None)
    assert check_approval(WAITING, ANN, 10_000, (), None)


def test_an_approver_is_no_operator_and_an_operator_no_approver() -> None:
    with refused(RefusalKind.FORBIDDEN, "ann may not run it: it needs the role operator"):
        require(ANN, "run it", Role.OPERATOR)
    require(Actor("cid", frozenset({Role.OPERATOR, Role.APPROVER})), "run it", Role.OPERATOR)


def test_an_approval_without_the_amount_that_was_seen_is_refused() -> None:
    with refused(RefusalKind.INVALID, r"send the amount that you saw; it is about 100\.00 CNY"):
        check_approval(WAITING, ANN, None, (), None)
    assert check_approval(Subject("cancel", EffectState.AWAITING_APPROVAL), ANN, None, (), None)


def test_an_approval_of_an_amount_that_has_risen_is_refused_even_if_it_was_given_before() -> None:
    with refused(RefusalKind.CONFLICT, r"100\.00 CNY now, and you saw 99\.99; look at the order again"):
        check_approval(WAITING, ANN, 9_999, [Approval("ann", 9_999)], None)


def test_an_amount_that_has_fallen_is_covered_by_what_was_seen() -> None:
    assert check_approval(WAITING, ANN, 12_000, (), None)
    assert approved(WAITING, [Approval("ann", 12_000)], None).up_to == 12_000


@pytest.mark.parametrize("state", list(EffectState))
def test_the_same_word_twice_says_nothing_new(state: EffectState) -> None:
    subject = Subject("pay", state, 10_000)
    assert not check_approval(subject, ANN, 10_000, [Approval("ann", 10_000)], None)


@pytest.mark.parametrize("state", [state for state in EffectState if state is not EffectState.AWAITING_APPROVAL])
def test_only_what_awaits_approval_is_approved(state: EffectState) -> None:
    with refused(RefusalKind.CONFLICT, f"is {state}; only what is awaiting_approval"):
        check_approval(Subject("pay", state, 10_000), ANN, 10_000, (), None)


def test_who_asked_for_it_is_none_of_the_two() -> None:
    subject = Subject("pay", EffectState.AWAITING_APPROVAL, 10_000, frozenset({"ann"}))
    with refused(RefusalKind.FORBIDDEN, r"ann asked for this, and above 50\.00 CNY two others"):
        check_approval(subject, ANN, 10_000, (), 5_000)
    assert check_approval(subject, ANN, 10_000, (), 10_000)
    assert check_approval(subject, BOB, 10_000, (), 5_000)


def test_who_may_act_may_reject_what_was_not_sent() -> None:
    for actor in (OLE, ANN):
        check_rejection(WAITING, actor)
        check_rejection(Subject("pay", EffectState.PLANNED), actor)
    with refused(RefusalKind.FORBIDDEN, "operator or approver"):
        check_rejection(WAITING, VERA)
    with refused(RefusalKind.CONFLICT, "is a read"):
        check_rejection(Subject("refresh", EffectState.PLANNED), OLE)


@pytest.mark.parametrize("state", sorted(set(EffectState) - {EffectState.PLANNED, EffectState.AWAITING_APPROVAL}))
def test_what_was_sent_or_is_over_cannot_be_rejected(state: EffectState) -> None:
    with refused(RefusalKind.CONFLICT, f"is {state}"):
        check_rejection(Subject("pay", state), OLE)


@pytest.mark.parametrize("state", [EffectState.REJECTED, EffectState.CANCELLED])
def test_an_operator_retries_what_did_not_happen(state: EffectState) -> None:
    check_retry(Subject("pay", state, read_since=False), OLE, None)
    with refused(RefusalKind.FORBIDDEN, "needs the role operator"):
        check_retry(Subject("pay", state), ANN, None)
    with refused(RefusalKind.CONFLICT, "shown as paid"):
        check_retry(Subject("pay", state, paid=True), OLE, None)


def test_what_may_have_happened_is_retried_by_an_approver_who_says_what_was_checked() -> None:
    unknown = Subject("pay", EffectState.UNKNOWN)
    with refused(RefusalKind.FORBIDDEN, "needs the role approver"):
        check_retry(unknown, OLE, "the account's payments of today")
    with refused(RefusalKind.INVALID, "say in `checked` what you looked at"):
        check_retry(unknown, ANN, None)
    check_retry(unknown, ANN, "the account's payments of today")


@pytest.mark.parametrize(
    ("subject", "why"),
    [
        (Subject("pay", EffectState.UNKNOWN, paid=True), "shown as paid"),
        (Subject("pay", EffectState.UNKNOWN, unconfirmed=True), "in doubt"),
        (Subject("pay", EffectState.UNKNOWN, read_since=False), "not read since the attempt"),
    ],
)
def test_what_we_know_ourselves_outweighs_a_person_who_says_that_nothing_happened(subject: Subject, why: str) -> None:
    with refused(RefusalKind.CONFLICT, why):
        check_retry(subject, ANN, "looked")
    with refused(RefusalKind.CONFLICT, why):
        check_resolution(subject, ANN, done=False)
    assert check_resolution(subject, ANN, done=True) is EffectState.SUCCEEDED


def test_of_a_notice_to_the_warehouse_no_read_tells_anything() -> None:
    """A completed order is not read any more: to wait for a read would be to wait for ever."""
    notice = Subject("update_domestic_logistics", EffectState.UNKNOWN, read_since=False)
    check_retry(notice, ANN, "the warehouse's list")
    assert check_resolution(notice, ANN, done=False) is EffectState.REJECTED


@pytest.mark.parametrize("state", [EffectState.PLANNED, EffectState.AWAITING_APPROVAL, EffectState.SENDING,
                                   EffectState.AWAITING_PERSON, EffectState.SUCCEEDED])  # fmt: skip
def test_what_goes_on_or_is_done_is_not_retried(state: EffectState) -> None:
    with refused(RefusalKind.CONFLICT, f"is {state}"):
        check_retry(Subject("pay", state), OLE, None)


def test_what_a_person_saw_ends_an_unknown() -> None:
    unknown, waiting = Subject("pay", EffectState.UNKNOWN), Subject("pay", EffectState.AWAITING_PERSON)
    assert check_resolution(unknown, OLE, done=True) is EffectState.SUCCEEDED
    assert check_resolution(unknown, ANN, done=False) is EffectState.REJECTED
    assert check_resolution(waiting, OLE, done=False) is EffectState.CANCELLED
    with refused(RefusalKind.FORBIDDEN, "needs the role approver"):
        check_resolution(unknown, OLE, done=False)
    with refused(RefusalKind.FORBIDDEN, "operator or approver"):
        check_resolution(waiting, VERA, done=True)


@pytest.mark.parametrize("state", sorted(set(EffectState) - {EffectState.UNKNOWN, EffectState.AWAITING_PERSON}))
@pytest.mark.parametrize("done", [True, False])
def test_there_is_nothing_to_resolve_about_what_is_clear(state: EffectState, done: bool) -> None:  # noqa: FBT001 - a case
    with refused(RefusalKind.CONFLICT, f"is {state}"):
        check_resolution(Subject("pay", state), ANN, done=done)


def test_every_way_that_a_person_opens_is_one_of_the_ledgers() -> None:
    for state in (EffectState.PLANNED, EffectState.AWAITING_APPROVAL):
        assert EffectState.REJECTED in TRANSITIONS[state]
    for state in (EffectState.UNKNOWN, EffectState.REJECTED, EffectState.CANCELLED):
        assert EffectState.PLANNED in TRANSITIONS[state]
    for state in (EffectState.UNKNOWN, EffectState.AWAITING_PERSON):
        for done in (True, False):
            assert check_resolution(Subject("pay", state), ANN, done=done) in TRANSITIONS[state]


@pytest.mark.parametrize(
    ("given_reason", "why"),
    [
        (None, "reason: is missing"),
        ("", "reason: is missing"),
        (" \n ", "reason: is missing"),
        ("x" * (MAX_REASON_CHARS + 1), "reason: is longer than 500"),
        ("a\x00b", "cannot be printed"),
        ("\x1b[2Jpaid", "cannot be printed"),
    ],
)
def test_a_reason_is_given_and_can_be_read(given_reason: str | None, why: str) -> None:
    with refused(RefusalKind.INVALID, why):
        stated(given_reason)


def test_a_reason_is_kept_as_it_was_given() -> None:
    assert stated("  seller rose the price,\nagreed by phone ") == "seller rose the price,\nagreed by phone"
