"""The demo's figures, and whether they keep the promises."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.demo.compare import Comparison, Difference
from worker.demo.follower import Follower

_COUNTS = text(
    """
    SELECT (SELECT count(*) FROM follow_ups WHERE effect = 'pay') AS payments_wanted,
        (SELECT count(*) FROM dead_letters) AS dead_letters,
        (SELECT count(*) FROM alerts) AS alerts_opened,
        (SELECT count(*) FROM alerts WHERE resolved_at IS NULL) AS alerts_open,
        (SELECT count(*) FROM alerts WHERE kind = 'substitutes_found') AS substitutes_found,
        (SELECT count(*) FROM facts) AS facts,
        (SELECT coalesce(sum(deliveries - 1), 0) FROM facts) AS facts_repeated,
        (SELECT count(*) FROM outbox WHERE published_at IS NOT NULL) AS changes_published,
        (SELECT count(*) FROM outbox WHERE published_at IS NULL) AS changes_waiting,
        (SELECT coalesce(sum(sequence), 0) FROM orders) AS changes_made,
        (SELECT count(*) FROM spool) AS spooled,
        (SELECT count(*) FROM approvals WHERE decision = 'approve') AS approvals,
        (SELECT count(*) FROM approvals WHERE decision = 'reject') AS rejections,
        (SELECT coalesce(sum(budget_refusals), 0) FROM follow_ups) AS over_budget_refused,
        (SELECT count(*) FROM follow_ups WHERE cleared->>'by' = 'reads') AS second_attempts,
        (SELECT coalesce(sum(amount_minor), 0) FROM spendings WHERE released_at IS NULL) AS spent_minor,
        (SELECT coalesce(sum(f.amount_minor), 0) FROM spendings p JOIN follow_ups f ON f.id = p.follow_up_id
            WHERE p.released_at IS NULL) AS decided_minor
    """
)
_PAYMENTS = text(
    """
    SELECT o.order_id, f.state, f.attempts, f.approved_minor, f.amount_minor
    FROM follow_ups f JOIN orders o ON o.id = f.order_ref WHERE f.effect = 'pay' AND f.attempts > 0
    """
)
_STATES = text("SELECT effect || ' ' || state AS name, count(*) AS n FROM follow_ups GROUP BY 1 ORDER BY 1")
_OUTCOMES = text("SELECT outcome AS name, count(*) AS n FROM facts GROUP BY 1 ORDER BY 1")
_STATUSES = text("SELECT status AS name, count(*) AS n FROM orders GROUP BY 1 ORDER BY 1")
UNDER_WAY = text(
    """
    SELECT count(*) FROM follow_ups WHERE state IN ('sending', 'unknown') OR state = 'planned' AND NOT (
        budget_refusals > 0 AND EXISTS (SELECT 1 FROM alerts WHERE kind = 'budget_exhausted' AND resolved_at IS NULL))
    """
)
"""In a quiet world nothing is left to do: whatever is, is stuck. What the budget holds back waits with an alert."""
_RESOLVED = text(
    """
    SELECT count(DISTINCT f.id) FROM follow_ups f JOIN follow_up_attempts a ON a.follow_up_id = f.id
    WHERE a.outcome IN ('unclear', 'unknown') AND f.state IN ('succeeded', 'rejected')
    """
)


class Books(msgspec.Struct, frozen=True):
    """What really happened at the marketplace, row by row."""

    payments: list[dict[str, Any]]
    receipts: list[dict[str, Any]]
    bookings: list[dict[str, Any]]
    notices: list[dict[str, Any]]


class Verdict(msgspec.Struct):
    """The figures by name, the broken promises in words, and the differences found."""

    figures: dict[str, Any]
    broken: list[str]
    differences: list[Difference]


async def judge(
    connection: AsyncConnection,
    comparison: Comparison,
    follower: Follower,
    books: Books,
    stats: Mapping[str, Any],
    seconds: float,
    budget: int | None,
) -> Verdict:
    """Return the verdict on a world that has gone quiet."""
    counts = dict((await connection.execute(_COUNTS)).mappings().one())
    attempts = [dict(row) for row in (await connection.execute(_PAYMENTS)).mappings()]
    paid = Counter(row["order_id"] for row in books.payments)
    figures: dict[str, Any] = {
        "orders": comparison.orders,
        "converged": comparison.converged,
        "callbacks_sent": stats["callbacks_sent"],
        "callbacks_lost": stats["callbacks_lost"],
        "duplicates": stats["duplicates"],
        "payments_wanted": counts["payments_wanted"],
        "payments_accepted": sum(paid.values()),
        "double_payments": sum(times - 1 for times in paid.values()),
        "dead_letters": counts["dead_letters"],
        "changes_published": counts["changes_published"],
        "sequence_gaps": follower.gaps + int(counts["changes_made"]) - follower.changes,
        "alerts_opened": counts["alerts_opened"],
        "seconds": round(seconds, 1),
        "alerts_open": counts["alerts_open"],
        "facts": counts["facts"],
        "facts_repeated": int(counts["facts_repeated"]),
        "receipts_confirmed": len(books.receipts),
        "confirmed_during_refund": sum(row["refund_open"] for row in books.receipts),
        "confirmed_too_early": sum(not row["signed"] for row in books.receipts if row["by"] == "call"),
        "bookings": len(books.bookings),
        "double_bookings": _repeats(row["order_id"] for row in books.bookings),
        "warehouse_notices": len(books.notices),
        "approvals": counts["approvals"],
        "rejections": counts["rejections"],
        "over_budget_refused": int(counts["over_budget_refused"]),
        "decided_minor": int(counts["decided_minor"]),
        "spent_minor": int(counts["spent_minor"]),
        "budget_minor": budget,
        "taken_minor": _taken(books, {row["order_id"] for row in attempts}),
        "second_attempts": counts["second_attempts"],
        "unknown_resolved": (await connection.execute(_RESOLVED)).scalar_one(),
        "follow_ups_stuck": (await connection.execute(UNDER_WAY)).scalar_one(),
        "substitutes_found": counts["substitutes_found"],
        "outcomes": await _tally(connection, _OUTCOMES),
        "follow_ups": await _tally(connection, _STATES),
        "statuses": await _tally(connection, _STATUSES),
        "api_calls": stats["calls"],
        "faults_met": stats["faults"],
    }
    broken = list(_broken(figures)) + list(_against_ledger(attempts, paid))
    return Verdict(figures, broken, comparison.differences)


def _broken(figures: Mapping[str, Any]) -> Iterator[str]:
    if figures["converged"] != figures["orders"]:
        yield f"{figures['orders'] - figures['converged']} orders differ from the marketplace's truth"
    if figures["double_payments"]:
        yield f"{figures['double_payments']} payments were made twice"
    if figures["double_bookings"]:
        yield f"{figures['double_bookings']} orders were booked twice"
    if figures["confirmed_during_refund"]:
        yield f"{figures['confirmed_during_refund']} receipts were confirmed while a refund was open"
    if figures["confirmed_too_early"]:
        yield f"{figures['confirmed_too_early']} receipts were confirmed before the goods were signed for"
    if figures["budget_minor"] is not None and figures["decided_minor"] > figures["budget_minor"]:
        yield f"{figures['decided_minor']} fen were decided on, the budget was {figures['budget_minor']}"
    if figures["taken_minor"] > figures["spent_minor"]:  # a price may rise under a payment, but not unseen
        yield f"{figures['taken_minor']} fen were taken, the ledger knows of {figures['spent_minor']}"
    if figures["follow_ups_stuck"]:
        yield f"{figures['follow_ups_stuck']} follow-ups are stuck"
    if figures["sequence_gaps"]:
        yield f"{figures['sequence_gaps']} changes were not seen by the consumer of changes"


def _against_ledger(attempts: Iterable[Mapping[str, Any]], paid: Mapping[str, int]) -> Iterator[str]:
    """Hold our ledger against the marketplace's: what we call paid was paid, and nothing was paid behind our back."""
    attempts = list(attempts)
    attempted = {row["order_id"] for row in attempts}
    for order_id in sorted(paid):
        if order_id not in attempted:
            yield f"order {order_id} was paid without an attempt in the ledger"
    for row in attempts:
        if row["state"] == "succeeded" and not paid.get(row["order_id"]):
            yield f"order {row['order_id']} is recorded as paid, the marketplace took no money"
        if row["state"] == "rejected" and paid.get(row["order_id"]):
            yield f"order {row['order_id']} is recorded as not paid, the marketplace took money"


def _taken(books: Books, attempted: set[str]) -> int:
    """What our own calls cost; what a person paid without having been asked to is not ours."""
    rows = [row for row in books.payments if row["order_id"] in attempted] + books.bookings
    return sum(int(row["amount_fen"]) for row in rows)


def _repeats(keys: Iterable[str]) -> int:
    return sum(times - 1 for times in Counter(keys).values())


async def _tally(connection: AsyncConnection, statement: Any) -> dict[str, int]:
    return {row.name: row.n for row in await connection.execute(statement)}
