"""The table of bounds in docs/operations.md says what the code says, of every queue there is, with a test for each."""

from __future__ import annotations

import ast
import importlib
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.infrastructure import ROOT
from worker.settings import PREFIX, Settings

DOCUMENT = ROOT / "docs" / "operations.md"
ROW = re.compile(
    r"^\| (?P<what>[^|]+) \| (?P<most>[0-9,]+) \| `(?P<where>[^`]+)` \| [^|]+ \| `(?P<test>[^`]+)` \|$", re.MULTILINE
)
QUEUES = re.compile(
    r"MAX_WAITING|MAX_EVENTS|MAX_ON_THE_WAY|MAX_LETTERS|MAX_NAMED_LETTERS|MAX_ROUNDS|MAX_PAGES_PER_WINDOW"
    r"|MAX_GROUPS|MAX_LEAK_ALERTS|MOST_AT_ONCE|PUBLISHED_AT_ONCE|MAX_ATTEMPTS|[A-Z]+_CONCURRENCY|([A-Z]+_)?BATCH"
)
"""How a constant is called that says how much may wait, or how much is taken at once."""
STAGES = ("broker", "composition", "intake", "operations", "outbound", "reconcile")


@dataclass(frozen=True)
class Bound:
    """One row."""

    what: str
    most: int
    where: str
    test: str


def bounds(text: str) -> list[Bound]:
    """The rows of the table."""
    section = text.partition("\n## Bounds\n")[2].partition("\n## ")[0]
    found = [
        Bound(row["what"], int(row["most"].replace(",", "")), row["where"], row["test"])
        for row in ROW.finditer(section)
    ]
    assert len(found) == sum(line.startswith("| ") for line in section.splitlines()) - 2, "a row cannot be read"
    return found


def in_code(where: str) -> object:
    """What the code says at `module.py:NAME`, or a setting's default."""
    if where.startswith(PREFIX):
        return Settings.model_fields[where.removeprefix(PREFIX).lower()].default
    path, _, name = where.partition(":")
    module = importlib.import_module(path.removesuffix(".py").replace("/", "."))
    return getattr(module, name)


def functions_of(path: Path) -> set[str]:
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


TABLE = bounds(DOCUMENT.read_text(encoding="utf-8"))


@pytest.mark.parametrize("bound", TABLE, ids=lambda bound: bound.where)
def test_each_row_says_what_the_code_says_and_names_a_test(bound: Bound) -> None:
    assert in_code(bound.where) == bound.most
    path, _, name = bound.test.partition("::")
    assert name in functions_of(ROOT / path), f"{bound.test} does not exist"


def test_every_queue_is_in_the_table() -> None:
    named = {bound.where for bound in TABLE}
    paths = [*(path for room in STAGES for path in (ROOT / "worker" / room).rglob("*.py"))]
    missing = [
        f"{path.relative_to(ROOT)}:{target.id}"
        for path in paths
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and QUEUES.fullmatch(target.id)
    ]
    assert len(missing) > 15
    assert [where for where in missing if where not in named] == [], "add a row to docs/operations.md, with a test"


def test_a_row_that_nobody_can_read_is_found() -> None:
    with pytest.raises(AssertionError, match="a row cannot be read"):
        bounds("\n## Bounds\n\n| a | b | c | d | e |\n| --- | --- | --- | --- | --- |\n| x | many | `y` | z | `t` |\n")
