"""Cursors as callers see them: opaque text, readable only for the listing that gave them out."""

from __future__ import annotations

import base64
import hashlib
from typing import Annotated, Final

import msgspec

from worker.storage.read_store import MAX_AT, Cursor, OrderFilter, Position

MAX_CURSOR_CHARS = 500
_VERSION: Final = 1
_At = Annotated[int, msgspec.Meta(ge=0, le=MAX_AT)]
_Ref = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class CursorError(ValueError):
    """A cursor that we did not give out, or not for this listing. The message says what to do."""


class _Packed(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Version, the filters' fingerprint, position, and the settled position where it differs."""

    version: int
    filters: str
    position: tuple[_At, _Ref]
    settled: tuple[_At, _Ref] | None


_DECODER = msgspec.json.Decoder(_Packed)


def write_cursor(cursor: Cursor, wanted: OrderFilter) -> str:
    """Return the cursor as text that fits into a URL."""
    settled = None if cursor.settled is None else _pair(cursor.settled)
    packed = _Packed(_VERSION, _fingerprint(wanted), _pair(cursor.position), settled)
    return base64.urlsafe_b64encode(msgspec.json.encode(packed)).rstrip(b"=").decode()


def read_cursor(given: str, wanted: OrderFilter) -> Cursor:
    """Return the cursor that `write_cursor` wrote for the same filters; raises CursorError for anything else."""
    try:
        padded = given.encode() + b"=" * (-len(given) % 4)
        packed = _DECODER.decode(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, msgspec.MsgspecError) as error:
        raise CursorError("this is no cursor of ours; list again without one") from error
    if packed.version != _VERSION:
        raise CursorError("this cursor is of another version; list again without one")
    if packed.filters != _fingerprint(wanted):
        raise CursorError("this cursor belongs to a listing with other filters; send the same ones, or no cursor")
    settled = None if packed.settled is None else Position(*packed.settled)
    return Cursor(Position(*packed.position), settled)


def _pair(position: Position) -> tuple[int, int]:
    return position.at, position.ref


def _fingerprint(wanted: OrderFilter) -> str:
    return hashlib.sha256(msgspec.json.encode(wanted)).hexdigest()[:12]
