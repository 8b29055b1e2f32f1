"""One database for all tests of a folder, emptied before each: to clone one per test costs more than the test."""

import uuid
from collections.abc import AsyncIterator

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.infrastructure import administer
from tests.storage.database import connected
from worker.embedded import EmbeddedPostgres
from worker.storage.tables import metadata

# Not TRUNCATE: for a handful of rows it takes ten times as long.
_EMPTY = "; ".join(
    (
        "ALTER TABLE audit_log DISABLE TRIGGER audit_log_append_only",
        *(f"DELETE FROM {table.name}" for table in reversed(metadata.sorted_tables)),  # noqa: S608 - our tables
        "ALTER TABLE audit_log ENABLE TRIGGER audit_log_append_only",
    )
)


@pytest.fixture(scope="package")
async def shared_database(postgres: EmbeddedPostgres, template_database: str) -> AsyncIterator[str]:
    """The DSN of a migrated database that the tests of one folder share."""
    name = f"shared_{uuid.uuid4().hex}"
    await administer(postgres, f"CREATE DATABASE {name} TEMPLATE {template_database}")
    yield postgres.dsn(name)
    await administer(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def database(shared_database: str) -> str:
    """The same, without any rows."""
    connection = await asyncpg.connect(shared_database)
    try:
        await connection.execute(_EMPTY)
    finally:
        await connection.close()
    return shared_database


@pytest.fixture
async def engine(database: str) -> AsyncIterator[AsyncEngine]:
    """Connections to the empty database."""
    async with connected(database) as engine:
        yield engine
