"""The spool: where an accepted event waits when Kafka cannot take it. Drained in order of arrival."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.storage.bulk import as_params, insert_rows
from worker.storage.order_rows import json_text
from worker.storage.tables import spool

_SPOOL_LOCK = 0x73706F6F6C  # "spool"
_COLUMNS = ("topic", "key", "headers", "value")
_INSERT = insert_rows(spool, _COLUMNS)
_TRY_LOCK = text("SELECT pg_try_advisory_xact_lock(:lock)")
_OLDEST = text("SELECT id, topic, key, CAST(headers AS text) AS headers, value FROM spool ORDER BY id LIMIT :limit")
_DELETE = text("DELETE FROM spool WHERE id = ANY(CAST(:ids AS bigint[]))")
_SPAN = text("SELECT coalesce(max(id) - min(id) + 1, 0) FROM spool")
_COUNT = text("SELECT count(*) FROM spool")


class SpooledRow(msgspec.Struct, frozen=True):
    """One event as it would have gone to Kafka."""

    id: int
    topic: str
    key: str
    headers: dict[str, str]
    value: bytes


async def put(connection: AsyncConnection, rows: Sequence[tuple[str, str, dict[str, str], bytes]]) -> None:
    """Keep events (topic, key, headers, value), in this order."""
    encoded = [(topic, key, json_text(headers), value) for topic, key, headers, value in rows]
    await connection.execute(_INSERT, as_params(_COLUMNS, encoded))


async def take_oldest(connection: AsyncConnection, limit: int) -> list[SpooledRow]:
    """Return the oldest events, none if another process drains; holds the drain's lock until commit."""
    if not (await connection.execute(_TRY_LOCK, {"lock": _SPOOL_LOCK})).scalar_one():
        return []
    return [
        SpooledRow(row.id, row.topic, row.key, msgspec.json.decode(row.headers), bytes(row.value))
        for row in await connection.execute(_OLDEST, {"limit": limit})
    ]


async def delete(connection: AsyncConnection, ids: Sequence[int]) -> None:
    """Forget events that Kafka has acknowledged."""
    await connection.execute(_DELETE, {"ids": list(ids)})


async def span(connection: AsyncConnection) -> int:
    """Return at least how many events wait, by the two ends of the index: to count a million takes too long here."""
    return int((await connection.execute(_SPAN)).scalar_one())


async def count(connection: AsyncConnection) -> int:
    """Return how many events wait."""
    return int((await connection.execute(_COUNT)).scalar_one())
