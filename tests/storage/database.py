"""Short ways to a database and back: connections that are closed in the end, rows as dicts."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from worker.storage.engine import create_engine, transaction


@asynccontextmanager
async def connected(dsn: str, *, pool_size: int = 5) -> AsyncIterator[AsyncEngine]:
    """An engine such as the worker's own."""
    engine = create_engine(dsn, application="test", pool_size=pool_size)
    try:
        yield engine
    finally:
        await engine.dispose()


async def rows(engine: AsyncEngine, query: str, **params: Any) -> list[dict[str, Any]]:
    """What a query finds, as committed."""
    async with engine.connect() as connection:
        return [dict(row) for row in (await connection.execute(text(query), params)).mappings()]


async def value(engine: AsyncEngine, query: str, **params: Any) -> Any:
    """The one value that a query finds; None if it finds no row."""
    async with engine.connect() as connection:
        return (await connection.execute(text(query), params)).scalar()


async def execute(engine: AsyncEngine, statement: str, **params: Any) -> int:
    """Run and commit a statement; how many rows it touched."""
    async with transaction(engine) as connection:
        return (await connection.execute(text(statement), params)).rowcount


async def add_order(engine: AsyncEngine, order_id: str, **columns: Any) -> int:
    """An order of account `main` on 1688; the id of its row."""
    values: Mapping[str, Any] = {"account": "main", "platform": "1688", "order_id": order_id} | columns
    names = ", ".join(values)
    marks = ", ".join(f":{name}" for name in values)
    async with transaction(engine) as connection:
        found = await connection.execute(text(f"INSERT INTO orders ({names}) VALUES ({marks}) RETURNING id"), values)  # noqa: S608 - our own column names
        return int(found.scalar_one())
