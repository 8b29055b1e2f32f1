"""What a simulated connection need not trouble the server with yet: each exchange with it costs real time.

A BEGIN does nothing by itself, so it goes along with the first statement of its transaction, and a transaction without
any never reaches the server. What a statement's parameters and columns are is the same for every session: it is asked
once per process. A statement is parsed and planned once per backend and run: sessions that follow each other on one
backend give it their own names, the backend knows it by ours. Nothing of this shows to the driver or in virtual time.
"""

from __future__ import annotations

from dataclasses import dataclass

from worker.simulator import messages
from worker.simulator.messages import message, split

BEGINNINGS = frozenset({b"BEGIN;", b"BEGIN ISOLATION LEVEL READ COMMITTED;"})
COMMIT = b"COMMIT;"
ROLLBACK = b"ROLLBACK;"
_BEGIN = b"begin"
_CLOCK = b"clock"
_SYNC = message(b"S", b"")
_RUN = message(b"E", b"\0\0\0\0\0")
_TO_DESCRIBE = (b"P", b"D", b"H")
_TO_CLOSE = (b"C", b"S")
PREPARED = (
    message(b"P", _BEGIN + b"\0BEGIN\0\0\0")
    + message(
        b"P",
        _CLOCK + b"\0SELECT set_config('virtual.now', $1, false), set_config('virtual.began', $2, false)\0\0\0",
    )
    + _SYNC
)
"""What every backend is told once, so that it can be sent in front of anything."""
_START = message(b"B", b"\0" + _BEGIN + b"\0\0\0\0\0\0\0") + _RUN
_STARTED, _SET = 2, 3
"""Messages of the answers: bound, completed; and for the clock one row in between."""


@dataclass(frozen=True, slots=True)
class Described:
    """A statement that the server has described: the name under which we prepare it, and what was said."""

    name: bytes
    text: bytes
    answer: bytes


Descriptions = dict[bytes, Described]
"""By a statement's text and the types it was given."""


class Postponed:
    """One session's messages that the server has not got, or gets in other words.

    `prepared`: names of the statements that the session's backend knows.
    """

    def __init__(self, known: Descriptions, prepared: set[bytes]) -> None:
        self._known = known
        self._prepared = prepared
        self._begins = False
        self._mine: dict[bytes, Described] = {}
        self._parses: bytes | None = None

    def answer(self, packet: bytes, status: bytes) -> bytes | None:
        """Return the answer to a packet that can wait; None if the server has to. `status`: the driver's view."""
        kind = packet[:1]
        if kind == b"Q":
            return self._answer_query(packet[messages.HEADER : -1], status)
        if kind == b"P" and status != b"E" and _wants_description(packet):
            described = self._known.get(_text(packet))
            if described is not None:
                self._mine[_name(packet)] = described
                return described.answer
        if kind == b"C" and tuple(each for each, _ in split(packet)) == _TO_CLOSE:
            self._mine.pop(packet[messages.HEADER + 1 : packet.index(b"\0", messages.HEADER + 1)], None)
            return message(b"3", b"") + message(b"Z", status)
        return None

    def describe(self, packet: bytes) -> bytes | None:
        """Return what to ask the server if the packet wants a statement described that nobody knows yet, else None."""
        if not _wants_description(packet):
            return None
        name = self._next_name()
        return message(b"P", name + b"\0" + _text(packet)) + message(b"D", b"S" + name + b"\0") + _SYNC

    def learn(self, packet: bytes, answer: bytes) -> bytes:
        """Keep the server's answer to `describe`; return it as the driver expects it, without the end of a turn."""
        kept = b"".join(message(kind, body) for kind, body in split(answer) if kind != b"Z")
        if all(kind != b"E" for kind, _ in split(answer)):
            described = Described(self._next_name(), _text(packet), kept)
            self._known[described.text] = self._mine[_name(packet)] = described
            self._prepared.add(described.name)
        return kept

    def request(self, packet: bytes, now: str, began: str, *, failed: bool) -> tuple[bytes, int]:
        """Return what to send for a packet, and how many messages of the answer are not the driver's.

        `failed`: the transaction has failed, and the server takes nothing of ours any more.
        """
        front, ahead = b"", 0
        if not failed and packet[messages.HEADER : -1] not in {COMMIT, ROLLBACK}:
            if self._begins:
                front, ahead = _START, _STARTED
            front += _set_clock(now, began)
            ahead += _SET
        self._begins = False
        self._parses = None
        if packet[:1] == b"B" and (described := self._mine.get(_bound(packet))) is not None:
            packet = _rebound(packet, described.name)
            if described.name not in self._prepared:
                front += message(b"P", described.name + b"\0" + described.text)
                ahead += 1
                self._parses = described.name
        return front + packet, ahead

    def parsed(self) -> None:
        """Take note that the server has parsed what was sent in front."""
        if self._parses is not None:
            self._prepared.add(self._parses)

    def _next_name(self) -> bytes:
        return b"s%d" % len(self._known)

    def _answer_query(self, text: bytes, status: bytes) -> bytes | None:
        if text in BEGINNINGS and status == b"I":
            self._begins = True
            return message(b"C", b"BEGIN\0") + message(b"Z", b"T")
        if self._begins and text in {COMMIT, ROLLBACK}:
            self._begins = False
            return message(b"C", text[:-1] + b"\0") + message(b"Z", b"I")
        return None


def _wants_description(packet: bytes) -> bool:
    return packet[:1] == b"P" and tuple(kind for kind, _ in split(packet)) == _TO_DESCRIBE


def _set_clock(now: str, began: str) -> bytes:
    values = b"".join(messages.LENGTH.pack(len(one)) + one.encode() for one in (now, began))
    return message(b"B", b"\0" + _CLOCK + b"\0\0\0\0\2" + values + b"\0\0") + _RUN


def _name(packet: bytes) -> bytes:
    """Return the driver's name for a statement that it wants to have parsed."""
    return packet[messages.HEADER : packet.index(b"\0", messages.HEADER)]


def _text(packet: bytes) -> bytes:
    """Return what is to be parsed, and the types that it was given."""
    (length,) = messages.LENGTH.unpack_from(packet, 1)
    return packet[packet.index(b"\0", messages.HEADER) + 1 : 1 + length]


def _bound(packet: bytes) -> bytes:
    """Return the driver's name for a statement whose parameters it sends."""
    portal_ends = packet.index(b"\0", messages.HEADER)
    return packet[portal_ends + 1 : packet.index(b"\0", portal_ends + 1)]


def _rebound(packet: bytes, name: bytes) -> bytes:
    """Return the packet with another name for the statement."""
    (length,) = messages.LENGTH.unpack_from(packet, 1)
    portal_ends = packet.index(b"\0", messages.HEADER)
    name_ends = packet.index(b"\0", portal_ends + 1)
    body = packet[messages.HEADER : portal_ends + 1] + name + packet[name_ends : 1 + length]
    return message(b"B", body) + packet[1 + length :]
