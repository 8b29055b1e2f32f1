"""Callbacks that are numbered per order, taken by the real endpoint, and what Kafka holds of them in the end."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer

from tests.infrastructure import SessionKafka, make_topics
from tests.intake.stage import TOKEN, call, make_app
from tools.kafka import ApacheKafka
from worker.broker.durable import DurablePublisher, Spool
from worker.broker.envelope import read_fact, read_headers
from worker.broker.producer import KafkaLink
from worker.broker.topics import INBOUND, STATUS, TopicNames
from worker.intake.callbacks import CallbackApp

FIRST_STAMP = 1_767_233_100_000
KAFKA_TIMEOUT_S = 0.35
SPOOL_TIMEOUT_S = 5.0
"""Longer than in production: these tests are about what is kept, and the machine may be busy."""


class Minutes:
    """A clock that only the test moves: a pause of minutes takes no time."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def body(order_id: int, number: int) -> bytes:
    """The number-th status callback of an order."""
    return (
        b'{"messageType":"1688_ORDER_BUYER_VIEW_ORDER_PAY","messagePlatform":1,"timestamp":"%d",'
        b'"messageBody":{"orderId":%d,"currentStatus":"waitsellersend"}}' % (FIRST_STAMP + number, order_id)
    )


def intake(link: KafkaLink, spool: Spool, minutes: Minutes, *, spool_timeout_s: float = SPOOL_TIMEOUT_S) -> CallbackApp:
    return make_app(
        DurablePublisher(link, spool, kafka_timeout_s=KAFKA_TIMEOUT_S, spool_timeout_s=spool_timeout_s, now=minutes)
    )


async def push(app: CallbackApp, order_id: int, number: int) -> tuple[int, float]:
    """Send one callback; the status of its answer, and the seconds it took."""
    started = time.monotonic()
    reply = await call(app, f"/callbacks/main/{TOKEN}", body(order_id, number))
    return reply.status, time.monotonic() - started


@asynccontextmanager
async def linked(kafka: ApacheKafka | str) -> AsyncIterator[KafkaLink]:
    servers = kafka if isinstance(kafka, str) else kafka.bootstrap_servers
    link = KafkaLink(servers, TopicNames())
    link.start()
    await link.wait_connected()
    try:
        yield link
    finally:
        await link.stop()


async def topics(kafka: ApacheKafka, partitions: int = 3) -> None:
    await make_topics(SessionKafka("apache", "", kafka.bootstrap_servers, None), dict.fromkeys(INBOUND, partitions))


async def numbers(kafka: ApacheKafka, complete: Iterable[tuple[int, int]]) -> dict[int, list[int]]:
    """By order: its callbacks in the order in which each came first, once all of `complete` are there."""
    missing = set(complete)
    found: dict[int, list[int]] = defaultdict(list)
    consumer = AIOKafkaConsumer(STATUS, bootstrap_servers=kafka.bootstrap_servers, auto_offset_reset="earliest")
    await consumer.start()
    try:
        async with asyncio.timeout(30):
            while missing:
                record = await consumer.getone()
                read = read_fact(read_headers(record.headers), record.value)
                assert isinstance(read, tuple)
                order_id, number = int(read[1].key.order_id), (read[1].provider_time or 0) - FIRST_STAMP
                if number not in found[order_id]:
                    found[order_id].append(number)
                missing.discard((order_id, number))
    finally:
        await consumer.stop()
    return dict(found)
