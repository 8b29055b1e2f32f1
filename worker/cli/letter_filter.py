"""The options that name dead letters; cyclopts reads them off the fields."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class LetterFilter:
    """Which letters."""

    fingerprint: str | None = None
    """The cause, as `dead-letters list` shows it."""
    topic: str | None = None
    """The topic that they came from."""
    matching: str | None = None
    """Words that their reason contains."""
    since: datetime | None = None
    """Those that came at this time or later (UTC unless a zone is given)."""
    until: datetime | None = None
    """Those that came before this time."""
