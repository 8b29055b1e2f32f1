"""Sends dead letters again: to the topic they came from, under their own key, as what they were."""

from __future__ import annotations

from collections.abc import Callable

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from worker.broker.envelope import replay_event
from worker.broker.producer import KafkaLink, KafkaUnavailableError
from worker.broker.topics import TopicNames
from worker.operations.dead_letters.metrics import REPLAYS_SENT
from worker.storage import dead_letter_relay
from worker.storage.engine import transaction
from worker.storage.wakeup import Wakeups, Work

SEND_BATCH = 200
MAX_ON_THE_WAY = 500
"""Replays that reconcile has not answered for yet: a storm of them must not stand before fresh records."""
SEND_TIMEOUT_S = 5.0
_log = structlog.get_logger()


class Replayer:
    """Works off what was asked for. One process sends at a time; what Kafka did not confirm is sent again."""

    def __init__(
        self, engine: AsyncEngine, kafka: KafkaLink, names: TopicNames, wakeups: Wakeups, *, idle_s: float
    ) -> None:
        self._engine = engine
        self._kafka = kafka
        self._names = names
        self._wakeups = wakeups
        self._idle_s = idle_s

    async def run(self, progress: Callable[[], None] = lambda: None) -> None:
        """Send until cancelled."""
        while True:
            try:
                sent = await self.send_once()
            except KafkaUnavailableError as error:
                _log.warning("replays wait for kafka", reason=str(error))
                sent = 0
            progress()
            if sent < SEND_BATCH:
                await self._wakeups.wait(Work.REPLAYS, self._idle_s)

    async def send_once(self) -> int:
        """Send one batch; return how many. Raises KafkaUnavailableError, then all of it is sent again.

        Sent twice is harmless: a replay is what the letter was, and a fact that is known is a duplicate.
        """
        async with transaction(self._engine) as connection:
            unsent = await dead_letter_relay.take_unsent(connection, SEND_BATCH, MAX_ON_THE_WAY)
            if unsent:
                events = [
                    replay_event(self._names.plain(one.topic), one.key, one.headers, one.value, one.ticket)
                    for one in unsent
                ]
                await self._kafka.send_all(events, SEND_TIMEOUT_S)
                await dead_letter_relay.mark_sent(connection, [one.ticket for one in unsent])
                REPLAYS_SENT.inc(len(unsent))
        return len(unsent)
