"""What a simulated connection need not trouble the server with yet: each exchange with it costs real time.

A BEGIN does nothing by itself, so it goes along with the first statement of its transaction, and a transaction without
any never reaches the server. What a statement's parameters and columns are is the same for every session: it is asked
once per process; later sessions get the known answer, and the server parses the statement when it is to run it. To the
driver, and in virtual time, nothing of this shows.
"""

from __future__ import annotations

from worker.simulator import messages
from worker.simulator.messages import message, query, split

BEGINNINGS = frozenset({b"BEGIN;", b"BEGIN ISOLATION LEVEL READ COMMITTED;"})
COMMIT = b"COMMIT;"
ROLLBACK = b"ROLLBACK;"
_SYNC = message(b"S", b"")
_TO_DESCRIBE = (b"P", b"D", b"H")

Descriptions = dict[bytes, bytes]
"""What the server said to a statement (its text and the types it was given): parsed, parameters, columns."""


class Postponed:
    """One session's messages that the server has not got yet."""

    def __init__(self, known: Descriptions) -> None:
        self._known = known
        self._begin = b""
        self._parses: list[bytes] = []

    @property
    def is_begun(self) -> bool:
        """Tell whether a transaction has begun of which the server knows nothing."""
        return bool(self._begin)

    def answer(self, packet: bytes, status: bytes) -> bytes | None:
        """Return the answer to a packet that can wait; None if the server has to. `status`: the driver's view."""
        if packet[:1] == b"Q":
            return self._answer_query(packet[messages.HEADER : -1], status)
        if packet[:1] == b"P" and status != b"E":
            return self._describe(packet)
        return None

    def describe(self, packet: bytes) -> bytes | None:
        """Return what to ask the server if the packet wants a statement described that nobody knows yet, else None."""
        parts = tuple(split(packet))
        if tuple(kind for kind, _ in parts) != _TO_DESCRIBE:
            return None
        return packet[: -messages.HEADER] + _SYNC

    def learn(self, packet: bytes, answer: bytes) -> bytes:
        """Keep the server's answer to `describe`; return it as the driver expects it, without the end of a turn."""
        kept = b"".join(message(kind, body) for kind, body in split(answer) if kind != b"Z")
        if all(kind != b"E" for kind, _ in split(answer)):
            self._known[_statement(packet)] = kept
        return kept

    def take(self, settings: str) -> tuple[bytes, int]:
        """Return what goes in front of a packet (`settings`, if any, in a turn of their own), and how many parses."""
        turn = self._begin.decode() + settings
        parses, self._begin, self._parses = self._parses, b"", []
        return (query(turn) if turn else b"") + b"".join(parses), len(parses)

    def _answer_query(self, text: bytes, status: bytes) -> bytes | None:
        if text in BEGINNINGS and status == b"I":
            self._begin = text
            return message(b"C", b"BEGIN\0") + message(b"Z", b"T")
        if self._begin and text in {COMMIT, ROLLBACK}:
            self._begin = b""
            return message(b"C", text[:-1] + b"\0") + message(b"Z", b"I")
        return None

    def _describe(self, packet: bytes) -> bytes | None:
        known = self._known.get(_statement(packet))
        if known is not None:
            (length,) = messages.LENGTH.unpack_from(packet, 1)
            self._parses.append(packet[: 1 + length])
        return known


def _statement(packet: bytes) -> bytes:
    """Return all of a packet that asks for a description but the statement's name."""
    (length,) = messages.LENGTH.unpack_from(packet, 1)
    name_ends = packet.index(b"\0", messages.HEADER)
    return packet[name_ends + 1 : 1 + length] + b"".join(kind for kind, _ in split(packet[1 + length :]))
