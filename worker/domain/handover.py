"""From the seller's parcels to the way abroad: telling the warehouse, confirming the receipt, booking. Pure rules."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import msgspec

from worker.domain.facts import Line, Parcel
from worker.domain.money import CNY, yuan_text
from worker.domain.plans import StandingPlan
from worker.domain.policy import FULL_PAYMENT, WHOLE_ORDER, Decision, Effect, Policy, Verdict, Wanted, first_that_holds
from worker.domain.reducer import Order
from worker.domain.status import OrderStatus, RefundStatus, map_refund_word, map_word
from worker.domain.view import View

_RECEIVED = 3  # item logisticsStatus: received (notes 4.4, upstream)
_IN_TRANSIT = frozenset({OrderStatus.PARTLY_SHIPPED, OrderStatus.SHIPPED})
_CONFIRMED = frozenset({OrderStatus.RECEIPT_CONFIRMED, OrderStatus.COMPLETED})
_PAYABLE = frozenset({OrderStatus.AWAITING_PAYMENT, OrderStatus.BEING_CREATED})


def live_lines(view: View) -> tuple[Line, ...]:
    """Return the lines whose goods are expected: neither closed nor refunded in full."""
    return tuple(
        line
        for line in view.lines
        if line.status_word not in ("cancel", "terminated", "TRADE_CLOSED")
        and map_refund_word(line.refund_word) is not RefundStatus.SUCCEEDED
    )


def known_parcels(view: View) -> tuple[Parcel, ...]:
    """Return the parcels that somebody carries under a waybill, in a fixed order."""
    return tuple(sorted((parcel for parcel in view.parcels if parcel.number), key=lambda parcel: parcel.parcel_id))


def logistics_purpose(view: View) -> str | None:
    """Return a digest of what the warehouse has to know about the parcels, None if there is nothing to tell."""
    told = [(one.parcel_id, one.waybill, one.carrier, sorted(one.line_ids)) for one in known_parcels(view)]
    return _digest(told) if told else None


def booking_purpose(view: View) -> str:
    """Return a digest of the set of parcels that goes abroad."""
    return _digest(sorted(parcel.parcel_id for parcel in view.parcels))


def _digest(what: object) -> str:
    return hashlib.sha256(msgspec.json.encode(what)).hexdigest()[:16]


def signed_for(view: View) -> bool:
    """Tell whether the goods of every line that is still expected were signed for."""
    return view.word == "signinsuccess" or _all_arrived(view, {one.parcel_id for one in view.parcels if one.is_signed})


def have_arrived(view: View, policy: Policy) -> bool:
    """Tell whether the receipt may be confirmed: all was signed for or, where that counts, inspected in the warehouse.

    What the warehouse objects to has not arrived, whoever signed for it: a person has to look.
    """
    if view.objected and policy.inspection_confirms:
        return False
    if signed_for(view):
        return True
    here = {one.parcel_id for one in view.parcels if one.is_signed or one.waybill in view.inspected}
    return policy.inspection_confirms and _all_arrived(view, here)


def _all_arrived(view: View, parcel_ids: set[str]) -> bool:
    lines = live_lines(view)
    signed = {line_id for one in view.parcels if one.parcel_id in parcel_ids for line_id in one.line_ids}
    open_parcels = {line_id for one in view.parcels if one.parcel_id not in parcel_ids for line_id in one.line_ids}
    arrived = [line.logistics_status == _RECEIVED or line.line_id in signed - open_parcels for line in lines]
    return bool(arrived) and all(arrived)


def wanted_handover(order: Order, policy: Policy, plan: StandingPlan) -> Iterator[Wanted]:
    """Yield what a confirmed order calls for on its way from the seller to its receiver, and its cancellation."""
    view = order.view
    if plan.cancel_reason is not None and view.status in _PAYABLE and not view.is_paid:
        yield Wanted(Effect.CANCEL, WHOLE_ORDER)
    if policy.notify_warehouse and view.is_paid and view.status in _IN_TRANSIT | _CONFIRMED:
        purpose = logistics_purpose(view)
        if purpose is not None:
            yield Wanted(Effect.UPDATE_DOMESTIC_LOGISTICS, purpose)
    if view.open_refunds or not view.is_paid:
        return  # money that is asked back is neither released nor sent abroad
    if policy.confirm_receipt and view.status is OrderStatus.SHIPPED and have_arrived(view, policy):
        yield Wanted(Effect.CONFIRM_RECEIPT, FULL_PAYMENT, not_before=_signed_at(view) + policy.confirm_after)
    has_freight = policy.has_freight_defaults or (plan.receiver is not None and plan.freight is not None)
    arrived = view.status in _CONFIRMED and bool(view.parcels) and not view.bookings
    if policy.book_international and has_freight and arrived:
        yield Wanted(Effect.BOOK_INTERNATIONAL, booking_purpose(view))


def _signed_at(view: View) -> int:
    steps = [one.moved_at for one in view.parcels if one.is_signed and isinstance(one.moved_at, int)]
    if steps and all(one.is_signed for one in view.parcels):
        return max(steps)
    life = view.lifecycle
    return 0 if life is None else life.received_at or life.modified_at or 0


def decide_receipt(fresh: View, policy: Policy, *, now_unconfirmed: bool) -> Decision:
    """Return whether to confirm the receipt, judged on a read made for it: it releases the money, in doubt it waits."""
    known = not fresh.unconfirmed
    in_transit = fresh.status is OrderStatus.SHIPPED and fresh.is_paid
    obstacle = first_that_holds(
        (known and fresh.status in _CONFIRMED, Verdict.DONE, "the receipt is already confirmed"),
        (known and fresh.status is OrderStatus.CLOSED, Verdict.NOT_WANTED, "the order is closed"),
        (now_unconfirmed or fresh.unconfirmed, Verdict.WAIT, "the order is in doubt"),
        (bool(fresh.open_refunds), Verdict.WAIT, "a refund is open"),
        (not in_transit, Verdict.WAIT, "the order is not confirmed as paid and shipped"),
        (not have_arrived(fresh, policy), Verdict.WAIT, "not all goods were signed for, or the warehouse objects"),
    )
    return obstacle or Decision(Verdict.PROCEED, "all goods were signed for and no refund is open")


def decide_cancel(fresh: View, plan: StandingPlan, *, now_unconfirmed: bool) -> Decision:
    """Return whether to cancel: only what is known to be unpaid, and only while the plan says so."""
    known = not fresh.unconfirmed
    paid = fresh.is_paid or (known and fresh.status.is_paid)
    doubtful = now_unconfirmed or fresh.unconfirmed or fresh.status not in _PAYABLE
    obstacle = first_that_holds(
        (known and fresh.status is OrderStatus.CLOSED, Verdict.DONE, "the order is closed"),
        (plan.cancel_reason is None, Verdict.NOT_WANTED, "the plan no longer says to cancel the order"),
        (paid, Verdict.NOT_WANTED, "the order is paid: it can only be refunded"),
        (doubtful, Verdict.WAIT, "the order is not confirmed as unpaid"),
    )
    return obstacle or Decision(Verdict.PROCEED, "the order is unpaid and the plan says to cancel it")


def decide_logistics(known: View, purpose: str) -> Decision:
    """Return whether to tell the warehouse: as long as the parcels are those that the purpose is about."""
    closed = known.status is OrderStatus.CLOSED and not known.unconfirmed
    changed = logistics_purpose(known) != purpose.partition("#")[0]
    obstacle = first_that_holds(
        (closed, Verdict.NOT_WANTED, "the order is closed"),
        (known.unconfirmed, Verdict.WAIT, "the order is in doubt"),
        (changed, Verdict.NOT_WANTED, "the parcels changed since"),
    )
    return obstacle or Decision(Verdict.PROCEED, "the parcels are as planned")


def decide_booking(fresh: View, purpose: str, *, now_unconfirmed: bool) -> Decision:
    """Return whether the way abroad may be booked, apart from its price."""
    known = not fresh.unconfirmed
    obstacle = first_that_holds(
        (known and bool(fresh.bookings), Verdict.DONE, "the order has an international number"),
        (known and fresh.status is OrderStatus.CLOSED, Verdict.NOT_WANTED, "the order is closed"),
        (now_unconfirmed or fresh.unconfirmed, Verdict.WAIT, "the order is in doubt"),
        (bool(fresh.open_refunds), Verdict.WAIT, "a refund is open"),
        (fresh.status not in _CONFIRMED, Verdict.WAIT, "the receipt is not confirmed"),
        (booking_purpose(fresh) != purpose, Verdict.NOT_WANTED, "the set of parcels changed since"),
    )
    return obstacle or Decision(Verdict.PROCEED, "the receipt is confirmed and no refund is open")


def decide_freight(amount: int, currency: str, policy: Policy, plan: StandingPlan, approved: int | None) -> Decision:
    """Return whether the previewed freight price is within the account's limit and the plan's, or approved."""
    if approved is not None and 0 < amount <= approved:
        return Decision(Verdict.PROCEED, f"approved up to {yuan_text(approved)}", amount)
    limit, limit_currency = policy.freight_limit, CNY
    if plan.freight is not None and plan.freight.max_price_minor is not None:
        limit, limit_currency = min(limit, plan.freight.max_price_minor), plan.freight.currency
    if currency != CNY or limit_currency != CNY:
        return Decision(Verdict.HOLD, f"the freight is in {currency[:10]}; limits hold in {CNY} alone", amount)
    if not 0 < amount <= limit:
        reason = f"the freight of {yuan_text(amount)} CNY is not within the limit of {yuan_text(limit)} CNY"
        return Decision(Verdict.HOLD, reason, amount)
    return Decision(Verdict.PROCEED, "within the limit", amount)


def receipt_is_confirmed(order: Order) -> bool:
    """Tell whether a snapshot shows the receipt as confirmed."""
    life = order.view.lifecycle
    return life is not None and map_word(order.key.platform, life.word) in _CONFIRMED
