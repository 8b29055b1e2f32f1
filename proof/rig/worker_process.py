"""A worker as a process that can be killed, frozen, stopped and started, and that somebody starts again if it ends."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from worker.embedded.process import GuardedProcess, ServerOrder, StopStep

STARTS_WITHIN_S = 60.0
ENDS_WITHIN_S = 10.0
RESTARTED_AFTER_S = 1.0
LOOK_EVERY_S = 0.1
_STARTED = '"event": "started"'
_LADDER = (StopStep(signal.SIGTERM, 20.0), StopStep(signal.SIGKILL, 5.0))


class WorkerError(RuntimeError):
    """A worker did not start or end in time; the text has the end of its log."""


class WorkerProcess:
    """The worker `number` (from 1). `clock_file`: run with a clock that `proof.rig.clock.set_offset` sets wrong."""

    def __init__(self, number: int, directory: Path, environment: Mapping[str, str], clock_file: Path | None) -> None:
        self.number = number
        self.name = f"worker-{number}"
        self.port = int(environment["ORDERSYNC_HTTP_PORT"])
        self.log = directory / f"{self.name}.log"
        self.clock_file = clock_file
        self.starts = 0
        """How many times it was started, for whatever reason."""
        self.ended_by_itself = 0
        self.frozen = False
        self._wanted = False
        self._directory = directory
        self._environment = dict(environment)
        self._process: GuardedProcess | None = None

    @property
    def running(self) -> bool:
        """Whether the process exists, frozen or not."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """The process's id, None while there is none (Linux)."""
        if self._process is None or not self.running:
            return None
        guard = self._process.guard_pid
        try:
            children = Path(f"/proc/{guard}/task/{guard}/children").read_text("ascii").split()
        except OSError:
            return None
        return int(children[0]) if children else None

    def launch(self) -> None:
        """Start it without waiting; from now on it is started again if it ends by itself."""
        self._wanted = True
        if self.running:
            return
        program = ["-m", "worker", "run"]
        if self.clock_file is not None:
            program = ["-m", "proof.rig.worker", str(self.clock_file)]
        order = ServerOrder(
            argv=[sys.executable, *program],
            log=self.log,
            cwd=self._directory,
            env=self._environment,
            stop=_LADDER,
        )
        self.starts += 1
        self._process = GuardedProcess(order)

    async def start(self, within_s: float = STARTS_WITHIN_S) -> None:
        """Start it and wait until it works. Raises WorkerError if that takes too long."""
        self.launch()
        try:
            async with asyncio.timeout(within_s):
                while not self.started:  # noqa: ASYNC110 - the log file does not tell us
                    await asyncio.sleep(LOOK_EVERY_S)
        except TimeoutError:
            tail = self._process.tail() if self._process else ""
            raise WorkerError(f"{self.name} did not start within {within_s:g} s:\n{tail}") from None

    @property
    def started(self) -> bool:
        """Whether this run of the process has said that it works."""
        return self._process is not None and self.running and self._process.wrote(_STARTED)

    async def kill(self) -> None:
        """End it as a power cut would (SIGKILL); it stays away until `start` or `launch`."""
        self._wanted = self.frozen = False
        if self._process is not None and self.running:
            self._process.send(signal.SIGKILL)
            await asyncio.to_thread(self._process.wait, ENDS_WITHIN_S)

    async def terminate(self) -> None:
        """Ask it to drain and stop (SIGTERM, after 20 s SIGKILL); it stays away until `start` or `launch`."""
        self._wanted = False
        self.thaw()
        if self._process is not None:
            await asyncio.to_thread(self._process.stop)

    def freeze(self) -> None:
        """Stop it in the middle of whatever it does (SIGSTOP)."""
        if self._process is not None and self.running:
            self.frozen = True
            self._process.send(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on (SIGCONT)."""
        if self._process is not None and self.frozen:
            self.frozen = False
            self._process.send(signal.SIGCONT)

    async def supervise(self) -> None:
        """Start it again whenever it has ended by itself, as any service manager would; until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if self._wanted and not self.running:
                self.ended_by_itself += 1
                await asyncio.sleep(RESTARTED_AFTER_S)
                if self._wanted:
                    self.launch()
