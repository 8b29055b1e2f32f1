"""The envelope of an answer: which of the described shapes it has, and what a described one lacks."""

from __future__ import annotations

from typing import Any

import msgspec

from worker.catalogue.operation import Dialect
from worker.marketplaces.values import as_object, small_int

_NOT_FOUND = 404
_UNSUPPORTED = "gw.APIUnsupported"
_PANDAPON = ("requestId", "code", "msg", "data")
_GATEWAY = ("error_code", "error_message")


class Envelope(msgspec.Struct, frozen=True):
    """A shape by its name in the marketplace notes."""

    name: str
    contradictions: tuple[str, ...] = ()


def look(dialect: Dialect, status: int | None, answer: Any) -> Envelope:
    """Return the envelope of a decoded answer."""
    whole = as_object(answer)
    if dialect is Dialect.ALIBABA1688:
        return Envelope(f"{_shape(whole)}, HTTP {status}")
    missing = [name for name in _PANDAPON if name not in whole]
    found = [f"the envelope has no {', '.join(missing)}"] if missing else []
    if "code" in whole and small_int(whole["code"]) is None:
        found.append("the envelope's code is no number")
    return Envelope(f"requestId/code/developId/msg/data, HTTP {status}", tuple(found))


def is_not_there(status: int | None, said: str) -> bool:
    """Tell whether a refusal means that there is no such path (HTTP 404, or the open platform's own word for it)."""
    return status == _NOT_FOUND or f"HTTP {_NOT_FOUND}" in said or _UNSUPPORTED in said


def _shape(whole: dict[str, Any]) -> str:
    """The four documented ways of the open platform to say how a call went, and plain data."""
    if any(name in whole for name in _GATEWAY):
        return "gateway"
    inner = as_object(whole.get("result"))
    if "success" in inner or "code" in inner:
        return "mixed" if "success" in whole else "new: result within result"
    if "success" in whole or "errorCode" in whole:
        return "old: success beside the data"
    return "plain"
