"""Reading a marketplace's loose JSON values exactly: ids as text, times as instants, text as text."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import msgspec

from worker.domain.clock import Millis
from worker.domain.identity import valid_order_id

BEIJING = timezone(timedelta(hours=8))
MAX_TEXT = 2_000
_EARLIEST: Millis = 1_262_304_000_000  # 2010: before it a number of seconds or a broken clock spoke
_LATEST: Millis = 4_102_444_800_000  # 2100
_COMPACT = re.compile(r"([0-9]{14})([0-9]{3})?([+-][0-9]{4})?")
_NAIVE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")
_DIGITS = re.compile(r"[0-9]{10,17}")
_SMALL = re.compile(r"-?[0-9]{1,6}")
_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_SECONDS_BELOW = 10**11
_MOST_EPOCH_DIGITS = 13
"""Milliseconds have 13 digits until the year 2286; 14 and more begin with a year."""


class UnreadableValueError(ValueError):
    """A value that cannot be what its field promises."""


def decode_json(body: bytes | str) -> Any:
    """Return JSON with every number exact: whole ones as int of any size, others as Decimal. Raises ValueError."""
    try:
        return _DECODER.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError, ArithmeticError) as error:
        raise ValueError(f"not JSON: {error}") from error


def as_object(value: Any) -> dict[str, Any]:
    """Return `value` if it is a JSON object, else an empty one: absent and null blocks are common."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """Return `value` if it is a JSON array, else an empty one."""
    return value if isinstance(value, list) else []


def text(value: Any) -> str | None:
    """Return a text or number as text, cut at `MAX_TEXT` characters; None for anything else."""
    if isinstance(value, str):
        return value[:MAX_TEXT] or None
    if isinstance(value, bool) or value is None:
        return None
    return str(value)[:MAX_TEXT] if isinstance(value, int | Decimal) else None


def identifier(*candidates: Any) -> str | None:
    """Return the first candidate that can be an id (text or whole JSON number), as text; None if there is none."""
    for value in candidates:
        if isinstance(value, bool) or not isinstance(value, int | str):
            continue
        candidate = str(value).strip()
        if valid_order_id(candidate) and candidate != "0":
            return candidate
    return None


def small_int(value: Any) -> int | None:
    """Return a small whole number given as number or text, None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    raw = str(value).strip()
    return int(raw) if _SMALL.fullmatch(raw) else None


def instant(value: Any) -> Millis | None:
    """Return the instant of any of the forms in use, None if it is none of them.

    `yyyyMMddHHmmssSSS+0800` (the offset is not always +0800), naive Beijing `yyyy-MM-dd HH:mm:ss`, epoch milliseconds
    or seconds as number or text.
    """
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    raw = str(value).strip()
    try:
        if len(raw) <= _MOST_EPOCH_DIGITS and _DIGITS.fullmatch(raw):
            number = int(raw)
            return _plausible(number * 1000 if number < _SECONDS_BELOW else number)
        if _NAIVE.fullmatch(raw):
            return _plausible(datetime.strptime(raw, "%Y-%m-%d %H:%M:%S").replace(tzinfo=BEIJING).timestamp() * 1000)
        compact = _COMPACT.fullmatch(raw)
        if compact and raw.startswith(("19", "20", "21")):
            return _compact_instant(compact)
        if _DIGITS.fullmatch(raw):
            return _plausible(int(raw))
    except (ValueError, OverflowError):
        pass
    return None


def compact_text(at: Millis) -> str:
    """Return `at` as the marketplaces write it: `yyyyMMddHHmmssSSS+0800`."""
    moment = datetime.fromtimestamp(at / 1000, UTC).astimezone(BEIJING)
    return f"{moment:%Y%m%d%H%M%S}{at % 1000:03d}+0800"


def _compact_instant(match: re.Match[str]) -> Millis | None:
    stamp, millis, offset = match.groups()
    zone = BEIJING if offset is None else datetime.strptime(offset, "%z").tzinfo
    whole = datetime.strptime(stamp, "%Y%m%d%H%M%S").replace(tzinfo=zone)
    return _plausible(whole.timestamp() * 1000 + int(millis or 0))


def _plausible(at: float) -> Millis | None:
    return int(at) if _EARLIEST <= at <= _LATEST else None
