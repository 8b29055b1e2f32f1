"""The schema can be made, undone and made again, and is what the program believes it to be."""

import ast
import asyncio
import re
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config

from tests.infrastructure import ROOT, administer
from tests.storage.database import connected, execute, rows
from worker.embedded import EmbeddedPostgres
from worker.storage import schema
from worker.storage.schema import SchemaMismatchError
from worker.storage.tables import metadata

EVERYTHING = """
    SELECT 'column' AS what, table_name || '.' || column_name AS name,
        concat_ws(' ', data_type, is_nullable, column_default, is_identity) AS definition
    FROM information_schema.columns WHERE table_schema = 'public'
    UNION ALL SELECT 'index', indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT 'constraint', conrelid::regclass || '.' || conname, pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT 'function', proname, pg_get_functiondef(oid) FROM pg_proc
    WHERE pronamespace = 'public'::regnamespace
    UNION ALL SELECT 'trigger', tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
    ORDER BY 1, 2, 3
"""


@pytest.fixture
async def empty(postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    """The DSN of a database without any table."""
    name = f"empty_{uuid.uuid4().hex}"
    await administer(postgres, f"CREATE DATABASE {name}")
    yield postgres.dsn(name)
    await administer(postgres, f"DROP DATABASE {name} WITH (FORCE)")


async def inventory(dsn: str) -> list[tuple[str, str, str]]:
    async with connected(dsn) as engine:
        return [(row["what"], row["name"], row["definition"]) for row in await rows(engine, EVERYTHING)]


async def test_up_down_up_ends_in_the_same_schema(empty: str) -> None:
    await asyncio.to_thread(schema.upgrade, empty)
    first = await inventory(empty)
    await asyncio.to_thread(schema.downgrade, empty, "base")
    left = {name.partition(".")[0] for _, name, _ in await inventory(empty)}
    await asyncio.to_thread(schema.upgrade, empty)
    assert left <= {"alembic_version", "alembic_version_pkc"}
    assert await inventory(empty) == first
    assert len(first) > 100


async def test_tables_and_migrations_tell_the_same(database: str) -> None:
    """Fails with the list of differences if one of them was changed alone."""
    config = Config(ROOT / "alembic.ini")
    config.attributes["database_url"] = database
    await asyncio.to_thread(command.check, config)


async def test_what_is_left_behind_is_still_there_and_no_longer_named(database: str) -> None:
    """A column on the list that was dropped, or is named again, would hide a real difference."""
    source = (ROOT / "migrations" / "env.py").read_text(encoding="utf-8")
    (listed,) = re.findall(r"^LEFT_BEHIND = frozenset\((.*)\)$", source, re.MULTILINE)
    left_behind = ast.literal_eval(listed)
    there = {name for what, name, _ in await inventory(database) if what == "column"}
    for table, column in left_behind:
        assert f"{table}.{column}" in there
        assert column not in metadata.tables[table].columns


async def test_migrating_a_current_database_does_nothing(database: str) -> None:
    before = await inventory(database)
    await asyncio.to_thread(schema.upgrade, database)
    assert await inventory(database) == before


async def test_a_database_without_schema_is_refused_with_the_command_to_run(empty: str) -> None:
    async with connected(empty) as engine:
        with pytest.raises(SchemaMismatchError, match=r"has no schema.*ordersync migrate"):
            await schema.require_schema(engine)


async def test_a_database_of_a_newer_version_is_refused_and_told_what_to_do(database: str) -> None:
    async with connected(database) as engine:
        await execute(engine, "UPDATE alembic_version SET version_num = '9999'")
        with pytest.raises(SchemaMismatchError, match=r"9999, which this version does not know.*migrate --to"):
            await schema.require_schema(engine)


async def test_the_schema_of_this_version_is_accepted(database: str) -> None:
    async with connected(database) as engine:
        await schema.require_schema(engine)
        assert await schema.current_revision(engine) == schema.expected_revision()


async def test_undoing_to_a_revision_that_never_was_is_refused(database: str) -> None:
    with pytest.raises(SchemaMismatchError, match="there is no schema 0815"):
        await asyncio.to_thread(schema.downgrade, database, "0815")


def test_every_migration_can_be_undone() -> None:
    for path in (ROOT / "migrations" / "versions").glob("*.py"):
        assert "\ndef downgrade() -> None:\n" in Path(path).read_text(), path.name
