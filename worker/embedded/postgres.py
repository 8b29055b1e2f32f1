"""A real Postgres 18 of our own, for the demo, the tests and laptops; never for production.

The programs come from a wheel (`binaries`), the server listens on 127.0.0.1 only, with a random password
(scram-sha-256), at a free port, in a private directory. It runs as an ordinary user and as root (Postgres refuses root,
so root starts it under an unprivileged account), any number at once, and ends with its owner (`guard`).

    with EmbeddedPostgres({"max_connections": "50"}) as postgres:
        postgres.dsn()  # postgresql://ordersync:…@127.0.0.1:20123/postgres
"""

import asyncio
import secrets
import shutil
import signal
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from worker.embedded.account import unprivileged_account
from worker.embedded.binaries import CLEAN_ENVIRONMENT
from worker.embedded.cluster_files import SUPERUSER, ClusterFiles
from worker.embedded.errors import EmbeddedError
from worker.embedded.ports import free_port
from worker.embedded.process import GuardedProcess, ServerOrder, StopStep

_PORT_ATTEMPTS = 3
_POLL_SECONDS = 0.02
_KILL_SECONDS = 10.0
_FAST_THEN_HARD = (
    StopStep(signal.SIGINT, 20.0),  # fast: roll back, disconnect everybody, checkpoint
    StopStep(signal.SIGQUIT, 5.0),  # immediate: as after a power cut
    StopStep(signal.SIGKILL, 5.0),
)
_DEFAULTS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "synchronous_commit": "on",
    "log_min_messages": "warning",
    "log_checkpoints": "off",
}
# A crash of the *server* loses nothing either way; a crash of the *machine* may, which nobody minds in a demo.
_NOT_DURABLE = {"fsync": "off", "full_page_writes": "off"}


class EmbeddedPostgres:
    """One Postgres server.

    `settings` are server parameters (postgresql.conf) and win over ours. `directory` keeps the cluster between runs;
    without it a temporary one is removed at the end. `durable` makes every commit reach the disk, as in production.
    """

    def __init__(
        self,
        settings: Mapping[str, str] | None = None,
        *,
        directory: Path | None = None,
        durable: bool = False,
        start_seconds: float = 60.0,
    ) -> None:
        self._settings = {**_DEFAULTS, **({} if durable else _NOT_DURABLE), **(settings or {})}
        self._directory = directory
        self._start_seconds = start_seconds
        self._files: ClusterFiles | None = None
        self._server: GuardedProcess | None = None
        self._port: int | None = None

    def dsn(self, database: str = "postgres") -> str:
        """Return the address of `database` as the superuser: postgresql://user:password@127.0.0.1:port/database."""
        if self._files is None or self._port is None:
            raise EmbeddedError("Postgres was not started")
        return f"postgresql://{SUPERUSER}:{self._files.password()}@127.0.0.1:{self._port}/{quote(database, safe='')}"

    @property
    def running(self) -> bool:
        """Whether the server's process exists."""
        return self._server is not None and self._server.poll() is None

    def start(self) -> None:
        """Start the server and wait until it takes connections; after `kill` on the same data and port."""
        if self.running:
            raise EmbeddedError("Postgres runs already")
        try:
            files = self._prepared_files()
            self._launch(files)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Fast shutdown; then the temporary directory is gone, a directory given by the caller stays."""
        try:
            if self._server is not None:
                self._server.stop()
        finally:
            self._server = None
            if self._files is not None and self._directory is None:
                shutil.rmtree(self._files.base, ignore_errors=True)
                self._files = self._port = None

    def kill(self) -> None:
        """Immediate shutdown without a checkpoint: the next `start` recovers as after a crash."""
        if self._server is None:
            raise EmbeddedError("Postgres was not started")
        self._server.send(signal.SIGQUIT)
        self._server.wait(_KILL_SECONDS)

    def restart(self) -> None:
        """Fast shutdown and start on the same data and the same port: every DSN stays valid."""
        if self._server is None:
            raise EmbeddedError("Postgres was not started")
        self._server.stop()
        self.start()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.start)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)

    def _prepared_files(self) -> ClusterFiles:
        if self._files is None:
            account = unprivileged_account()
            if self._directory is None:
                base = Path(tempfile.mkdtemp(prefix="ordersync-postgres-"))
            else:
                base = self._directory.absolute()
            self._files = ClusterFiles(base, account)
            self._files.claim(fresh=self._directory is None)
        self._files.initialise(secrets.token_hex(16), self._abandoned(self._files))
        return self._files

    def _launch(self, files: ClusterFiles) -> None:
        """Start the process; exchange a port that somebody took under our hands, unless clients know it already."""
        fixed = self._port
        for attempt in range(1, _PORT_ATTEMPTS + 1):
            port = fixed or free_port()
            earlier_run = files.status()
            server = self._server = GuardedProcess(self._order(files, port))
            if self._becomes_ready(files, server, earlier_run):
                self._port = port
                return
            server.stop()
            if not server.wrote("could not bind") or attempt == _PORT_ATTEMPTS or fixed:
                raise EmbeddedError(f"Postgres did not start on port {port}; its log ends:\n{server.tail()}")

    def _order(self, files: ClusterFiles, port: int) -> ServerOrder:
        parameters = [f"--{name}={value}" for name, value in self._settings.items()]
        return ServerOrder(
            argv=[str(files.program("postgres")), "-D", str(files.data), "-p", str(port), *parameters],
            log=files.log,
            cwd=files.base,
            env=CLEAN_ENVIRONMENT,
            stop=_FAST_THEN_HARD,
            death_signal=signal.SIGQUIT,
            account=files.account,
            remove=self._abandoned(files),
        )

    def _abandoned(self, files: ClusterFiles) -> list[Path]:
        """Return what the guard removes if we vanish: everything that is temporary."""
        return [files.base] if self._directory is None else []

    def _becomes_ready(self, files: ClusterFiles, server: GuardedProcess, earlier_run: list[str]) -> bool:
        """Wait for the word "ready" in postmaster.pid, which is also how pg_ctl waits. False: the server ended."""
        deadline = time.monotonic() + self._start_seconds
        while server.poll() is None:
            status = files.status()
            if status != earlier_run and status[-1:] == ["ready"]:
                return True
            if time.monotonic() > deadline:
                raise EmbeddedError(f"Postgres not ready after {self._start_seconds:g} s:\n{server.tail()}")
            time.sleep(_POLL_SECONDS)
        return False
