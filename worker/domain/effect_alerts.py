"""The alerts that an effect can raise: nobody knows, a person must act, a limit was reached."""

from __future__ import annotations

from typing import Any

from worker.domain.alerts import Alert, AlertKind, Severity
from worker.domain.identity import OrderKey
from worker.domain.money import yuan_text
from worker.domain.policy import Effect

_WORDS = {
    Effect.PAY: "the payment",
    Effect.UPDATE_DOMESTIC_LOGISTICS: "the notice to the warehouse",
    Effect.CONFIRM_RECEIPT: "the confirmation of the receipt",
    Effect.BOOK_INTERNATIONAL: "the booking of the way abroad",
    Effect.CANCEL: "the cancellation",
}


def effect_words(effect: Effect) -> str:
    """Return what people call the effect, e.g. `the payment`."""
    return _WORDS.get(effect, effect.value)


def needs_person_alert(key: OrderKey, amount: int | None, pay_url: str) -> Alert:
    """Return the alert for an order that only a person can pay, with the link."""
    return Alert(
        f"{AlertKind.PAYMENT_NEEDS_PERSON}:{key}",
        AlertKind.PAYMENT_NEEDS_PERSON,
        Severity.CRITICAL,
        f"Order {key} waits for a person to pay {_amount(amount)}: {pay_url}",
        key,
        {"amount_minor": amount, "pay_url": pay_url},
    )


def unknown_alert(effect: Effect, key: OrderKey, amount: int | None, reason: str, *, given_up: bool = False) -> Alert:
    """Return the alert for a call of which nobody knows whether it took effect.

    `given_up`: reads say for long enough that it did not, and no attempt is left: now a person has to decide.
    """
    details: dict[str, Any] = {"amount_minor": amount, "reason": reason}
    left = "It is only read, never repeated by itself."
    if given_up:
        details["given_up"] = True
        left = "Reads say that it did not happen, and no attempt is left: a person decides."
    if effect is Effect.PAY:
        kind, title = (
            AlertKind.PAYMENT_UNKNOWN,
            f"Order {key}: nobody knows whether {_amount(amount)} were paid. {left}",
        )
    else:
        kind = AlertKind.EFFECT_UNKNOWN
        title = f"Order {key}: nobody knows whether {effect_words(effect)} took place. {left}"
        details["effect"] = effect.value
    return Alert(_cause(kind, effect, key), kind, Severity.CRITICAL, title, key, details)


def paid_more_alert(key: OrderKey, decided: int | None, taken: int) -> Alert:
    """Return the alert for a payment that took more than was decided: the price rose under it. Ends by a person."""
    return Alert(
        f"{AlertKind.PAID_MORE}:{key}",
        AlertKind.PAID_MORE,
        Severity.CRITICAL,
        f"Order {key}: {_amount(taken)} were taken, {_amount(decided)} were decided on: the price rose in between",
        key,
        {"decided_minor": decided, "taken_minor": taken},
    )


def rejected_alert(effect: Effect, key: OrderKey, reason: str) -> Alert:
    """Return the alert for an effect that the marketplace refused, or that cannot be asked for here."""
    kind = AlertKind.EFFECT_REJECTED
    title = f"Order {key}: {effect_words(effect)} was refused: {reason[:200]}"
    details = {"effect": effect.value, "reason": reason[:500]}
    return Alert(_cause(kind, effect, key), kind, Severity.WARNING, title, key, details)


def waiting_alert(effect: Effect, key: OrderKey, reason: str) -> Alert:
    """Return the alert for an effect that has failed to begin several times."""
    kind = AlertKind.EFFECT_WAITING
    title = f"Order {key}: {effect_words(effect)} cannot begin: {reason[:200]}"
    details = {"effect": effect.value, "reason": reason[:500]}
    return Alert(_cause(kind, effect, key), kind, Severity.WARNING, title, key, details)


def approval_alert(effect: Effect, key: OrderKey, amount: int | None, reason: str) -> Alert:
    """Return the alert for an effect whose price only became known when it was asked for, and needs a person."""
    kind = AlertKind.APPROVAL_WAITING
    title = f"Order {key}: {effect_words(effect)} waits for approval: {reason[:200]}"
    details = {"effect": effect.value, "amount_minor": amount, "reason": reason[:500]}
    return Alert(_cause(kind, effect, key), kind, Severity.WARNING, title, key, details)


def budget_alert(account: str, which: str, amount: int, spent: int, budget: int) -> Alert:
    """Return the alert for an account whose budget does not allow the next payment. One per account and budget."""
    return Alert(
        f"{AlertKind.BUDGET_EXHAUSTED}:{account}:{which}",
        AlertKind.BUDGET_EXHAUSTED,
        Severity.CRITICAL,
        f"Account {account}: the {which} budget of {yuan_text(budget)} CNY does not allow {yuan_text(amount)} CNY more "
        f"({yuan_text(spent)} CNY are spent). Payments wait.",
        details={"account": account, "budget_minor": budget, "spent_minor": spent, "amount_minor": amount},
    )


def stopped_alert(account: str, reason: str) -> Alert:
    """Return the alert for an account whose effects stopped by themselves."""
    return Alert(
        stopped_cause(account),
        AlertKind.EFFECTS_STOPPED,
        Severity.CRITICAL,
        f"Account {account}: all effects were stopped: {reason}. "
        f"They go on after: ordersync resume --account {account}",
        details={"account": account, "reason": reason},
    )


def stopped_cause(account: str) -> str:
    """Return the cause under which a stopped account is alerted."""
    return f"{AlertKind.EFFECTS_STOPPED}:{account}"


def _cause(kind: AlertKind, effect: Effect, key: OrderKey) -> str:
    return f"{kind}:{key}" if effect is Effect.PAY else f"{kind}:{effect}:{key}"


def _amount(amount: int | None) -> str:
    return "an unknown amount" if amount is None else f"{yuan_text(amount)} CNY"
