"""One simulated database for this room's tests; every run empties it first."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from worker.simulator.server import Database, create_database, server


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def simulated_dsn() -> AsyncIterator[str]:
    async with server() as dsn:
        yield dsn


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def database(simulated_dsn: str) -> AsyncIterator[Database]:
    import asyncio

    made = Database(await asyncio.to_thread(create_database, simulated_dsn, "sim_tests"))
    yield made
    made.close()
