"""One refund: what was asked for, how it stands, and what was done about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Role = Literal["buyer", "seller", "system"]
Dispute = Literal["refund", "returnRefund"]

WAIT_AGREE = "waitselleragree"
WAIT_MODIFY = "waitbuyermodify"
WAIT_SEND = "waitbuyersend"
WAIT_RECEIVE = "waitsellerreceive"
GRANTED = "refundsuccess"
CLOSED = "refundclose"

UNWANTED, LACKING = "不想要了", "缺货"
"""Why money is asked back: the buyer does not want it any more, the seller does not have it."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One step of a refund. `action` is upstream's `refundAction`."""

    before: str | None
    after: str
    action: str
    by: Role
    at: int


@dataclass(slots=True)
class Refund:
    """One refund. Status in the order's spelling; money is fen."""

    refund_id: str
    line: int
    amount_fen: int
    applied_ms: int
    status: str = WAIT_AGREE
    settled_ms: int | None = None
    more_lines: tuple[int, ...] = ()
    """Further lines that it is about."""
    carriage_fen: int = 0
    """Of the amount, the postage."""
    dispute: Dispute = "refund"
    before_shipping: bool = False
    """Asked for when nothing of it had left."""
    after_sale: bool = False
    """Asked for when the trade was complete already."""
    reason: str = UNWANTED
    freight_bill: str | None = None
    """The waybill with which the goods go back."""
    operations: list[Operation] = field(default_factory=list)

    @property
    def lines(self) -> tuple[int, ...]:
        """All lines that it is about, as places in the order."""
        return (self.line, *self.more_lines)

    @property
    def open(self) -> bool:
        """It waits for its end."""
        return self.settled_ms is None

    @property
    def changed_ms(self) -> int:
        """When it last changed."""
        return self.operations[-1].at if self.operations else self.settled_ms or self.applied_ms

    def note(self, after: str, action: str, by: Role, at: int) -> None:
        """Take a step."""
        before = self.operations[-1].after if self.operations else None
        self.operations.append(Operation(before, after, action, by, at))
        self.status = after
