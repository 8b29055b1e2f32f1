"""Dead letters as reconcile sets them aside, requests as people make them, and the way of a replay."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.domain.examples import NOON, SKEW, read
from tests.reconcile.stage import PAYING, FixedClock, StoredRecord, Topic, of, order
from tests.storage.database import rows
from worker.broker.envelope import Event, Unrecognised, fact_event, replay_event, unrecognised_event
from worker.broker.topics import INBOUND
from worker.domain.dead_letters import Ticket
from worker.domain.facts import Fact
from worker.domain.operators import Actor, Role
from worker.domain.policy import Policy
from worker.operations.dead_letters import service
from worker.reconcile.reconciler import Reconciler
from worker.storage import dead_letter_relay
from worker.storage.dead_letter_replays import Replay, Selection
from worker.storage.engine import transaction

NONCE = "nonce-of-the-tests"
ANN = Actor("ann", frozenset({Role.OPERATOR}))


class Fixable:
    """A policy that cannot be had until it is mended: every order fails in our own code until then."""

    def __init__(self) -> None:
        self.broken = True

    def __call__(self, _account: str) -> Policy:
        if self.broken:
            raise LookupError("no policy")
        return PAYING


def reconciler(
    engine: AsyncEngine,
    policy_of: Callable[[str], Policy] | None = None,
    *,
    limit: int = 1_000,
    reread: Callable[[Unrecognised], Iterable[Fact]] | None = None,
) -> Reconciler:
    return Reconciler(
        engine,
        policy_of or (lambda _: PAYING),
        FixedClock(NOON),
        skew=SKEW,
        dead_letter_limit=limit,
        reread=reread,
    )


def good(number: int) -> Fact:
    return of(order(number), read("waitbuyerpay", 20, modified=1))[0]


def strange(number: int, body: bytes = b"{}") -> Event:
    """A message that nobody understood."""
    return unrecognised_event(Unrecognised("main", "unknown messageType", body, NOON + number), f"id{number}")


async def ask(engine: AsyncEngine, nonce: str = NONCE, **selection: Any) -> Replay:
    return await service.replay(engine, ANN, Selection(**selection), reason="it is mended", nonce=nonce, topics=INBOUND)


async def resent(engine: AsyncEngine, topic: Topic, limit: int = 1_000) -> list[StoredRecord]:
    """What the relay of replays would put into Kafka next, as records at the end of `topic`."""
    async with transaction(engine) as connection:
        unsent = await dead_letter_relay.take_unsent(connection, limit, limit)
        await dead_letter_relay.mark_sent(connection, [one.ticket for one in unsent])
    return [topic.put(replay_event(one.topic, one.key, one.headers, one.value, one.ticket)) for one in unsent]


async def letters(engine: AsyncEngine) -> list[dict[str, Any]]:
    return await rows(engine, "SELECT * FROM dead_letters ORDER BY id")


async def states(engine: AsyncEngine) -> list[str]:
    return [letter["state"] for letter in await letters(engine)]


def with_ticket(event: Event, ticket: Ticket) -> Event:
    return replay_event(event.topic, event.key, event.headers, event.value, ticket)


def poisoned(*facts: Fact) -> list[Event]:
    """Facts whose JSON is broken."""
    return [msgspec.structs.replace(fact_event(fact), value=b"{") for fact in facts]


def all_of(topic: Topic, events: Sequence[Event]) -> list[StoredRecord]:
    return [topic.put(event) for event in events]
