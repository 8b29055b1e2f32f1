"""A dead letter's value as a person can read it: JSON opened, also inside of a kept message, and masked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from worker.broker.envelope import UNRECOGNISED_TYPE, Unrecognised
from worker.domain.clock import iso
from worker.operations.dead_letters.masking import mask, mask_text

MAX_FORM_FIELDS = 50


def decoded(headers: Mapping[str, str], value: bytes) -> Any:
    """Return the value, masked. What cannot be opened is described by its size; it never raises."""
    if headers.get("ce_type") == UNRECOGNISED_TYPE:
        try:
            kept = msgspec.json.decode(value, type=Unrecognised)
            received_at = iso(kept.received_at)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError, OverflowError, OSError):
            return _opened(value)
        return {"account": mask(kept.account, "account"), "reason": mask_text(kept.reason),
                "received_at": received_at, "message": _opened(kept.body)}  # fmt: skip
    return _opened(value)


def _opened(raw: bytes) -> Any:
    try:
        return mask(_open_texts(msgspec.json.decode(raw)))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    try:
        fields = parse_qsl(raw.decode(), strict_parsing=True, max_num_fields=MAX_FORM_FIELDS)
        if not fields:
            raise ValueError("empty")  # noqa: TRY301 - one way out
    except (ValueError, UnicodeDecodeError):
        return f"({len(raw)} bytes that are neither JSON nor a form)"
    return {"form": mask(_open_texts(dict(fields)))}


def _open_texts(value: Any, depth: int = 0) -> Any:
    """Open JSON that travels as text inside of JSON or of a form field, as these marketplaces do."""
    if depth > 4:  # noqa: PLR2004 - deeper than any of them nests
        return value
    if isinstance(value, dict):
        return {key: _open_texts(held, depth + 1) for key, held in value.items()}
    if isinstance(value, str) and value[:1] in {"{", "["}:
        try:
            return _open_texts(msgspec.json.decode(value), depth + 1)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return value
    return value
