"""The directory of an embedded Postgres: `data/`, `password`, two logs and, if need be, `programs/`."""

import shutil
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from worker.embedded.account import Account
from worker.embedded.binaries import CLEAN_ENVIRONMENT, installed_postgres, usable_programs
from worker.embedded.errors import EmbeddedError
from worker.embedded.process import GuardedProcess, ServerOrder, StopStep

SUPERUSER = "ordersync"
_INITDB_SECONDS = 120.0
_STATUS_LINE = 8  # of postmaster.pid: "starting", "ready", "stopping"; absent while the server sets itself up


@dataclass(slots=True)
class ClusterFiles:
    """One cluster on disk. All of it belongs to `account` (ourselves if None), readable by nobody else."""

    base: Path
    account: Account | None
    _programs: Path | None = field(default=None, init=False)

    @property
    def data(self) -> Path:
        """Postgres's data directory."""
        return self.base / "data"

    @property
    def log(self) -> Path:
        """What the server prints, over all its runs."""
        return self.base / "server.log"

    def password(self) -> str:
        """Return the superuser's password."""
        return (self.base / "password").read_text("ascii")

    def program(self, name: str) -> Path:
        """Return the path of a Postgres program that the account may run."""
        if self._programs is None:
            self._programs = usable_programs(installed_postgres(), self.account, self.base)
        return self._programs / name

    def claim(self, *, fresh: bool) -> None:
        """Make the directory the account's own; one that exists already is taken only if it is.

        We do not change the owner of a directory that was there before us: it may be anything, typed by mistake.
        """
        if not fresh and self.base.exists():
            if self.account is not None and self.base.stat().st_uid != self.account.uid:
                raise EmbeddedError(
                    f"{self.base} must belong to {self.account.name}, under whose account Postgres runs when started"
                    " by root: remove it, or give it to that account"
                )
            return
        self.base.mkdir(mode=0o700, exist_ok=True)
        if self.account is not None:
            self.account.own(self.base)

    def initialise(self, password: str, abandoned: Sequence[Path]) -> None:
        """Run initdb unless a cluster is there. An interrupted run leaves none: its result appears by a rename.

        The directories `abandoned` go with us if we are killed meanwhile.
        """
        if self.data.exists():
            return
        secret, unfinished = self.base / "password", self.base / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        secret.touch(mode=0o600)
        secret.write_text(password, "ascii")
        if self.account is not None:
            self.account.own(secret)
        self._run_initdb(unfinished, secret, abandoned)
        unfinished.rename(self.data)

    def status(self) -> list[str]:
        """Return the lines of postmaster.pid up to its status; an empty list if there is none.

        They carry process id and start time, so those of two runs always differ.
        """
        try:
            lines = (self.data / "postmaster.pid").read_text("utf-8").splitlines()
        except FileNotFoundError:
            return []
        return [line.strip() for line in lines[:_STATUS_LINE]]

    def _run_initdb(self, target: Path, secret: Path, abandoned: Sequence[Path]) -> None:
        arguments = [
            f"--pgdata={target}",
            f"--username={SUPERUSER}",
            f"--pwfile={secret}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale-provider=builtin",  # the same order of text on every machine, whatever locales it has
            "--builtin-locale=C.UTF-8",
            "--locale=C",
            "--no-sync",
        ]
        order = ServerOrder(
            argv=[str(self.program("initdb")), *arguments],
            log=self.base / "initdb.log",
            cwd=self.base,
            env=CLEAN_ENVIRONMENT,
            stop=(StopStep(signal.SIGTERM, 5.0), StopStep(signal.SIGKILL, 5.0)),
            account=self.account,
            remove=abandoned,
        )
        initdb = GuardedProcess(order)
        try:
            if initdb.wait(_INITDB_SECONDS) != 0:
                raise EmbeddedError(f"initdb failed:\n{initdb.tail()}")
        finally:
            initdb.stop()
