"""A place of its own for each command: variables, accounts file, and an output that can be read."""

import logging
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog

from worker import settings as settings_module
from worker.cli.app import run

SECRET = "cli-access-secret-77aa"
TOKEN = "cli-callback-token-88bb"
NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"
ACCOUNT = """
[[accounts]]
name = "main"
dialect = "{dialect}"
base_url = "{base_url}"
access_key = "5a4db0c0ffee4000a000000000000001"
access_secret_env = "CLI_SECRET"
user_id = "2100000000001"
callback_auth = "{auth}"
callback_token_env = "CLI_TOKEN"
"""


@dataclass(frozen=True)
class Said:
    """What a command ended with and wrote."""

    status: int
    out: str
    err: str

    @property
    def all(self) -> str:
        return self.out + self.err


Command = Callable[..., Said]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Variables that are right as far as they go: nothing answers at the servers' addresses."""
    for name in [*os.environ]:
        if name.upper().startswith("ORDERSYNC_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(settings_module, "SECRETS_DIR", tmp_path / "none")
    given = {
        "ORDERSYNC_DATABASE_URL": NOWHERE,
        "ORDERSYNC_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "ORDERSYNC_ACCOUNTS_FILE": "accounts.toml",
        "ORDERSYNC_CALL_TIMEOUT_S": "2",
        "ORDERSYNC_HTTP_PORT": "0",
        "CLI_SECRET": SECRET,
        "CLI_TOKEN": TOKEN,
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    write_accounts("http://127.0.0.1:1")
    return monkeypatch


def write_accounts(base_url: str, *, dialect: str = "pandapon", auth: str = "token") -> None:
    """Write the accounts file of the current directory."""
    Path("accounts.toml").write_text(ACCOUNT.format(base_url=base_url, dialect=dialect, auth=auth))


@pytest.fixture
def ordersync(place: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Command]:
    """Run the command line in this process. No secret is ever in what it writes."""
    handlers, levels = [*logging.root.handlers], {name: logging.getLogger(name).level for name in _NAMES}

    def command(*words: str) -> Said:
        place.setattr(sys, "argv", ["ordersync", *words])
        capsys.readouterr()
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="Cyclopts application invoked without tokens")
                run()
            status = 0
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
        written = capsys.readouterr()
        assert SECRET not in written.out + written.err
        assert TOKEN not in written.out + written.err
        return Said(status, plain(written.out), plain(written.err))

    yield command
    structlog.reset_defaults()  # the commands set up logging for a process of their own
    logging.root.handlers[:] = handlers
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


_NAMES = ("", "aiokafka", "httpx2", "uvicorn", "apprise", "alembic")


def plain(text: str) -> str:
    """Without colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)
