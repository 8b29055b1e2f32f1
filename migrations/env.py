"""Runs the migrations, on a connection or as SQL text (`--sql`).

Each revision is one transaction of its own with a lock time-out, so that it gives up instead of queueing every worker
behind it. The address: `config.attributes["database_url"]`, else the environment.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from alembic import context
from sqlalchemy import Column, pool
from sqlalchemy.ext.asyncio import create_async_engine

from worker.storage.engine import async_url
from worker.storage.tables import metadata

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.schema import SchemaItem

LOCK_TIMEOUT = "5s"
LEFT_BEHIND = frozenset({("follow_ups", "detail")})
"""Columns that the version before this one names, and this one does not: the next one drops them (decision 0022)."""


def _url() -> str:
    url = context.config.attributes.get("database_url") or os.environ.get("ORDERSYNC_DATABASE_URL")
    if not url:
        msg = "ORDERSYNC_DATABASE_URL is not set; expected postgresql://user:password@host:port/database"
        raise SystemExit(msg)
    return async_url(url)


def _is_compared(item: SchemaItem, name: str | None, kind: str, *_: object) -> bool:
    """Tell whether a difference between the database and the program's tables is a mistake."""
    return not (kind == "column" and isinstance(item, Column) and (item.table.name, name) in LEFT_BEHIND)


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        transaction_per_migration=True,
        include_object=_is_compared,
    )
    with context.begin_transaction():
        context.run_migrations()


async def _run_online() -> None:
    engine = create_async_engine(
        _url(), poolclass=pool.NullPool, connect_args={"server_settings": {"lock_timeout": LOCK_TIMEOUT}}
    )
    async with engine.connect() as connection:
        await connection.run_sync(_run)
    await engine.dispose()


if context.is_offline_mode():
    context.configure(dialect_name="postgresql", target_metadata=metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    asyncio.run(_run_online())
