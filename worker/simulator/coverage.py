"""What a run met: the figures by which a campaign says what it covered."""

from __future__ import annotations

from collections import Counter

from worker.domain.policy import Effect
from worker.followups.metrics import FOLLOW_UPS
from worker.promises import money
from worker.promises.books import Books
from worker.promises.rows import Ledger
from worker.simulator.server import Session

_COUNTS = """
SELECT 'orders', count(*) FROM orders
UNION ALL SELECT 'facts', count(*) FROM facts
UNION ALL SELECT 'facts repeated', coalesce(sum(deliveries - 1), 0) FROM facts
UNION ALL SELECT 'changes', count(*) FROM outbox
UNION ALL SELECT 'alerts', count(*) FROM alerts
UNION ALL SELECT 'events spooled', count(*) FROM spooled
UNION ALL SELECT 'budget refusals', coalesce(sum(budget_refusals), 0) FROM follow_ups
UNION ALL SELECT 'unknown resolved', count(DISTINCT f.id) FROM follow_ups f JOIN follow_up_attempts a
    ON a.follow_up_id = f.id WHERE a.outcome IN ('unclear', 'unknown') AND f.state IN ('succeeded', 'rejected')
UNION ALL SELECT 'decided by people: ' || action, count(*) FROM audit_log WHERE action <> 'put_plan' GROUP BY action
"""


def too_late() -> int:
    """Return how many answers this process has refused so far because their claim was no longer its worker's."""
    samples = (sample for metric in FOLLOW_UPS.collect() for sample in metric.samples)
    return int(sum(one.value for one in samples if one.name.endswith("_total") and "too_late" in one.labels.values()))


def cover(counts: Counter[str], session: Session, ledger: Ledger, books: Books, *, zombies: int) -> None:
    """Write down what there is at the end of a run (or of a wave: then it is overwritten by the next)."""
    for name, number in session.query(_COUNTS):
        counts[name or ""] = int(number or 0)
    counts["unknowns"] = sum(attempt.outcome in ("unclear", "unknown") for attempt in ledger.attempts)
    counts["second attempts"] = sum(attempt.left for attempt in ledger.attempts) - sum(
        any(attempt.left for attempt in ledger.attempts_of(one.id)) for one in ledger.follow_ups
    )
    for effect in Effect:
        ids = {one.id for one in ledger.of(effect)}
        sent = sum(attempt.follow_up_id in ids and attempt.left for attempt in ledger.attempts)
        if sent:
            counts[f"sent: {effect}"] = sent
    counts["zombie writes refused"] = zombies + counts["commit refused"]
    counts["payments taken"] = len(books.payments)
    counts["receipts"] = sum(receipt.by == "call" for receipt in books.receipts)
    counts["bookings"] = len(books.bookings)
    counts["warehouse notices"] = len(books.notices)
    counts["cancels"] = len(books.cancels)
    counts["approvals"] = sum(word.decision == "approve" for word in ledger.approvals)
    counts["rejections"] = sum(word.decision == "reject" for word in ledger.approvals)
    counts["pauses"] = len(ledger.pauses)
    counts["plans"] = len(ledger.plans)
    counts["price moved under a payment"] = money.moved(ledger, books)
