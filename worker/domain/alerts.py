"""What a person should know about an order: conditions that hold now, one per cause."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import msgspec

from worker.domain.clock import Millis, to_datetime
from worker.domain.identity import OrderKey
from worker.domain.money import yuan_text
from worker.domain.plans import NO_PLAN, StandingPlan
from worker.domain.policy import Effect, Policy
from worker.domain.reducer import Order
from worker.domain.wanted import wanted_follow_ups


class AlertKind(StrEnum):
    """The kinds of alert. Each has a runbook in docs/runbooks.md."""

    PAYMENT_NEEDS_PERSON = "payment_needs_person"
    PAYMENT_UNKNOWN = "payment_unknown"
    PRICE_BEYOND_TOLERANCE = "price_beyond_tolerance"
    REFUND_OPENED = "refund_opened"
    STATUS_CORRECTED = "status_corrected"
    STRANGE_WORD = "strange_word"
    REFRESH_FAILING = "refresh_failing"
    DEAD_LETTERS = "dead_letters"
    DEAD_LETTERS_LEAK = "dead_letters_leak"
    CONSUMPTION_STOPPED = "consumption_stopped"
    DRIFT = "drift"
    SUBSTITUTES_FOUND = "substitutes_found"
    POLL_FAILING = "poll_failing"
    TOKEN_EXPIRING = "token_expiring"  # noqa: S105 - the name of an alert, not a secret
    EFFECT_UNKNOWN = "effect_unknown"
    EFFECT_REJECTED = "effect_rejected"
    EFFECT_WAITING = "effect_waiting"
    PAID_MORE = "paid_more"
    INSPECTION_FAILED = "inspection_failed"
    APPROVAL_WAITING = "approval_waiting"
    BUDGET_EXHAUSTED = "budget_exhausted"
    EFFECTS_STOPPED = "effects_stopped"
    MARKETPLACE_AWAY = "marketplace_away"


class Severity(StrEnum):
    """How soon a person should look."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Alert(msgspec.Struct, frozen=True):
    """An open cause. `cause` is unique among open alerts; `details` are for people and hold no personal data."""

    cause: str
    kind: AlertKind
    severity: Severity
    title: str
    key: OrderKey | None = None
    details: dict[str, Any] = {}


CONDITION_KINDS = frozenset(
    {AlertKind.PRICE_BEYOND_TOLERANCE, AlertKind.REFUND_OPENED, AlertKind.STRANGE_WORD, AlertKind.INSPECTION_FAILED}
)
"""Kinds that follow from the order alone: open while the condition holds, resolved when it no longer does."""

_MAX_NAMED = 80


PAYMENT_KINDS = frozenset({AlertKind.PAYMENT_NEEDS_PERSON, AlertKind.PAYMENT_UNKNOWN})
"""Kinds that end when the order shows as paid or closed."""


def order_alerts(
    order: Order, policy: Policy, plan: StandingPlan = NO_PLAN, approved: int | None = None
) -> Iterator[Alert]:
    """Yield the conditions that hold for the order as it is now."""
    key = order.key
    for wanted in wanted_follow_ups(order, policy, plan, approved):
        if wanted.effect is Effect.PAY and wanted.hold is not None:
            yield Alert(
                f"{AlertKind.PRICE_BEYOND_TOLERANCE}:{key}",
                AlertKind.PRICE_BEYOND_TOLERANCE,
                Severity.CRITICAL,
                f"Order {key} waits for approval: {wanted.hold}",
                key,
                {"total_minor": wanted.amount, "reason": wanted.hold},
            )
    for refund in order.view.open_refunds:
        amount = "" if refund.amount is None else f" of {yuan_text(refund.amount)} CNY"
        yield Alert(
            f"{AlertKind.REFUND_OPENED}:{key}:{_short(refund.refund_id)}",
            AlertKind.REFUND_OPENED,
            Severity.WARNING,
            f"Refund {refund.refund_id[:80]}{amount} is open on order {key}",
            key,
            {"refund_id": refund.refund_id, "status": refund.status.value, "amount_minor": refund.amount},
        )
    for waybill in order.view.objected:
        yield Alert(
            f"{AlertKind.INSPECTION_FAILED}:{key}:{_short(waybill)}",
            AlertKind.INSPECTION_FAILED,
            Severity.WARNING,
            f"The warehouse objects to the goods of parcel {waybill[:80]} of order {key}",
            key,
            {"waybill": waybill[:200]},
        )
    for word in order.view.strange_words:
        yield Alert(
            f"{AlertKind.STRANGE_WORD}:{key}:{_short(word)}",
            AlertKind.STRANGE_WORD,
            Severity.WARNING,
            f"Order {key} carries the status word {word[:80]!r}, which nobody here knows",
            key,
            {"word": word[:200]},
        )


def _short(text: str) -> str:
    """Return `text`, or a digest where it is long or unprintable: a cause is a unique index key in the database."""
    if len(text) <= _MAX_NAMED and text.isprintable():
        return text
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def drift_alert(key: OrderKey, before: Any, after: Any) -> Alert:
    """Return the alert for amounts that changed without a callback or a list having told: only a sweep found it."""
    return Alert(
        f"{AlertKind.DRIFT}:{key}",
        AlertKind.DRIFT,
        Severity.WARNING,
        f"Amounts of order {key} changed, and nothing but the sweep noticed",
        key,
        {"before": before, "after": after},
    )


def substitutes_alert(key: OrderKey, line_id: str, offers: list[dict[str, Any]]) -> Alert:
    """Return the alert that names articles which could stand in for a line's."""
    return Alert(
        f"{AlertKind.SUBSTITUTES_FOUND}:{key}:{_short(line_id)}",
        AlertKind.SUBSTITUTES_FOUND,
        Severity.INFO,
        f"{len(offers)} articles could stand in for line {line_id[:80]} of order {key}",
        key,
        {"line_id": line_id, "offers": offers},
    )


def correction_alert(key: OrderKey, before: str, after: str) -> Alert:
    """Return the alert for a snapshot that took the status back down the ladder."""
    return Alert(
        f"{AlertKind.STATUS_CORRECTED}:{key}",
        AlertKind.STATUS_CORRECTED,
        Severity.INFO,
        f"Order {key} was shown as {before}; the marketplace says {after}",
        key,
        {"before": before, "after": after},
    )


def marketplace_away_alert(account: str, reason: str) -> Alert:
    """Return the alert for a marketplace that answers nothing: one, however many orders wait for it."""
    return Alert(
        marketplace_away_cause(account),
        AlertKind.MARKETPLACE_AWAY,
        Severity.CRITICAL,
        f"Account {account}: the marketplace does not answer; it is asked now and then, nothing is paid",
        details={"account": account, "reason": reason[:300]},
    )


def marketplace_away_cause(account: str) -> str:
    """Return the cause under which an account's marketplace that does not answer is alerted."""
    return f"{AlertKind.MARKETPLACE_AWAY}:{account}"


def poll_failing_alert(account: str, stream: str, reason: str, since: int) -> Alert:
    """Return the alert for a stream that cannot be polled; `since`: when it failed first, in ms."""
    return Alert(
        poll_failing_cause(account, stream),
        AlertKind.POLL_FAILING,
        Severity.CRITICAL,
        f"Account {account}: the stream {stream} cannot be polled: {reason[:200]}",
        details={"account": account, "stream": stream, "reason": reason, "failing_since_ms": since},
    )


def poll_failing_cause(account: str, stream: str) -> str:
    """Return the cause under which a stream that cannot be polled is alerted."""
    return f"{AlertKind.POLL_FAILING}:{account}:{stream}"


def token_expiring_alert(account: str, kind: str, ends_at: Millis, severity: Severity, trouble: str) -> Alert:
    """Return the alert for a token that ends soon. `trouble`: why it could not be extended, empty if nothing tried."""
    day = to_datetime(ends_at).strftime("%Y-%m-%d %H:%M")
    why = f"; it could not be extended: {trouble[:200]}" if trouble else ""
    return Alert(
        token_expiring_cause(account, kind),
        AlertKind.TOKEN_EXPIRING,
        severity,
        f"Account {account}: the {kind.replace('_', ' ')} ends on {day} UTC{why}",
        details={"account": account, "token": kind, "ends_at_ms": ends_at, "trouble": trouble},
    )


def token_expiring_cause(account: str, kind: str) -> str:
    """Return the cause under which a token's end is alerted."""
    return f"{AlertKind.TOKEN_EXPIRING}:{account}:{kind}"
