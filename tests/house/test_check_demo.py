"""A demo passes only with figures that show what was tried and that nothing went wrong."""

from __future__ import annotations

import pytest

from tools.check_demo import FIGURES, MUST_BE_ZERO, check

GOOD: dict[str, object] = dict.fromkeys(FIGURES, 60) | dict.fromkeys(MUST_BE_ZERO, 0) | {"seconds": 9.5}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"converged": 59}, "59 of 60 orders agree with the marketplace"),
        ({"double_payments": 1}, "double_payments is 1, expected 0"),
        ({"sequence_gaps": 2}, "sequence_gaps is 2, expected 0"),
        ({"double_bookings": 3}, "double_bookings is 3, expected 0"),
        ({"taken_minor": 61}, "the marketplace took 61 fen, the ledger knows of 60"),
        ({"payments_accepted": 0}, "payments_accepted is 0, so nothing was tried"),
        ({"orders": 0, "converged": 0}, "orders is 0, so nothing was tried"),
        ({"seconds": None}, "figures missing: seconds"),
    ],
)
def test_a_broken_promise_is_named(changes: dict[str, object], problem: str) -> None:
    assert list(check(GOOD | changes)) == [problem]


def test_an_empty_summary_does_not_pass() -> None:
    assert list(check({})) == [f"figures missing: {', '.join(FIGURES)}"]


def test_good_figures_pass() -> None:
    assert list(check(GOOD)) == []


def test_where_there_is_no_warehouse_none_is_told_and_nothing_is_booked() -> None:
    there = GOOD | {"dialect": "alibaba1688", "bookings": 0, "warehouse_notices": 0}
    assert list(check(there)) == []
    assert list(check(there | {"bookings": 1})) == ["bookings is 1, expected 0"]
    assert list(check(there | {"dialect": "pandapon"})) == [
        "bookings is 0, so nothing was tried",
        "warehouse_notices is 0, so nothing was tried",
    ]
