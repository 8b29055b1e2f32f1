"""The owner's side of a guarded server: start it, signal it, stop it (`guard` is the other side)."""

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from worker.embedded.account import Account
from worker.embedded.errors import EmbeddedError, log_tail

_GUARD = Path(__file__).with_name("guard.py")
_GRACE_SECONDS = 5.0  # for the guard itself, beyond what its steps may take


@dataclass(frozen=True, slots=True)
class StopStep:
    """One rung of the ladder from polite to hard: send `signal`, then wait so many `seconds` before the next rung."""

    signal: signal.Signals
    seconds: float


@dataclass(frozen=True, slots=True)
class ServerOrder:
    """What to run and how it ends.

    `death_signal` reaches the server if its guard is killed (Linux only). `remove` lists the directories that the guard
    deletes when the owner vanished without stopping the server.
    """

    argv: Sequence[str]
    log: Path
    cwd: Path
    env: Mapping[str, str]
    stop: Sequence[StopStep]
    death_signal: signal.Signals = signal.SIGKILL
    account: Account | None = None
    remove: Sequence[Path] = ()

    def to_json(self) -> str:
        """Return the guard's command line argument."""
        return json.dumps(
            {
                "argv": list(self.argv),
                "uid": self.account.uid if self.account else None,
                "gid": self.account.gid if self.account else None,
                "steps": [(step.signal.name, step.seconds) for step in self.stop],
                "death_signal": self.death_signal.name,
                "remove": [str(path) for path in self.remove],
            }
        )


class GuardedProcess:
    """A server that never outlives its owner by more than its stop ladder.

    The bond is the write end of a pipe. A child that the owner forks *without* exec inherits it and keeps the server
    alive; children started through `subprocess` do not.
    """

    def __init__(self, order: ServerOrder) -> None:
        self._order = order
        self._log_start = order.log.stat().st_size if order.log.exists() else 0
        with order.log.open("ab") as log:
            self._guard = subprocess.Popen(  # noqa: S603 - our own interpreter and our own program
                [sys.executable, "-I", "-S", str(_GUARD), order.to_json()],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=order.cwd,
                env=dict(order.env),
                bufsize=0,
                start_new_session=True,
            )

    @property
    def guard_pid(self) -> int:
        """The guard's process id, for tests of the guard itself."""
        return self._guard.pid

    def poll(self) -> int | None:
        """Return the exit status of the ended server, or None while it runs."""
        return self._guard.poll()

    def send(self, number: signal.Signals) -> None:
        """Pass a signal on to the server; nothing happens if it has ended."""
        self._tell(number.name)

    def wait(self, seconds: float) -> int:
        """Wait for the server's end and return its exit status (128 + n after signal n)."""
        try:
            status = self._guard.wait(seconds)
        except subprocess.TimeoutExpired:
            raise EmbeddedError(f"{self._name} still runs after {seconds:g} s:\n{self.tail()}") from None
        self._close()
        return status

    def stop(self) -> int:
        """Stop the server politely, then ever harder; return its exit status. Does nothing to one that has ended."""
        try:
            self._tell("stop")
            return self.wait(sum(step.seconds for step in self._order.stop) + _GRACE_SECONDS)
        finally:
            self._close()  # whatever interrupted us: the end of file makes the guard go on without us

    def wrote(self, words: str) -> bool:
        """Return whether this run has written `words` to its log."""
        with self._order.log.open("rb") as log:
            log.seek(self._log_start)
            return words.encode() in log.read()

    def tail(self) -> str:
        """Return the end of what this run wrote to its log."""
        return log_tail(self._order.log, self._log_start)

    @property
    def _name(self) -> str:
        return Path(self._order.argv[0]).name

    def _tell(self, line: str) -> None:
        assert self._guard.stdin is not None  # noqa: S101 - narrows the type: we asked for a pipe
        if not self._guard.stdin.closed:
            with contextlib.suppress(BrokenPipeError):
                self._guard.stdin.write(line.encode("ascii") + b"\n")

    def _close(self) -> None:
        assert self._guard.stdin is not None  # noqa: S101 - see _tell
        with contextlib.suppress(BrokenPipeError):
            self._guard.stdin.close()
