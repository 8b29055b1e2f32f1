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
        breaker.failed()


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
        breaker.failed()
    now[0] += 5.0
    breaker.before_call()


def test_a_trial_that_never_ends_does_not_lock_the_circuit(breaker: Breaker, now: list[float]) -> None:
    fail(breaker, 3)
    now[0] += 5.0
    breaker.before_call()  # and is cancelled
    now[0] += 5.0
    breaker.before_call()
