"""Holds a run to the promises I1 to I6, from the marketplace's own truth and ledger, Postgres and the change topic."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from worker.broker import topics
from worker.demo.compare import compare
from worker.promises import changes, effects, money, rest
from worker.promises.books import Books, books_of
from worker.promises.effects import Knowable
from worker.promises.rows import LEDGER, read_ledger
from worker.promises.verdict import broken_effects
from worker.sandbox.truth import tell_truth
from worker.simulator.coverage import cover, too_late
from worker.simulator.kafka import PARTITIONS
from worker.simulator.pushes import about
from worker.storage.engine import create_engine

if TYPE_CHECKING:
    from worker.simulator.run import Play

MAX_SHOWN = 5
CLOCKS_APART_MS = 2_000
ANSWERED_WITHIN_MS = 8_000
"""A question that was asked so long ago has its answer, or none."""
WRITTEN_WITHIN_MS = 60_000
"""What a transaction writes is there for all so long after it began, or never: a worker may stand still."""
_LISTS_READ = "SELECT (extract(epoch FROM min(position)) * 1000)::bigint FROM cursors WHERE target IS NULL"


class Auditor:
    """Looks at one run from outside."""

    def __init__(self, play: Play) -> None:
        self._play = play
        self._session = play.session
        self._world = play.sandbox.world
        self._knowable = Knowable(self._known_as_of)
        self._too_late = too_late()

    # What must hold at every moment

    def at_any_time(self) -> list[str]:
        """Return promises that are broken already, however things go on."""
        return [*effects.twice(books_of(self._world.ledgers, ())), *self._witnessed()]

    def _witnessed(self) -> Iterator[str]:
        for (what,) in self._session.query("SELECT what FROM seen ORDER BY id"):
            yield f"I1: {what}"
        limited = {
            one.name for one in self._play.fleet.accounts if one.policy.daily_budget or one.policy.monthly_budget
        }
        for (account,) in self._session.query("SELECT DISTINCT account FROM crowded"):
            if account in limited:
                yield f"I1: two calls spent of {account} at the same time, and neither saw what the other one spent"

    # What must hold when the world is at rest

    def work_left(self) -> list[str]:
        """Return what the workers still have to do."""
        left = [row[0] or "" for row in self._session.query(rest.LEFT)]
        changed = max((order.modified_ms for order in self._world.orders.values()), default=0)
        shown = changed + int(self._play.profile.list_lag_s * 1_000)
        read = self._session.value(_LISTS_READ)
        if read is None or int(read) < shown + CLOCKS_APART_MS:
            left.append("the lists have not been read since they show the marketplace's last change")
        return left

    async def at_rest(self, waits_for: list[str]) -> list[str]:
        """Return every promise that is broken now that nothing happens any more."""
        broken = [f"I6: it does not come to rest: {what}" for what in waits_for[:MAX_SHOWN]]
        broken += self._witnessed()
        ledger = read_ledger(self._session.value(LEDGER) or "")
        books = self._books()
        policies = {one.name: one.policy.to_policy(frozenset()) for one in self._play.fleet.accounts}
        prices = self._play.sandbox.prices
        broken += broken_effects(ledger, books, prices, policies, self._knowable, written_within_ms=WRITTEN_WITHIN_MS)
        broken += money.held_back_in_vain(ledger, policies)
        broken += self._callbacks()
        broken += await self._truth(books)
        broken += self._changes()
        broken += [f"I6: {what} waits without an open alert" for (what,) in self._session.query(rest.MUTE)]
        broken += [f"I2: {what}" for (what,) in self._session.query(rest.LETTERS)]
        broken += self._spool_order()
        cover(self._play.trace.counts, self._session, ledger, books, zombies=too_late() - self._too_late)
        return broken

    def _known_as_of(self, order_id: str, asked_at: int) -> int:
        """Return what a read asked then may have shown, by a clock that is a little off: perhaps the past."""
        since, until = asked_at - CLOCKS_APART_MS, asked_at + ANSWERED_WITHIN_MS
        shown = (one for one in self._play.past.shown if one.order_id == order_id and since <= one.at <= until)
        return min((one.as_of for one in shown), default=since)

    def _books(self) -> Books:
        world = self._world
        truth = (tell_truth(order, world.taken_fen(order)) for order in world.orders.values())
        return books_of(world.ledgers, truth)

    def _callbacks(self) -> Iterator[str]:
        """I2: every callback answered 200 is in the timeline or among the dead letters."""
        known = {
            (order_id, int(at or 0))
            for order_id, at in self._session.query(
                "SELECT o.order_id, (extract(epoch FROM f.provider_time) * 1000)::bigint FROM facts f "
                "JOIN orders o ON o.id = f.order_ref WHERE f.source = 'callback'"
            )
        }
        letters = int(self._session.value("SELECT count(*) FROM dead_letters") or 0)
        for accepted in self._play.callbacks.accepted:
            stamp, order_ids = about(accepted.body)
            for order_id in order_ids:
                if (order_id, stamp) not in known:
                    yield (
                        f"I2: a callback of order {order_id} stamped {stamp} was answered 200 at {accepted.at:.1f} by "
                        f"{accepted.machine}, and nobody knows it ({letters} dead letters)"
                    )

    async def _truth(self, books: Books) -> list[str]:
        """I3: every order equals the marketplace's truth, field by field."""

        async def truth() -> Any:
            for order in books.orders.values():
                yield msgspec.to_builtins(order)

        engine = create_engine(self._play.fleet.settings.dsn, application="auditor", pool_size=1)
        try:
            async with engine.connect() as connection:
                found = await compare(connection, truth())
        finally:
            await engine.dispose()
        return [
            f"I3: order {one.order_id} {one.field}: {one.model!r}, in truth {one.truth!r}"
            for one in found.differences[:MAX_SHOWN]
        ]

    def _changes(self) -> Iterator[str]:
        """I4 and I5, as a consumer of the changes sees them."""
        follower, cluster = changes.Follower(), self._play.cluster
        for partition in cluster.partitions_of(topics.CHANGES)[:PARTITIONS]:
            for record in cluster.logs[partition]:
                yield from follower.take((record.key or b"").decode(), record.value or b"{}")
        made = self._session.query(changes.MADE)
        yield from follower.at_rest((key or "", int(number or 0), status or "") for key, number, status in made)
        self._play.trace.counts["changes published again"] += follower.repeats

    def _spool_order(self) -> Iterator[str]:
        """What waited in the spool goes to Kafka in the order in which it came."""
        numbers: dict[str, list[int]] = defaultdict(list)
        for number, event_id in self._session.query("SELECT id, event_id FROM spooled ORDER BY id"):
            numbers[event_id or ""].append(int(number or 0))
        for event_ids in self._play.fleet.sent_together:
            last = 0
            for event_id in event_ids:
                if event_id in numbers:
                    later = [number for number in numbers[event_id] if number > last]
                    if not later:
                        yield f"I2: event {event_id} left the spool after one that came later"
                        break
                    last = later[0]
