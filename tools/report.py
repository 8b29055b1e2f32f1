"""How every check of ours ends: one line per problem, then its name and a verdict."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parent.parent


def finish(check: str, problems: Sequence[str], summary: str) -> int:
    """Prints the outcome and returns the exit code: 0 without problems, else 1."""
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        print(f"{check}: {len(problems)} problem(s)", file=sys.stderr)
        return 1
    print(f"{check}: {summary}")
    return 0
