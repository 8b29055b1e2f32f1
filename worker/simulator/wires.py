"""Connections to the real Postgres that a simulation holds in its hand: one round trip at a time, in virtual time.

The driver (asyncpg) is real and speaks its protocol to a transport of ours. A request leaves after a latency by the
dice; then it is exchanged with the server at once, while everything else stands still. A statement that waits for
another one's lock is set aside until a transaction has ended, and ends by the lock time-out of virtual time.
"""

from __future__ import annotations

import asyncio
import struct
from collections import deque
from typing import TYPE_CHECKING, Any

from worker.simulator import messages
from worker.simulator.loop import MACHINE
from worker.simulator.postponed import COMMIT, ROLLBACK, Postponed
from worker.simulator.server import ANSWER_WITHIN_S, LOOK_S

if TYPE_CHECKING:
    from worker.simulator.postgres import Postgres

_NOTIFY = "notify "
_NOT_SET = frozenset({"user", "database", "client_encoding"})
IDLE_IN_TRANSACTION_S = 60.0
_NEVER = -1.0


class Wire(asyncio.Transport):
    """One connection of a machine (or, with None, of the world outside)."""

    def __init__(self, postgres: Postgres, protocol: asyncio.Protocol, number: int) -> None:
        super().__init__()
        self.postgres = postgres
        self.machine = MACHINE.get()
        self.number = number
        self.lost = False
        self.application = ""
        """The name under which the session began; empty before."""
        self._protocol: Any = protocol
        self._backend = postgres.take_backend()
        self._socket = self._backend.socket
        self.pid = self._backend.pid
        self._queue: deque[bytes] = deque()
        self._busy = False
        self._started = False
        self._settled = True  # the last answer ended with ReadyForQuery: a statement of ours may go before
        self._reader: messages.Reader | None = None
        self._sent = b""
        self._skip = 0
        self._lock_timeout_s = 10.0
        self._status = b"I"
        self._began = ""
        self._notices: list[str] = []
        self._answered_at = 0.0
        self._is_watched = False
        self._postponed = Postponed(postgres.descriptions)
        self._parses = 0

    # What the driver sees

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Tell nothing: there is no socket to set options on."""
        del name
        return default

    def is_closing(self) -> bool:
        """Tell whether the connection is gone."""
        return self.lost

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take a request. It leaves after a while; requests of one connection leave in order."""
        if self.lost:
            return
        self._queue.append(bytes(data))
        self._answered_at = _NEVER
        self._send_next()

    def writelines(self, list_of_data: Any) -> None:
        """Take the parts of one request."""
        self.write(b"".join(bytes(part) for part in list_of_data))

    def close(self) -> None:
        """End the session."""
        self.cut(tell=True)

    abort = close

    def pause_reading(self) -> None:
        """Nothing is read that was not asked for."""

    def resume_reading(self) -> None:
        """See `pause_reading`."""

    def cut(self, *, tell: bool, error: Exception | None = None) -> None:
        """End the session on the server's side, now, whatever it does; what was not committed is undone."""
        if self.lost:
            return
        self.lost = True
        self.postgres.forget(self)
        if self._reader is not None:  # its statement waits for a lock
            self._backend.cancel()
            self.read(patient=True)
            self._settled = bool(self._reader.status)
            self._reader = None
        self._backend.reset(settled=self._settled)
        self.postgres.give_back(self._backend)
        if tell:
            self.postgres.loop.call_soon(self._protocol.connection_lost, error, context=self.postgres.context_of(self))
        self.postgres.settle()

    # The way of a request

    def _send_next(self) -> None:
        if not self._busy and self._queue and not self.lost:
            self._busy = True
            self.postgres.later(self.postgres.latency(self), self._leave)

    def _leave(self) -> None:
        if self.lost:
            return
        self._sent = self._queue.popleft()
        if not self.postgres.before(self, self._sent):
            return
        if not self._started:
            self._open(self._sent)
            return
        asked = messages.last_kind(self._sent)
        if asked == b"X":
            self.cut(tell=True)
            return
        self._reader = messages.Reader(asked)
        answer = self._without_server(self._sent)
        if answer is not None:
            self._reader.feed(answer)
            self.answered(answer)
            return
        front, self._parses = b"", 0
        if self._sent[messages.HEADER : -1] not in {COMMIT, ROLLBACK}:
            front, self._parses = self._postponed.take(self._clock())
        self._skip = 1 if front[:1] == b"Q" else 0
        self._socket.sendall(front + self._sent)
        self._settled = False
        answer = self.read()
        if answer is None:
            self.postgres.wait_for_lock(self, self._lock_timeout_s)
        else:
            self.answered(answer)

    def _without_server(self, packet: bytes) -> bytes | None:
        """Return the answer to a packet whose turn at the server comes later, or that another session asked before."""
        if not self._settled:
            return None
        if self._status == b"I":
            self._began = self.postgres.now_text()
        answer = self._postponed.answer(packet, self._status)
        if answer is None and self._status != b"E" and (asks := self._postponed.describe(packet)) is not None:
            answer = self._postponed.learn(packet, self._backend.exchange(asks, b"S"))
        return answer

    def _open(self, packet: bytes) -> None:
        """Begin the session (or cancel another one's statement, for which the driver opens a connection, too).

        The server's own time-outs are left out: they would run on real time.
        """
        parameters = messages.read_startup(packet)
        if parameters is None:
            self.postgres.cancel(struct.unpack_from("!i", packet, 8)[0])
            self.cut(tell=True)
            return
        timeout = parameters.get("lock_timeout")
        self._lock_timeout_s = int(timeout) / 1000 if timeout else self._lock_timeout_s
        self.application = parameters.get("application_name", "")
        self.postgres.trace.note("session", self.postgres.name_of(self), self.application)
        wanted = {name: value for name, value in parameters.items() if name not in _NOT_SET}
        settings = "; ".join(f"SET {name} = '{value}'" for name, value in wanted.items() if "_timeout" not in name)
        whose = f"SET virtual.machine = '{self.postgres.name_of(self)}'"
        self._backend.exchange(messages.query(f"{settings}; {whose}" if settings else whose), b"Q")
        self._started = True
        self._arrive(self._backend.greeting)

    def _clock(self) -> str:
        """Return the statements that tell the server what time it is."""
        if not self._settled:
            return ""
        return f"SET virtual.now = '{self.postgres.now_text()}'; SET virtual.began = '{self._began}'"

    def read(self, *, patient: bool = False) -> bytes | None:
        """Read until the answer is whole; None if the statement waits for a lock (unless `patient`)."""
        reader = self._reader
        if reader is None:
            return None
        waited = 0.0
        while True:
            part = self._backend.receive()
            if part is None:
                waited += LOOK_S
                if not patient and self.postgres.is_blocked(self.pid):
                    return None
                if waited > ANSWER_WITHIN_S:
                    raise RuntimeError(f"the server does not answer {self._sent[:200]!r}")
                continue
            while part and self._skip:
                part = self._skipped(part)
            if part and reader.feed(part):
                return bytes(reader.data)

    def _skipped(self, part: bytes) -> bytes:
        """Drop the answer to the statement in front (it may come in several parts)."""
        self._front = getattr(self, "_front", b"") + part
        at = 0
        while at + 5 <= len(self._front):
            (length,) = struct.unpack_from("!i", self._front, at + 1)
            end = at + 1 + length
            if end > len(self._front):
                return b""
            if self._front[at : at + 1] == b"Z":
                rest, self._front = self._front[end:], b""
                self._skip = 0
                return rest
            at = end
        return b""

    def answered(self, answer: bytes) -> None:
        """Take a whole answer from the server and let it travel back."""
        reader, self._reader = self._reader, None
        status = reader.status if reader is not None else b""
        self._settled = self._settled or bool(status)
        failed, shown, stripped = self._read_through(answer)
        if status:
            self._status = status
            if status == b"I":
                if not failed and b"ROLLBACK" not in stripped[:32]:
                    self.postgres.notify(self._notices)
                self._notices = []
                self.postgres.settle()
            else:
                self._answered_at = self.postgres.loop.time()
                self._watch(IDLE_IN_TRANSACTION_S)
        self.postgres.trace.hidden("sql", f"{self.number}", f"{len(stripped)} {shown}")
        if self.postgres.after(self, self._sent, failed=failed):
            self._arrive(stripped)

    def _read_through(self, answer: bytes) -> tuple[bool, str, bytes]:
        """Keep what is ours (notices, the key of the session); return whether it failed, an error, and the rest."""
        failed, shown, kept = False, "", bytearray()
        for kind, body in messages.split(answer):
            if kind == b"N":
                text = messages.fields_of(body).get("M", "")
                if text.startswith(_NOTIFY):
                    self._notices.append(text.removeprefix(_NOTIFY))
                    continue
            elif kind == b"1" and self._parses:  # of a statement that was postponed
                self._parses -= 1
                continue
            elif kind == b"E":
                failed, shown = True, messages.fields_of(body).get("C", "")
            kept += messages.message(kind, body)
        return failed, shown, bytes(kept)

    def _arrive(self, answer: bytes) -> None:
        if self.lost:
            return
        self.postgres.loop.call_soon(self._received, answer, context=self.postgres.context_of(self))

    def _received(self, answer: bytes) -> None:
        if self.lost:
            return
        self._busy = False
        self._protocol.data_received(answer)
        self._send_next()

    def _watch(self, seconds: float) -> None:
        if not self._is_watched:
            self._is_watched = True
            self.postgres.later(seconds, self._left_idle)

    def _left_idle(self) -> None:
        """End a session that left its transaction open, as the server's own time-out would."""
        self._is_watched = False
        if self.lost or self._status == b"I" or self._answered_at == _NEVER:
            return
        left = self._answered_at + IDLE_IN_TRANSACTION_S - self.postgres.loop.time()
        if left > 0:
            self._watch(left)
            return
        self.postgres.trace.note("idle in transaction", self.postgres.name_of(self))
        self.cut(tell=True, error=ConnectionResetError("idle in transaction for too long"))

    def stop_waiting(self) -> None:
        """Let the statement fail that waits for a lock, and take its answer."""
        self._backend.cancel()
        answer = self.read(patient=True)
        if answer is not None:
            self.answered(answer)
