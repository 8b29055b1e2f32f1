"""The read API without a socket in between, and rows for it to read."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx2
from sqlalchemy import Table, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.domain.policy import Policy
from worker.operations.access import Access
from worker.operations.api import create_api
from worker.operations.health import Health
from worker.operators import Operator, Operators
from worker.storage.engine import create_engine, transaction
from worker.storage.tables import orders

NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"
"""Port 1 refuses: what is answered without an error needed no database."""
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


@asynccontextmanager
async def served(
    dsn: str,
    *,
    token: str | None = None,
    peer: str = "127.0.0.1",
    health: Health | None = None,
    statement_timeout_ms: int = 5_000,
    lock_timeout_ms: int = 5_000,
    people: Sequence[Operator] = (),
    policies: Mapping[str, Policy] | None = None,
) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the API that reads from `dsn`; `peer` is where its calls seem to come from."""
    engine = create_engine(
        dsn,
        application="api",
        pool_size=2,
        statement_timeout_ms=statement_timeout_ms,
        lock_timeout_ms=lock_timeout_ms,
    )
    app = create_api(
        engine,
        access=Access(Operators(people, api_token=token)),
        health=health or Health(lambda: 0.0),
        version="1.2.3",
        policies=policies or {},
    )
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False, client=(peer, 50_000))
    try:
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            yield client
    finally:
        await engine.dispose()


@asynccontextmanager
async def writing(dsn: str) -> AsyncIterator[AsyncConnection]:
    """A transaction such as the worker's own."""
    engine = create_engine(dsn, application="test", pool_size=1)
    try:
        async with transaction(engine) as connection:
            yield connection
    finally:
        await engine.dispose()


async def add(connection: AsyncConnection, table: Table, **values: Any) -> None:
    await connection.execute(insert(table).values(values))


async def add_order(connection: AsyncConnection, order_id: str, **values: Any) -> int:
    """Insert an order that was changed long ago; return the id of its row."""
    row = {"account": "main", "platform": "1688", "order_id": order_id, "updated_at": LONG_AGO} | values
    return int((await connection.execute(insert(orders).values(row).returning(orders.c.id))).scalar_one())


def ids(page: Mapping[str, Any]) -> list[str]:
    return [order["order_id"] for order in page["orders"]]


async def page(client: httpx2.AsyncClient, **params: Any) -> dict[str, Any]:
    """One page of orders; fails unless the answer is 200."""
    answer = await client.get("/api/v1/orders", params=params)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found
