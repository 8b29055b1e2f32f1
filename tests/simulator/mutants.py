"""Deliberate bugs, one at a time: what the simulator does not find, it does not prove.

Each is put into the running program for the length of a test (`monkeypatch`), or into the simulation's wiring.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import text

from tests.simulator.effect_mutants import EFFECT_MUTANTS
from tests.simulator.mutant import Mutant, Patch, without
from worker.broker.batches import Batches
from worker.broker.durable import DurablePublisher
from worker.broker.producer import KafkaUnavailableError
from worker.domain import evidence as evidence_module
from worker.domain import reducer as reducer_module
from worker.domain.effects import EffectState
from worker.domain.evidence import Version
from worker.domain.settlement import Settlement
from worker.domain.settlement import settlements as honest_settlements
from worker.domain.status import OrderStatus
from worker.followups import perform
from worker.followups.refresh import Refresh
from worker.intake.callbacks import CallbackApp
from worker.intake.poller import PollPlan
from worker.marketplaces.caller import Caller
from worker.marketplaces.port import AmbiguousError, EffectOutcome
from worker.reconcile import outcome as outcome_module
from worker.simulator.consumers import SimulatedConsumer
from worker.simulator.machines import Fleet, WatchedLink
from worker.simulator.profile import RATES
from worker.storage import batch_store, budget_store, follow_up_claims, follow_up_sending, outbox_store, spool_store


def acknowledge_before_commit(patch: Patch) -> None:
    """The framework's default: offsets are committed before the batch is stored, and a failure is skipped."""
    from worker.broker.batches import _commit

    async def take(self: Any, records: Any, consumer: Any) -> bool:
        await _commit(consumer, records)
        try:
            await self._handler(records)
        except asyncio.CancelledError:
            raise
        except Exception:  # noqa: BLE001 - as the framework does
            await self._pause()
        return True

    patch.setattr(Batches, "take", take)


def failed_batch_not_rewound(patch: Patch) -> None:
    """A batch that failed is left behind; the next one's commit covers it."""
    from worker.broker import batches

    patch.setattr(batches, "_rewind", lambda *_: None)


def dedupe_off(patch: Patch) -> None:
    """Nobody asks whether a fact is known already."""

    async def nothing(_connection: Any, _fact_ids: Any) -> set[str]:
        return set()

    patch.setattr(batch_store, "known_facts", nothing)


def arrival_time_in_the_merge(patch: Patch) -> None:
    """Snapshots are ordered by when we asked, not by what they tell of their own time."""

    def version_of(fact: Any, _content: Any, fact_id: str) -> Version:
        return Version(fact.observed_at, fact.observed_at, fact_id)

    patch.setattr(evidence_module, "version_of", version_of)
    patch.setattr(reducer_module, "version_of", version_of)


def stale_snapshot_overwrites_newer(patch: Patch) -> None:
    """The last one that comes wins."""
    patch.setattr(evidence_module, "_best", lambda _known, version, value: evidence_module.Observed(version, value))


def retry_on_timeout(patch: Patch) -> None:
    """An effect without a clear answer is simply called again."""
    once = Caller.effect

    async def effect(self: Caller, name: str, question: Any) -> Any:
        try:
            return await once(self, name, question)
        except AmbiguousError:
            return await once(self, name, question)

    patch.setattr(Caller, "effect", effect)


def unknown_treated_as_failed(patch: Patch) -> None:
    """What is not clear counts as not done, and is planned again."""
    patch.setitem(perform._STATES, EffectOutcome.UNCLEAR, EffectState.PLANNED)


def claim_without_lease_check(patch: Patch) -> None:
    """A follow-up that somebody works on is handed out once more."""
    without(
        patch,
        follow_up_claims,
        "_CLAIM",
        "(w.claimed_until IS NULL OR w.claimed_until < now()\n"
        "                OR w.claimed_by IS NOT NULL AND w.claimed_by NOT IN (SELECT holder FROM alive))",
        "true",
    )


def budget_read_without_lock(patch: Patch) -> None:
    """Two payments at once each see room in the budget for themselves."""

    async def nothing(_connection: Any, _account: str) -> None:
        return None

    patch.setattr(budget_store, "lock_budget", nothing)


def cursor_without_overlap(patch: Patch) -> None:
    """A poll begins exactly where the last one ended."""
    from worker.composition import pollers

    def plan(*args: Any) -> PollPlan:
        return msgspec.structs.replace(PollPlan(*args), overlap_s=0.0)

    patch.setattr(pollers, "PollPlan", plan)


def outbox_by_cursor(patch: Patch) -> None:
    """The relay remembers the highest number that it published, and looks only beyond it."""
    honest = outbox_store.take_pending
    reached = {"id": 0}

    async def take_pending(connection: Any, limit: int) -> Any:
        rows = await honest(connection, limit)
        if not (await connection.execute(text("SELECT count(*) FROM outbox WHERE published_at IS NOT NULL"))).scalar():
            reached["id"] = 0  # another run
        if rows is None:
            return None
        beyond = [row for row in rows if row.id > reached["id"]]
        reached["id"] = max([reached["id"], *(row.id for row in beyond)])
        return beyond

    patch.setattr(outbox_store, "take_pending", take_pending)


def sent_means_published(patch: Patch) -> None:
    """Changes are marked as published whether or not Kafka confirmed them."""
    honest = WatchedLink.send_all

    async def send_all(self: WatchedLink, events: Any, timeout_s: float) -> None:
        try:
            await honest(self, events, timeout_s)
        except KafkaUnavailableError:
            return

    patch.setattr(WatchedLink, "send_all", send_all)


def refresh_result_not_published(patch: Patch) -> None:
    """The answer to a fresh read is thrown away."""
    made = Refresh.__init__

    class Nowhere:
        async def publish(self, _event: Any) -> None:
            return None

    def init(self: Refresh, *args: Any, **values: Any) -> None:
        made(self, *args, **values)
        self._publisher = Nowhere()  # type: ignore[assignment]

    patch.setattr(Refresh, "__init__", init)


def spool_drained_out_of_order(patch: Patch) -> None:
    """What came last leaves first."""
    without(patch, spool_store, "_OLDEST", "ORDER BY id LIMIT", "ORDER BY id DESC LIMIT")


def spool_emptied_before_kafka_confirms(patch: Patch) -> None:
    """Events are deleted whether or not Kafka took them."""
    sent_means_published(patch)


def answered_before_durable(patch: Patch) -> None:
    """200 first, then the event is kept, if all goes well."""
    honest = CallbackApp._publish

    async def publish(self: CallbackApp, events: Any) -> None:
        kept = asyncio.ensure_future(honest(self, events))
        kept.add_done_callback(lambda task: task.cancelled() or task.exception())

    patch.setattr(CallbackApp, "_publish", publish)


def nowhere_to_wait(patch: Patch) -> None:
    """What Kafka does not take in time is taken for kept."""
    from worker.broker.durable import NotDurableError

    async def publish(self: DurablePublisher, event: Any) -> None:
        try:
            await self._kafka.send(event, self._kafka_timeout_s)
        except (KafkaUnavailableError, NotDurableError):
            return

    patch.setattr(DurablePublisher, "publish", publish)


def settled_on_a_callback(patch: Patch) -> None:
    """A payment is settled by what a callback says, before any read shows it."""

    def settlements(order: Any) -> Any:
        found = list(honest_settlements(order))
        if found or order.view.status is not OrderStatus.CLOSED or not order.view.unconfirmed:
            yield from found
            return
        from worker.domain.policy import Effect
        from worker.domain.settlement import Proof

        yield Settlement(Effect.PAY, Proof.OVER, 0, "a callback says that it is closed")

    patch.setattr(outcome_module, "settlements", settlements)


def no_fencing_token(patch: Patch) -> None:
    """Nobody looks whether a claim is still his: neither when a call begins, nor when it ends or is given back."""
    without(
        patch,
        follow_up_sending,
        "_BEGIN",
        "f.claim_token = a.token AND f.state = 'planned' AND f.claimed_until > now()",
        "f.state = 'planned'",
    )
    without(patch, follow_up_sending, "_END", "f.id = a.id AND f.claim_token = a.token AND", "f.id = a.id AND")
    without(patch, follow_up_claims, "_RELEASE", "f.id = r.id AND f.claim_token = r.token AND", "f.id = r.id AND")


class CommitsWhenRevoked(SimulatedConsumer):
    """Commits how far it has read when partitions are taken from it, whether or not that was stored."""

    def revoked(self, partitions: Sequence[Any]) -> None:
        group = self._cluster.groups[self._options.group_id]
        for partition in partitions:
            group.committed[partition] = max(group.committed.get(partition, 0), self._positions[partition])


def commit_of_positions_after_rebalance(_patch: Patch) -> None:
    """On a rebalance the positions are committed, as many examples do."""


def revoking(fleet: Fleet) -> None:
    fleet.make_consumer = CommitsWhenRevoked


PLAIN = {"dialect": "pandapon", "followed": False, "limit": "3000.00", "planned": 0.0, "unknowns": 0, "unpaid_s": 60.0}
QUICK = PLAIN | {"waves": 1, "speed": 20_000.0, "trouble_s": 30.0, "lists_only": False}
LONG = QUICK | {"trouble_s": 90.0, "orders": 8}
TEMPTING = QUICK | {"settle_s": 15.0, "level": "usual", "daily_budget": None}
BREAKING = {"connection lost before commit": 0.1, "crash before commit": 0.02}
LOSING = {"answer lost": 0.3, "crash after call": 0.0}
CROWDED = QUICK | {"machines": 3, "orders": 10, "arrival_s": 0.0, "level": "none", "lost_callbacks": 0.0}
ALIVE = {kind: 0.0 for kind in RATES if kind.startswith(("crash", "freeze"))} | {"rebalance": 0.0}
AWAY = {"kafka away": 0.15, "database away": 0.05}

MUTANTS = (
    *EFFECT_MUTANTS,
    Mutant(acknowledge_before_commit, QUICK, BREAKING),
    Mutant(failed_batch_not_rewound, QUICK | {"machines": 1}, ALIVE | {"connection lost before commit": 0.2}),
    Mutant(
        commit_of_positions_after_rebalance,
        QUICK | {"machines": 3, "orders": 8},
        ALIVE | {"rebalance": 0.5, "slow database": 0.2, "connection lost before commit": 0.2},
        revoking,
    ),
    Mutant(dedupe_off, QUICK, {"commit failed": 0.3, "rebalance": 0.1}),
    Mutant(arrival_time_in_the_merge, LONG, {"stale read": 0.6}),
    Mutant(
        stale_snapshot_overwrites_newer,
        CROWDED | {"orders": 12, "speed": 8_000.0, "arrival_s": 15.0, "trouble_s": 40.0},
        ALIVE | {"send refused": 0.5, "answer lost": 0.0, "slow network": 0.3, "presence lost": 0.0},
        start=3,
    ),
    Mutant(retry_on_timeout, TEMPTING, LOSING),
    Mutant(unknown_treated_as_failed, TEMPTING, LOSING),
    Mutant(settled_on_a_callback, TEMPTING, LOSING | {"misleading callback": 0.4}),
    Mutant(claim_without_lease_check, QUICK | {"machines": 3}),
    Mutant(
        no_fencing_token,
        CROWDED | {"speed": 8_000.0, "arrival_s": 15.0},
        ALIVE | {"presence lost": 0.6, "slow database": 0.1, "notification lost": 0.0},
        start=3,
    ),
    Mutant(
        budget_read_without_lock,
        CROWDED | {"daily_budget": "3000.00", "trouble_s": 25.0},
        ALIVE | {"slow database": 0.12, "notification lost": 0.0},
        start=4,
    ),
    Mutant(cursor_without_overlap, QUICK | {"lists_only": True, "lost_callbacks": 1.0, "list_lag_s": 8.0}),
    Mutant(outbox_by_cursor, CROWDED, ALIVE | {"slow database": 0.15}),
    Mutant(sent_means_published, QUICK, AWAY),
    Mutant(refresh_result_not_published, QUICK),
    Mutant(spool_drained_out_of_order, QUICK, AWAY),
    Mutant(answered_before_durable, QUICK, AWAY | BREAKING),
    Mutant(nowhere_to_wait, QUICK, AWAY),
)
"""Each with what its kind of bug needs to show itself: the search is for the bug, not for the weather."""
