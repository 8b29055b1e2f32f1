"""The deeds that make up an order's life, and the life itself as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from worker.sandbox import pacing
from worker.sandbox.goods import WAREHOUSE, Address, Carrier, Goods, Party
from worker.sandbox.refund import UNWANTED


@dataclass(frozen=True, slots=True)
class ChangePrice:
    """The seller sets the postage and each line's discount (signed: negative makes it cheaper); fen."""

    shipping_fen: int
    discounts_fen: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Close:
    """Buyer or seller closes the unpaid order; the platform's own time-out is not scripted."""

    by: Literal["buyer", "seller", "platform"]


@dataclass(frozen=True, slots=True)
class Ship:
    """One parcel leaves. `lines` and `unfinished` are positions of lines; unfinished ones have more to come."""

    parcel: int
    parcel_id: int
    logistics_code: str
    carrier: Carrier
    waybill: str
    lines: tuple[int, ...]
    unfinished: tuple[int, ...]
    last: bool


@dataclass(frozen=True, slots=True)
class ReplaceWaybill:
    """Another waybill number for the same logistics id."""

    parcel: int
    carrier: Carrier
    waybill: str


@dataclass(frozen=True, slots=True)
class ApplyRefund:
    """The buyer asks for one line's money back, or for a share of it."""

    refund_id: str
    line: int
    share: float = 1.0
    reason: str = UNWANTED


@dataclass(frozen=True, slots=True)
class SettleRefund:
    """The seller pays back, or the buyer withdraws the request."""

    refund_id: str
    granted: bool


@dataclass(frozen=True, slots=True)
class Sign:
    """One parcel of several is signed for."""

    parcel: int


@dataclass(frozen=True, slots=True)
class Receive:
    """The buyer signs for everything: no push tells of it."""


@dataclass(frozen=True, slots=True)
class ConfirmPart:
    """The buyer confirms one parcel of several: a confirm push, while the order's status stays."""

    parcel: int


@dataclass(frozen=True, slots=True)
class Confirm:
    """The buyer confirms the receipt: money goes to the seller."""


@dataclass(frozen=True, slots=True)
class Succeed:
    """The trade is complete."""


Deed: TypeAlias = (
    ChangePrice
    | Close
    | Ship
    | ReplaceWaybill
    | ApplyRefund
    | SettleRefund
    | Sign
    | Receive
    | ConfirmPart
    | Confirm
    | Succeed
)


@dataclass(frozen=True, slots=True)
class Step(pacing.Step[Deed]):
    """One step of an order's life."""


@dataclass(frozen=True, slots=True)
class Life:
    """Everything about one order that the seed decides."""

    number: int
    order_id: int
    goods: tuple[Goods, ...]
    shipping_fen: int
    buyer: Party
    seller: Party
    offset_h: int
    """Zone of this order's time texts: +8, for some orders -7."""
    agreement: bool
    """The pay call pays at once."""
    person_after_s: float | None
    """Without agreement: how long after a pay URL was given out a person pays; None: nobody does."""
    settle_share: float
    """Part of the longest settle time during which taken money is not shown."""
    shows_paying: bool
    """While the money settles, the payment term says "in progress" (9) instead of "unpaid" (1)."""
    before: tuple[Step, ...]
    after: tuple[Step, ...]
    address: Address = WAREHOUSE
    message: str | None = None
    """What the buyer wrote to the seller when he ordered."""
