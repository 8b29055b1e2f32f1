"""What a run leaves behind: gathered past all proxies, once the world is at rest, and judged elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from proof.chaos.pulse import record_ends
from proof.rig import Rig
from proof.rig.front_door import Passed
from worker.broker.topics import CHANGES
from worker.demo.compare import Comparison, compare
from worker.promises import changes, rest
from worker.promises.books import Books, read_books
from worker.promises.rows import LEDGER, Ledger, read_ledger

_BOOKS = ("payments", "receipts", "bookings", "cancels", "warehouse-notices")
_CALLBACKS_KNOWN = text(
    """
    SELECT o.order_id, CAST(extract(epoch FROM f.provider_time) * 1000 AS bigint) AS stamp
    FROM facts f JOIN orders o ON o.id = f.order_ref WHERE f.source = 'callback'
    """
)
# What the budget holds back waits for the next day, and an alert says so; everything else planned is still to be done.
_STUCK = text(
    f"""
    SELECT 'follow-up ' || f.effect || ' ' || f.purpose || ' of order ' || o.order_id || ' is ' || f.state ||
        coalesce(' (' || f.reason || ')', '')
    FROM follow_ups f JOIN orders o ON o.id = f.order_ref
    WHERE f.state IN ('sending', 'unknown') OR f.state = 'planned' AND NOT (f.budget_refusals > 0 AND EXISTS (
        SELECT 1 FROM alerts WHERE kind = 'budget_exhausted' AND resolved_at IS NULL))
    UNION ALL {rest.NOT_PASSED_ON}
    """  # noqa: S608 - a constant
)
READ_WITHIN_MS = 1_000
Made = tuple[str, int, str]
"""Of an order: its key, how many changes it had, its status."""


class Evidence(msgspec.Struct, kw_only=True):
    """Everything that is judged. `accepted`: callbacks answered 200; `known`: (order, stamp) of callbacks on record."""

    ledger: Ledger
    books: Books
    prices: dict[str, list[tuple[int, int]]]
    comparison: Comparison
    changes: Sequence[tuple[str, bytes]]
    made: Sequence[Made]
    accepted: Sequence[Passed]
    known: set[tuple[str, int]]
    letters: Sequence[str]
    mute: Sequence[str]
    stuck: Sequence[str]


async def gather(rig: Rig) -> Evidence:
    """Gather everything. Raises what Kafka, Postgres or the marketplace fail with: by now they have to answer."""
    rows = {name: await rig.marketplace.book(name) for name in _BOOKS}
    truth = [order async for order in rig.marketplace.truth()]
    async with rig.engine.connect() as connection:
        ledger = read_ledger((await connection.execute(text(LEDGER))).scalar_one())
        made = [(row.key, row.sequence, row.status) for row in await connection.execute(text(changes.MADE))]
        known = {(row.order_id, row.stamp) for row in await connection.execute(_CALLBACKS_KNOWN)}
        return Evidence(
            ledger=ledger,
            books=read_books(rows, truth),
            prices=await rig.marketplace.prices(),
            comparison=await compare(connection, rig.marketplace.truth()),
            changes=await published_changes(rig.kafka.servers),
            made=made,
            accepted=rig.front_door.accepted(),
            known=known,
            letters=await _words(connection, text(rest.LETTERS)),
            mute=await _words(connection, text(rest.MUTE)),
            stuck=await _words(connection, _STUCK),
        )


async def stuck(connection: AsyncConnection) -> list[str]:
    """Return what the workers still have to do."""
    return await _words(connection, _STUCK)


async def published_changes(servers: str) -> list[tuple[str, bytes]]:
    """Return every record (key, value) of the change topic from its beginning, in the order of each partition."""
    ends = await record_ends(servers, (CHANGES,))
    consumer = AIOKafkaConsumer(bootstrap_servers=servers, enable_auto_commit=False)
    found: list[tuple[str, bytes]] = []
    try:
        await consumer.start()
        consumer.assign(list(ends))
        await consumer.seek_to_beginning(*ends)
        while await _not_at_end(consumer, ends):
            for records in (await consumer.getmany(timeout_ms=READ_WITHIN_MS)).values():
                found += [(record.key.decode(), record.value) for record in records]
    finally:
        await consumer.stop()
    return found


async def _not_at_end(consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int]) -> bool:
    positions = [await consumer.position(partition) for partition in ends]
    return any(position < end for position, end in zip(positions, ends.values(), strict=True))


async def _words(connection: AsyncConnection, statement: Any) -> list[str]:
    return [str(word) for word in (await connection.execute(statement)).scalars()]
