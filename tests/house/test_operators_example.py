"""The operators file that people copy is one that the worker accepts; every alert that can open has a runbook."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from tools.report import ROOT
from worker.domain.alerts import AlertKind
from worker.domain.operators import Role
from worker.operators import load_operators

if TYPE_CHECKING:
    from pathlib import Path


def test_the_example_loads(tmp_path: Path) -> None:
    example = (ROOT / "deploy" / "operators.example.toml").read_text(encoding="utf-8")
    for name in ("ann", "ole"):
        (tmp_path / f"{name}_token_sha256").write_text(hashlib.sha256(name.encode()).hexdigest())
    (tmp_path / "operators.toml").write_text(example.replace("/run/secrets", str(tmp_path)))
    ann, ole = load_operators(tmp_path / "operators.toml", {})
    assert (ann.roles, ole.roles) == ((Role.APPROVER,), (Role.OPERATOR,))


def test_every_kind_of_alert_has_a_runbook() -> None:
    headings = set(re.findall(r"^## (\w+)$", (ROOT / "docs" / "runbooks.md").read_text(encoding="utf-8"), re.MULTILINE))
    assert {kind.value for kind in AlertKind} <= headings
