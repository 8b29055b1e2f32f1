"""One KRaft node (broker and controller) as a guarded child process."""

import shutil
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.kafka.jars import java_program
from tools.kafka.settings import as_properties
from worker.embedded import EmbeddedError
from worker.embedded.process import GuardedProcess, ServerOrder, StopStep

READY = "Kafka Server started"  # logged once the broker is registered and unfenced
_ADDRESS_TAKEN = "Address already in use"
_FORMAT_SECONDS = 60.0
_POLL_SECONDS = 0.05
_KILL_SECONDS = 10.0
_POLITE_THEN_HARD = (StopStep(signal.SIGTERM, 15.0), StopStep(signal.SIGKILL, 5.0))
_LOGGING = Path(__file__).with_name("log4j2.properties")
# Nothing of the caller's environment (KAFKA_*, JAVA_TOOL_OPTIONS) reaches the brokers.
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}


@dataclass(frozen=True, slots=True)
class JavaCommand:
    """How to run a class of Kafka: its jars and the options of the virtual machine."""

    jars: Path
    options: Sequence[str]

    def __call__(self, main_class: str, *arguments: str) -> list[str]:
        """Return the command line."""
        fixed = [f"-Dlog4j2.configurationFile={_LOGGING}", "-Djava.awt.headless=true", "-XX:-UsePerfData"]
        return [str(java_program()), *self.options, *fixed, "-cp", f"{self.jars}/*", main_class, *arguments]


class Broker:
    """The node `number` in its directory `home`: `server.properties`, `data/`, `server.log`."""

    def __init__(self, number: int, home: Path, java: JavaCommand, *, temporary: bool) -> None:
        self.number = number
        self._home = home
        self._java = java
        self._temporary = temporary
        self._server: GuardedProcess | None = None

    @property
    def data(self) -> Path:
        """Kafka's log directory."""
        return self._home / "data"

    @property
    def running(self) -> bool:
        """Whether the process exists."""
        return self._server is not None and self._server.poll() is None

    def configure(self, settings: Mapping[str, str]) -> None:
        """Write server.properties; it counts from the next `launch`."""
        (self._home / "server.properties").write_text(as_properties(settings), "utf-8")

    def format(self, cluster_id: str) -> None:
        """Prepare the log directory for KRaft, unless that has been done. Takes a second: a Java program of its own."""
        if (self.data / "meta.properties").exists():
            return
        formatting = self._run("kafka.tools.StorageTool", "format", "-g", "-t", cluster_id, "-c", "server.properties")
        try:
            if formatting.wait(_FORMAT_SECONDS) != 0:
                raise EmbeddedError(f"broker {self.number}: formatting its storage failed:\n{formatting.tail()}")
        finally:
            formatting.stop()

    def launch(self) -> None:
        """Start the process without waiting: the first of three becomes ready only once the second is there."""
        if self.running:
            raise EmbeddedError(f"broker {self.number} runs already")
        self._server = self._run("kafka.Kafka", "server.properties")

    def await_ready(self, deadline: float) -> None:
        """Wait until the broker serves, at most until `deadline` (monotonic seconds)."""
        server = self._started()
        while not server.wrote(READY):
            if server.poll() is not None:
                taken = server.wrote(_ADDRESS_TAKEN)
                raise (PortTakenError if taken else EmbeddedError)(f"broker {self.number} ended:\n{server.tail()}")
            if time.monotonic() > deadline:
                raise EmbeddedError(f"broker {self.number} is not ready in time; its log ends:\n{server.tail()}")
            time.sleep(_POLL_SECONDS)

    def stop(self) -> None:
        """Shut down politely: leadership is handed over first."""
        if self._server is not None:
            self._server.stop()

    def kill(self) -> None:
        """End the process as a power cut would (SIGKILL)."""
        server = self._started()
        server.send(signal.SIGKILL)
        server.wait(_KILL_SECONDS)

    def remove(self) -> None:
        """Stop for good; what a temporary broker wrote is thrown away, so it need not be polite about it."""
        try:
            if self.running and self._temporary:
                self.kill()
            self.stop()
        finally:
            if self._temporary:
                shutil.rmtree(self._home, ignore_errors=True)

    def _run(self, main_class: str, *arguments: str) -> GuardedProcess:
        order = ServerOrder(
            argv=self._java(main_class, *arguments),
            log=self._home / "server.log",
            cwd=self._home,
            env=_ENVIRONMENT,
            stop=_POLITE_THEN_HARD,
            remove=[self._home] if self._temporary else [],
        )
        return GuardedProcess(order)

    def _started(self) -> GuardedProcess:
        if self._server is None:
            raise EmbeddedError(f"broker {self.number} was not started")
        return self._server


class PortTakenError(EmbeddedError):
    """Another process took one of the ports between our choice and the broker's start."""
