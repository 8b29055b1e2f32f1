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
    return kind + struct.pack("!i", len(body) + 4) + body


def last_kind(packet: bytes) -> bytes:
    """Return the kind of the last message that a client sent in one go."""
    at, kind = 0, b""
    while at + HEADER <= len(packet):
        kind = packet[at : at + 1]
        at += 1 + struct.unpack_from("!i", packet, at + 1)[0]
    return kind


def split(answer: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the whole messages of what a server sent: kind and body."""
    at = 0
    while at + HEADER <= len(answer):
        (length,) = struct.unpack_from("!i", answer, at + 1)
        if at + 1 + length > len(answer):
            return
        yield answer[at : at + 1], answer[at + HEADER : at + 1 + length]
        at += 1 + length


class Reader:
    """Collects an answer until it is whole; reads each byte once."""

    def __init__(self, asked: bytes) -> None:
        self.asked = asked
        self.data = bytearray()
        self._at = 0
        self.status = b""
        """Of the last ReadyForQuery: I idle, T in a transaction, E in a failed one; empty if none came."""

    def feed(self, part: bytes) -> bool:
        """Take what came; True once the answer is whole."""
        self.data += part
        whole = False
        while self._at + HEADER <= len(self.data):
            (length,) = struct.unpack_from("!i", self.data, self._at + 1)
            end = self._at + 1 + length
            if end > len(self.data):
                return False
            whole = self._ends(self.data[self._at : self._at + 1], self._at + HEADER)
            self._at = end
        return whole and self._at == len(self.data)

    def _ends(self, kind: bytes | bytearray, body_at: int) -> bool:
        if kind == b"Z":
            self.status = bytes(self.data[body_at : body_at + 1])
            return True
        if self.asked == b"":  # while the session begins
            code = struct.unpack_from("!i", self.data, body_at)[0] if kind == b"R" else 0
            return bool(kind == b"E" or (kind == b"R" and code in _AUTH_WAITS))
        return bool(self.asked == b"H" and kind in (b"T", b"n", b"E"))


def fields_of(body: bytes) -> dict[str, str]:
    """Return an error's or a notice's fields: S severity, C code, M message."""
    return {part[:1].decode(): part[1:].decode("utf-8", "replace") for part in body.split(b"\0") if part}
