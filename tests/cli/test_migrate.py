"""`ordersync migrate`: up, down, and a clear no where there is no way."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from shutil import copytree

import asyncpg
import pytest

from tests.cli.conftest import Command
from tests.infrastructure import ROOT, administer
from worker.embedded import EmbeddedPostgres
from worker.storage import schema


@pytest.fixture
async def empty(postgres: EmbeddedPostgres, place: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """The address of a database without any schema, which the variables name."""
    await administer(postgres, "CREATE DATABASE cli_migrate")
    place.setenv("ORDERSYNC_DATABASE_URL", postgres.dsn("cli_migrate"))
    yield postgres.dsn("cli_migrate")
    await administer(postgres, "DROP DATABASE cli_migrate WITH (FORCE)")


def ask(dsn: str, statement: str) -> list[str]:
    """Run a statement on a loop of its own; the first column of what it returns."""

    async def asked() -> list[str]:
        connection = await asyncpg.connect(dsn)
        try:
            return [str(row[0]) for row in await connection.fetch(statement)]
        finally:
            await connection.close()

    return asyncio.run(asked())


def tables(dsn: str) -> list[str]:
    return ask(dsn, "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")


def test_up_down_and_up_again(ordersync: Command, empty: str) -> None:
    up = ordersync("migrate")
    assert (up.status, up.out) == (0, f"the database has schema {schema.expected_revision()}\n")
    made = tables(empty)
    assert {"orders", "facts", "outbox", "spool", "follow_ups"} <= set(made)
    again = ordersync("migrate")
    assert again.status == 0
    down = ordersync("migrate", "--to", "base")
    assert (down.status, down.out) == (0, "the database has schema base\n")
    assert tables(empty) == ["alembic_version"]
    assert ordersync("migrate").status == 0
    assert tables(empty) == made


@pytest.mark.parametrize("revision", ["9999", "head-1", "", "../0001"])
def test_an_unknown_revision_is_refused_with_the_known_ones(ordersync: Command, empty: str, revision: str) -> None:
    said = ordersync("migrate", "--to", revision)
    assert said.status == 1
    assert said.out.startswith(f"not migrated: there is no schema {revision}; known are 0001")
    assert tables(empty) == []


def test_there_is_no_way_down_to_a_schema_above(ordersync: Command, empty: str) -> None:
    said = ordersync("migrate", "--to", schema.expected_revision())
    assert said.status == 1
    assert said.out.startswith("not migrated: ")
    assert "ordersync doctor" in said.out
    assert "Traceback" not in said.all


def test_a_schema_from_the_future_is_left_alone(ordersync: Command, empty: str) -> None:
    ordersync("migrate")
    ask(empty, "UPDATE alembic_version SET version_num = '9999'")
    for words in (["migrate"], ["migrate", "--to", "base"]):
        said = ordersync(*words)
        assert said.status == 1
        assert "not migrated: Can't locate revision identified by '9999'" in said.out
        assert "ordersync doctor" in said.out
        assert "Traceback" not in said.all
    assert "orders" in tables(empty)


def test_a_newer_program_brings_an_older_schema_up(
    ordersync: Command, empty: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ordersync("migrate")
    newer = newer_migrations(tmp_path)
    monkeypatch.setattr(schema, "_MIGRATIONS", newer)
    assert ordersync("migrate").out == "the database has schema 9001\n"
    assert ordersync("migrate", "--to", "0001").out == "the database has schema 0001\n"


def newer_migrations(directory: Path) -> Path:
    """This version's migrations and one more."""
    newer = directory / "migrations"
    copytree(ROOT / "migrations", newer)
    (newer / "versions" / "9001_next.py").write_text(
        '"""Next."""\n'
        f"revision = '9001'\ndown_revision = {schema.expected_revision()!r}\nbranch_labels = None\ndepends_on = None\n"
        "def upgrade():\n    pass\ndef downgrade():\n    pass\n"
    )
    return newer


def test_without_a_database_the_reason_is_one_line(ordersync: Command, postgres: EmbeddedPostgres) -> None:
    said = ordersync("migrate")
    assert said.status == 1
    assert said.out.startswith("not migrated: ")
    assert said.out.count("\n") == 1
    assert "Traceback" not in said.all


def test_a_database_that_does_not_exist_is_named(
    ordersync: Command, place: pytest.MonkeyPatch, postgres: EmbeddedPostgres
) -> None:
    place.setenv("ORDERSYNC_DATABASE_URL", postgres.dsn("nowhere"))
    said = ordersync("migrate")
    assert (said.status, said.out.count("\n")) == (1, 1)
    assert 'database "nowhere" does not exist' in said.out
