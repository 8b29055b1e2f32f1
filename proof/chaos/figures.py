"""The figures of a run: how much happened, and how much of what."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec
from sqlalchemy import text

from proof.chaos.evidence import Evidence
from proof.chaos.pulse import record_ends
from proof.rig import Rig
from worker.broker.topics import TopicNames
from worker.promises import changes

_ROWS = text(
    """
    SELECT (SELECT count(*) FROM facts) AS facts,
        (SELECT coalesce(sum(deliveries - 1), 0) FROM facts) AS facts_repeated,
        (SELECT count(*) FROM facts WHERE source = 'callback') AS facts_of_callbacks,
        (SELECT count(*) FROM alerts) AS alerts_opened,
        (SELECT count(*) FROM alerts WHERE resolved_at IS NULL) AS alerts_open,
        (SELECT count(*) FROM approvals) AS decisions,
        (SELECT count(DISTINCT f.id) FROM follow_ups f JOIN follow_up_attempts a ON a.follow_up_id = f.id
            WHERE a.outcome IN ('unclear', 'unknown')) AS unknown,
        (SELECT count(DISTINCT f.id) FROM follow_ups f JOIN follow_up_attempts a ON a.follow_up_id = f.id
            WHERE a.outcome IN ('unclear', 'unknown') AND f.state IN ('succeeded', 'rejected')) AS unknown_settled,
        (SELECT count(*) FROM follow_ups WHERE cleared->>'by' = 'reads') AS second_attempts,
        (SELECT coalesce(sum(budget_refusals), 0) FROM follow_ups) AS over_budget_refused
    """
)
_ASSIGNED, _SPOOLED = "partitions assigned", "event goes to the spool"
OK, UNAVAILABLE = 200, 503


class Figures(msgspec.Struct, kw_only=True):
    """What happened. Callbacks are attempts as the load balancer saw them; `failed`: no worker answered in time."""

    orders: int
    callbacks_sent: int
    callbacks_accepted: int
    callbacks_refused: int
    callbacks_failed: int
    callbacks_given_up: int
    records: int
    spooled: int
    facts: int
    facts_repeated: int
    changes: int
    changes_repeated: int
    rebalances: int
    worker_starts: int
    ended_by_themselves: int
    payments: int
    receipts: int
    bookings: int
    warehouse_notices: int
    calls: int
    unknown: int
    unknown_settled: int
    second_attempts: int
    over_budget_refused: int
    decisions_of_people: int
    alerts_opened: int
    alerts_open: int


async def count(rig: Rig, evidence: Evidence) -> Figures:
    """Count."""
    async with rig.engine.connect() as connection:
        rows = (await connection.execute(_ROWS)).mappings().one()
    stats = await rig.marketplace.stats()
    answers = rig.front_door.answers
    follower = changes.Follower()
    for key, value in evidence.changes:
        list(follower.take(key, value))
    events = Counter(_events(rig))
    books = evidence.books
    return Figures(
        orders=evidence.comparison.orders,
        callbacks_sent=stats["callbacks_sent"],
        callbacks_accepted=answers[OK],
        callbacks_refused=answers[UNAVAILABLE],
        callbacks_failed=sum(times for status, times in answers.items() if status not in {OK, UNAVAILABLE}),
        callbacks_given_up=stats["callbacks_given_up"],
        records=sum((await record_ends(rig.kafka.servers, TopicNames().inbound)).values()),
        spooled=events[_SPOOLED],
        facts=rows["facts"],
        facts_repeated=int(rows["facts_repeated"]),
        changes=len(evidence.changes) - follower.repeats,
        changes_repeated=follower.repeats,
        rebalances=events[_ASSIGNED],
        worker_starts=sum(worker.starts for worker in rig.workers),
        ended_by_themselves=sum(worker.ended_by_itself for worker in rig.workers),
        payments=len(books.payments),
        receipts=len(books.receipts),
        bookings=len(books.bookings),
        warehouse_notices=len(books.notices),
        calls=len(evidence.ledger.attempts),
        unknown=rows["unknown"],
        unknown_settled=rows["unknown_settled"],
        second_attempts=rows["second_attempts"],
        over_budget_refused=int(rows["over_budget_refused"]),
        decisions_of_people=rows["decisions"],
        alerts_opened=rows["alerts_opened"],
        alerts_open=rows["alerts_open"],
    )


def _events(rig: Rig) -> Iterator[str]:
    """Yield the events of all workers' logs; a line that a killed worker left half-written is passed over."""
    for worker in rig.workers:
        with worker.log.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if line.startswith("{"):
                    try:
                        event: dict[str, Any] = json.loads(line)
                    except json.JSONDecodeError:
                        continue
                    yield str(event.get("event"))
