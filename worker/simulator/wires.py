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
from worker.simulator.postponed import Postponed
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
        self._lock_timeout_s = 10.0
        self._status = b"I"
        self._began = ""
        self._notices: list[str] = []
        self._answered_at = 0.0
        self._is_watched = False
        self._postponed = Postponed(postgres.descriptions, self._backend.prepared)
        self._ahead = 0

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
            self.answered()
            return
        failed = self._status == b"E" or not self._settled
        request, self._ahead = self._postponed.request(self._sent, self.postgres.now_text(), self._began, failed=failed)
        self._socket.sendall(request)
        self._settled = False
        if self.read():
            self.answered()
        else:
            self.postgres.wait_for_lock(self, self._lock_timeout_s)

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

    def read(self, *, patient: bool = False) -> bool:
        """Read until the answer is whole; False if the statement waits for a lock (unless `patient`)."""
        reader = self._reader
        if reader is None:
            return False
        waited = 0.0
        while True:
            part = self._backend.receive()
            if part is None:
                waited += LOOK_S
                if not patient and self.postgres.is_blocked(self.pid):
                    return False
                if waited > ANSWER_WITHIN_S:
                    raise RuntimeError(f"the server does not answer {self._sent[:200]!r}")
                continue
            if reader.feed(part):
                return True

    def answered(self) -> None:
        """Take the whole answer that was read from the server and let it travel back."""
        reader, self._reader = self._reader, None
        if reader is None:
            return
        status = reader.status
        self._settled = self._settled or bool(status)
        failed, shown, stripped = self._read_through(reader)
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

    def _read_through(self, reader: messages.Reader) -> tuple[bool, str, bytes]:
        """Keep what is ours (notices, the key of the session); return whether it failed, an error, and the rest."""
        failed, shown, kept, kept_to = False, "", [], 0
        data, ahead, self._ahead = bytes(reader.data), self._ahead, 0
        for kind, body_at, end in reader.parts:
            if kind == messages.NOTICE:
                text = messages.fields_of(data[body_at:end]).get("M", "")
                if not text.startswith(_NOTIFY):
                    continue
                self._notices.append(text.removeprefix(_NOTIFY))
            elif kind == messages.ERROR:
                failed, shown, ahead = True, messages.fields_of(data[body_at:end]).get("C", ""), 0
                continue
            elif not ahead:
                continue
            else:  # answers what was sent in front
                ahead -= 1
                if kind == messages.PARSED:
                    self._postponed.parsed()
            kept.append(data[kept_to : body_at - messages.HEADER])
            kept_to = end
        return failed, shown, b"".join((*kept, data[kept_to:]))

    def _arrive(self, answer: bytes) -> None:
        """Hand an answer to the driver, in the name of the wire's machine: at once, unless the machine stands still."""
        if self.lost:
            return
        context, loop = self.postgres.context_of(self), self.postgres.loop
        if loop.is_frozen(self.machine):
            loop.call_soon(self._received, answer, context=context)
        else:
            context.run(self._received, answer)

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
        if self.read(patient=True):
            self.answered()
