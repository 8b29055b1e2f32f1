"""The alerts that a payment can raise."""

from __future__ import annotations

from worker.domain.alerts import Alert, AlertKind, Severity
from worker.domain.identity import OrderKey
from worker.domain.money import yuan_text


def needs_person_alert(key: OrderKey, amount: int, pay_url: str) -> Alert:
    """Return the alert for an order that only a person can pay, with the link."""
    return Alert(
        f"{AlertKind.PAYMENT_NEEDS_PERSON}:{key}",
        AlertKind.PAYMENT_NEEDS_PERSON,
        Severity.CRITICAL,
        f"Order {key} waits for a person to pay {yuan_text(amount)} CNY: {pay_url}",
        key,
        {"amount_minor": amount, "pay_url": pay_url},
    )


def unknown_alert(key: OrderKey, amount: int | None, reason: str) -> Alert:
    """Return the alert for a payment of which nobody knows whether it was made."""
    shown = "an unknown amount" if amount is None else f"{yuan_text(amount)} CNY"
    return Alert(
        f"{AlertKind.PAYMENT_UNKNOWN}:{key}",
        AlertKind.PAYMENT_UNKNOWN,
        Severity.CRITICAL,
        f"Order {key}: nobody knows whether {shown} were paid. It is only read, never paid again by itself.",
        key,
        {"amount_minor": amount, "reason": reason},
    )
