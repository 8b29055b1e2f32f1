"""The refresh token's file. Extending a refresh token ends the old one, so the new one must not be lost.

Beside the token stands a note of when it ends, with a digest that says of which token: who puts a new token into
the file need not think of the note.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import msgspec

from worker.domain.clock import Millis


class Note(msgspec.Struct, frozen=True):
    """When the token ends (ms), and the beginning of its SHA-256."""

    ends_at: Millis
    digest: str


class RefreshTokenFile:
    """One refresh token in a file, alone."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._note = path.with_name(path.name + ".ends")

    def read(self) -> tuple[str, Millis | None]:
        """Return the token, and when it ends if that is noted. Raises OSError."""
        token = self._path.read_text(encoding="utf-8").strip()
        try:
            note = msgspec.json.decode(self._note.read_bytes(), type=Note)
        except (OSError, msgspec.MsgspecError):
            return token, None
        return token, note.ends_at if note.digest == _digest(token) else None

    def check_writable(self) -> None:
        """Raise OSError if a new token could not be kept: asked before the old one is given up."""
        probe = self._path.with_name(self._path.name + ".probe")
        _write(probe, b"")
        probe.unlink()

    def write(self, token: str, ends_at: Millis | None) -> None:
        """Put a new token in the old one's place, in one step. Raises OSError."""
        _write_whole(self._path, token.encode())
        if ends_at is not None:
            _write_whole(self._note, msgspec.json.encode(Note(ends_at, _digest(token))))


def _write_whole(path: Path, content: bytes) -> None:
    fresh = path.with_name(path.name + ".new")
    _write(fresh, content)
    fresh.replace(path)


def _write(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(handle, content)
        os.fsync(handle)
    finally:
        os.close(handle)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()[:16]
