"""What we show of an order, derived from the evidence alone: callbacks are hints, snapshots are truth."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from worker.domain.clock import HOUR, SECOND, Millis
from worker.domain.evidence import Evidence, Observed, Stamp
from worker.domain.facts import Amounts, Lifecycle, Line, Parcel, RefundSeen
from worker.domain.identity import OrderKey
from worker.domain.parts import latest_refund, shown_parcels
from worker.domain.status import OrderStatus, RefundStatus, map_refund_word, map_word

STALE_READ_PAUSE: Millis = 10 * SECOND
"""How long to leave the marketplace alone after it answered older than its own list says."""
STRANGE_WORD_PAUSE: Millis = HOUR
"""How long until an order is read again whose snapshot uses a word that nobody knows: it stays unconfirmed."""
MAX_READ_PAUSE: Millis = 24 * HOUR
"""However old the reason, an unconfirmed order is not left alone for longer."""

_LINE_SHIPPED = frozenset({2, 3, 5})  # item logisticsStatus: shipped, received, partly shipped (notes 4.4, upstream)


class Refund(msgspec.Struct, frozen=True):
    """One refund as we show it; `confirmed` once a snapshot has shown it in this state."""

    refund_id: str
    status: RefundStatus
    word: str | None
    amount: int | None
    line_ids: tuple[str, ...]
    confirmed: bool
    reason: str | None = None


class View(msgspec.Struct, frozen=True):
    """The order as shown.

    `refresh_after`: None if confirmed, else the read that settles it must be asked after this instant.
    """

    status: OrderStatus = OrderStatus.UNKNOWN
    word: str | None = None
    unconfirmed: bool = True
    refresh_after: Millis | None = 0
    amounts: Amounts | None = None
    amounts_confirmed: bool = False
    lifecycle: Lifecycle | None = None
    lines: tuple[Line, ...] = ()
    parcels: tuple[Parcel, ...] = ()
    refunds: tuple[Refund, ...] = ()
    strange_words: tuple[str, ...] = ()
    bookings: tuple[str, ...] = ()
    inspected: tuple[str, ...] = ()
    """Waybills whose goods passed the warehouse's inspection."""
    objected: tuple[str, ...] = ()
    """Waybills whose goods did not."""

    @property
    def is_paid(self) -> bool:
        """Tell whether a snapshot shows that the money was taken, whatever became of the order since."""
        life = self.lifecycle
        return life is not None and (life.paid or life.paid_at is not None)

    @property
    def open_refunds(self) -> tuple[Refund, ...]:
        """Return the refunds that are not over."""
        return tuple(refund for refund in self.refunds if not refund.status.is_final)


def derive(key: OrderKey, evidence: Evidence, skew: Millis) -> View:
    """Return the view of the evidence.

    `skew` is how far the marketplace's clock and ours may be apart: a snapshot supersedes the callbacks stamped up to
    `skew` before it was asked for, in the aspects that it covers, and a later stamp makes the order unconfirmed.
    """
    life = evidence.lifecycle
    price = evidence.price_hint
    hinted_amounts = price.value if price is not None and price.stamp.at > _horizon(evidence.amounts, skew) else None
    confirmed_amounts = evidence.amounts.value if evidence.amounts else None
    strange_words = _strange_words(key, evidence, skew)
    refresh_after = _refresh_after(evidence, skew, strange=life is not None and life.value.word in strange_words)
    return View(
        status=_status(key, evidence, skew),
        word=life.value.word if life else None,
        unconfirmed=refresh_after is not None,
        refresh_after=refresh_after,
        amounts=_overlaid(confirmed_amounts, hinted_amounts),
        amounts_confirmed=hinted_amounts is None and confirmed_amounts is not None,
        lifecycle=life.value if life else None,
        lines=evidence.lines.value if evidence.lines else (),
        parcels=shown_parcels(evidence),
        refunds=tuple(_refunds(evidence, skew)),
        strange_words=strange_words,
        bookings=tuple(sorted(evidence.bookings)),
        inspected=tuple(sorted(waybill for waybill, one in evidence.inspections.items() if one.value)),
        objected=tuple(sorted(waybill for waybill, one in evidence.inspections.items() if not one.value)),
    )


def _horizon(seen: Observed[Any] | None, skew: Millis) -> Millis:
    """Return the last instant whose hints this snapshot supersedes."""
    return -1 if seen is None else seen.version.asked_at - skew


def _status(key: OrderKey, evidence: Evidence, skew: Millis) -> OrderStatus:
    """Return the rung of the best snapshot whose word we know, or a higher one that a later hint claims."""
    life = evidence.lifecycle
    status = map_word(key.platform, life.value.word) if life else OrderStatus.UNKNOWN
    horizon = _horizon(life, skew)
    if status is OrderStatus.UNKNOWN:  # a word that nobody knows moves nothing, and refutes no hint either
        horizon = _horizon(evidence.standing, skew)
        status = map_word(key.platform, evidence.standing.value) if evidence.standing else status
    if status is OrderStatus.AWAITING_SHIPMENT and _any_line_shipped(evidence):
        status = OrderStatus.PARTLY_SHIPPED  # the marketplace keeps the word of an unshipped order
    for name, stamp in evidence.status_hints.items():
        if stamp.at > horizon:
            hinted = _rung(name)
            status = hinted if hinted.rank > status.rank else status
    return status


def _any_line_shipped(evidence: Evidence) -> bool:
    lines = evidence.lines.value if evidence.lines else ()
    return any(line.logistics_status in _LINE_SHIPPED for line in lines)


def _rung(name: str) -> OrderStatus:
    return OrderStatus.UNKNOWN if name.startswith("?") else OrderStatus(name)


def _stamps(evidence: Evidence) -> Iterator[Stamp]:
    yield from evidence.status_hints.values()
    yield from (hint.stamp for hint in evidence.refund_hints.values())
    if evidence.nudge is not None:
        yield evidence.nudge


def _refresh_after(evidence: Evidence, skew: Millis, *, strange: bool) -> Millis | None:
    """Return after which instant the next read must be asked, None if nothing speaks against the best snapshot.

    `strange`: its word is one that nobody knows, so it confirms nothing.
    """
    life = evidence.lifecycle
    price = evidence.price_hint
    horizon = _horizon(life, skew)
    reasons = [stamp.at + skew for stamp in _stamps(evidence) if stamp.at > horizon]
    if price is not None and price.stamp.at > _horizon(evidence.amounts, skew):
        reasons.append(price.stamp.at + skew)
    if life is None:
        reasons.append(0)
    elif evidence.listed_at is not None and evidence.listed_at > life.version.modified_at:
        reasons.append(evidence.listed_at)
    pause = STALE_READ_PAUSE
    if life is not None and strange and not reasons:
        reasons.append(life.version.modified_at)
        pause = STRANGE_WORD_PAUSE
    if not reasons:
        return None
    wanted = max(reasons)
    asked_at = evidence.asked_at
    if asked_at is None or asked_at < wanted:
        return wanted
    # A read that should have settled it answered older than what we know: ask again, more and more rarely.
    return asked_at + min(max(pause, (asked_at - wanted) // 2), MAX_READ_PAUSE)


def _overlaid(confirmed: Amounts | None, hinted: Amounts | None) -> Amounts | None:
    if hinted is None or confirmed is None:
        return hinted or confirmed
    known = {name: getattr(hinted, name) for name in hinted.__struct_fields__ if getattr(hinted, name) is not None}
    return msgspec.structs.replace(confirmed, **known)


def _refunds(evidence: Evidence, skew: Millis) -> Iterator[Refund]:
    for refund_id in sorted(evidence.refunds.keys() | evidence.refund_hints.keys() | evidence.refund_reads.keys()):
        shown, alone = evidence.refunds.get(refund_id), evidence.refund_reads.get(refund_id)
        observed = latest_refund(shown, alone)
        hint = evidence.refund_hints.get(refund_id)
        detail = evidence.refund_details.get(refund_id)
        told = [seen.value for seen in (alone, shown, hint, detail) if seen is not None]
        if observed is not None and (hint is None or hint.stamp.at <= _horizon(observed, skew)):
            yield _refund(observed.value, told, confirmed=True)
        elif hint is not None:
            yield _refund(hint.value, told, confirmed=False)


def _refund(latest: RefundSeen, told: list[RefundSeen], *, confirmed: bool) -> Refund:
    """Return a refund in its latest state; what that does not say (most do not name an amount) is taken from others."""
    told = [latest, *told]
    return Refund(
        refund_id=latest.refund_id,
        status=map_refund_word(latest.word),
        word=latest.word,
        amount=next((one.amount for one in told if one.amount is not None), None),
        line_ids=next((one.line_ids for one in told if one.line_ids), ()),
        confirmed=confirmed,
        reason=next((one.reason for one in told if isinstance(one.reason, str)), None),
    )


def _strange_words(key: OrderKey, evidence: Evidence, skew: Millis) -> tuple[str, ...]:
    life = evidence.lifecycle
    horizon = _horizon(life, skew)
    strange = {name[1:] for name, stamp in evidence.status_hints.items() if name[0] == "?" and stamp.at > horizon}
    if life is not None and map_word(key.platform, life.value.word) is OrderStatus.UNKNOWN:
        strange.add(life.value.word)
    return tuple(sorted(strange))
