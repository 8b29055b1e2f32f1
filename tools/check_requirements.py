"""Proves offline that requirements/*.txt pin what pyproject.toml asks for; `make lock` repairs what this finds.

Each file adds to the one before: bootstrap (uv alone) and runtime ⊆ embedded ⊆ dev, with the same versions throughout.
Every pin has a hash, and no line names an address: where packages come from is the reader's own configuration.
"""

from __future__ import annotations

import re
import sys
import tomllib
from typing import TYPE_CHECKING, Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.report import ROOT, finish

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

FILES = ("runtime", "embedded", "dev", "bootstrap")
SUBSETS = (("runtime", "embedded"), ("embedded", "dev"), ("bootstrap", "dev"))
PIN = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(?P<version>[^\s;]+)(?P<rest>.*)", re.DOTALL)

Pins = dict[str, str]


def read_pins(label: str, text: str) -> tuple[Pins, list[str]]:
    """Returns name → version, and a problem for every line that is not a pin with a hash."""
    pins: Pins = {}
    problems: list[str] = []
    if "://" in text:
        problems.append(f"{label}: carries an address; compile it with `make lock`")
    for entry in text.replace("\\\n", " ").splitlines():
        line = entry.strip()
        if not line or line.startswith("#"):
            continue
        match = PIN.match(line)
        if match is None:
            problems.append(f"{label}: not a pin: {line[:60]}")
            continue
        if "--hash=sha256:" not in match["rest"]:
            problems.append(f"{label}: {match['name']} has no hash")
        pins[canonicalize_name(match["name"])] = match["version"]
    return pins, problems


def unmet(label: str, wanted: Iterable[str], pins: Mapping[str, str]) -> Iterator[str]:
    """Yields what pyproject.toml asks for and the file lacks or pins outside the asked range."""
    for text in wanted:
        requirement = Requirement(text)
        version = pins.get(canonicalize_name(requirement.name))
        if version is None:
            yield f"{label}: {requirement.name} is not pinned; run `make lock`"
        elif not requirement.specifier.contains(version, prereleases=True):
            asked = requirement.specifier
            yield f"{label}: {requirement.name} is pinned to {version}, asked for is {asked}; run `make lock`"


def disagreements(smaller: str, larger: str, pins: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """Yields each pin of the smaller file that the larger one lacks or has in another version."""
    for name, version in pins[smaller].items():
        other = pins[larger].get(name)
        if other != version:
            yield f"{larger}.txt: {name} is {other or 'missing'}, {smaller}.txt has {version}; run `make lock`"


def check(project: Mapping[str, Any], texts: Mapping[str, str]) -> list[str]:
    """Every problem of one pyproject.toml and the text of its requirements files, by their names without `.txt`."""
    pins: dict[str, Pins] = {}
    problems: list[str] = []
    for name in FILES:
        pins[name], found = read_pins(f"{name}.txt", texts[name])
        problems += found
    metadata = project["project"]
    problems += unmet("runtime.txt", metadata["dependencies"], pins["runtime"])
    problems += unmet("embedded.txt", metadata["optional-dependencies"]["embedded"], pins["embedded"])
    problems += unmet("dev.txt", project["dependency-groups"]["dev"], pins["dev"])
    problems += unmet("dev.txt", project["build-system"]["requires"], pins["dev"])
    problems += unmet("bootstrap.txt", ["uv"], pins["bootstrap"])
    for smaller, larger in SUBSETS:
        problems += disagreements(smaller, larger, pins)
    return problems


def read_tree(root: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Reads what `check` judges."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    return project, {name: (root / "requirements" / f"{name}.txt").read_text(encoding="utf-8") for name in FILES}


def main() -> int:
    """Checks this tree."""
    project, texts = read_tree(ROOT)
    return finish("check-requirements", check(project, texts), "in step with pyproject.toml")


if __name__ == "__main__":
    sys.exit(main())
