"""Holds a run to the promises I1 to I6, from the marketplace's own truth and ledger, Postgres and the change topic."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from worker.broker import topics
from worker.demo.compare import compare
from worker.domain.status import OrderStatus
from worker.sandbox.messages import Notice
from worker.sandbox.truth import tell_truth
from worker.simulator.kafka import PARTITIONS
from worker.storage.engine import create_engine

if TYPE_CHECKING:
    from worker.simulator.run import Play

MAX_SHOWN = 5
PRICE_MOVES_WITHIN_MS = 60_000
"""A price that moved this shortly before the money was taken could not be known: the call takes no amount."""
_STATUS = ("status_changed", "status_corrected")
_LEFT = """
SELECT 'follow-up ' || effect || ' ' || purpose || ' of order ' || order_ref || ' is ' || state ||
    coalesce(' (' || reason || ')', '') FROM follow_ups WHERE state IN ('planned', 'sending', 'unknown')
UNION ALL SELECT 'change ' || key || '/' || sequence || ' is not published' FROM outbox WHERE published_at IS NULL
UNION ALL SELECT 'event ' || id || ' waits in the spool' FROM spool
UNION ALL SELECT 'alert notice ' || id || ' waits' FROM alert_notices WHERE published_at IS NULL
"""
_LISTS_READ = "SELECT (extract(epoch FROM min(position)) * 1000)::bigint FROM cursors WHERE target IS NULL"
CLOCKS_APART_MS = 2_000
_MUTE = """
SELECT f.state || ' ' || f.effect || ' of ' || o.order_id FROM follow_ups f JOIN orders o ON o.id = f.order_ref
WHERE f.state IN ('unknown', 'awaiting_person', 'awaiting_approval') AND NOT EXISTS (
    SELECT FROM alerts a WHERE a.order_ref = f.order_ref AND a.resolved_at IS NULL)
"""
_ATTEMPTS = """
SELECT o.order_id, f.state, a.amount_minor, a.evidence ->> 'baseline_minor'
FROM follow_up_attempts a JOIN follow_ups f ON f.id = a.follow_up_id JOIN orders o ON o.id = f.order_ref
WHERE f.effect = 'pay' ORDER BY a.id
"""


class Auditor:
    """Looks at one run from outside."""

    def __init__(self, play: Play) -> None:
        self._play = play
        self._session = play.session
        self._world = play.sandbox.world
        self._prices: dict[str, list[tuple[int, int]]] = defaultdict(list)

    def watch(self) -> None:
        """Listen to what the marketplace tells, before anything gets lost: prices as they really were."""
        tell = self._world._tell  # noqa: SLF001 - an auditor looks over the marketplace's shoulder

        def told(notice: Notice) -> None:
            order = notice.order
            self._prices[order.order_id].append((self._play.clock.now_ms(), order.total_fen))
            tell(notice)

        self._world._tell = told  # noqa: SLF001 - as above

    # What must hold at every moment

    def at_any_time(self) -> list[str]:
        """Return promises that are broken already, however things go on."""
        return [*self._paid_twice(), *self._witnessed()]

    def _paid_twice(self) -> Iterator[str]:
        for payment in self._world.ledger:
            if payment.call_no > 1:
                yield f"I1: order {payment.order_id} was paid {payment.call_no} times"

    def _witnessed(self) -> Iterator[str]:
        for (what,) in self._session.query("SELECT what FROM seen ORDER BY id"):
            yield f"I1: {what}"

    # What must hold when the world is at rest

    def work_left(self) -> list[str]:
        """Return what the workers still have to do."""
        rows = self._session.query(_LEFT)
        left = [row[0] or "" for row in rows]
        changed = max((order.modified_ms for order in self._world.orders.values()), default=0)
        shown = changed + int(self._play.profile.list_lag_s * 1_000)
        read = self._session.value(_LISTS_READ)
        if read is None or int(read) < shown + CLOCKS_APART_MS:
            left.append("the lists have not been read since they show the marketplace's last change")
        return left

    async def at_rest(self, waits_for: list[str]) -> list[str]:
        """Return every promise that is broken now that nothing happens any more."""
        broken = [f"I6: it does not come to rest: {what}" for what in waits_for[:MAX_SHOWN]]
        broken += self.at_any_time()
        broken += self._money()
        broken += self._callbacks()
        broken += await self._truth()
        broken += self._changes()
        broken += self._alerts()
        broken += self._spool_order()
        self._cover()
        return broken

    def _money(self) -> Iterator[str]:
        """I1: nothing beyond what was approved, and our ledger and the marketplace's tell the same."""
        attempts: dict[str, list[int]] = defaultdict(list)
        for order_id, state, amount, baseline in self._session.query(_ATTEMPTS):
            attempts[order_id or ""].append(int(amount or 0))
            yield from self._attempt(order_id or "", state or "", int(amount or 0), int(baseline or 0))
        yield from self._budget()
        for payment in self._world.ledger:
            if payment.how != "agreement":
                continue
            approved = attempts.get(payment.order_id)
            if not approved:
                yield f"I1: order {payment.order_id} was paid without an attempt in the ledger"
            elif payment.amount_fen not in approved and not self._price_moved(payment.order_id, payment.at, approved):
                yield f"I1: {payment.amount_fen} fen were taken for order {payment.order_id}, {approved} were approved"

    def _budget(self) -> Iterator[str]:
        """A run lasts less than a Beijing day: all that was taken by our calls has to fit into one budget."""
        budget = self._play.fleet.accounts[0].policy.daily_budget
        if budget is None:
            return
        spent = int(self._session.value("SELECT sum(amount_minor) FROM spendings WHERE released_at IS NULL") or 0)
        if spent > budget:
            yield f"I1: {spent} fen were spent in a day, {budget} are allowed"
        if int(self._session.value("SELECT max(budget_refusals) FROM follow_ups") or 0):
            self._play.trace.counts["budget refusals"] += 1

    def _attempt(self, order_id: str, state: str, amount: int, baseline: int) -> Iterator[str]:
        policy = self._play.fleet.accounts[0].policy.to_policy(frozenset())
        taken = any(payment.order_id == order_id for payment in self._world.ledger)
        if amount > policy.auto_pay_limit:
            yield f"I1: {amount} fen were sent for order {order_id}, beyond the limit"
        if baseline and Decimal(amount) > Decimal(baseline) * (1 + policy.price_tolerance):
            yield f"I1: {amount} fen were sent for order {order_id}, beyond the tolerance over {baseline}"
        if state == "succeeded" and not taken:
            yield f"I1: order {order_id} is recorded as paid, the marketplace took no money"
        if state == "rejected" and taken:
            yield f"I1: order {order_id} is recorded as not paid, the marketplace took money"

    def _price_moved(self, order_id: str, at: int, approved: list[int]) -> bool:
        """Tell whether the approved total was the true one until shortly before the money was taken."""
        prices = self._prices[order_id]
        ends = [after[0] for after in prices[1:]] + [2**62]
        stale = self._play.trace.counts["stale answer"] > 0
        for (began, total), ended in zip(prices, ends, strict=True):
            if total in approved and began <= at and (stale or ended >= at - PRICE_MOVES_WITHIN_MS):
                self._play.trace.counts["price moved under a payment"] += 1
                return True
        return False

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
            stamp, order_ids = _about(accepted.body)
            for order_id in order_ids:
                if (order_id, stamp) not in known:
                    yield (
                        f"I2: a callback of order {order_id} stamped {stamp} was answered 200 at {accepted.at:.1f} by "
                        f"{accepted.machine}, and nobody knows it ({letters} dead letters)"
                    )

    async def _truth(self) -> list[str]:
        """I3: every order equals the marketplace's truth, field by field."""
        world = self._world

        async def truth() -> Any:
            for order in world.orders.values():
                yield msgspec.to_builtins(tell_truth(order, world.taken_fen(order)))

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
        """I4 and I5, as a consumer of the changes sees them that drops what it has seen."""
        last: dict[str, int] = {}
        ranks: dict[str, int] = {}
        logs = self._play.cluster
        for partition in logs.partitions_of(topics.CHANGES)[:PARTITIONS]:
            for record in logs.logs[partition]:
                change = json.loads(record.value or b"{}")
                key = (record.key or b"").decode()
                sequence = int(change["sequence"])
                if sequence <= last.get(key, 0):
                    self._play.trace.counts["changes published again"] += 1
                    continue
                if sequence != last.get(key, 0) + 1:
                    yield f"I5: order {key} jumps from change {last.get(key, 0)} to {sequence}"
                last[key] = sequence
                if change["change"] in _STATUS:
                    rank = OrderStatus(change["after"]).rank
                    if rank < ranks.get(key, 0) and change["change"] != "status_corrected":
                        yield f"I4: order {key} goes back to {change['after']} without a correction"
                    ranks[key] = rank
        for name, made, status in self._session.query(
            "SELECT account || '/' || platform || '/' || order_id, sequence, status FROM orders"
        ):
            key = name or ""
            if last.get(key, 0) != int(made or 0):
                yield f"I5: order {key} has {made} changes, its consumer saw {last.get(key, 0)}"
            if key in ranks and OrderStatus(status or "").rank != ranks[key]:
                yield f"I4: order {key} is {status}, its consumer was told otherwise"

    def _alerts(self) -> Iterator[str]:
        """I6: what waits for a person says so; nothing was set aside that anybody could read."""
        for (what,) in self._session.query(_MUTE):
            yield f"I6: {what} waits without an open alert"
        for reason, count in self._session.query("SELECT reason, count(*) FROM dead_letters GROUP BY 1"):
            yield f"I2: {count} dead letters: {reason}"

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

    def _cover(self) -> None:
        """Count what the run met."""
        counts = self._play.trace.counts
        for name, number in self._session.query(
            "SELECT 'orders', count(*) FROM orders UNION ALL SELECT 'facts', count(*) FROM facts UNION ALL "
            "SELECT 'facts repeated', coalesce(sum(deliveries - 1), 0) FROM facts UNION ALL "
            "SELECT 'unknowns', count(*) FROM follow_up_attempts WHERE outcome IN ('unclear', 'unknown') UNION ALL "
            "SELECT 'payments sent', count(*) FROM follow_up_attempts UNION ALL "
            "SELECT 'changes', count(*) FROM outbox UNION ALL SELECT 'alerts', count(*) FROM alerts UNION ALL "
            "SELECT 'events spooled', count(*) FROM spooled"
        ):
            counts[name or ""] = int(number or 0)
        counts["payments taken"] = len(self._world.ledger)


def _about(body: bytes) -> tuple[int, list[str]]:
    """Return a callback's stamp and the orders it names, read without the product's own parser."""
    message = json.loads(body)
    content = message["messageBody"]
    if isinstance(content, str):
        content = json.loads(content)
    if "orderId" in content:
        return int(message["timestamp"]), [str(content["orderId"])]
    if "baseInfo" in content:
        return int(message["timestamp"]), [str(content["baseInfo"].get("idOfStr") or content["baseInfo"]["id"])]
    items = content.get("MailNoChangeModel", {}).get("orderLogsItems", ())
    return int(message["timestamp"]), sorted({str(item["orderId"]) for item in items})
