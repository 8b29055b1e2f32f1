"""The marketplace's own books and truth: what really happened, whoever believes what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from worker.sandbox.ledgers import Booking, Cancel, Ledgers, Payment, Receipt, WarehouseNotice
from worker.sandbox.truth import TrueOrder, TrueRefund

OUR_CALL = "agreement"
"""How a payment was made by our call; a person at the marketplace's page may pay, too."""


class Books(msgspec.Struct, frozen=True):
    """What really happened, row by row, and how every order really is."""

    payments: Sequence[Payment]
    receipts: Sequence[Receipt]
    bookings: Sequence[Booking]
    cancels: Sequence[Cancel]
    notices: Sequence[WarehouseNotice]
    orders: Mapping[str, TrueOrder]

    def refunds_open(self, order_id: str, at: int) -> list[TrueRefund]:
        """Return the refunds of an order that were open at an instant."""
        order = self.orders.get(order_id)
        refunds = () if order is None else order.refunds
        return [one for one in refunds if one.applied_at <= at and (one.settled_at is None or one.settled_at > at)]


def books_of(ledgers: Ledgers, truth: Iterable[TrueOrder]) -> Books:
    """Return the books of a sandbox in this process."""
    return Books(
        ledgers.payments,
        ledgers.receipts,
        ledgers.bookings,
        ledgers.cancels,
        ledgers.warehouse_notices,
        {order.order_id: order for order in truth},
    )


def read_books(rows: Mapping[str, Sequence[Mapping[str, Any]]], truth: Iterable[Mapping[str, Any]]) -> Books:
    """Return the books as a sandbox shows them: rows by the names of `/_sandbox/ledgers/{name}`, and the truth."""
    return Books(
        msgspec.convert(rows["payments"], list[Payment]),
        msgspec.convert(rows["receipts"], list[Receipt]),
        msgspec.convert(rows["bookings"], list[Booking]),
        msgspec.convert(rows["cancels"], list[Cancel]),
        msgspec.convert(rows["warehouse-notices"], list[WarehouseNotice]),
        {order["order_id"]: msgspec.convert(order, TrueOrder) for order in truth},
    )
