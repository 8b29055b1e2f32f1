"""An example consumer of `orders.changes.v1`: drops `sequence <= last seen`, and so sees every change exactly once."""

from __future__ import annotations

import asyncio

from aiokafka import AIOKafkaConsumer

from worker.broker.envelope import read_headers


class Follower:
    """Follows the changes; a gap would mean that a change was lost or came out of order."""

    def __init__(self, bootstrap_servers: str, topic: str) -> None:
        self._consumer = AIOKafkaConsumer(
            topic,
            bootstrap_servers=bootstrap_servers,
            group_id="demo.follower",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )
        self.last_seen: dict[str, int] = {}
        self.changes = 0
        self.repeats = 0
        self.gaps = 0

    async def run(self) -> None:
        """Follow until cancelled."""
        await self._consumer.start()
        try:
            while True:
                await self._take()
        finally:
            await asyncio.shield(self._consumer.stop())

    async def _take(self) -> None:
        for records in (await self._consumer.getmany(timeout_ms=200, max_records=1_000)).values():
            for record in records:
                self._see(record.key.decode(), int(read_headers(record.headers)["ce_sequence"]))
        await self._consumer.commit()

    def _see(self, key: str, sequence: int) -> None:
        last = self.last_seen.get(key, 0)
        if sequence <= last:
            self.repeats += 1
            return
        self.gaps += sequence - last - 1
        self.changes += 1
        self.last_seen[key] = sequence
