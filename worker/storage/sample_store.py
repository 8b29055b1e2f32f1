"""A sample of the model's orders, the same for the same seed."""

from __future__ import annotations

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.domain.evidence import Evidence
from worker.domain.identity import OrderKey, Platform

_SAMPLE = text(
    """
    SELECT platform, order_id FROM orders
    WHERE account = :account AND platform = ANY(CAST(:platforms AS text[]))
    ORDER BY md5(order_id || '/' || CAST(:seed AS text)), id LIMIT :limit
    """
)
_KNOWN = text(
    """
    SELECT CAST(evidence AS text) FROM orders
    WHERE account = :account AND platform = :platform AND order_id = :order_id
    """
)
_EVIDENCE = msgspec.json.Decoder(Evidence)


async def sample(
    connection: AsyncConnection, account: str, platforms: list[str], *, seed: int, limit: int | None
) -> list[OrderKey]:
    """Return up to `limit` orders (None: all)."""
    params = {"account": account, "platforms": platforms, "seed": str(seed), "limit": limit}
    rows = await connection.execute(_SAMPLE, params)
    return [OrderKey(account, Platform(row.platform), row.order_id) for row in rows]


async def evidence_of(connection: AsyncConnection, key: OrderKey) -> Evidence:
    """Return what is known of an order now; nothing if there is no such order."""
    params = {"account": key.account, "platform": key.platform.value, "order_id": key.order_id}
    found: str | None = (await connection.execute(_KNOWN, params)).scalar_one_or_none()
    return Evidence() if found is None else _EVIDENCE.decode(found)
