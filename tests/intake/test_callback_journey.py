"""The whole way of a callback: a socket, the door, Kafka, and the fact on the other side."""

import asyncio
import time
from collections.abc import AsyncIterator

import httpx2
import pytest
from aiokafka import AIOKafkaConsumer
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.conftest import CreateTopics
from tests.intake.stage import DOORS, ORDER_ID, PAID, TOKEN
from tests.storage.database import value
from tests.waiting import until
from worker.broker.durable import DurablePublisher
from worker.broker.envelope import read_fact, read_headers
from worker.broker.producer import KafkaLink
from worker.broker.topics import INBOUND, STATUS, TopicNames
from worker.domain.clock import SystemClock
from worker.domain.identity import OrderKey, Platform
from worker.http_server import HttpServer, front
from worker.intake.callbacks import CallbackApp, Limits
from worker.intake.spool import PostgresSpool

SLOW_BODY_S = 0.3


@pytest.fixture
async def address(
    engine: AsyncEngine, kafka_bootstrap: str, create_topics: CreateTopics, topic_prefix: str
) -> AsyncIterator[str]:
    """Where callbacks are taken, on a socket."""
    await create_topics(dict.fromkeys(INBOUND, 1))
    link = KafkaLink(kafka_bootstrap, TopicNames(topic_prefix))
    link.start()
    await link.wait_connected()
    publisher = DurablePublisher(
        link, PostgresSpool(engine), kafka_timeout_s=10, spool_timeout_s=10, now=time.monotonic
    )
    limits = Limits(max_bytes=4_096, body_timeout_s=SLOW_BODY_S)
    app = front(CallbackApp(DOORS, publisher, SystemClock(), limits, monotonic=time.monotonic), nothing_else)
    server = HttpServer(app, "127.0.0.1", 0, max_concurrency=50, shutdown_timeout_s=5)
    await server.start()
    yield f"127.0.0.1:{server.port}"
    await server.stop()
    await link.stop()


async def nothing_else(scope: object, receive: object, send: object) -> None:
    raise AssertionError("only callbacks are called here")


async def test_a_callback_arrives_in_kafka_as_the_fact_that_it_tells(
    address: str, engine: AsyncEngine, kafka_bootstrap: str, topic_prefix: str
) -> None:
    async with httpx2.AsyncClient(base_url=f"http://{address}", trust_env=False) as sender:
        assert (await sender.post(f"/callbacks/main/{TOKEN}", content=PAID)).status_code == 200
        assert (await sender.post(f"/callbacks/main/{TOKEN}", content=b"{}")).status_code == 200
        assert (await sender.get(f"/callbacks/main/{TOKEN}")).status_code == 200
        assert (await sender.head(f"/callbacks/main/{TOKEN}")).status_code == 200
        assert (await sender.post("/callbacks/main/guess", content=PAID)).status_code == 404
        assert (await sender.post(f"/callbacks/main/{TOKEN}", content=b"x" * 5_000)).status_code == 413
    consumer = AIOKafkaConsumer(topic_prefix + STATUS, bootstrap_servers=kafka_bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        record, other = await consumer.getone(), await consumer.getone()
    finally:
        await consumer.stop()
    headers = read_headers(record.headers)
    read = read_fact(headers, record.value)
    assert isinstance(read, tuple)
    fact_id, fact = read
    assert fact.key == OrderKey("main", Platform.ALIBABA_1688, ORDER_ID)
    assert (fact_id, record.key) == (fact.derive_id(), f"main/1688/{ORDER_ID}".encode())
    assert headers["ce_type"] == "ordersync.fact.status.v1"
    assert read_headers(other.headers)["ce_type"] == "ordersync.fact.unrecognised.v1"
    assert await value(engine, "SELECT count(*) FROM spool") == 0


async def test_a_body_that_trickles_in_over_the_socket_is_cut_off(address: str) -> None:
    host, port = address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        head = f"POST /callbacks/main/{TOKEN} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(PAID)}\r\n\r\n"
        writer.write(head.encode() + PAID[:10])
        await writer.drain()
        began = time.monotonic()
        answer = await until(reader.readline, seconds=5)
        assert answer.startswith(b"HTTP/1.1 408")
        assert time.monotonic() - began >= SLOW_BODY_S * 0.9
    finally:
        writer.close()
        await writer.wait_closed()
