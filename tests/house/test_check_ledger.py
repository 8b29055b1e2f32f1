"""The page of an effect's states says what the domain's table says, or the check fails."""

from pathlib import Path

import pytest

from tools import check_ledger
from worker.domain.effects import CLEARED_STEPS, TRANSITIONS, EffectState


def test_the_page_draws_every_step_once_and_marks_those_to_another_attempt() -> None:
    drawn = check_ledger.page().partition("## Safe reads")[0].splitlines()
    for before in EffectState:
        for after in EffectState:
            lines = [line for line in drawn if line.startswith(f"    {before} --> {after}:")]
            assert len(lines) == (after in TRANSITIONS[before])
            assert all(("cleared" in line) == ((before, after) in CLEARED_STEPS) for line in lines)


def test_a_page_that_is_out_of_date_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "effect-ledger.md"
    monkeypatch.setattr(check_ledger, "PAGE", page)
    monkeypatch.setattr(check_ledger, "ROOT", tmp_path)
    assert check_ledger.main([]) == 1
    assert check_ledger.main(["--write"]) == 0
    assert check_ledger.main([]) == 0
    page.write_text(page.read_text().replace("    unknown --> planned", "    unknown --> sending"))
    assert check_ledger.main([]) == 1


def test_a_step_that_nobody_explained_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    more = TRANSITIONS | {EffectState.SUCCEEDED: frozenset({EffectState.PLANNED})}
    monkeypatch.setattr(check_ledger, "TRANSITIONS", more)
    with pytest.raises(ValueError, match="succeeded -> planned"):
        check_ledger.page()
