"""What leaks slowly is told once per cause, with what a person needs to look at it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.examples import NOON
from worker.domain.alerts import Alert, Severity
from worker.domain.clock import HOUR
from worker.domain.dead_letters import DAY, LeakLimits, LetterGroup, leaks

LIMITS = LeakLimits(old_after=DAY, days=3, window_days=7)


def group(*, waiting: int = 1, waits: int | None = HOUR, days: int = 1, fingerprint: str = "f1") -> LetterGroup:
    oldest = None if waits is None else NOON - waits
    return LetterGroup(fingerprint, "apply: KeyError: 'x'", waiting, oldest, NOON - 9 * DAY, NOON - HOUR, days, 4, 17)


def told(*groups: LetterGroup, now: int = NOON) -> list[Alert]:
    return list(leaks(groups, now, LIMITS))


def test_what_came_just_now_has_its_first_alert_already_and_is_no_leak() -> None:
    assert told(group(waits=DAY)) == []


def test_one_letter_that_nobody_looked_at_for_a_day_is_told_with_what_it_is() -> None:
    (alert,) = told(group(waits=DAY + 1))
    assert (alert.cause, alert.severity) == ("dead_letters_leak:f1", Severity.CRITICAL)
    assert "1 wait, the oldest since" in alert.title
    assert "KeyError" in alert.title
    assert alert.details["look"] == "ordersync dead-letters show 17"
    assert alert.details["in_window"] == 4


def test_letters_that_come_back_day_after_day_leak_even_if_each_is_dealt_with() -> None:
    assert told(group(waiting=0, waits=None, days=2)) == []
    (alert,) = told(group(waiting=0, waits=None, days=3))
    assert alert.severity is Severity.WARNING
    assert "they came on 3 of the last 7 days" in alert.title


def test_many_letters_of_one_cause_are_one_alert_and_each_cause_has_its_own() -> None:
    found = told(group(waiting=5_000, waits=2 * DAY), group(fingerprint="f2", waits=2 * DAY), group(fingerprint="f3"))
    assert [alert.cause for alert in found] == ["dead_letters_leak:f1", "dead_letters_leak:f2"]


@pytest.mark.parametrize("later", [HOUR, DAY, 30 * DAY])
def test_while_nothing_new_happens_the_alert_says_the_same(later: int) -> None:
    stuck = group(waits=2 * DAY)
    assert told(stuck) == told(stuck, now=NOON + later)


@given(waiting=st.integers(0, 9), waits=st.integers(0, 40 * DAY), days=st.integers(0, 7))
def test_a_cause_is_told_exactly_if_it_is_old_or_trickles(waiting: int, waits: int, days: int) -> None:
    found = told(group(waiting=waiting, waits=waits if waiting else None, days=days))
    assert bool(found) == (days >= LIMITS.days or bool(waiting and waits > LIMITS.old_after))
