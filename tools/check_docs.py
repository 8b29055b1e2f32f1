"""Finds what in the documents leads nowhere: links to files and headings, make targets, numbers of decisions.

Addresses on the web are not asked: a check must give the same answer without a network.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from tools.report import ROOT, finish

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(?P<title>.+?) *#*$", re.MULTILINE)
FENCE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]*`")
MAKE_COMMAND = re.compile(r"^[ `]*(?:\$ )?make (?P<target>[a-z][a-z-]*)", re.MULTILINE)
MAKE_RULE = re.compile(r"^(?P<target>[a-z][a-z-]*):", re.MULTILINE)
DECISION = re.compile(r"(?P<number>\d{4})-[a-z0-9-]+\.md")


def documents(root: Path) -> list[Path]:
    """The README, what is beside it, and everything under docs and deploy."""
    return sorted([*root.glob("*.md"), *(root / "docs").rglob("*.md"), *(root / "deploy").rglob("*.md")])


def anchors(text: str) -> set[str]:
    """The names under which headings can be linked: lower case, spaces to hyphens, a number behind repeated ones."""
    found: set[str] = set()
    for match in HEADING.finditer(FENCE.sub("", text)):
        base = re.sub(r"[^\w\- ]", "", match["title"].lower()).replace(" ", "-")
        name, again = base, 0
        while name in found:
            again += 1
            name = f"{base}-{again}"
        found.add(name)
    return found


def dead_links(path: Path, root: Path) -> Iterator[str]:
    """Yields each relative link of one document whose file or heading does not exist."""
    text = path.read_text(encoding="utf-8")
    label = path.relative_to(root)
    for match in LINK.finditer(CODE.sub("", FENCE.sub("", text))):
        target, _, anchor = match["target"].partition("#")
        if ":" in target:  # an address: https, mailto
            continue
        file = (path.parent / target).resolve() if target else path
        if not file.is_relative_to(root) or not file.exists():
            yield f"{label}: link to {match['target']}: no such file"
        elif anchor and file.suffix == ".md" and anchor not in anchors(file.read_text(encoding="utf-8")):
            yield f"{label}: link to {match['target']}: no such heading"


def unknown_targets(path: Path, root: Path, targets: set[str]) -> Iterator[str]:
    """Yields each `make …` of one document that the Makefile does not have."""
    text = path.read_text(encoding="utf-8")
    code = [*FENCE.findall(text), *CODE.findall(FENCE.sub("", text))]
    for match in MAKE_COMMAND.finditer("\n".join(code)):
        if match["target"] not in targets:
            yield f"{path.relative_to(root)}: `make {match['target']}` is not a target of the Makefile"


def decision_numbers(root: Path) -> Iterator[str]:
    """Yields decision records without a number, and numbers used twice."""
    taken: dict[str, str] = {}
    for path in sorted((root / "docs" / "decisions").glob("*.md")):
        match = DECISION.fullmatch(path.name)
        if path.name == "README.md":
            continue
        if match is None:
            yield f"docs/decisions/{path.name}: expected NNNN-title-in-small-letters.md"
        elif match["number"] in taken:
            yield f"docs/decisions/{path.name}: number already taken by {taken[match['number']]}"
        else:
            taken[match["number"]] = path.name


def check(root: Path) -> list[str]:
    """Every problem of the documents of one tree."""
    targets = {match["target"] for match in MAKE_RULE.finditer((root / "Makefile").read_text(encoding="utf-8"))}
    problems: list[str] = []
    for path in documents(root):
        problems += dead_links(path, root)
        problems += unknown_targets(path, root, targets)
    problems += decision_numbers(root)
    return problems


def main() -> int:
    """Checks this tree."""
    return finish("check-docs", check(ROOT), f"{len(documents(ROOT))} documents")


if __name__ == "__main__":
    sys.exit(main())
