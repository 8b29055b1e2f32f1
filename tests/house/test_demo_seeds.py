"""Many seeds pass only if every one of them kept every promise, by its own status and by its figures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from tools.check_demo import FIGURES, MUST_BE_ZERO
from tools.demo_seeds import Outcome, judge, main

GOOD: dict[str, object] = dict.fromkeys(FIGURES, 60) | dict.fromkeys(MUST_BE_ZERO, 0) | {"seconds": 9.5}


def ended(status: int = 0, **changes: object) -> Outcome:
    return Outcome(status, json.dumps(GOOD | changes), "")


def test_every_seed_is_played_once_and_the_demos_own_words_are_passed_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[Sequence[str]] = []

    def run(arguments: Sequence[str]) -> Outcome:
        asked.append(arguments)
        return ended()

    words = ["--seeds", "3", "--first", "5", "--keep", str(tmp_path), "--", "--faults", "hostile"]
    assert main(words, run) == 0
    assert asked == [["demo", "--seed", str(seed), "--faults", "hostile", "--json"] for seed in (5, 6, 7)]
    assert capsys.readouterr().out.count("| kept |") == 3
    assert list(tmp_path.iterdir()) == []


def test_one_bad_seed_fails_the_whole_and_keeps_what_it_said(tmp_path: Path) -> None:
    ends = iter([ended(), ended(1, converged=59, broken=["1 orders differ"]), ended()])
    assert main(["--seeds", "3", "--keep", str(tmp_path)], lambda _: next(ends)) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["seed-2.txt"]


@pytest.mark.parametrize(
    ("outcome", "problem"),
    [
        (Outcome(1, "", "no Postgres"), "exit status 1, and no figures"),
        (Outcome(0, "[]", ""), "exit status 0, and no figures"),
        (ended(1), "exit status 1"),
        (ended(double_payments=1), "double_payments is 1, expected 0"),
        (ended(1, broken=["2 follow-ups are stuck"]), "2 follow-ups are stuck"),
    ],
)
def test_a_run_that_failed_in_any_way_is_broken(outcome: Outcome, problem: str) -> None:
    assert judge(outcome, none_arrives=False)[1] == [problem]


def test_where_no_callback_may_arrive_none_may_have_been_sent() -> None:
    assert judge(ended(callbacks_sent=0), none_arrives=True)[1] == []
    assert judge(ended(callbacks_sent=1), none_arrives=True)[1] == ["callbacks_sent is 1, expected 0"]
    assert judge(ended(callbacks_sent=0), none_arrives=False)[1] == ["callbacks_sent is 0, so nothing was tried"]


def test_the_seeds_know_by_the_demos_words_that_none_may_arrive(tmp_path: Path) -> None:
    words = ["--seeds", "1", "--keep", str(tmp_path), "--", "--lost-callbacks"]
    assert main([*words, "1.0"], lambda _: ended(callbacks_sent=0)) == 0
    assert main([*words, "0.3"], lambda _: ended(callbacks_sent=0)) == 1
