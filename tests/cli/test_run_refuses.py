"""`ordersync run` does not start on what it cannot work with: status 2, and the command that mends it."""

import socket
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from tests.cli.conftest import Command, Said, write_accounts
from tests.cli.test_migrate import newer_migrations
from tests.infrastructure import administer
from worker.embedded import EmbeddedPostgres
from worker.storage import schema


@pytest.fixture
async def empty(postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    """A database without any schema."""
    await administer(postgres, "CREATE DATABASE cli_run")
    yield postgres.dsn("cli_run")
    await administer(postgres, "DROP DATABASE cli_run WITH (FORCE)")


@pytest.fixture
async def from_the_future(database: str) -> str:
    """A database that a later version has migrated."""
    connection = await asyncpg.connect(database)
    try:
        await connection.execute("UPDATE alembic_version SET version_num = '9999'")
    finally:
        await connection.close()
    return database


def refused(said: Said) -> str:
    """The sentence after "cannot start"."""
    assert said.status == 2
    assert "Traceback" not in said.all
    (sentence,) = [line for line in said.err.splitlines() if line.startswith("ordersync cannot start: ")]
    return sentence.removeprefix("ordersync cannot start: ")


def test_a_database_without_a_schema(place: pytest.MonkeyPatch, ordersync: Command, empty: str) -> None:
    place.setenv("ORDERSYNC_DATABASE_URL", empty)
    want = schema.expected_revision()
    assert refused(ordersync("run")) == f"the database has no schema; expected {want}. Run: ordersync migrate"


def test_an_older_schema(place: pytest.MonkeyPatch, ordersync: Command, database: str, tmp_path: Path) -> None:
    place.setenv("ORDERSYNC_DATABASE_URL", database)
    have = schema.expected_revision()
    place.setattr(schema, "_MIGRATIONS", newer_migrations(tmp_path))
    assert refused(ordersync("run")) == (
        f"the database has the older schema {have}; expected 9001. Run: ordersync migrate"
    )


def test_a_newer_schema(place: pytest.MonkeyPatch, ordersync: Command, from_the_future: str) -> None:
    place.setenv("ORDERSYNC_DATABASE_URL", from_the_future)
    sentence = refused(ordersync("run"))
    assert sentence.startswith("the database has schema 9999, which this version does not know")
    assert sentence.endswith(f"ordersync migrate --to {schema.expected_revision()}")


def test_no_database(ordersync: Command) -> None:
    assert refused(ordersync("run")).endswith("Run: ordersync doctor")


def test_a_database_that_does_not_exist(
    place: pytest.MonkeyPatch, ordersync: Command, postgres: EmbeddedPostgres
) -> None:
    place.setenv("ORDERSYNC_DATABASE_URL", postgres.dsn("nowhere"))
    assert 'database "nowhere" does not exist' in refused(ordersync("run"))


def test_a_port_that_is_taken(place: pytest.MonkeyPatch, ordersync: Command, database: str) -> None:
    place.setenv("ORDERSYNC_DATABASE_URL", database)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        place.setenv("ORDERSYNC_HTTP_PORT", str(port))
        sentence = refused(ordersync("run", "--role", "intake"))
    assert sentence.startswith(f"cannot listen on 127.0.0.1 port {port}: Address already in use")


def test_callbacks_without_proof_are_not_taken_from_outside(place: pytest.MonkeyPatch, ordersync: Command) -> None:
    place.setenv("ORDERSYNC_HTTP_HOST", "0.0.0.0")  # noqa: S104 - it must be refused
    write_accounts("https://api.pandapon.com", auth="none")
    said = ordersync("run")
    assert said.status == 2
    assert "  - ORDERSYNC_HTTP_HOST: an account has callback_auth = none, which is only served on loopback" in said.err


@pytest.mark.parametrize("command", ["run", "migrate", "topics"])
def test_wrong_settings_are_listed_one_a_line(place: pytest.MonkeyPatch, ordersync: Command, command: str) -> None:
    place.setenv("ORDERSYNC_DATABASE_URL", "mysql://me:a-password@db")
    place.setenv("ORDERSYNC_HTTP_PORT", "x")
    said = ordersync(command)
    assert said.status == 2
    assert said.err == (
        "ordersync cannot start; please mend:\n"
        "  - ORDERSYNC_DATABASE_URL: expected postgresql://user:password@host:port/database\n"
        "  - ORDERSYNC_HTTP_PORT: Input should be a valid integer, unable to parse string as an integer\n"
    )


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["nonsense"], 'Unknown command "nonsense"'),
        (["topics", "--bogus"], "Unknown option: --bogus"),
        (["migrate", "--to"], "--to requires an argument"),
        (["migrate", "0001"], "Unused Tokens"),
        (["run", "--role", "nobody"], 'Invalid value "nobody" for --role'),
        (["sandbox", "--orders", "many"], "--orders"),
        (["sandbox", "--faults", "some"], "--faults"),
        (["sandbox", "--orders", "-1"], "orders: expected 0 to"),
        (["sandbox", "--speed", "0", "--lost-callbacks", "2"], "speed: expected more than 0"),
        (["sandbox", "--access-secret-file", "none"], "No such file"),
    ],
)
def test_a_wrong_option_is_said_with_status_2(ordersync: Command, words: list[str], reason: str) -> None:
    said = ordersync(*words)
    assert said.status == 2
    assert reason in said.all
    assert "Traceback" not in said.all


def test_help_and_version_are_no_errors(ordersync: Command) -> None:
    for words in (["--help"], ["--version"], ["run", "--help"], []):
        assert ordersync(*words).status == 0
    assert "Undo migrations down to this revision" in ordersync("migrate", "--help").out
