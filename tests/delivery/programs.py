"""`ordersync` as processes of their own, with configuration of their own, that end with the test."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.infrastructure import ROOT
from tests.waiting import until

SECRET = "sandbox-secret"
TOKEN = "t0ken-of-the-tests-0123456789"
USER = "2100000000001"
ACCESS_KEY = "58c0201dfdf148eca63cbf6bb5e7cf03"
STARTS_WITHIN_S = 40.0
STOPS_WITHIN_S = 20.0
"""The promise: SIGTERM drains and stops within this."""

ACCOUNT = """
[[accounts]]
name = "main"
dialect = "pandapon"
base_url = "{base_url}"
access_key = "{access_key}"
access_secret_env = "MAIN_SECRET"
user_id = "{user}"
callback_token_env = "MAIN_TOKEN"
poll_interval_s = 1.0
sweep_s = 4.0
rate_per_s = 2000.0
burst = 200
throttle_pause_s = 0.1
poll_overlap_s = 15.0
backfill_days = 1
max_concurrent_reads = 8
[accounts.policy]
auto_pay = true
auto_pay_limit = "5000.00"
pay_margin_s = 0
price_tolerance = "0.10"
"""


class Program:
    """One process and what it wrote."""

    def __init__(self, log: Path, *arguments: str, env: Mapping[str, str] | None = None) -> None:
        self._log = log
        with log.open("ab") as stream:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own program
                [sys.executable, "-m", "worker", *arguments],
                stdout=stream,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env={"PATH": os.environ.get("PATH", ""), "HOME": str(log.parent)} | dict(env or {}),
            )

    @property
    def text(self) -> str:
        return self._log.read_text(errors="replace")

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    async def wrote(self, words: str, seconds: float = STARTS_WITHIN_S) -> str:
        """Wait for a line with these words; return it."""

        def found() -> str | None:
            lines = [line for line in self.text.splitlines() if words in line]
            assert lines or self.running, f"it ended at once:\n{self.text[-3_000:]}"
            return lines[-1] if lines else None

        return str(await until(found, seconds, what=f"{words!r} in {self._log}"))

    async def kill(self) -> None:
        """As a power cut would."""
        self._process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(self._process.wait, 10)

    async def terminate(self) -> tuple[int, float]:
        """SIGTERM; return the exit status and the seconds it took. Fails if it is not gone in time."""
        started = time.monotonic()
        self._process.terminate()
        status = await asyncio.to_thread(self._process.wait, STOPS_WITHIN_S)
        return status, time.monotonic() - started

    async def ended(self, seconds: float) -> int:
        return await asyncio.to_thread(self._process.wait, seconds)

    async def close(self) -> None:
        if self.running:
            await self.kill()


@asynccontextmanager
async def program(log: Path, *arguments: str, env: Mapping[str, str] | None = None) -> AsyncIterator[Program]:
    """Run `ordersync` with these arguments until the end of the block."""
    running = Program(log, *arguments, env=env)
    try:
        yield running
    finally:
        await running.close()


def worker_env(directory: Path, dsn: str, kafka: str, **settings: Any) -> dict[str, str]:
    """The environment of a worker; `settings` by their name in `Settings`, `base_url` of the marketplace."""
    accounts = directory / "accounts.toml"
    base_url = settings.pop("base_url", "http://127.0.0.1:1")
    accounts.write_text(ACCOUNT.format(base_url=base_url, access_key=ACCESS_KEY, user=USER))
    given = {
        "database_url": dsn,
        "kafka_bootstrap_servers": kafka,
        "accounts_file": accounts,
        "http_port": 0,
        "consumer_instance": "the-only-one",
        "clock_skew_allowance_s": 0.3,
        "call_timeout_s": 3.0,
        "unknown_first_pause_s": 1.0,
        "idle_poll_s": 0.5,
    } | settings
    env = {f"ORDERSYNC_{name.upper()}": str(held) for name, held in given.items()}
    return env | {"MAIN_SECRET": SECRET, "MAIN_TOKEN": TOKEN}


async def started(worker: Program) -> int:
    """Wait until a worker runs; return its HTTP port."""
    return int(json.loads(await worker.wrote('"event": "started"'))["port"])


def silent(_what: str, _done: int, _total: int) -> None:
    """No progress bar."""
