"""A database of its own for each test that asks for one."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.storage.database import connected


@pytest.fixture
async def engine(database: str) -> AsyncIterator[AsyncEngine]:
    """Connections to this test's own, empty database."""
    async with connected(database) as made:
        yield made
