"""A terminal shows text from elsewhere; it does not obey it."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.cli.output import SafeConsole, safe


@given(text=st.text())
def test_nothing_that_a_terminal_obeys_is_left(text: str) -> None:
    shown = safe(text)
    assert not {unicodedata.category(char) for char in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert "\n" not in shown


@given(text=st.text(st.characters(categories=["L", "N", "P", "S", "Zs"])))
def test_what_is_harmless_stays_as_it_is(text: str) -> None:
    assert safe(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\x9b31m", r"\x9b31m"),
        ("a\rb\nc\td", r"a\rb\nc\td"),
        ("\u202ecod.exe", r"\u202ecod.exe"),
        ("\u200bzero", r"\u200bzero"),
        ("新款 [red]", "新款 [red]"),
    ],
)
def test_it_is_written_out(text: str, shown: str) -> None:
    assert safe(text) == shown


def test_lines_of_our_own_stay_lines_and_markup_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    SafeConsole().say("one [red]\ntwo :smile: \x1b[2J")
    assert capsys.readouterr().out == "one [red]\ntwo :smile: \\x1b[2J\n"
