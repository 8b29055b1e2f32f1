"""Making an event durable: Kafka first, the spool in Postgres when Kafka does not confirm, an error when both fail."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

import structlog

from worker.broker.envelope import Event
from worker.broker.producer import KafkaLink
from worker.broker.topics import MAX_MESSAGE_BYTES

KAFKA_PAUSE_S = 2.0
"""After a failure Kafka is left alone this long, so that callbacks do not each wait for the same time-out."""

MAX_EVENT_BYTES = MAX_MESSAGE_BYTES - 8_192
"""Of an event's data, with room for key, headers and the record around them. What Kafka will never take must not go to
the spool either: the drain would stop before it for ever."""

_log = structlog.get_logger()


class NotDurableError(RuntimeError):
    """Neither Kafka nor Postgres took the event: the sender must keep it and come again."""


class Spool(Protocol):
    """Where an event waits for Kafka."""

    async def put(self, event: Event) -> None:
        """Keep the event, or raise. Ends at once when cancelled, whatever the store is doing."""
        ...


class DurablePublisher:
    """Publishes facts. Every way in (callbacks, pollers, our own reads) goes through here."""

    def __init__(
        self,
        kafka: KafkaLink,
        spool: Spool,
        *,
        kafka_timeout_s: float,
        spool_timeout_s: float,
        now: Callable[[], float],
        on_spooled: Callable[[], None] = lambda: None,
    ) -> None:
        self._kafka = kafka
        self._spool = spool
        self._kafka_timeout_s = kafka_timeout_s
        self._spool_timeout_s = spool_timeout_s
        self._now = now
        self._on_spooled = on_spooled
        self._kafka_rests_until = float("-inf")

    async def publish(self, event: Event) -> None:
        """Return once the event is durable; raises NotDurableError when both time-outs are over."""
        if len(event.value) > MAX_EVENT_BYTES:
            raise NotDurableError(f"the event has {len(event.value)} bytes; Kafka takes {MAX_EVENT_BYTES}")
        if self._now() >= self._kafka_rests_until:
            try:
                await self._kafka.send(event, self._kafka_timeout_s)
            except Exception as error:  # noqa: BLE001 - whatever Kafka's client fails with, the event must be kept
                self._kafka_rests_until = self._now() + KAFKA_PAUSE_S
                reason = f"{type(error).__name__}: {error}"
                _log.warning("event goes to the spool", reason=reason, event_id=event.headers.get("ce_id"))
            else:
                return
        try:
            async with asyncio.timeout(self._spool_timeout_s):
                await self._spool.put(event)
        except Exception as error:
            raise NotDurableError(f"neither Kafka nor the spool took the event: {type(error).__name__}") from error
        self._on_spooled()
