"""What goes to a terminal: text from elsewhere is shown as text, and cannot move the cursor or say anything else."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

_DANGEROUS = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Controls (ESC and the C1 set among them), formats (which turn the direction of writing), surrogates, separators."""


def safe(text: str, *, lines: bool = False) -> str:
    """Return `text` with everything that a terminal would obey written out as an escape. `lines`: keep newlines."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if _is_shown(char, lines=lines) else _written_out(char) for char in text)


def _is_shown(char: str, *, lines: bool) -> bool:
    return (lines and char == "\n") or unicodedata.category(char) not in _DANGEROUS


def _written_out(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


class SafeConsole(Console):
    """A console for outside text: plain lines by `say`, nothing in them is markup or an escape sequence."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(highlight=False, soft_wrap=True, stderr=stderr, markup=False, emoji=False)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Print a table; what does not fit is folded, never cut off."""
        made = Table(box=SIMPLE_HEAD, pad_edge=False)
        for column in columns:
            made.add_column(column, overflow="fold")
        for row in rows:
            made.add_row(*(Text("" if cell is None else safe(str(cell), lines=True)) for cell in row))
        self.print(made, soft_wrap=False)

    def say(self, text: str, style: str = "") -> None:
        """Print one or several lines."""
        self.print(Text(safe(text, lines=True), style=style))
