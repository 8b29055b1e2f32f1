"""`python -m proof.soak` before anything runs."""

from pathlib import Path

import pytest

from proof.soak.__main__ import main


@pytest.mark.parametrize("arguments", [("--hours", "0"), ("--hours", "24"), ("--rate", "-1"), ("--hours", "nan")])
def test_what_the_sandbox_could_not_hold_is_refused(
    arguments: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([*arguments, "--out", str(tmp_path / "out")])
    assert "at most 50000 orders" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_directory_with_something_in_it_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = tmp_path / "letters.txt"
    kept.write_text("dear")
    with pytest.raises(SystemExit, match="2"):
        main(["--out", str(tmp_path)])
    assert "expected a directory that is empty" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [kept]
