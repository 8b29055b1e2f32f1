"""Whether the system is well, looked at once a second: what a recovery is measured by."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

import httpx2 as httpx
import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from proof.rig import Rig, WorkerProcess
from proof.rig.kafka import PARTITIONS, behind
from worker.broker.topics import TopicNames
from worker.composition import GROUP
from worker.domain.clock import SECOND, Millis

LOOK_EVERY_S = 1.0
ANSWERS_WITHIN_S = 3.0
BACKLOG_RECORDS = 100
"""More records than this wait only where reconcile does not keep up; under the load of a run it is seconds of it."""
PASSED_ON_WITHIN_S = 5.0
"""Longer than this no change waits to be published, and no event in the spool: a moment there is nothing unusual."""
_BACKLOG = text(
    f"""
    SELECT (SELECT count(*) FROM spool WHERE created_at < now() - interval '{PASSED_ON_WITHIN_S} seconds') AS spooled,
        (SELECT count(*) FROM outbox WHERE published_at IS NULL
            AND created_at < now() - interval '{PASSED_ON_WITHIN_S} seconds') AS unpublished
    """  # noqa: S608 - a number of our own
)
OK = 200


class Beat(msgspec.Struct, frozen=True):
    """One look: seconds since the run began, and what was not well (nothing: all is well)."""

    at_s: float
    ails: list[str]


def recovered_after(beats: Iterable[Beat], end_s: float, ends_s: Iterable[float]) -> float | None:
    """Return how long it took until all was well after a fault that ended at `end_s`; None if that was not seen.

    Counted from the last of `ends_s`, the ends of all faults, before that moment: where faults pile up, from the end of
    the last one of the pile.
    """
    well_s = next((beat.at_s for beat in beats if beat.at_s >= end_s and not beat.ails), None)
    return None if well_s is None else well_s - max(end for end in ends_s if end <= well_s)


def accepted_after(accepted: Iterable[Millis], ended: Millis) -> float | None:
    """Return how many seconds after `ended` the next callback was accepted, None if none was."""
    later = [at for at in accepted if at >= ended]
    return (min(later) - ended) / SECOND if later else None


class Pulse:
    """Looks again and again until cancelled. Everything it asks for has a time-out; no answer is an ailment."""

    def __init__(self, rig: Rig, began: float) -> None:
        self.beats: list[Beat] = []
        self._rig = rig
        self._began = began
        self._log = rig.directory / "pulse.jsonl"
        self._http = httpx.AsyncClient(timeout=ANSWERS_WITHIN_S, trust_env=False)

    async def run(self) -> None:
        """Look until cancelled."""
        log = self._log.open("ab", buffering=0)
        try:
            while True:
                beat = Beat(round(time.monotonic() - self._began, 1), await self.look())
                self.beats.append(beat)
                log.write(msgspec.json.encode(beat) + b"\n")
                await asyncio.sleep(LOOK_EVERY_S)
        finally:
            log.close()
            await asyncio.shield(self._http.aclose())

    async def look(self) -> list[str]:
        """Return what is not well now."""
        parts = await asyncio.gather(
            *(self._worker(worker) for worker in self._rig.workers), self._database(), self._records()
        )
        return [ailment for part in parts for ailment in part]

    async def _worker(self, worker: WorkerProcess) -> list[str]:
        try:
            answer = await self._http.get(f"http://127.0.0.1:{worker.port}/readyz")
        except httpx.HTTPError:
            return [f"{worker.name} does not answer"]
        return [] if answer.status_code == OK else [f"{worker.name} is not ready"]

    async def _database(self) -> list[str]:
        try:
            async with asyncio.timeout(ANSWERS_WITHIN_S), self._rig.engine.connect() as connection:
                row = (await connection.execute(_BACKLOG)).one()
        except (DBAPIError, OSError, TimeoutError):
            return ["the database does not answer"]
        ails = [f"{row.spooled} events stay in the spool"] if row.spooled else []
        return ails + ([f"{row.unpublished} changes stay unpublished"] if row.unpublished else [])

    async def _records(self) -> list[str]:
        try:
            async with asyncio.timeout(2 * ANSWERS_WITHIN_S):
                waiting = await records_waiting(self._rig.kafka.servers)
        except (KafkaError, OSError, TimeoutError):
            return ["Kafka does not answer"]
        return [f"{waiting} records wait"] if waiting > BACKLOG_RECORDS else []


async def records_waiting(servers: str) -> int:
    """Return how many records reconcile has not committed. Raises KafkaError if the brokers do not say."""
    ends = await record_ends(servers, TopicNames().inbound)
    admin = AIOKafkaAdminClient(bootstrap_servers=servers, request_timeout_ms=int(ANSWERS_WITHIN_S * 1_000))
    try:
        await admin.start()
        committed = await admin.list_consumer_group_offsets(GROUP)
    finally:
        await admin.close()
    return behind(ends, {partition: one.offset for partition, one in committed.items()})


async def record_ends(servers: str, topics: tuple[str, ...]) -> dict[TopicPartition, int]:
    """Return where each partition ends. Raises KafkaError if the brokers do not say."""
    consumer = AIOKafkaConsumer(bootstrap_servers=servers, request_timeout_ms=int(ANSWERS_WITHIN_S * 1_000))
    try:
        await consumer.start()
        partitions = [TopicPartition(topic, partition) for topic in topics for partition in range(PARTITIONS)]
        consumer.assign(partitions)
        return dict(await consumer.end_offsets(partitions))
    finally:
        await consumer.stop()
