"""Postgres's wire protocol, as far as somebody between client and server has to read it.

Source: the PostgreSQL manual, chapter "Frontend/Backend Protocol", version 3.0.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

CANCEL_CODE = 80_877_102
HEADER = 5
"""Bytes of a message before its body: the kind, and the length of what follows the kind."""
LENGTH = struct.Struct("!i")
READY, ERROR, NOTICE, PARSED = b"ZEN1"
_AUTHENTICATION = ord("R")
_DESCRIBED = b"TnE"
_ENDS_EARLY = frozenset({b"", b"H"})
_AUTH_WAITS = frozenset({3, 5, 10, 11})
"""Authentication requests that want an answer: clear text, MD5, SASL, SASL continued."""


def startup(parameters: dict[str, str]) -> bytes:
    """Return the first message of a session."""
    body = struct.pack("!i", 196_608)
    for name, value in parameters.items():
        body += name.encode() + b"\0" + value.encode() + b"\0"
    body += b"\0"
    return struct.pack("!i", len(body) + 4) + body


def read_startup(packet: bytes) -> dict[str, str] | None:
    """Return the parameters of a first message; None if it is not one (a cancellation)."""
    _, code = struct.unpack_from("!ii", packet)
    if code == CANCEL_CODE:
        return None
    words = packet[8:].split(b"\0")
    return {words[at].decode(): words[at + 1].decode() for at in range(0, len(words) - 2, 2) if words[at]}


def cancellation(pid: int, secret: bytes) -> bytes:
    """Return the message that cancels what a backend is doing."""
    return struct.pack("!iii", 12 + len(secret), CANCEL_CODE, pid) + secret


def query(sql: str) -> bytes:
    """Return a simple query."""
    return message(b"Q", sql.encode() + b"\0")


def message(kind: bytes, body: bytes) -> bytes:
    """Return one message."""
    return kind + LENGTH.pack(len(body) + 4) + body


def last_kind(packet: bytes) -> bytes:
    """Return the kind of the last message that a client sent in one go."""
    at, kind = 0, b""
    while at + HEADER <= len(packet):
        kind = packet[at : at + 1]
        at += 1 + LENGTH.unpack_from(packet, at + 1)[0]
    return kind


def split(answer: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the whole messages of what a server sent: kind and body."""
    at = 0
    while at + HEADER <= len(answer):
        (length,) = LENGTH.unpack_from(answer, at + 1)
        if at + 1 + length > len(answer):
            return
        yield answer[at : at + 1], answer[at + HEADER : at + 1 + length]
        at += 1 + length


class Reader:
    """Collects an answer until it is whole; reads each byte once."""

    def __init__(self, asked: bytes) -> None:
        self.asked = asked
        self.data = bytearray()
        self.parts: list[tuple[int, int, int]] = []
        """The messages so far: kind (a byte), where its body begins, and where it ends."""
        self._at = 0
        self.status = b""
        """Of the last ReadyForQuery: I idle, T in a transaction, E in a failed one; empty if none came."""

    def feed(self, part: bytes) -> bool:
        """Take what came; True once the answer is whole."""
        self.data += part
        data, at, size = self.data, self._at, len(self.data)
        whole = False
        while at + HEADER <= size:
            end = at + 1 + LENGTH.unpack_from(data, at + 1)[0]
            if end > size:
                whole = False
                break
            kind, body_at = data[at], at + HEADER
            self.parts.append((kind, body_at, end))
            whole = kind == READY or (self.asked in _ENDS_EARLY and self._ends(kind, body_at))
            if kind == READY:
                self.status = bytes(data[body_at : body_at + 1])
            at = end
        self._at = at
        return whole and at == size

    def _ends(self, kind: int, body_at: int) -> bool:
        """Tell whether an answer ends here though no turn does."""
        if self.asked == b"":  # while the session begins
            code = LENGTH.unpack_from(self.data, body_at)[0] if kind == _AUTHENTICATION else 0
            return kind == ERROR or code in _AUTH_WAITS
        return kind in _DESCRIBED


def fields_of(body: bytes) -> dict[str, str]:
    """Return an error's or a notice's fields: S severity, C code, M message."""
    return {part[:1].decode(): part[1:].decode("utf-8", "replace") for part in body.split(b"\0") if part}
