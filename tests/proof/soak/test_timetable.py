"""When the faults come, and what the record keeps of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proof.rig.kafka import behind
from proof.soak.judge import WARM_UP_SHARE
from proof.soak.lag import forgotten
from proof.soak.record import EVERY_S, MAX_SAMPLES, Record, interval_s
from proof.soak.timetable import Fault, timetable


def times(seconds: float, fault: Fault) -> list[float]:
    return [due.at_s for due in timetable(seconds) if due.fault is fault]


def test_an_hour_has_six_kills_four_cuts_and_two_broker_restarts() -> None:
    assert times(3_600, Fault.WORKER_KILLED) == [300, 900, 1_500, 2_100, 2_700, 3_300]
    assert times(3_600, Fault.CONNECTIONS_CUT) == [450, 1_350, 2_250, 3_150]
    assert times(3_600, Fault.BROKER_RESTARTED) == [585, 2_025]


def test_every_kind_of_fault_comes_in_the_warm_up_and_after_it() -> None:
    """A tide that each kind brings is over before growth is judged; growth that each time adds to it is not."""
    warm_up_s = 3_600 * WARM_UP_SHARE
    for fault in Fault:
        at_s = times(3_600, fault)
        assert at_s[0] < warm_up_s < at_s[-1]


@given(st.floats(60, 86_400))
def test_every_run_has_every_fault_in_order_and_within_its_time(seconds: float) -> None:
    due = timetable(seconds)
    assert {one.fault for one in due} == set(Fault)
    assert [one.at_s for one in due] == sorted(one.at_s for one in due)
    assert all(0 < one.at_s < seconds for one in due)


def test_a_long_run_is_looked_at_less_often() -> None:
    assert interval_s(3_600) == EVERY_S
    assert 86_400 * 7 / interval_s(86_400 * 7) == pytest.approx(MAX_SAMPLES)


def test_a_quantity_that_comes_or_goes_leaves_no_row_out() -> None:
    record = Record()
    record.add(0.0, {"a": 1.234567})
    record.add(10.0, {"b": 2.0})
    record.add(20.0, {"a": 3.0, "b": None})
    assert record.series == {"a": [1.23, None, 3.0], "b": [None, 2.0, None]}
    assert record.points("a") == [(0.0, 1.23), (20.0, 3.0)]
    assert record.points("a", 5.0, 15.0) == []
    assert record.points("never") == []


def test_lag_is_what_the_group_has_not_committed() -> None:
    assert behind({"p0": 10, "p1": 5, "p2": 7}, {"p0": 8, "p1": -1, "p2": 7}) == 2 + 5
    assert behind({"p0": 3}, {}) == 3


def test_a_broker_that_knows_of_no_commit_any_more_is_no_reading() -> None:
    """While it loads its offsets, a restarted broker answers as if nothing had ever been committed."""
    assert forgotten({"p0": 7, "p1": -1}, {"p0": -1, "p1": -1})
    assert forgotten({"p0": 7}, {})
    assert not forgotten({"p0": 7, "p1": -1}, {"p0": 8, "p1": -1})
    assert not forgotten({}, {"p0": -1})
