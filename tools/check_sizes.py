"""Keeps modules and functions small enough to be read at one go: docs say 400 lines a module, 70 a function."""

from __future__ import annotations

import ast
import statistics
import sys
from typing import TYPE_CHECKING

from tools.report import ROOT, finish

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOLDERS = ("worker", "tools", "bench", "proof", "migrations")
MODULE_LINES = 400
FUNCTION_LINES = 70


def modules(root: Path) -> list[Path]:
    """Every Python file of the folders that we measure; a folder may be missing."""
    return sorted(path for folder in FOLDERS for path in (root / folder).rglob("*.py"))


def problems_in(name: str, source: str) -> Iterator[str]:
    """Yields one line per module or function that is too long; a function's decorators do not count."""
    lines = len(source.splitlines())
    if lines > MODULE_LINES:
        yield f"{name}:1: module has {lines} lines, at most {MODULE_LINES}"
    for node in ast.walk(ast.parse(source, name)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES:
                yield f"{name}:{node.lineno}: function {node.name} has {length} lines, at most {FUNCTION_LINES}"


def main() -> int:
    """Checks the tree and tells its median, which should stay near 100."""
    problems: list[str] = []
    lengths: list[int] = []
    for path in modules(ROOT):
        source = path.read_text(encoding="utf-8")
        problems += problems_in(str(path.relative_to(ROOT)), source)
        if source.count("\n") > 1:  # a package's one-line __init__ says nothing about module size
            lengths.append(len(source.splitlines()))
    median = statistics.median(lengths) if lengths else 0
    return finish("check-sizes", problems, f"{len(lengths)} modules, median {median:.0f} lines")


if __name__ == "__main__":
    sys.exit(main())
