"""What the driver asks of each new connection, and SQLAlchemy of each new engine: answered once per process.

The driver (asyncpg) asks about array types: a recursive query over the catalogue, in between two that turn the compiler
off and on. SQLAlchemy asks about the server. A run opens a hundred connections of some twenty engines, and the answers
are the same for all of them.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import asyncpg
from asyncpg.connection import Connection
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg

from worker.storage.engine import create_engine

_ARRAYS = (
    "SELECT typarray FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype = 'b' AND typarray <> 0"
)
_asks = Connection._introspect_types  # noqa: SLF001 - there is no public way to tell the driver what it asks for
_dialect: Any = PGDialect_asyncpg
_asks_about_server = _dialect.initialize
_NEW = object()


def tell(dsn: str) -> None:
    """Let all engines and connections of this process know the server, and the arrays of its own types, from now on."""
    with ThreadPoolExecutor(1) as pool:  # a loop of its own, whether or not the caller runs in one
        pool.submit(asyncio.run, _tell(dsn)).result()


async def _tell(dsn: str) -> None:
    arrays, server = await _arrays(dsn), await _server(dsn)

    async def introspect(self: Any, oids: Any, within_s: Any) -> Any:
        if not arrays.keys() >= set(oids):
            return await _asks(self, oids, within_s)
        rows = {row["oid"]: row for oid in oids for row in arrays[oid]}
        return list(rows.values()), SimpleNamespace(name="known")

    def initialize(self: PGDialect_asyncpg, _connection: object) -> None:
        vars(self).update(server)

    Connection._introspect_types = introspect  # noqa: SLF001 - as above
    _dialect.initialize = initialize


async def _arrays(dsn: str) -> dict[int, list[Any]]:
    connection = await asyncpg.connect(dsn)
    try:
        oids = [row["typarray"] for row in await connection.fetch(_ARRAYS)]
        return {oid: (await _asks(connection, [oid], None))[0] for oid in oids}
    finally:
        await connection.close()


async def _server(dsn: str) -> dict[str, Any]:
    """Return what a dialect takes down when it asks about the server."""
    taken_down: dict[str, Any] = {}

    def initialize(self: PGDialect_asyncpg, connection: Any) -> None:
        before = dict(vars(self))
        _asks_about_server(self, connection)
        taken_down.update({name: value for name, value in vars(self).items() if before.get(name, _NEW) is not value})

    _dialect.initialize = initialize
    engine = create_engine(dsn, application="simulator", pool_size=1)
    try:
        async with engine.connect():
            return taken_down
    finally:
        await engine.dispose()
