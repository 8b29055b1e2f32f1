"""The states of a follow-up: what is over stays over, and what may have happened is never sent again."""

from __future__ import annotations

import pytest

from worker.domain.effects import CLEARED_STEPS, READ_TRANSITIONS, TRANSITIONS, EffectState

OVER = {EffectState.SUCCEEDED, EffectState.REJECTED, EffectState.CANCELLED}


def reachable(start: EffectState, *, without: EffectState | None = None) -> set[EffectState]:
    """Where the ledger gets from here by itself: without the steps that somebody or something has to clear."""
    seen: set[EffectState] = set()
    todo = [start]
    while todo:
        state = todo.pop()
        for following in TRANSITIONS[state] - seen:
            if following is not without and (state, following) not in CLEARED_STEPS:
                seen.add(following)
                todo.append(following)
    return seen


def test_every_state_of_a_money_effect_has_its_row() -> None:
    assert set(TRANSITIONS) == set(EffectState)


@pytest.mark.parametrize("state", sorted(OVER))
def test_there_is_no_way_out_of_the_end(state: EffectState) -> None:
    assert reachable(state) == set()


@pytest.mark.parametrize("state", sorted(set(EffectState) - OVER))
def test_every_other_state_has_a_way_to_the_end(state: EffectState) -> None:
    assert reachable(state) & OVER


def test_no_state_follows_itself() -> None:
    for table in (TRANSITIONS, READ_TRANSITIONS):
        assert all(state not in following for state, following in table.items())


def test_unknown_never_leads_back_to_sending_by_any_way() -> None:
    assert reachable(EffectState.UNKNOWN) <= OVER


def test_waiting_for_a_person_to_pay_never_leads_back_to_sending() -> None:
    assert reachable(EffectState.AWAITING_PERSON) <= OVER


def test_nothing_is_sent_without_having_been_planned() -> None:
    into_sending = {state for state, following in TRANSITIONS.items() if EffectState.SENDING in following}
    assert into_sending == {EffectState.PLANNED}


def test_what_may_have_been_sent_cannot_be_cancelled() -> None:
    for state in (EffectState.SENDING, EffectState.UNKNOWN):
        assert EffectState.CANCELLED not in TRANSITIONS[state]


def test_what_awaits_approval_is_sent_only_after_being_planned_again() -> None:
    reached = reachable(EffectState.AWAITING_APPROVAL, without=EffectState.PLANNED)
    assert reached == {EffectState.CANCELLED, EffectState.REJECTED}


def test_a_read_can_be_planned_again_and_again_but_is_never_unknown() -> None:
    states = set(READ_TRANSITIONS) | set().union(*READ_TRANSITIONS.values())
    assert states == {EffectState.PLANNED, EffectState.SUCCEEDED, EffectState.REJECTED}
    assert all(EffectState.PLANNED in READ_TRANSITIONS[over] for over in states - {EffectState.PLANNED})
