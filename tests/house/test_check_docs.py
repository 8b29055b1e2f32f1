"""What the documents name exists: files, headings, make targets, one decision per number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tools.check_docs import anchors, check

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "docs" / "decisions").mkdir(parents=True)
    (tmp_path / "Makefile").write_text("check: a\nb:\n")
    (tmp_path / "docs" / "way.md").write_text("# The way of `data`\n\n## Twice\n\n## Twice\n")
    return tmp_path


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[a](docs/lost.md)", "README.md: link to docs/lost.md: no such file"),
        ("![a](picture.svg)", "README.md: link to picture.svg: no such file"),
        ("[a](../outside.md)", "README.md: link to ../outside.md: no such file"),
        ("[a](docs/way.md#nowhere)", "README.md: link to docs/way.md#nowhere: no such heading"),
        ("[a](#nowhere)", "README.md: link to #nowhere: no such heading"),
        ("Run `make chekc`.", "README.md: `make chekc` is not a target of the Makefile"),
        ("```sh\n$ make demos\n```", "README.md: `make demos` is not a target of the Makefile"),
    ],
)
def test_what_leads_nowhere_is_named(tree: Path, text: str, problem: str) -> None:
    (tree / "README.md").write_text(text)
    assert check(tree) == [problem]


def test_a_decision_number_used_twice_is_named(tree: Path) -> None:
    for name in ("0001-one.md", "0001-other.md", "two.md"):
        (tree / "docs" / "decisions" / name).write_text("# x\n")
    assert check(tree) == [
        "docs/decisions/0001-other.md: number already taken by 0001-one.md",
        "docs/decisions/two.md: expected NNNN-title-in-small-letters.md",
    ]


def test_what_leads_somewhere_passes(tree: Path) -> None:
    (tree / "README.md").write_text(
        "# Top\n[a](docs/way.md#the-way-of-data) [b](docs/way.md#twice-1) [c](#top) [d](docs) [e](https://example.org/x)\n"
        "make sure that prose is left alone, and code too: `[x](y)`\n\n```sh\nmake check\n```\n"
    )
    assert check(tree) == []


def test_headings_inside_code_are_no_anchors() -> None:
    assert anchors("# Real\n```sh\n# comment\n```\n") == {"real"}
