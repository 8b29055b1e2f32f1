import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Command, Said, ordersync, place
from tests.storage.fixtures import database, engine, shared_database

__all__ = ["database", "engine", "ordersync", "place", "shared_database"]

OPERATORS = "".join(
    f'[[operators]]\nname = "{name}"\nroles = ["{role}"]\ntoken_sha256_env = "{name.upper()}_SHA"\n'
    for name, role in (("ann", "approver"), ("bob", "approver"), ("ole", "operator"), ("vera", "viewer"))
)
By = Callable[..., Said]


@pytest.fixture
def by(database: str, place: pytest.MonkeyPatch, ordersync: Command) -> By:
    """Run a command as somebody (None: without a token)."""
    place.setenv("ORDERSYNC_DATABASE_URL", database)
    place.setenv("COLUMNS", "200")
    Path("operators.toml").write_text(OPERATORS)
    accounts = Path("accounts.toml").read_text()
    Path("accounts.toml").write_text(accounts + '[accounts.policy]\nfour_eyes_above = "50.00"\n')
    place.setenv("ORDERSYNC_OPERATORS_FILE", "operators.toml")
    for name in ("ann", "bob", "ole", "vera"):
        place.setenv(f"{name.upper()}_SHA", hashlib.sha256(f"{name}-token".encode()).hexdigest())

    def run(name: str | None, *words: str) -> Said:
        if name is None:
            place.delenv("ORDERSYNC_OPERATOR_TOKEN", raising=False)
        else:
            place.setenv("ORDERSYNC_OPERATOR_TOKEN", f"{name}-token")
        return ordersync(*words)

    return run
