"""Events per second from Kafka to committed ÷ a bare asyncpg script that writes the same rows in the same batches."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import asyncpg
from sqlalchemy import text

from bench import stage
from bench.bare import plan_batches, write_batches
from bench.report import Result, machine, median
from bench.workload import facts_of_orders
from worker.broker.consumer import BatchConsumer, ConsumerOptions
from worker.broker.envelope import fact_event
from worker.broker.producer import KafkaLink
from worker.broker.topics import INBOUND, TopicNames
from worker.domain.clock import SystemClock
from worker.domain.facts import Fact
from worker.domain.policy import Policy
from worker.domain.reducer import DEFAULT_SKEW
from worker.embedded import EmbeddedPostgres
from worker.reconcile.reconciler import Reconciler
from worker.storage.engine import create_engine

TARGET = 0.4
PAIRS = 3
ORDERS = 2_500
BATCH = 500
_EMPTY = (
    "TRUNCATE orders, order_lines, parcels, refunds, facts, dead_letters, follow_ups, follow_up_attempts, outbox, "
    "alerts, alert_notices"
)


async def measure() -> Result:
    """Measure both in turn on one server; the worker's run is verified id by id."""
    ours, floors, verified = [], [], True
    async with stage.kafka() as servers, stage.postgres() as postgres:
        for number in range(PAIRS):
            facts = facts_of_orders(ORDERS, seed=number)
            names = TopicNames(f"run{number}.")
            await stage.make_topics(servers, names)
            await _publish(servers, names, facts)
            rate, complete = await _worker(servers, names, postgres, facts)
            verified = verified and complete
            ours.append(rate)
            floors.append(await _bare(postgres, facts))
    return Result(
        name="reconcile",
        value=median(ours),
        floor=median(floors),
        ratio=median([worker / bare for worker, bare in zip(ours, floors, strict=True)]),
        target=TARGET,
        verified=verified,
        unit="events/s",
        machine=machine(),
    )


async def _publish(servers: str, names: TopicNames, facts: Sequence[Fact]) -> None:
    link = KafkaLink(servers, names)
    link.start()
    await link.wait_connected()
    for start in range(0, len(facts), 1_000):
        await link.send_all([fact_event(fact) for fact in facts[start : start + 1_000]], 30.0)
    await link.stop()


async def _worker(
    servers: str, names: TopicNames, postgres: EmbeddedPostgres, facts: Sequence[Fact]
) -> tuple[float, bool]:
    """Return (events per second from the first batch to the last commit, whether every fact is there once)."""
    engine = create_engine(postgres.dsn(), application="bench")
    reconciler = Reconciler(engine, lambda _account: Policy(), SystemClock(), skew=DEFAULT_SKEW, dead_letter_limit=10)
    handled = 0
    started = 0.0
    done = asyncio.Event()

    async def handle(records: Any) -> None:
        nonlocal handled, started
        started = started or time.perf_counter()
        await reconciler.handle(records)
        handled += len(records)
        if handled >= len(facts):
            done.set()

    options = ConsumerOptions(f"bench.{names.prefix}", max_records=BATCH, wait_ms=200)
    consumer = BatchConsumer(
        servers, [names.of(name) for name in INBOUND], options, handle,
        shutdown_timeout_s=5.0, pause_after_failure=lambda: asyncio.sleep(1.0),
    )  # fmt: skip
    await consumer.start()
    await asyncio.wait_for(done.wait(), 300)
    seconds = time.perf_counter() - started
    await consumer.stop()
    async with engine.connect() as connection:
        found = set((await connection.execute(text("SELECT fact_id FROM facts"))).scalars())
    await engine.dispose()
    await _truncate(postgres)
    return len(facts) / seconds, found == {fact.derive_id() for fact in facts}


async def _bare(postgres: EmbeddedPostgres, facts: Sequence[Fact]) -> float:
    batches = plan_batches(facts, BATCH)
    connection = await asyncpg.connect(postgres.dsn())
    try:
        started = time.perf_counter()
        await write_batches(connection, batches)
        seconds = time.perf_counter() - started
    finally:
        await connection.close()
    await _truncate(postgres)
    return len(facts) / seconds


async def _truncate(postgres: EmbeddedPostgres) -> None:
    connection = await asyncpg.connect(postgres.dsn())
    await connection.execute(_EMPTY)
    await connection.execute("CHECKPOINT")
    await connection.close()
