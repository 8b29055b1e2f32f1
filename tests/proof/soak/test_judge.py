"""What a soak fails for, one thing at a time."""

import pytest

from proof.soak.judge import LIMITS, MUST_END_AT_ZERO, WARM_UP_SHARE, judge
from proof.soak.record import Record

SECONDS = 3_600.0
ENDED = dict.fromkeys(MUST_END_AT_ZERO, 0.0)
FLAT = {limit.series: 100.0 for limit in LIMITS}


def record(growing: str = "", per_hour: float = 0.0, *, seconds: float = SECONDS, after_s: float = 0.0) -> Record:
    """Everything stands still but one quantity, which grows from `after_s` on."""
    made = Record()
    for number in range(int(seconds / 10)):
        at_s = number * 10.0
        grown = per_hour * max(0.0, at_s - after_s) / 3_600
        made.add(at_s, FLAT | ({growing: FLAT[growing] + grown} if growing else {}))
    return made


def test_a_run_in_which_nothing_grows_passes() -> None:
    verdict = judge(record(), SECONDS, ENDED, [])
    assert verdict.wrong == []
    assert [finding.flat for finding in verdict.findings] == [True] * len(LIMITS)


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.what)
def test_each_quantity_fails_beyond_its_tolerance_and_passes_within(limit: object) -> None:
    assert isinstance(limit, type(LIMITS[0]))
    above = judge(record(limit.series, limit.tolerance * 1.2), SECONDS, ENDED, [])
    assert len(above.wrong) == 1
    assert limit.what in above.wrong[0]
    assert judge(record(limit.series, limit.tolerance * 0.8), SECONDS, ENDED, []).wrong == []


def test_growth_in_the_warm_up_alone_is_not_judged() -> None:
    warm = SECONDS * WARM_UP_SHARE
    made = Record()
    for number in range(360):
        at_s = number * 10.0
        made.add(at_s, FLAT | {"steady.private_mib": 100 + 80 * min(at_s, warm) / warm})
    assert judge(made, SECONDS, ENDED, []).wrong == []


def test_a_leak_that_begins_late_is_found() -> None:
    late = record("steady.private_mib", 40.0, after_s=SECONDS * 0.5)
    assert len(judge(late, SECONDS, ENDED, []).wrong) == 1


def test_what_cannot_be_said_fails() -> None:
    """A run that is too short, and one of which nothing was measured."""
    assert len(judge(record(seconds=300), 300.0, ENDED, []).wrong) == len(LIMITS)
    assert len(judge(Record(), SECONDS, ENDED, []).wrong) == len(LIMITS)


def test_noise_in_which_a_leak_could_hide_fails() -> None:
    noisy = Record()
    for number in range(360):
        block = number // 6
        noisy.add(number * 10.0, FLAT | {"steady.private_mib": 100.0 + (block * 7919 % 61)})
    wrong = judge(noisy, SECONDS, ENDED, []).wrong
    assert len(wrong) == 1
    assert "may grow by up to" in wrong[0]


@pytest.mark.parametrize("name", MUST_END_AT_ZERO)
def test_what_waits_in_the_end_fails(name: str) -> None:
    assert judge(record(), SECONDS, ENDED | {name: 3.0}, []).wrong == [f"3 {MUST_END_AT_ZERO[name]} in the end"]
    unknown = judge(record(), SECONDS, ENDED | {name: None}, []).wrong
    assert len(unknown) == 1
    assert "could not be measured" in unknown[0]


def test_a_broken_promise_fails() -> None:
    assert judge(record(), SECONDS, ENDED, ["1 payments were made twice"]).wrong == ["1 payments were made twice"]
