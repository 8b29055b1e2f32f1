"""The relay: publishes changes per order in sequence, at least once. Consumers drop `sequence <= last seen`."""

from __future__ import annotations

from collections.abc import Callable

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from worker.broker.envelope import change_event
from worker.broker.producer import KafkaLink, KafkaUnavailableError
from worker.outbound.metrics import OUTBOX_OLDEST, OUTBOX_WAITING, PUBLISHED
from worker.storage import outbox_store
from worker.storage.engine import transaction
from worker.storage.wakeup import Wakeups, Work

RELAY_BATCH = 1_000
RELAY_TIMEOUT_S = 10.0
RETRY_S = 2.0
_log = structlog.get_logger()


class Relay:
    """Only one relay works at a time, whichever process it runs in; a second one waits its turn."""

    def __init__(self, engine: AsyncEngine, kafka: KafkaLink, wakeups: Wakeups, *, idle_s: float) -> None:
        self._engine = engine
        self._kafka = kafka
        self._wakeups = wakeups
        self._idle_s = idle_s

    async def run(self, progress: Callable[[], None] = lambda: None) -> None:
        """Relay until cancelled."""
        while True:
            try:
                moved = await self.relay_once()
            except KafkaUnavailableError as error:
                _log.warning("changes wait for kafka", reason=str(error))
                moved = 0
            progress()
            if moved < RELAY_BATCH:
                await self._wakeups.wait(Work.OUTBOX, self._idle_s)

    async def relay_once(self) -> int:
        """Publish one batch; return its size. Raises KafkaUnavailableError, then nothing is marked."""
        async with transaction(self._engine) as connection:
            rows = await outbox_store.take_pending(connection, RELAY_BATCH)
            if rows:
                events = [
                    change_event(row.key, row.sequence, row.type, row.payload, row.created_at_iso) for row in rows
                ]
                await self._kafka.send_all(events, RELAY_TIMEOUT_S)
                await outbox_store.mark_published(connection, [row.id for row in rows])
            waiting, oldest_s = await outbox_store.backlog(connection)
        OUTBOX_WAITING.set(waiting)
        OUTBOX_OLDEST.set(oldest_s)
        for row in rows or ():
            PUBLISHED.labels(row.type).inc()
        return len(rows or ())
