"""Whether the consumer moves: its lag, and progress that is more than a ping."""

from __future__ import annotations

import asyncio

import structlog
from aiokafka.errors import KafkaError

from worker.broker.consumer import Consumer
from worker.broker.metrics import LAG
from worker.operations.health import Loop

WATCH_EVERY_S = 2.0
_log = structlog.get_logger()


async def watch(consumer: Consumer, loop: Loop) -> None:
    """Export the lag, and call it progress when records were taken or none wait. Returns when the consumer stopped.

    A broker that does not answer is not a loop that hangs: a restart would not bring it back.
    """
    position = -1
    while consumer.running:
        try:
            standing = await consumer.look()
        except (KafkaError, TimeoutError) as error:
            _log.warning("lag is not known", error=type(error).__name__)
            loop.progress()
        else:
            for partition, waiting in standing.waiting.items():
                LAG.labels(partition).set(waiting)
            if standing.position != position or not any(standing.waiting.values()):
                loop.progress()
            position = standing.position
        await asyncio.sleep(WATCH_EVERY_S)
