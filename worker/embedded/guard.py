"""The guard: a tiny program that starts one server and outlives the process which asked for it.

Run as ``python -I -S guard.py ORDER`` with ``ORDER`` as JSON (`worker.embedded.process` writes it), so it may import
nothing but the standard library. A guard of its own solves what ``atexit`` and signal handlers cannot: after a
``kill -9`` of the owner nobody else would be left to stop the server.

- The owner holds the write end of our standard input. Its end of file means that the owner is gone, however it went:
  stop the server, then remove what it leaves on disk.
- On Linux the server in turn is told to die if the guard dies (``PR_SET_PDEATHSIG``). Setting that between fork and
  exec is safe here because this program has one thread; it would not be in the owner.

Lines understood on standard input: ``stop`` (polite first, then ever harder) or the name of a signal to pass on.
"""

import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
_CANNOT_START = 127  # the shell's word for "command not found"
_WOULD_NOT_DIE = 124  # the word of timeout(1)
_COMMAND_BYTES = 4096


class Guard:
    """Watches one server and one owner; `run` returns the exit status once the server has ended."""

    def __init__(self, server: subprocess.Popen[bytes], steps: list[tuple[str, float]], wake: int) -> None:
        self._server = server
        self._steps = list(steps)
        self._wake = wake
        self._deadline: float | None = None
        self._pending = b""
        self.owner_gone = False

    def run(self) -> int:
        """Wait for the server's end; on the way obey the owner and climb the ladder of stop signals."""
        while (status := self._server.poll()) is None:
            watched = [self._wake] if self.owner_gone else [self._wake, 0]
            patience = None if self._deadline is None else max(0.0, self._deadline - time.monotonic())
            readable, _, _ = select.select(watched, [], [], patience)
            if self._wake in readable and self._told_to_end():
                self._begin_stop()
            if 0 in readable:
                self._obey()
            if self._deadline is not None and time.monotonic() >= self._deadline and not self._next_step():
                return _WOULD_NOT_DIE
        return status if status >= 0 else 128 - status

    def _told_to_end(self) -> bool:
        """Drain the wake-up pipe: a child's end only wakes us, any other signal asks us to stop."""
        return any(number != signal.SIGCHLD for number in os.read(self._wake, _COMMAND_BYTES))

    def _obey(self) -> None:
        received = os.read(0, _COMMAND_BYTES)
        if not received:
            self.owner_gone = True
            self._begin_stop()
            return
        *lines, self._pending = (self._pending + received).split(b"\n")
        for line in lines:
            if line == b"stop":
                self._begin_stop()
            else:
                self._server.send_signal(signal.Signals[line.decode("ascii")])

    def _begin_stop(self) -> None:
        if self._deadline is None:
            self._next_step()

    def _next_step(self) -> bool:
        if not self._steps:
            return False
        name, seconds = self._steps.pop(0)
        self._deadline = time.monotonic() + seconds
        self._server.send_signal(signal.Signals[name])
        return True


def _bound_to_guard(death_signal: signal.Signals) -> Callable[[], None] | None:
    """What the server's process does before exec; None where the kernel has no such bond (macOS)."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None, use_errno=True)

    def bind() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)

    return bind


def _start(order: dict[str, Any]) -> subprocess.Popen[bytes]:
    identity: dict[str, Any] = {}
    if order["uid"] is not None:
        identity = {"user": order["uid"], "group": order["gid"], "extra_groups": []}
    return subprocess.Popen(  # noqa: S603 - the order comes from our owner
        order["argv"],
        stdin=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C in the owner's terminal must not reach the server before the owner decides
        preexec_fn=_bound_to_guard(signal.Signals[order["death_signal"]]),  # noqa: PLW1509 - one thread, see above
        **identity,
    )


def main(order: dict[str, Any]) -> int:
    """Start the server of `order` and watch over it until its end."""
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    try:
        server = _start(order)
    except (OSError, subprocess.SubprocessError) as error:
        sys.stderr.write(f"cannot start {order['argv'][0]}: {error}\n")
        return _CANNOT_START
    guard = Guard(server, order["steps"], wake_read)
    status = guard.run()
    if guard.owner_gone:
        for path in order["remove"]:
            shutil.rmtree(path, ignore_errors=True)
    return status


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
