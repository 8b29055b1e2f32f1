"""What really happened behind the API, row by row: the truth against which "twice" and "too early" are proved.

Nothing ever removes or changes a row. Times are Unix milliseconds, money is fen, ids are text.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal

import msgspec

How = Literal["agreement", "page", "voucher"]
Platform = Literal["1688", "taobao"]


class Payment(msgspec.Struct, frozen=True):
    """Money that really left the buyer."""

    order_id: str
    amount_fen: int
    at: int
    how: How
    call_no: int
    """1 for the first payment of an order; anything above it is money spent twice."""
    platform: Platform = "1688"


class Receipt(msgspec.Struct, frozen=True):
    """A receipt that was confirmed: the money of these lines went to the seller."""

    order_id: str
    line_ids: list[str]
    amount_fen: int
    at: int
    by: Literal["call", "buyer"]
    """`buyer`: the person at the marketplace's own page, i.e. the script of the order's life."""
    whole: bool
    """With it every line of the order is confirmed."""
    signed: bool
    """Every parcel of these lines had been signed for."""
    refund_open: bool
    """A refund of one of these lines was still open."""


class Cancel(msgspec.Struct, frozen=True):
    """An order that our call closed before it was paid."""

    order_id: str
    amount_fen: int
    at: int
    reason: str
    platform: Platform = "1688"


class Created(msgspec.Struct, frozen=True):
    """An order that our call created."""

    order_id: str
    amount_fen: int
    at: int
    external_id: str | None
    platform: Platform = "1688"


class Render(msgspec.Struct, frozen=True):
    """A freight preview that was given out."""

    render_id: str
    amount_fen: int
    currency: str
    service_id: str
    at: int
    expires_at: int


class Booking(msgspec.Struct, frozen=True):
    """An international shipment that was really booked, and will be charged."""

    number: str
    render_id: str
    order_id: str
    amount_fen: int
    currency: str
    service_id: str
    at: int
    order_call_no: int
    """1 for the first booking of an order."""
    content: dict[str, Any]


class WarehouseNotice(msgspec.Struct, frozen=True):
    """What the warehouse was told of an order's domestic parcels, whole."""

    order_id: str
    at: int
    content: dict[str, Any]
    repeats: int
    """How many earlier notices of this order had exactly this content; above 0 it was told twice of one change."""


class Inbound(msgspec.Struct, frozen=True):
    """A message about a package in the warehouse (Xport/KA)."""

    order_id: str
    waybill: str
    kind: Literal["forecast", "inbound", "update"]
    at: int
    content: dict[str, Any]


class RefundRequest(msgspec.Struct, frozen=True):
    """A refund that our call asked for."""

    refund_id: str
    order_id: str
    line_ids: list[str]
    amount_fen: int
    at: int
    platform: Platform = "1688"


class Refusal(msgspec.Struct, frozen=True):
    """An effect that was asked for and refused: nothing happened."""

    operation: str
    order_id: str
    at: int
    reason: str


class Ledgers:
    """All books of one sandbox, by name."""

    def __init__(self) -> None:
        self.payments: list[Payment] = []
        self.receipts: list[Receipt] = []
        self.cancels: list[Cancel] = []
        self.created: list[Created] = []
        self.renders: list[Render] = []
        self.bookings: list[Booking] = []
        self.warehouse_notices: list[WarehouseNotice] = []
        self.inbounds: list[Inbound] = []
        self.refunds: list[RefundRequest] = []
        self.refusals: list[Refusal] = []

    @property
    def books(self) -> dict[str, list[Any]]:
        """Every book by the name under which `/_sandbox/ledgers/{name}` shows it."""
        return {name.replace("_", "-"): rows for name, rows in vars(self).items()}

    @property
    def double_payments(self) -> int:
        """Payments beyond the first of an order."""
        return len(self.payments) - len({(row.platform, row.order_id) for row in self.payments})

    @property
    def double_bookings(self) -> int:
        """Bookings beyond the first of an order. Several are right where an order travels in several shipments."""
        return sum(count - 1 for count in Counter(row.order_id for row in self.bookings).values())
