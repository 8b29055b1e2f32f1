"""Accepted callbacks per second ÷ an empty endpoint on the same server. 200 means: Kafka has it, acks=all."""

from __future__ import annotations

import asyncio
import sys
import time

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from bench import stage
from bench.ingress_server import TOKEN
from bench.load import fire, request
from bench.report import Result, machine, median
from worker.broker.topics import STATUS

TARGET = 0.35
PAIRS = 5
REQUESTS = 40_000
CONNECTIONS = 400
"""Senders at once, as in a burst. Events that come together share a confirmation, so the ratio grows with them: with
128 connections it was about 0.30 where 400 gave 0.39."""
_FIRST_ORDER = 4_300_000_000_000_000_000


def _callback(number: int) -> bytes:
    """Return one status callback as the platform pushes it, each of another order."""
    body = {
        "orderId": _FIRST_ORDER + number,
        "currentStatus": "waitsellersend",
        "msgSendTime": "2026-01-01 10:00:00",
        "buyerMemberId": "b2b-1",
        "sellerMemberId": "b2b-2",
    }
    message = {
        "messageType": "1688_ORDER_BUYER_VIEW_ORDER_PAY",
        "messageBody": body,
        "messagePlatform": 1,
        "timestamp": str(int(time.time() * 1000)),
    }
    return msgspec.json.encode(message)


async def measure() -> Result:
    """Measure pairs in turn, so that a drifting machine drifts for both; then look every id up in Kafka."""
    async with stage.kafka() as servers, stage.postgres() as postgres:
        server = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.ingress_server", servers, postgres.dsn(),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert server.stdout is not None
        assert server.stdin is not None
        port = int(await server.stdout.readline())
        path = f"/callbacks/bench/{TOKEN}"
        await fire(port, [request(path, _callback(number)) for number in range(2_000)], CONNECTIONS)
        sent = 2_000
        accepted, floors = [], []
        refused = 0
        for _ in range(PAIRS):
            floors.append((await fire(port, [request("/empty", _callback(0))] * REQUESTS, CONNECTIONS))[0])
            requests = [request(path, _callback(number)) for number in range(sent, sent + REQUESTS)]
            sent += REQUESTS
            rate, answers = await fire(port, requests, CONNECTIONS)
            refused += sum(count for status, count in answers.items() if status != 200)  # noqa: PLR2004
            accepted.append(rate)
        server.stdin.close()
        await server.wait()
        found = await _order_ids(servers)
    wanted = {str(_FIRST_ORDER + number) for number in range(sent)}
    return Result(
        name="ingress",
        value=median(accepted),
        floor=median(floors),
        ratio=median([ours / floor for ours, floor in zip(accepted, floors, strict=True)]),
        target=TARGET,
        verified=not refused and found == wanted,
        unit="callbacks/s",
        machine=machine(),
    )


async def _order_ids(servers: str) -> set[str]:
    consumer = AIOKafkaConsumer(bootstrap_servers=servers, enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        partitions = [TopicPartition(STATUS, number) for number in range(stage.PARTITIONS)]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        found: set[str] = set()
        while any([await consumer.position(partition) < ends[partition] for partition in partitions]):
            for records in (await consumer.getmany(timeout_ms=500, max_records=10_000)).values():
                found.update(record.key.decode().rsplit("/", 1)[1] for record in records)
        return found
    finally:
        await consumer.stop()
