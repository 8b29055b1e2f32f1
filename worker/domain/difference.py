"""Where what is known of an order differs from what the marketplace says now: field by field, for people."""

from __future__ import annotations

from typing import Any

from worker.domain.evidence import Evidence, absorb
from worker.domain.facts import Fact
from worker.domain.reducer import Order
from worker.domain.view import View


def view_of(fact: Fact) -> View:
    """Return the order as this one read shows it."""
    return Order.of(fact.key, absorb(Evidence(), fact, fact.derive_id())).view


def differences(known: View, fresh: View) -> dict[str, tuple[Any, Any]]:
    """Return the fields that differ: name → (known, fresh), amounts in minor units.

    Refunds that the read does not name are no difference: an order's detail tells of some refunds only.
    """
    named = {refund.refund_id for refund in fresh.refunds}
    pairs: dict[str, tuple[Any, Any]] = {
        "status": (known.status.value, fresh.status.value),
        "paid": (known.is_paid, fresh.is_paid),
        "total": (known.amounts.total if known.amounts else None, fresh.amounts.total if fresh.amounts else None),
        "currency": _currencies(known, fresh),
        "lines": (_lines(known), _lines(fresh)),
        "parcels": (_parcels(known), _parcels(fresh)),
        "refunds": (_refunds(known, named), _refunds(fresh, named)),
    }
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _currencies(known: View, fresh: View) -> tuple[str | None, str | None]:
    return (known.amounts.currency if known.amounts else None, fresh.amounts.currency if fresh.amounts else None)


def _lines(view: View) -> list[tuple[Any, ...]]:
    return sorted((line.line_id, line.amount, line.status_word, line.logistics_status) for line in view.lines)


def _parcels(view: View) -> list[tuple[Any, ...]]:
    return sorted((parcel.parcel_id, parcel.waybill, parcel.status_word) for parcel in view.parcels)


def _refunds(view: View, named: set[str]) -> list[tuple[str, str]]:
    return sorted((one.refund_id, one.status.value) for one in view.refunds if one.refund_id in named)
