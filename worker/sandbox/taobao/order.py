"""The truth of one purchase order and its sub-orders, and the only ways in which it changes.

Money is fen. Every change bumps `modified_ms`. Words are the upstream's, spelling included.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from worker.sandbox.goods import Carrier, Goods
from worker.sandbox.order import Shipment
from worker.sandbox.taobao.script import SALES_ID_AHEAD, TaobaoLife

BUILDING: Final = "BULIDING"
WAIT_PAY: Final = "WAIT_BUYER_P"
VOUCHER_SENT: Final = "ORDER_PAY_STATUS"
FINANCE_PASSED: Final = "ORDER_FINANCE_PASS_STATUS"
PAYING: Final = "WAIT_FINANCE_PAY"
WAIT_SEND: Final = "WAIT_SELLER_SEND_GOODS"
SHIPPED: Final = "WAIT_BUYER_CONFIRM_GOODS"
CLOSED: Final = "TRADE_CLOSED"
CODES: Final = {
    BUILDING: 12,
    WAIT_PAY: 0,
    VOUCHER_SENT: 1,
    FINANCE_PASSED: 2,
    PAYING: 5,
    WAIT_SEND: 10,
    SHIPPED: 11,
    CLOSED: 4,
}
"""Documented for Xport's list."""

NO_REFUND, APPLIED, AGREED, RETURNED, REFUNDED, REFUSED, WITHDRAWN = 0, 10, 20, 30, 100, -10, -20
REFUND_ENDS: Final = frozenset({REFUNDED, WITHDRAWN})


@dataclass(slots=True)
class TaobaoRefund:
    """The after-sales case of one sub-order; `kind` 1 money only, 2 goods and money."""

    refund_id: int
    place: int
    fee_fen: int
    status: int
    created_ms: int
    modified_ms: int
    kind: int = 1
    goods_status: int = 3
    reason_id: int = 1
    description: str = ""
    return_carrier: str | None = None
    return_waybill: str | None = None
    messages: tuple[tuple[int, str, str], ...] = ()
    """When, who, what."""

    @property
    def open(self) -> bool:
        """Neither paid back nor withdrawn."""
        return self.status not in REFUND_ENDS


@dataclass(frozen=True, slots=True)
class TaobaoParcel:
    """One parcel of one sub-order, known by its number alone."""

    carrier: Carrier
    waybill: str
    sent_ms: int


@dataclass(slots=True)
class SubOrder:
    """One line."""

    sub_id: int
    goods: Goods
    status: str = BUILDING
    discount_fen: int = 0
    parcels: tuple[TaobaoParcel, ...] = ()
    close_reason: str | None = None
    dropped: bool = False
    """Cancelled before payment: nobody pays for it."""

    @property
    def amount_fen(self) -> int:
        """What the goods of the line cost."""
        return self.goods.price_fen * self.goods.quantity + self.discount_fen


@dataclass(slots=True)
class TaobaoOrder:
    """One purchase order. Methods assume that they are called in an order the marketplace allows."""

    life: TaobaoLife
    sales_id: int
    created_ms: int
    modified_ms: int
    postage_fen: int
    subs: list[SubOrder]
    seller_order_number: str | None = None
    order_source: str | None = None
    status: str = BUILDING
    refunds: list[TaobaoRefund] = field(default_factory=list)
    settling: bool = False
    paid_ms: int | None = None
    closed_ms: int | None = None
    price_changes: int = 0
    cancelling: bool = False
    """A cancel was accepted and is not carried out yet."""
    shipments: tuple[Shipment, ...] = ()
    warehouse: tuple[str, str] | None = None
    """Name and address of the warehouse the goods go to first."""

    @property
    def order_id(self) -> str:
        """The purchase order's id as text."""
        return str(self.life.purchase_id)

    @property
    def goods_fen(self) -> int:
        """Sum of the sub-orders that are to be paid; of all where all were cancelled."""
        return sum(sub.amount_fen for sub in [sub for sub in self.subs if not sub.dropped] or self.subs)

    @property
    def total_fen(self) -> int:
        """What the buyer pays."""
        return self.goods_fen + self.postage_fen

    @property
    def payable(self) -> bool:
        """A payment would be taken, also a second one while the first settles."""
        return self.status in (WAIT_PAY, PAYING) and self.paid_ms is None

    def build(self, now_ms: int) -> None:
        """It can be paid from now on."""
        self._move(WAIT_PAY, now_ms)

    def reprice(self, postage_fen: int, discounts_fen: tuple[int, ...], now_ms: int) -> None:
        """The seller's new figures replace the old ones."""
        self.postage_fen = postage_fen
        for sub, discount_fen in zip(self.subs, discounts_fen, strict=True):
            sub.discount_fen = discount_fen
        self.price_changes += 1
        self.modified_ms = now_ms

    def start_payment(self, now_ms: int) -> None:
        """The money is gone; whether the order shows it depends on its life."""
        self.settling = True
        if self.life.shows_paying:
            self._move(PAYING, now_ms)

    def show_paid(self, now_ms: int) -> None:
        """The payment has settled."""
        self.settling = False
        self.paid_ms = now_ms
        self._move(WAIT_SEND, now_ms)

    def upload_voucher(self, now_ms: int) -> None:
        """The buyer paid by bank and says so; finance will look."""
        self._move(VOUCHER_SENT, now_ms)

    def pass_finance(self, now_ms: int) -> None:
        """Finance has found the money."""
        self._move(FINANCE_PASSED, now_ms)

    def dispatch(self, places: tuple[int, ...], parcel: TaobaoParcel) -> None:
        """A parcel leaves; the order is shipped once every sub-order is."""
        for sub in (self.subs[place] for place in places):
            if sub.status != CLOSED:
                sub.parcels = (*sub.parcels, parcel)
                sub.status = SHIPPED
        if all(sub.status in (SHIPPED, CLOSED) for sub in self.subs):
            self.status = SHIPPED
        self.modified_ms = parcel.sent_ms

    def book(self, shipment: Shipment) -> None:
        """The order shows its international shipment."""
        self.shipments = (*self.shipments, shipment)
        self.modified_ms = shipment.booked_ms

    def rename(self, old: str, new: str, now_ms: int) -> None:
        """Another number on the same parcel."""
        for sub in self.subs:
            sub.parcels = tuple(
                replace(parcel, waybill=new) if parcel.waybill == old else parcel for parcel in sub.parcels
            )
        self.modified_ms = now_ms

    def ask_refund(self, refund: TaobaoRefund) -> None:
        """An after-sales case is opened."""
        self.refunds.append(refund)
        self.modified_ms = refund.created_ms

    def answer_refund(self, refund: TaobaoRefund, status: int, now_ms: int) -> None:
        """The case goes on; the money of an unshipped sub-order back means that it is closed."""
        refund.status, refund.modified_ms, self.modified_ms = status, now_ms, now_ms
        sub = self.subs[refund.place]
        if status == REFUNDED and not sub.parcels:
            sub.status, sub.close_reason = CLOSED, "refund"
            if all(other.status == CLOSED for other in self.subs):
                self.close("refund", now_ms)

    def refund_of(self, place: int) -> TaobaoRefund | None:
        """The latest case of a sub-order."""
        return next((refund for refund in reversed(self.refunds) if refund.place == place), None)

    def close_subs(self, places: list[int], reason: str, now_ms: int) -> None:
        """Some sub-orders are closed before payment; with the last one the order is."""
        for place in places:
            self.subs[place].status, self.subs[place].close_reason = CLOSED, reason
            self.subs[place].dropped = True
        self.modified_ms = now_ms
        if all(sub.status == CLOSED for sub in self.subs):
            self.close(reason, now_ms)

    def close(self, reason: str, now_ms: int) -> None:
        """The end, apart from refunds."""
        for sub in self.subs:
            sub.close_reason = sub.close_reason or reason
        self.closed_ms = now_ms
        self._move(CLOSED, now_ms)

    def _move(self, status: str, now_ms: int) -> None:
        self.status, self.modified_ms = status, now_ms
        for sub in self.subs:
            sub.status = sub.status if sub.status == CLOSED else status

    def copy(self) -> TaobaoOrder:
        """The order as it is now, for reads that lag behind."""
        return replace(
            self,
            subs=[replace(sub) for sub in self.subs],
            refunds=[replace(refund) for refund in self.refunds],
        )


def open_purchase(life: TaobaoLife, now_ms: int, *, two_ids: bool) -> TaobaoOrder:
    """A new order, still being built."""
    subs = [SubOrder(life.purchase_id + 2 * (place + 1), goods) for place, goods in enumerate(life.goods)]
    sales_id = life.purchase_id + SALES_ID_AHEAD * two_ids
    return TaobaoOrder(life, sales_id, now_ms, now_ms, life.postage_fen, subs)
