"""What Postgres knows of how a run stands."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine

from proof.soak.record import Values

_MIB = 1024 * 1024
_STANDING = text(
    """
    SELECT pg_database_size(current_database()) AS database_bytes,
        (SELECT count(*) FROM spool) AS spool_waiting,
        (SELECT count(*) FROM outbox WHERE published_at IS NULL) AS outbox_waiting,
        (SELECT extract(epoch FROM now() - min(created_at)) FROM outbox WHERE published_at IS NULL) AS outbox_oldest_s,
        (SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'ordersync-%'
            AND application_name <> 'ordersync-proof') AS server_connections
    """
)
_TABLES = text(
    """
    SELECT relname AS name, n_live_tup AS rows, pg_total_relation_size(relid) AS bytes
    FROM pg_stat_user_tables ORDER BY bytes DESC LIMIT 8
    """
)


async def read_standing(engine: AsyncEngine) -> Values:
    """Return what waits, how large all is, and how many connections the workers have; nothing if Postgres is away."""
    try:
        async with engine.connect() as connection:
            row = (await connection.execute(_STANDING)).mappings().one()
    except (DBAPIError, PoolTimeoutError, OSError):
        return {}
    return {
        "database_mib": row["database_bytes"] / _MIB,
        "spool_waiting": row["spool_waiting"],
        "outbox_waiting": row["outbox_waiting"],
        "outbox_oldest_s": float(row["outbox_oldest_s"] or 0.0),
        "server_connections": row["server_connections"],
    }


async def largest_tables(engine: AsyncEngine) -> dict[str, tuple[int, int]]:
    """Return the largest tables by name: rows (as the statistics have them) and bytes, indexes included."""
    async with engine.connect() as connection:
        return {row.name: (row.rows, row.bytes) for row in await connection.execute(_TABLES)}
