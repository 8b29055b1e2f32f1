"""A deliberate bug: what it does, and what a run needs for it to show itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import text

from worker.simulator.machines import Fleet

Patch = pytest.MonkeyPatch
Wiring = Callable[[Fleet], None]


def without(patch: Patch, module: Any, name: str, part: str, instead: str = "") -> None:
    """Take a part out of a statement."""
    statement = getattr(module, name).text
    assert part in statement, f"{name} has no {part!r} any more: the mutant has to be written anew"
    patch.setattr(module, name, text(statement.replace(part, instead)))


@dataclass(frozen=True)
class Mutant:
    """A bug, where the search for it begins, what it is expected to break, and how the wiring of a run changes."""

    bug: Callable[[Patch], None]
    profile: dict[str, Any] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)
    wiring: Wiring | None = None
    start: int = 1

    @property
    def name(self) -> str:
        return self.bug.__name__
