"""The other system of a run: it plans some orders, before or after they are there, and changes its mind."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import msgspec
from aiokafka.errors import KafkaConnectionError
from sqlalchemy.exc import DBAPIError

from worker.broker.topics import PLANS
from worker.demo.stage import HANDOVER
from worker.domain.identity import OrderKey, Platform
from worker.domain.money import yuan_text
from worker.domain.plans import read_plan
from worker.intake.plans import PLAN_TYPE
from worker.sandbox.life import write_life
from worker.sandbox.script import Life
from worker.simulator.kafka import Row
from worker.simulator.market import ACCOUNT
from worker.storage import plan_store
from worker.storage.engine import transaction

if TYPE_CHECKING:
    from worker.simulator.run import Play

SENT_WITHIN_S = 25.0
MIND_CHANGES_AFTER_S = (2.0, 15.0)
AGAIN_AFTER_S = 3.0
KINDS = ("as ordered", "as ordered", "cheaper", "asks people", "is to be cancelled", "its own freight")
PLANNERS = ("ann", "shop")
"""One of them may approve, too: not what he asked for himself."""


class Planner:
    """Sends plans."""

    def __init__(self, play: Play) -> None:
        self._play = play
        self._rng: random.Random = play.dice.stream("plans")
        self._sent = 0

    async def plan(self, wave: int) -> None:
        """Plan some orders of a wave, until cancelled or done."""
        profile = self._play.profile
        config = self._play.sandbox.config
        numbers = range(wave * profile.orders, (wave + 1) * profile.orders)
        lives = [write_life(config.seed, number, config.agreement_share, config.person_share) for number in numbers]
        chosen = [life for life in lives if self._rng.random() < profile.planned]
        await asyncio.gather(*(self._look_after(life) for life in chosen))

    async def _look_after(self, life: Life) -> None:
        await asyncio.sleep(self._rng.uniform(0.0, SENT_WITHIN_S))
        await self._send(life)
        while self._rng.random() < 0.4:  # noqa: PLR2004 - a share
            await asyncio.sleep(self._rng.uniform(*MIND_CHANGES_AFTER_S))
            await self._send(life)

    async def _send(self, life: Life) -> None:
        document = _document(self._rng.choice(KINDS), life)
        planner = self._rng.choice(PLANNERS)
        by_topic = self._rng.random() < 0.5  # noqa: PLR2004 - a share
        self._sent += 1
        identity = f"plan-{self._sent}"
        self._play.trace.note("plan over Kafka" if by_topic else "plan over HTTP", planner, str(life.order_id))
        for _ in range(1 + self._play.dice.falls("plan sent twice")):
            send = self._by_topic if by_topic else self._by_http
            while not await send(life, document, planner, identity):  # noqa: ASYNC110 - nobody tells who is back
                await asyncio.sleep(AGAIN_AFTER_S)

    async def _by_topic(self, life: Life, document: dict[str, Any], planner: str, identity: str) -> bool:
        """Write a record; False while Kafka is away."""
        cluster = self._play.cluster
        key = f"{ACCOUNT}/1688/{life.order_id}"
        headers = [("ce_type", PLAN_TYPE.encode()), ("ce_source", planner.encode()), ("ce_id", identity.encode())]
        row: Row = (key.encode(), msgspec.json.encode(document), list(headers))
        partitions = cluster.partitions_of(PLANS)
        try:
            cluster.append(partitions[life.number % len(partitions)], [row])
        except KafkaConnectionError:
            return False
        return True

    async def _by_http(self, life: Life, document: dict[str, Any], planner: str, identity: str) -> bool:  # noqa: ARG002
        """Do what the route does; False while the database is away, or somebody holds the lock."""
        if self._play.postgres.is_away:
            return False
        key = OrderKey(ACCOUNT, Platform.ALIBABA_1688, str(life.order_id))
        try:
            async with transaction(self._play.people.engine) as connection:
                await plan_store.put(connection, key, read_plan(document), requested_by=planner, reason="simulated")
        except DBAPIError:
            return False
        return True


def _document(kind: str, life: Life) -> dict[str, Any]:
    """Return a plan of an order as it was placed."""
    total = sum(line.price_fen * line.quantity for line in life.goods) + life.shipping_fen
    match kind:
        case "cheaper":
            return {"planned_total": yuan_text(total * 7 // 10)}
        case "asks people":
            return {"planned_total": yuan_text(total), "auto_pay": False}
        case "is to be cancelled":
            return {"cancel_reason": "bought elsewhere"}
        case "its own freight":
            freight = HANDOVER["freight_service"] | {"max_price": "33.00", "currency": "CNY"}
            return {"freight": freight, "receiver": HANDOVER["freight_receiver"]}
    return {"planned_total": yuan_text(total), "own_order_number": f"PO-{life.number}"}
