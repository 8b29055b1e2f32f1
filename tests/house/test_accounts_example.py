"""The accounts file that people copy is one that the worker accepts, and it pays nothing by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.report import ROOT
from worker.accounts import load_accounts

if TYPE_CHECKING:
    from pathlib import Path


def test_the_example_loads_and_does_not_pay(tmp_path: Path) -> None:
    example = (ROOT / "deploy" / "accounts.example.toml").read_text(encoding="utf-8")
    for secret in ("main_access_secret", "main_callback_token"):
        (tmp_path / secret).write_text("0123456789abcdef0123456789abcdef")
    (tmp_path / "accounts.toml").write_text(example.replace("/run/secrets", str(tmp_path)))
    (account,) = load_accounts(tmp_path / "accounts.toml", {})
    assert account.name == "main"
    assert not account.policy.auto_pay
