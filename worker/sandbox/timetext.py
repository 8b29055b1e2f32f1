"""The marketplace's spellings of a moment."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

BEIJING_H = 8
_STAMP = re.compile(r"(\d{17})([+-]\d{4})")


def stamp(moment_ms: int, offset_h: int = BEIJING_H) -> str:
    """`yyyyMMddHHmmssSSS+0800`; some orders carry another offset for the same instant."""
    local = datetime.fromtimestamp(moment_ms // 1000, timezone(timedelta(hours=offset_h)))
    return f"{local:%Y%m%d%H%M%S}{moment_ms % 1000:03d}{offset_h:+03d}00"


def plain(moment_ms: int) -> str:
    """`yyyy-MM-dd HH:mm:ss`, Beijing time without saying so."""
    return f"{datetime.fromtimestamp(moment_ms // 1000, timezone(timedelta(hours=BEIJING_H))):%Y-%m-%d %H:%M:%S}"


def read_stamp(text: str) -> int:
    """Unix milliseconds of a `yyyyMMddHHmmssSSS±HHMM` text.

    Raises:
        ValueError: the text has another form. Deliberately strict: a client that sends something else should hear it.
    """
    parts = _STAMP.fullmatch(text)
    if parts is None:
        raise ValueError(f"expected yyyyMMddHHmmssSSS+0800, got {text!r}")
    moment = datetime.strptime(parts[1][:14] + parts[2], "%Y%m%d%H%M%S%z").astimezone(UTC)
    return int(moment.timestamp()) * 1000 + int(parts[1][14:])
