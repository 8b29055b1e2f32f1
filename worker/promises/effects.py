"""I1: no effect takes place twice, too early, or behind our back; our ledger and the marketplace's tell the same."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator

import msgspec

from worker.domain.effects import EffectState
from worker.domain.policy import Effect
from worker.promises.books import OUR_CALL, Books
from worker.promises.rows import Attempt, FollowUp, Ledger

_WORDS = {
    Effect.PAY: "paid",
    Effect.CONFIRM_RECEIPT: "confirmed",
    Effect.BOOK_INTERNATIONAL: "booked",
    Effect.CANCEL: "cancelled",
    Effect.UPDATE_DOMESTIC_LOGISTICS: "told to the warehouse",
}


class Knowable(msgspec.Struct, frozen=True):
    """What a decision could know.

    `as_of(order, asked_at)`: the instant whose state a read of the order asked then may have shown, for the worst. A
    worker whose clock is off and a marketplace whose reads lag both push it back.
    """

    as_of: Callable[[str, int], int] = lambda _order_id, asked_at: asked_at


def twice(books: Books) -> Iterator[str]:
    """Yield what took place twice: it is broken however things go on."""
    for payment in books.payments:
        if payment.call_no > 1:
            yield f"I1: order {payment.order_id} was paid {payment.call_no} times"
    several = {
        "the receipt of line {} was confirmed": (line for row in books.receipts for line in row.line_ids),
        "order {} was cancelled": (row.order_id for row in books.cancels),
        "preview {} was booked": (row.render_id for row in books.bookings),
    }
    for what, keys in several.items():
        for key, times in Counter(keys).items():
            if times > 1:
                yield f"I1: {what.format(key)} {times} times"
    paid = {payment.order_id for payment in books.payments if payment.how == OUR_CALL}
    for cancel in books.cancels:
        if cancel.order_id in paid:
            yield f"I1: order {cancel.order_id} was both paid and cancelled by us"


def behind_our_back(ledger: Ledger, books: Books) -> Iterator[str]:
    """Yield what happened more often than it was written down before."""
    for effect, happened in _happened(books).items():
        for order_id, times in happened.items():
            written = len(ledger.calls(effect, order_id))
            if times > written:
                yield f"I1: order {order_id} was {_WORDS[effect]} {times} times by us, the ledger has {written} calls"


def booked_twice(ledger: Ledger, books: Books) -> Iterator[str]:
    """Yield sets of parcels that were sent abroad twice, and bookings at another price than was decided on."""
    booked = {booking.render_id: booking for booking in books.bookings}
    for follow_up in ledger.of(Effect.BOOK_INTERNATIONAL):
        taken = [(one, booked[_render(one)]) for one in ledger.attempts_of(follow_up.id) if _render(one) in booked]
        if len(taken) > 1:
            yield f"I1: the parcels of order {follow_up.order_id} were booked {len(taken)} times"
        for attempt, booking in taken:
            if attempt.amount_minor != booking.amount_fen:
                yield (
                    f"I1: the freight of order {follow_up.order_id} cost {booking.amount_fen} fen, "
                    f"{attempt.amount_minor} were decided on"
                )


def told_otherwise(ledger: Ledger, books: Books) -> Iterator[str]:
    """Yield effects of which our ledger says another thing than the marketplace's books."""
    happened = _happened(books)
    for follow_up in ledger.follow_ups:
        effect, order_id = Effect(follow_up.effect), follow_up.order_id
        took_place = _took_place(follow_up, ledger, books, happened[effect][order_id])
        if follow_up.state == EffectState.SUCCEEDED and not took_place:
            yield f"I1: order {order_id} is recorded as {_WORDS[effect]}, the marketplace's books know nothing of it"
        not_done = follow_up.state in (EffectState.REJECTED, EffectState.CANCELLED)
        if _left_open(follow_up):
            continue
        if not_done and happened[effect][order_id] and took_place and _is_alone(follow_up, ledger):
            yield f"I1: order {order_id} is recorded as not {_WORDS[effect]}, the marketplace's books say it was"


def too_early(ledger: Ledger, books: Books, knowable: Knowable) -> Iterator[str]:
    """Yield receipts and bookings while money was asked back or goods were on their way, as far as could be known."""
    for receipt in books.receipts:
        if receipt.by != "call":
            continue
        if not receipt.signed:
            yield f"I1: the receipt of order {receipt.order_id} was confirmed before the goods were signed for"
        yield from _while_refunding(Effect.CONFIRM_RECEIPT, receipt.order_id, receipt.at, ledger, books, knowable)
    for booking in books.bookings:
        yield from _while_refunding(
            Effect.BOOK_INTERNATIONAL,
            booking.order_id,
            booking.at,
            ledger,
            books,
            knowable,
        )


def _while_refunding(
    effect: Effect, order_id: str, at: int, ledger: Ledger, books: Books, knowable: Knowable
) -> Iterator[str]:
    calls = [call for call in ledger.calls(effect, order_id) if call.sent_at <= at]
    if not calls:
        return  # told already: nothing of it was written down
    asked_at = int(calls[-1].evidence.get("asked_at") or calls[-1].sent_at)
    known = knowable.as_of(order_id, asked_at)
    for refund in books.refunds_open(order_id, at):
        if refund.applied_at < known:
            since = f"refund {refund.refund_id} was open since {refund.applied_at}"
            yield f"I1: {effect} of order {order_id} took place at {at}, {since}"


def _happened(books: Books) -> dict[Effect, Counter[str]]:
    """Return how often our calls took effect, per effect and order."""
    found: dict[Effect, Counter[str]] = defaultdict(Counter)
    found[Effect.PAY].update(row.order_id for row in books.payments if row.how == OUR_CALL)
    found[Effect.CONFIRM_RECEIPT].update(row.order_id for row in books.receipts if row.by == "call")
    found[Effect.BOOK_INTERNATIONAL].update(row.order_id for row in books.bookings)
    found[Effect.CANCEL].update(row.order_id for row in books.cancels)
    found[Effect.UPDATE_DOMESTIC_LOGISTICS].update(row.order_id for row in books.notices)
    return found


def _took_place(follow_up: FollowUp, ledger: Ledger, books: Books, by_us: int) -> bool:
    """Tell whether the effect took place, whoever did it."""
    order_id, order = follow_up.order_id, books.orders.get(follow_up.order_id)
    match Effect(follow_up.effect):
        case Effect.PAY:
            return any(row.order_id == order_id for row in books.payments)
        case Effect.CONFIRM_RECEIPT:
            return any(row.order_id == order_id for row in books.receipts)
        case Effect.CANCEL:
            return order is not None and order.status == "cancel"
        case Effect.BOOK_INTERNATIONAL:
            booked = {row.render_id: row.number for row in books.bookings if row.order_id == order_id}
            ours = [booked[_render(one)] for one in ledger.attempts_of(follow_up.id) if _render(one) in booked]
            return bool(ours) and follow_up.reference in (None, *ours)
    return by_us > 0


def _left_open(follow_up: FollowUp) -> bool:
    """Tell whether it was called off between a call without a clear answer and its harmless repetition.

    So it is with a notice to the warehouse that is let go again by configuration: nobody claims that it was not told.
    """
    return follow_up.state == EffectState.CANCELLED and (follow_up.cleared or {}).get("by") == "configuration"


def _is_alone(follow_up: FollowUp, ledger: Ledger) -> bool:
    """Tell whether no other purpose of the same effect can be what happened to the order."""
    return follow_up.effect == Effect.BOOK_INTERNATIONAL or not any(
        one.id != follow_up.id and one.effect == follow_up.effect and one.order_id == follow_up.order_id
        for one in ledger.follow_ups
    )


def _render(attempt: Attempt) -> str:
    return str((attempt.request or {}).get("render_id", ""))
