"""The circuit opens after failures in a row, lets one call try, and closes with the first that succeeds."""

import pytest

from worker.marketplaces.breaker import Breaker, CircuitOpenError


@pytest.fixture
def now() -> list[float]:
    return [100.0]


@pytest.fixture
def breaker(now: list[float]) -> Breaker:
    return Breaker(lambda: now[0], threshold=3, first_pause_s=5.0, longest_pause_s=12.0)


def fail(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        breaker.before_call()
        breaker.failed(None)


def test_a_success_in_between_keeps_it_closed(breaker: Breaker) -> None:
    for _ in range(10):
        fail(breaker, 2)
        breaker.succeeded()
    breaker.before_call()


def test_after_the_pause_exactly_one_call_tries(breaker: Breaker, now: list[float]) -> None:
    fail(breaker, 3)
    now[0] += 4.9
    with pytest.raises(CircuitOpenError):
        breaker.before_call()
    now[0] += 0.1
    breaker.before_call()
    with pytest.raises(CircuitOpenError):
        breaker.before_call()
    breaker.succeeded()
    breaker.before_call()
    breaker.before_call()


def test_each_failed_trial_doubles_the_pause_up_to_the_longest(breaker: Breaker, now: list[float]) -> None:
    fail(breaker, 3)
    for pause in (5.0, 10.0, 12.0, 12.0):
        now[0] += pause - 0.1
        with pytest.raises(CircuitOpenError):
            breaker.before_call()
        now[0] += 0.1
        fail(breaker, 1)


def test_calls_that_were_under_way_do_not_lengthen_the_pause(breaker: Breaker, now: list[float]) -> None:
    fail(breaker, 3)
    for _ in range(20):
        breaker.failed(None)
    now[0] += 5.0
    breaker.before_call()


def test_a_trial_that_never_ends_does_not_lock_the_circuit(breaker: Breaker, now: list[float]) -> None:
    fail(breaker, 3)
    now[0] += 5.0
    breaker.before_call()  # and is cancelled
    now[0] += 5.0
    breaker.before_call()


def test_one_order_that_alone_fails_shuts_nobody_out(breaker: Breaker) -> None:
    for _ in range(100):
        breaker.before_call()
        breaker.failed("3300000000000000001")
        breaker.failed("3300000000000000002")
    assert not breaker.is_open


def test_failures_of_enough_different_things_open_it(breaker: Breaker) -> None:
    for subject in ("1", "2", "1"):
        breaker.failed(subject)
    assert not breaker.is_open
    breaker.failed("1688.order.list")
    with pytest.raises(CircuitOpenError):
        breaker.before_call()


def test_a_success_forgets_what_failed_before_it(breaker: Breaker) -> None:
    breaker.failed("1")
    breaker.failed(None)
    breaker.succeeded()
    for subject in ("2", "3", "2", "3"):
        breaker.failed(subject)
    assert not breaker.is_open


def test_a_host_that_cannot_be_reached_is_away_whatever_was_asked_for(breaker: Breaker) -> None:
    for subject in ("1", "1", None):
        breaker.failed(subject)
    assert breaker.is_open
