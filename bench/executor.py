"""Payments per second through the ledger ÷ workflows per second of DBOS Transact, for the same two calls of 1 ms each.

Ours reads the order afresh (1 ms), publishes what was read to Kafka, writes the attempt as sent under the account's
budget lock, pays (1 ms), and writes the end: two commits around the call, shared by the payments that are under way.
DBOS runs a workflow of two steps of 1 ms, each recorded in the same Postgres. Both have as many under way at once.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bench import stage
from bench.durable_workflows import run_workflows
from bench.report import Result, machine, median
from tests.bare_marketplace import BareMarketplace
from worker.broker.durable import DurablePublisher
from worker.broker.producer import KafkaLink
from worker.broker.topics import TopicNames
from worker.domain.clock import SystemClock
from worker.domain.facts import Amounts, Fact, Lifecycle, Snapshot, Source
from worker.domain.identity import OrderKey, Platform
from worker.domain.policy import Effect, Policy
from worker.domain.reducer import DEFAULT_SKEW, Order, apply
from worker.embedded import EmbeddedPostgres
from worker.followups.actions.pay import Pay
from worker.followups.executor import Executor
from worker.followups.fresh import FreshReads
from worker.followups.ledger import Ledger
from worker.followups.perform import Perform
from worker.intake.spool import PostgresSpool
from worker.marketplaces.port import EffectAnswer, EffectOutcome
from worker.storage.engine import create_engine, transaction
from worker.storage.wakeup import Wakeups

TARGET = 10.0
PAIRS = 3
PAYMENTS = 6_000
WORKFLOWS = 600
UNDER_WAY = 256
CALL_S = 0.001
WITHIN_S = 120.0
ACCOUNT = "bench"
TOTAL = 10_000
_POLICY = Policy(auto_pay=True, auto_pay_limit=TOTAL, daily_budget=10**12, monthly_budget=10**12)
_EMPTY = (
    "TRUNCATE orders, order_lines, parcels, refunds, facts, follow_ups, follow_up_attempts, spendings, outbox, spool, "
    "alerts, alert_notices, approvals"
)
_ORDERS = text(
    """
    INSERT INTO orders (account, platform, order_id, status, unconfirmed, total_minor, evidence)
    SELECT :account, '1688', id, 'awaiting_payment', false, :total, CAST(evidence AS json)
    FROM unnest(CAST(:ids AS text[]), CAST(:evidence AS text[])) AS o(id, evidence)
    """
)
_PLANNED = text(
    """
    INSERT INTO follow_ups (order_ref, account, effect, purpose, amount_minor)
    SELECT id, account, 'pay', 'full', total_minor FROM orders
    """
)
_SUCCEEDED = text(
    """
    SELECT count(*) FROM follow_ups f JOIN follow_up_attempts a ON a.follow_up_id = f.id
    WHERE f.state = 'succeeded' AND f.attempts = 1 AND a.outcome = 'done'
    """
)


class Marketplace(BareMarketplace):
    """Answers every call after a millisecond, and counts the payments."""

    def __init__(self) -> None:
        self.paid: Counter[str] = Counter()

    async def read_order(self, platform: Platform, order_id: str, source: Source) -> Fact:
        """Return the order as awaiting payment."""
        asked_at = SystemClock().now_ms()
        await asyncio.sleep(CALL_S)
        return Fact(OrderKey(ACCOUNT, platform, order_id), source, unpaid(asked_at), observed_at=asked_at)

    async def pay(self, platform: Platform, order_id: str, amount: int, *, attempt: int = 1) -> EffectAnswer:  # noqa: ARG002 - the port's signature
        """Take the money."""
        await asyncio.sleep(CALL_S)
        self.paid[order_id] += 1
        return EffectAnswer(EffectOutcome.DONE, "paid by agreement")


def unpaid(modified_at: int) -> Snapshot:
    """Return what a read of an unpaid order tells."""
    return Snapshot(Lifecycle("waitbuyerpay", modified_at=modified_at), Amounts(TOTAL), (), (), ())


async def measure() -> Result:
    """Measure both in turn on one server; every payment is verified in the marketplace's books and in the ledger."""
    ours, floors, verified = [], [], True
    async with stage.kafka() as servers, stage.postgres() as postgres:
        for number in range(PAIRS):
            rate, complete = await _payments(servers, postgres, number)
            verified = verified and complete
            ours.append(rate)
            floors.append(await run_workflows(postgres.dsn(), WORKFLOWS, UNDER_WAY, CALL_S))
    return Result(
        name="executor",
        value=median(ours),
        floor=median(floors),
        ratio=median([ledger / dbos for ledger, dbos in zip(ours, floors, strict=True)]),
        target=TARGET,
        verified=verified,
        unit="effects/s",
        machine=machine(),
    )


async def _payments(servers: str, postgres: EmbeddedPostgres, number: int) -> tuple[float, bool]:
    """Return (payments per second, whether each was made once and recorded)."""
    ids = [f"44{number:02d}{each:015d}" for each in range(PAYMENTS)]
    engine = create_engine(postgres.dsn(), application="bench", pool_size=8)
    await _plan(engine, ids)
    link = KafkaLink(servers, TopicNames())
    link.start()
    await link.wait_connected()
    market, clock, jitter = Marketplace(), SystemClock(), random.Random(number)  # noqa: S311 - pauses
    publisher = DurablePublisher(
        link, PostgresSpool(engine), kafka_timeout_s=5.0, spool_timeout_s=5.0, now=time.monotonic
    )
    action = Pay(market, FreshReads(market, publisher, DEFAULT_SKEW), _POLICY)
    perform = Perform(action, Ledger(engine, ACCOUNT, _POLICY, clock), clock, jitter, monotonic=time.monotonic)
    executor = Executor(
        ACCOUNT, Effect.PAY, perform, engine, Wakeups(postgres.dsn()), concurrency=UNDER_WAY, idle_s=0.05
    )
    started = time.perf_counter()
    running = asyncio.create_task(executor.run())
    while sum(market.paid.values()) < PAYMENTS and time.perf_counter() - started < WITHIN_S:  # noqa: ASYNC110 - a benchmark may look
        await asyncio.sleep(0.005)
    executor.stop()
    await running
    seconds = time.perf_counter() - started
    await link.stop()
    async with transaction(engine) as connection:
        recorded = (await connection.execute(_SUCCEEDED)).scalar_one()
        await connection.execute(text(_EMPTY))
    await engine.dispose()
    return PAYMENTS / seconds, market.paid == Counter(ids) and recorded == PAYMENTS


async def _plan(engine: AsyncEngine, ids: list[str]) -> None:
    """Store unpaid orders as reconcile leaves them, each with its planned payment."""
    encoded = []
    for order_id in ids:
        key = OrderKey(ACCOUNT, Platform.ALIBABA_1688, order_id)
        fact = Fact(key, Source.RESPONSE, unpaid(1_000), observed_at=2_000)
        evidence = apply(Order.new(key), fact, fact.derive_id(), DEFAULT_SKEW).order.evidence
        encoded.append(msgspec.json.encode(evidence).decode())
    async with transaction(engine) as connection:
        params = {"account": ACCOUNT, "total": TOTAL, "ids": ids, "evidence": encoded}
        await connection.execute(_ORDERS, params)
        await connection.execute(_PLANNED)
        await connection.execute(text("ANALYZE follow_ups, orders"))
