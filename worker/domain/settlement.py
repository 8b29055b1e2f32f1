"""What a snapshot proves about effects that were sent: that they took place, can no longer, or have not so far."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

import msgspec

from worker.domain.clock import Millis
from worker.domain.handover import receipt_is_confirmed, signed_for
from worker.domain.money import CNY
from worker.domain.policy import Effect
from worker.domain.reducer import Order
from worker.domain.status import OrderStatus, map_word


class Proof(StrEnum):
    """What is proven about an effect."""

    DONE = "done"
    OVER = "over"
    """It did not take place and can no longer: the order is closed."""
    NOT_DONE = "not_done"
    """It had not taken place when this was read. The marketplace's reads lag, so one of these proves little."""


class Settlement(msgspec.Struct, frozen=True):
    """What the best snapshot, asked at `asked_at`, proves about an effect; `reason` is for people.

    `amount`: what the payment really took (minor units), where a snapshot tells.
    """

    effect: Effect
    proof: Proof
    asked_at: Millis
    reason: str
    amount: int | None = None


def settlements(order: Order) -> Iterator[Settlement]:
    """Yield what is proven. Only snapshots prove: a callback may be late, early or about something else."""
    seen = order.evidence.lifecycle
    if seen is None:
        return
    asked_at = seen.version.asked_at
    status = map_word(order.key.platform, seen.value.word)
    paid = order.view.is_paid or status.is_paid
    settled = not order.view.unconfirmed
    if paid:
        amounts = order.view.amounts if order.view.amounts_confirmed else None
        taken = amounts.total if amounts is not None and amounts.currency == CNY else None
        yield Settlement(Effect.PAY, Proof.DONE, asked_at, "the marketplace shows the order as paid", taken)
        yield Settlement(Effect.CANCEL, Proof.OVER, asked_at, "the marketplace shows the order as paid")
    elif status is OrderStatus.CLOSED:
        yield Settlement(Effect.PAY, Proof.OVER, asked_at, "the marketplace closed the order unpaid")
        yield Settlement(Effect.CANCEL, Proof.DONE, asked_at, "the marketplace shows the order as closed")
    elif settled and status is OrderStatus.AWAITING_PAYMENT:
        yield Settlement(Effect.PAY, Proof.NOT_DONE, asked_at, "the marketplace shows the order as unpaid")
        yield Settlement(Effect.CANCEL, Proof.NOT_DONE, asked_at, "the marketplace shows the order as open")
    yield from _receipt(order, status, asked_at)
    yield from _booking(order, status, asked_at)


def _receipt(order: Order, status: OrderStatus, asked_at: Millis) -> Iterator[Settlement]:
    if receipt_is_confirmed(order):
        yield Settlement(Effect.CONFIRM_RECEIPT, Proof.DONE, asked_at, "the marketplace shows the receipt as confirmed")
    elif status is OrderStatus.CLOSED:
        yield Settlement(Effect.CONFIRM_RECEIPT, Proof.OVER, asked_at, "the marketplace shows the order as closed")
    elif not order.view.unconfirmed and status is OrderStatus.SHIPPED and signed_for(order.view):
        yield Settlement(Effect.CONFIRM_RECEIPT, Proof.NOT_DONE, asked_at, "the receipt is not confirmed")


def _booking(order: Order, status: OrderStatus, asked_at: Millis) -> Iterator[Settlement]:
    """That no number is shown proves nothing: it is only inferred that the order shows one at all."""
    if order.view.bookings:
        yield Settlement(Effect.BOOK_INTERNATIONAL, Proof.DONE, asked_at, "the order has an international number")
    elif status is OrderStatus.CLOSED:
        yield Settlement(Effect.BOOK_INTERNATIONAL, Proof.OVER, asked_at, "the marketplace shows the order as closed")
