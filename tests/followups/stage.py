"""A worker's follow-ups against a marketplace that does as it is told. Everything between the two is real.

Kafka is left out: without it what is published goes to the spool; `Stage.catch_up` takes it from there to reconcile.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from tests.bare_marketplace import BareMarketplace
from tests.reconcile.stage import PAYING, StoredRecord, make_reconciler, order
from tests.storage.database import execute, rows, value
from worker.broker.durable import DurablePublisher
from worker.broker.envelope import Event, fact_event
from worker.broker.producer import KafkaLink
from worker.broker.topics import TopicNames
from worker.domain.clock import SECOND, Millis, SystemClock
from worker.domain.facts import Amounts, Fact, Lifecycle, Snapshot, Source, StatusSeen
from worker.domain.identity import Platform
from worker.domain.policy import Effect, Policy
from worker.followups.actions.pay import Pay
from worker.followups.executor import LEASE_S, Executor
from worker.followups.fresh import FreshReads
from worker.followups.ledger import Ledger
from worker.followups.perform import Perform
from worker.followups.recovery import Recovery
from worker.followups.refresh import Refresh
from worker.intake.spool import PostgresSpool
from worker.marketplaces.port import EffectAnswer, EffectOutcome
from worker.storage import follow_up_claims, spool_store
from worker.storage.engine import transaction
from worker.storage.follow_up_claims import Claim
from worker.storage.wakeup import Wakeups

SKEW: Millis = 0
FIRST_TOTAL = 10_000
PAID = EffectAnswer(EffectOutcome.DONE, "paid by agreement", detail={"protocolPaySuccess": True})
UNCLEAR = EffectAnswer(EffectOutcome.UNCLEAR, "RetryableError: HTTP 502")
LINK = "https://trade.example/pay?order=1"
NEEDS_PERSON = EffectAnswer(EffectOutcome.NEEDS_PERSON, "no payment agreement: a person must pay", LINK)

PayCall = Callable[[str], Awaitable[EffectAnswer]]


def answering(answer: EffectAnswer | BaseException) -> PayCall:
    """A payment call that gives this answer, or fails like this."""

    async def call(_order_id: str) -> EffectAnswer:
        if isinstance(answer, BaseException):
            raise answer
        return answer

    return call


@dataclass
class FakeMarketplace(BareMarketplace):
    """Shows orders as the test tells it to, and counts the calls that would move money."""

    clock: SystemClock = field(default_factory=SystemClock)
    shown: dict[str, Snapshot] = field(default_factory=dict)
    read_failures: list[Exception] = field(default_factory=list)
    pay_call: PayCall = field(default_factory=lambda: answering(PAID))
    reads: int = 0
    calls: list[str] = field(default_factory=list)

    def show(self, order_id: str, word: str, total: int = FIRST_TOTAL, *, paid: bool = False, older_s: int = 0) -> None:
        """From now on a read of the order tells this; `older_s`: as it was modified so long ago."""
        modified_at = self.clock.now_ms() - older_s * SECOND
        self.shown[order_id] = Snapshot(Lifecycle(word, modified_at=modified_at, paid=paid), Amounts(total))

    async def read_order(self, _platform: Platform, order_id: str, source: Source) -> Fact:
        asked_at = self.clock.now_ms()
        self.reads += 1
        if self.read_failures:
            raise self.read_failures.pop(0)
        return Fact(order(order_id), source, self.shown[order_id], observed_at=asked_at)

    async def pay(self, platform: Platform, order_id: str, amount: int, *, attempt: int = 1) -> EffectAnswer:  # noqa: ARG002
        self.calls.append(order_id)
        return await self.pay_call(order_id)


class WatchedSpool:
    """The real spool; `after_put` runs once an event is durable, before its publisher goes on."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._spool = PostgresSpool(engine)
        self.after_put: Callable[[], Awaitable[None]] | None = None
        self.failure: Exception | None = None

    async def put(self, event: Event) -> None:
        if self.failure is not None:
            raise self.failure
        await self._spool.put(event)
        if self.after_put is not None:
            hook, self.after_put = self.after_put, None
            await hook()


class Stage:
    """One worker process; `beside` gives a second one on the same database and marketplace."""

    def __init__(
        self,
        engine: AsyncEngine,
        market: FakeMarketplace | None = None,
        *,
        policy: Policy = PAYING,
        monotonic: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.engine = engine
        self.market = market or FakeMarketplace()
        self.clock = self.market.clock
        self.spool = WatchedSpool(engine)
        self.reconciler = make_reconciler(engine, policy=policy, skew=SKEW)
        self.recovery = Recovery(
            engine, policies={"main": policy}, first_pause_s=1.0, interval_s=1.0, sleep=asyncio.sleep
        )
        nowhere = KafkaLink("127.0.0.1:1", TopicNames())
        self.publisher = DurablePublisher(
            nowhere, self.spool, kafka_timeout_s=1.0, spool_timeout_s=5.0, now=lambda: 0.0
        )
        jitter = random.Random(1)  # noqa: S311 - pauses
        self.refresh = Refresh(self.market, self.publisher, engine, self.clock, jitter)
        self.policy = policy
        self.ledger = Ledger(engine, "main", policy, self.clock)
        self.reads = FreshReads(self.market, self.publisher, SKEW)
        action = Pay(self.market, self.reads, policy)
        self.pay = Perform(action, self.ledger, self.clock, jitter, monotonic=monotonic)

    def beside(self) -> "Stage":
        return Stage(self.engine, self.market, policy=self.policy)

    def executor(self, effect: Effect, *, concurrency: int = 4) -> Executor:
        handle = self.pay if effect is Effect.PAY else self.refresh
        wakeups = Wakeups("postgresql://unused")
        return Executor("main", effect, handle, self.engine, wakeups, concurrency=concurrency, idle_s=0.05)

    async def unpaid_order(self, order_id: str = "1", total: int = FIRST_TOTAL) -> None:
        """An order that was read a minute ago as awaiting payment: its payment is planned."""
        self.market.show(order_id, "waitbuyerpay", total, older_s=120)
        await self.tell(Fact(order(order_id), Source.RESPONSE, self.market.shown[order_id], self.ago(60)))

    def ago(self, seconds: float) -> Millis:
        return self.clock.now_ms() - int(seconds * SECOND)

    async def tell(self, *facts: Fact) -> None:
        """Make facts known as any other stage would."""
        for fact in facts:
            await self.publisher.publish(fact_event(fact))
        await self.catch_up()

    async def hear(self, word: str, order_id: str = "1", *, at: Millis | None = None) -> None:
        """A callback with this status word, stamped now."""
        at = self.clock.now_ms() if at is None else at
        await self.tell(Fact(order(order_id), Source.CALLBACK, StatusSeen(word), at, at))

    async def catch_up(self) -> None:
        """Reconcile everything that was published."""
        async with transaction(self.engine) as connection:
            waiting = await spool_store.take_oldest(connection, 1_000)
            await spool_store.delete(connection, [row.id for row in waiting])
        records = [
            StoredRecord(row.value, [(name, text.encode()) for name, text in row.headers.items()], row.id, row.topic)
            for row in waiting
        ]
        if records:
            await self.reconciler.handle(records)

    async def pay_due(self) -> None:
        """Let an executor work off the payments that are due."""
        await self.executor(Effect.PAY).drain()

    async def executor_claims(self) -> list[Claim]:
        """Claim the payments that are due, as an executor does before it works on them."""
        async with transaction(self.engine) as connection:
            return await follow_up_claims.claim(connection, "pay", ["main"], limit=10, lease_s=LEASE_S)

    async def read_due(self) -> None:
        """Let an executor work off the reads that are due, and reconcile what they brought."""
        await self.executor(Effect.REFRESH).drain()
        await self.catch_up()

    async def make_due(self) -> None:
        """Let all pauses be over."""
        await execute(self.engine, "UPDATE follow_ups SET due_at = now() WHERE state IN ('planned', 'unknown')")

    async def end_leases(self) -> None:
        """Let all leases be over."""
        await execute(
            self.engine,
            "UPDATE follow_ups SET claimed_until = now() - interval '1 second' WHERE claimed_until IS NOT NULL",
        )

    async def payment(self, order_id: str = "1") -> dict[str, Any]:
        found = await rows(
            self.engine,
            "SELECT f.* FROM follow_ups f JOIN orders o ON o.id = f.order_ref WHERE effect = 'pay' AND order_id = :id",
            id=order_id,
        )
        assert len(found) == 1, found
        return found[0]

    async def state(self, order_id: str = "1") -> str:
        return str((await self.payment(order_id))["state"])

    async def attempts(self) -> list[dict[str, Any]]:
        return await rows(self.engine, "SELECT * FROM follow_up_attempts ORDER BY id")

    async def open_alerts(self) -> list[str]:
        return [
            row["kind"]
            for row in await rows(self.engine, "SELECT kind FROM alerts WHERE resolved_at IS NULL ORDER BY kind")
        ]

    async def wanted_reads(self) -> int:
        return int(
            await value(self.engine, "SELECT count(*) FROM follow_ups WHERE effect = 'refresh' AND state = 'planned'")
        )


@asynccontextmanager
async def paused_call(stage: Stage) -> AsyncIterator[tuple[asyncio.Task[None], asyncio.Event]]:
    """An executor in the middle of its payment call; the event lets the marketplace answer."""
    called, go_on = asyncio.Event(), asyncio.Event()
    answer = stage.market.pay_call

    async def call(order_id: str) -> EffectAnswer:
        called.set()
        await go_on.wait()
        return await answer(order_id)

    stage.market.pay_call = call
    paying = asyncio.create_task(stage.pay_due())
    await asyncio.wait_for(called.wait(), 10)
    try:
        yield paying, go_on
    finally:
        stage.market.pay_call = answer
        go_on.set()
        await asyncio.wait([paying])
