"""Every test that docs/threat-model.md names exists."""

from __future__ import annotations

import ast
import re

from tests.infrastructure import ROOT

NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


def missing(text: str) -> list[str]:
    """The tests named in a text that do not exist."""
    found = []
    for path, name in NAMED.findall(text):
        if not (ROOT / path).is_file():
            found.append(path)
        elif name:
            nodes = ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8")))
            if name not in {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}:
                found.append(f"{path}::{name}")
    return found


def test_every_test_that_is_named_exists() -> None:
    text = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
    assert len(NAMED.findall(text)) > 25
    assert missing(text) == []


def test_one_that_does_not_exist_is_found() -> None:
    here = "tests/house/test_threat_model.py"
    found = missing(f"`{here}::test_nothing` `tests/house/nowhere.py` `{here}`")
    assert found == [f"{here}::test_nothing", "tests/house/nowhere.py"]
