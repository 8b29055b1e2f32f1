"""One ledger, one marketplace: workers that die on it, and the one that comes after them and makes the world quiet."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.effects.market import Market, MovedClock, make_account
from tests.effects.mortal import Life
from tests.reconcile.stage import StoredRecord, make_reconciler
from tests.storage.database import connected, execute, rows, value
from tests.waiting import until
from worker.broker.durable import DurablePublisher
from worker.broker.envelope import fact_event
from worker.broker.producer import KafkaLink
from worker.broker.topics import TopicNames
from worker.composition.followups import build_posts
from worker.composition.outside import Outside
from worker.domain.clock import Millis
from worker.domain.facts import Source
from worker.domain.identity import OrderKey, Platform
from worker.domain.policy import Effect, Policy
from worker.followups.executor import Executor, Handle
from worker.followups.presence import Presence
from worker.followups.recovery import Recovery
from worker.intake.spool import PostgresSpool
from worker.marketplaces.port import Marketplace
from worker.settings import Settings
from worker.storage import spool_store
from worker.storage.engine import create_engine, transaction
from worker.storage.follow_up_claims import HOLDERS_CLASS
from worker.storage.wakeup import Wakeups

SKEW: Millis = 0
SETTINGS = Settings(
    database_url=SecretStr("postgresql://unused"),
    kafka_bootstrap_servers="127.0.0.1:1",
    accounts_file=Path("unused.toml"),
)
ROUNDS = 12
"""So often may the recovering worker go over everything before the world has to be quiet."""
FREIGHT = {
    "freight_receiver": {"name": "Jane Roe", "country": "US", "address": "1 Elm St", "city": "Reno", "zip": "89501"},
    "freight_service": {"service_id": "AIR-ECONOMY", "company": "Sandbox Air", "category": "AIR"},
}
_OPEN = """
    SELECT f.effect, f.state, f.reason, f.failures FROM follow_ups f JOIN orders o ON o.id = f.order_ref
    WHERE f.effect NOT IN ('refresh', 'find_substitutes') AND f.state NOT IN ('succeeded', 'cancelled', 'rejected')
"""
_STUCK = f"{_OPEN} AND NOT EXISTS (SELECT 1 FROM alerts a WHERE a.order_ref = o.id AND a.resolved_at IS NULL)"  # noqa: S608
_PRESENT = f"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = {HOLDERS_CLASS}"  # noqa: S608


def key_of(order_id: str) -> OrderKey:
    return OrderKey("main", Platform.ALIBABA_1688, order_id)


class Hands:
    """What one worker process does with the ledger, put together as the composition root does it."""

    def __init__(
        self,
        engine: AsyncEngine,
        client: Marketplace,
        policy: Policy,
        *,
        clock: MovedClock | None = None,
        batch: int = 1,
        presence: Presence | None = None,
    ) -> None:
        self.engine = engine
        self.clock = clock or MovedClock()
        self.presence = presence
        nowhere = KafkaLink("127.0.0.1:1", TopicNames())
        self.publisher = DurablePublisher(
            nowhere, PostgresSpool(engine), kafka_timeout_s=1.0, spool_timeout_s=5.0, now=lambda: 0.0
        )
        outside = Outside(SETTINGS, clock=self.clock, jitter=random.Random(1))  # noqa: S311 - pauses
        outside.monotonic = time.monotonic
        posts = build_posts(
            make_account(policy=FREIGHT, pay_batch_size=batch),
            policy,
            client,
            self.publisher,
            engine,
            outside,
            skew=SKEW,
        )
        self.handles: dict[Effect, Handle] = {post.effect: post.handle for post in posts}

    async def work(self, effect: Effect, *, at_once: int = 4) -> None:
        """Claim and finish what is due of one effect."""
        executor = Executor(
            "main",
            effect,
            self.handles[effect],
            self.engine,
            Wakeups("postgresql://unused"),
            concurrency=at_once,
            idle_s=0.05,
            holder=lambda: None if self.presence is None else self.presence.holder,
        )
        await executor.drain()


class World:
    """The database, the marketplace, the policy, and the worker that recovers."""

    def __init__(self, engine: AsyncEngine, database: str, market: Market, policy: Policy) -> None:
        self.engine = engine
        self.database = database
        self.market = market
        self.client = market.client()
        self.policy = policy

    @property
    def survivor(self) -> Hands:
        return Hands(self.engine, self.client, self.policy)

    async def introduce(self, order_id: str) -> None:
        """Make the order known by a read of it."""
        fact = await self.client.read_order(Platform.ALIBABA_1688, order_id, Source.RESPONSE)
        await self.survivor.publisher.publish(fact_event(fact))
        await self.catch_up()

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
            await make_reconciler(self.engine, policy=self.policy, skew=SKEW).handle(records)

    def recovery(self) -> Recovery:
        return Recovery(
            self.engine, policies={"main": self.policy}, first_pause_s=1.0, interval_s=1.0, sleep=_never_called
        )

    async def step(self, hands: Hands | None = None) -> None:
        """One round of everything that a living worker does, all pauses being over."""
        hands = hands or self.survivor
        await self.recovery().recover_once()
        await self.make_due()
        for effect in hands.handles:
            await hands.work(effect)
        await self.catch_up()

    async def make_due(self) -> None:
        await execute(self.engine, "UPDATE follow_ups SET due_at = now() WHERE state IN ('planned', 'unknown')")

    async def put_off(self) -> None:
        """Let nothing be due until `make_due`."""
        await execute(self.engine, "UPDATE follow_ups SET due_at = now() + interval '1 day' WHERE state = 'planned'")

    async def calm(self) -> None:
        """Go on until nothing is left to do, or nothing that these workers may do."""
        for _ in range(ROUNDS):
            await self.step()
            if not await rows(self.engine, _OPEN):
                return

    async def stuck(self) -> list[dict[str, Any]]:
        """Follow-ups that have not come to an end, and of which no open alert tells."""
        return await rows(self.engine, _STUCK)

    async def states(self, effect: Effect, order_id: str) -> list[str]:
        found = await rows(
            self.engine,
            "SELECT f.state FROM follow_ups f JOIN orders o ON o.id = f.order_ref"
            " WHERE f.effect = :effect AND o.order_id = :id ORDER BY f.id",
            effect=effect.value,
            id=order_id,
        )
        return [row["state"] for row in found]

    async def open_alerts(self) -> list[str]:
        found = await rows(self.engine, "SELECT kind FROM alerts WHERE resolved_at IS NULL ORDER BY kind")
        return [row["kind"] for row in found]

    async def spending(self) -> int:
        """What counts against the budgets, minor units."""
        return int(
            await value(self.engine, "SELECT coalesce(sum(amount_minor), 0) FROM spendings WHERE released_at IS NULL")
        )


@asynccontextmanager
async def mortal_hands(world: World, life: Life, policy: Policy, *, batch: int = 1) -> AsyncIterator[Hands]:
    """A worker on connections of its own that are cut when it dies."""
    engine = create_engine(world.database, application="mortal", pool_size=3)
    numbers = random.Random()  # noqa: S311 - names
    presence = Presence(world.database, numbers)

    @event.listens_for(engine.sync_engine, "connect")
    def remember(connection: Any, _record: Any) -> None:
        life.cuts.append(connection.driver_connection.terminate)

    @event.listens_for(engine.sync_engine, "do_connect")
    def refuse(*_: Any) -> None:
        if life.dead:
            raise OSError("the worker is dead")

    client = world.market.client(batch=batch)
    try:
        yield Hands(engine, client, policy, batch=batch, presence=presence)
    finally:
        await client.close()
        await engine.dispose(close=not life.dead)


async def live_on(world: World, life: Life, hands: Hands, effect: Effect) -> None:
    """Let the worker work on an effect, counting from its first claim on; it leaves no lock behind."""

    async def work() -> None:
        presence = hands.presence
        assert presence is not None
        asyncio.create_task(presence.run())  # noqa: RUF006 - the life keeps it
        await until(lambda: presence.holder is not None)
        life.begin_counting()
        await hands.work(effect)

    await life.run(work)
    await until(lambda: _is_none(world, _PRESENT), what="the database drops the locks of the dead")
    if not life.dead:
        return
    there = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'ordersync-mortal'"
    await until(lambda: _is_none(world, there), what="the connections of the dead end")


async def _is_none(world: World, query: str) -> bool:
    return int(await value(world.engine, query)) == 0


async def _never_called(_seconds: float) -> None:
    raise AssertionError("only single rounds are made here")


__all__ = ["FREIGHT", "Hands", "World", "connected", "key_of", "live_on", "mortal_hands"]
