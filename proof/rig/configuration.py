"""What the workers of a rig are configured with: the demo's account and policies, and one environment per worker."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from worker.cli.sandbox import WELL_KNOWN_SECRET
from worker.demo.stage import account_row

ROOT = Path(__file__).resolve().parents[2]
CALLBACK_TOKEN = "callback-token-of-the-rig-0123456789"  # noqa: S105 - guards a worker on loopback for some minutes


def write_accounts(path: Path, base_url: str, *, daily_budget: int) -> None:
    """Write the accounts file; `daily_budget` in yuan."""
    row = account_row("pandapon", base_url, daily_budget=daily_budget)
    lines = ["[[accounts]]", *(f"{name} = {_toml(value)}" for name, value in row.items())]
    path.write_text("\n".join(lines) + "\n", "utf-8")


def worker_environment(accounts: Path, *, dsn: str, kafka: str, port: int, name: str) -> dict[str, str]:
    """Return the environment of the worker `name`, which is its name as a static member of the groups, too."""
    settings = {
        "DATABASE_URL": dsn,
        "KAFKA_BOOTSTRAP_SERVERS": kafka,
        "ACCOUNTS_FILE": str(accounts),
        "HTTP_PORT": str(port),
        "CONSUMER_INSTANCE": name,
        "CLOCK_SKEW_ALLOWANCE_S": "0.3",  # one machine, one clock; a clock step is a fault, not an allowance
        "CALL_TIMEOUT_S": "3",
        "UNKNOWN_FIRST_PAUSE_S": "1",
        "IDLE_POLL_S": "0.5",
        "SHUTDOWN_TIMEOUT_S": "8",
    }
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    secrets = {"SECRET": WELL_KNOWN_SECRET, "TOKEN": CALLBACK_TOKEN}
    return kept | secrets | {"PYTHONPATH": str(ROOT)} | {f"ORDERSYNC_{key}": value for key, value in settings.items()}


def _toml(value: Any) -> str:
    """Return a value as TOML; a JSON string, number or boolean is one already."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{name} = {_toml(held)}" for name, held in value.items()) + " }"
    return json.dumps(value)
