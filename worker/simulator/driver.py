"""What the driver (asyncpg) asks each new connection about array types, answered once per process.

The question is a recursive query over the catalogue, in between two that turn the compiler off and on; a run opens a
hundred connections, and the answer is the same for all of them.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import asyncpg
from asyncpg.connection import Connection

_ARRAYS = (
    "SELECT typarray FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype = 'b' AND typarray <> 0"
)
_asks = Connection._introspect_types  # noqa: SLF001 - there is no public way to tell the driver what it asks for


def tell_types(dsn: str) -> None:
    """Let all connections of this process know the arrays of the server's own types from now on."""
    with ThreadPoolExecutor(1) as pool:  # a loop of its own, whether or not the caller runs in one
        known = pool.submit(asyncio.run, _read(dsn)).result()

    async def introspect(self: Any, oids: Any, within_s: Any) -> Any:
        if not known.keys() >= set(oids):
            return await _asks(self, oids, within_s)
        rows = {row["oid"]: row for oid in oids for row in known[oid]}
        return list(rows.values()), SimpleNamespace(name="known")

    Connection._introspect_types = introspect  # noqa: SLF001 - as above


async def _read(dsn: str) -> dict[int, list[Any]]:
    connection = await asyncpg.connect(dsn)
    try:
        oids = [row["typarray"] for row in await connection.fetch(_ARRAYS)]
        return {oid: (await _asks(connection, [oid], None))[0] for oid in oids}
    finally:
        await connection.close()
