"""Connections to Postgres: bounded, timed out on the server's side, with commits that a cancellation cannot tear."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager

from sqlalchemy import URL, make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

CONNECT_TIMEOUT_S = 5
COMMAND_TIMEOUT_S = 60
"""Longer than any statement may take: it ends the wait on a connection that the network lost without a word."""
POOL_TIMEOUT_S = 10
IDLE_IN_TRANSACTION_S = 20
"""After this the server takes back the locks of a silent transaction: a worker that is frozen in the middle of one
holds up every batch with one of its orders. Longer than relay and drain wait for Kafka inside of theirs (10 s)."""


def async_url(dsn: str) -> URL:
    """Return the SQLAlchemy URL of a plain `postgresql://` address. Raises ValueError for another kind of database.

    What every other client calls `sslmode` is `ssl` to the driver when SQLAlchemy hands it over.
    """
    url = make_url(dsn)
    if url.get_backend_name() not in {"postgresql", "postgres"}:
        raise ValueError("the database address must start with postgresql://")
    query = {"ssl" if name == "sslmode" else name: value for name, value in url.query.items()}
    return url.set(drivername="postgresql+asyncpg", query=query)


def create_engine(
    dsn: str, *, application: str, pool_size: int = 5, statement_timeout_ms: int = 30_000, lock_timeout_ms: int = 10_000
) -> AsyncEngine:
    """Return an engine of at most `pool_size` connections. Nothing is connected yet."""
    return create_async_engine(
        async_url(dsn),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_S,
        pool_pre_ping=True,
        pool_use_lifo=True,
        hide_parameters=True,  # an error's text goes to the log, and parameters can be whole messages
        connect_args={
            "timeout": CONNECT_TIMEOUT_S,
            "command_timeout": COMMAND_TIMEOUT_S,
            "server_settings": {
                "application_name": f"ordersync-{application}",
                "statement_timeout": str(statement_timeout_ms),
                "lock_timeout": str(lock_timeout_ms),
                "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_S}s",
                "jit": "off",  # short statements: planning for the compiler costs more than it gives
            },
        },
    )


@asynccontextmanager
async def transaction(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Open a transaction that commits at the end of the block and rolls back on any error.

    A cancellation that arrives during the commit waits for it: torn in the middle it would leak the connection and
    leave nobody knowing what was stored.
    """
    async with engine.connect() as connection:
        work = await connection.begin()
        try:
            yield connection
        except BaseException:
            await _to_the_end(work.rollback())
            raise
        await _to_the_end(work.commit())


async def _to_the_end(step: Awaitable[None]) -> None:
    """Finish `step` whatever happens; a cancellation, or several of them, goes on once it is finished."""
    task = asyncio.ensure_future(step)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as arrived:
            cancelled = arrived
    failed = task.exception()
    if cancelled is not None:
        raise cancelled from failed
    if failed is not None:
        raise failed
