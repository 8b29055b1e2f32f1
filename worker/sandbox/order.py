"""The truth of one order: what the marketplace itself would know, and the only ways in which it changes.

Money is fen. Every change bumps `modified_ms`. Words are upstream's own.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from worker.sandbox.goods import NO_WAYBILL, Goods
from worker.sandbox.refund import CLOSED, GRANTED, UNWANTED, WAIT_AGREE, Refund, Role
from worker.sandbox.script import ChangePrice, Life, ReplaceWaybill, Ship

WAIT_PAY = "waitbuyerpay"
WAIT_SEND = "waitsellersend"
WAIT_RECEIVE = "waitbuyerreceive"
CONFIRMED = "confirm_goods"
SUCCESS = "success"
CANCEL = "cancel"

NOT_SHIPPED, SHIPPED, RECEIVED, PART_SHIPPED = 1, 2, 3, 5
"""A line's logisticsStatus."""


@dataclass(slots=True)
class Line:
    """One line of the order."""

    line_id: int
    goods: Goods
    status: str = WAIT_PAY
    logistics_status: int = NOT_SHIPPED
    discount_fen: int = 0

    @property
    def amount_fen(self) -> int:
        """What is really paid for this line."""
        return self.goods.price_fen * self.goods.quantity + self.discount_fen


@dataclass(slots=True)
class Parcel:
    """One shipment; keyed by its logistics id, because the waybill number may be replaced."""

    ship: Ship
    line_ids: tuple[int, ...]
    carrier_name: str
    carrier_code: str
    carrier_number: str
    waybill: str
    shipped_ms: int
    modified_ms: int
    signed_ms: int | None = None

    @property
    def signed(self) -> bool:
        """Tell whether somebody signed for it."""
        return self.signed_ms is not None

    @property
    def kind(self) -> str:
        """Upstream's type: "0" the seller's own choice of carrier, "2" no logistics."""
        return "2" if self.waybill == NO_WAYBILL else "0"


@dataclass(frozen=True, slots=True)
class Shipment:
    """One international shipment that was booked for the order."""

    number: str
    company: str
    booked_ms: int


@dataclass(slots=True)
class Order:
    """One order. Methods assume that the director calls them in an order the marketplace allows."""

    life: Life
    created_ms: int
    modified_ms: int
    shipping_fen: int
    lines: list[Line]
    status: str = WAIT_PAY
    parcels: list[Parcel] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)
    shipments: list[Shipment] = field(default_factory=list)
    close_reason: str | None = None
    close_operate_type: str | None = None
    settling: bool = False
    """Money was taken, but the order is not yet shown as paid."""
    pay_how: str | None = None
    paid_ms: int | None = None
    all_delivered_ms: int | None = None
    received_ms: int | None = None
    confirmed_ms: int | None = None
    completed_ms: int | None = None
    price_changes: int = 0
    person_called: bool = False
    """A pay URL was handed out and somebody will follow it."""

    @property
    def order_id(self) -> str:
        """The id as text."""
        return str(self.life.order_id)

    @property
    def goods_fen(self) -> int:
        """Sum of the lines."""
        return sum(line.amount_fen for line in self.lines)

    @property
    def total_fen(self) -> int:
        """What the buyer pays."""
        return self.goods_fen + self.shipping_fen

    @property
    def refunded_fen(self) -> int:
        """Money given back so far."""
        return sum(refund.amount_fen for refund in self.refunds if refund.status == "refundsuccess")

    @property
    def paid(self) -> bool:
        """Shown as paid."""
        return self.paid_ms is not None

    @property
    def ended(self) -> bool:
        """Complete or closed: nothing but refunds happens any more."""
        return self.status in (SUCCESS, CANCEL)

    @property
    def refund_open(self) -> bool:
        """A refund waits for its end."""
        return any(refund.open for refund in self.refunds)

    @property
    def payable(self) -> bool:
        """A payment would be taken, also a second one while the first settles."""
        return self.status == WAIT_PAY

    def copy(self) -> Order:
        """The order as it is now, for reads that lag behind."""
        return replace(
            self,
            lines=[replace(line) for line in self.lines],
            parcels=[replace(parcel) for parcel in self.parcels],
            refunds=[replace(refund, operations=list(refund.operations)) for refund in self.refunds],
            shipments=list(self.shipments),
        )

    def reprice(self, change: ChangePrice, now_ms: int) -> None:
        """The seller's new figures replace the old ones."""
        self.shipping_fen = change.shipping_fen
        for line, discount_fen in zip(self.lines, change.discounts_fen, strict=True):
            line.discount_fen = discount_fen
        self.price_changes += 1
        self.modified_ms = now_ms

    def start_payment(self, how: str, now_ms: int) -> None:
        """The money is gone; whether the order shows it depends on its life."""
        self.settling = True
        self.pay_how = how
        if self.life.shows_paying:
            self.modified_ms = now_ms

    def show_paid(self, now_ms: int) -> None:
        """The payment has settled."""
        self.settling = False
        self.paid_ms = self.modified_ms = now_ms
        self._move(WAIT_SEND)

    def ship(self, ship: Ship, now_ms: int) -> None:
        """One parcel leaves; the order stays `waitsellersend` until the last one. Cancelled lines stay behind."""
        places = [place for place in ship.lines if self.lines[place].status != CANCEL]
        lines = [self.lines[place] for place in places]
        for place, line in zip(places, lines, strict=True):
            done = place not in ship.unfinished
            line.logistics_status = SHIPPED if done else PART_SHIPPED
            line.status = WAIT_RECEIVE if done else line.status
        carrier = ship.carrier
        ids = tuple(line.line_id for line in lines)
        parcel = Parcel(ship, ids, carrier.name, carrier.code, carrier.number, ship.waybill, now_ms, now_ms)
        self.parcels += [parcel] if lines else []
        if ship.last and self.parcels:
            self._move(WAIT_RECEIVE)
            self.all_delivered_ms = now_ms
        self.modified_ms = now_ms

    def replace_waybill(self, change: ReplaceWaybill, now_ms: int) -> None:
        """Same logistics id, other number, perhaps another carrier."""
        parcel = self.parcel(change.parcel)
        if parcel is None:
            return
        parcel.waybill = change.waybill
        parcel.carrier_name, parcel.carrier_code = change.carrier.name, change.carrier.code
        parcel.carrier_number = change.carrier.number
        parcel.modified_ms = self.modified_ms = now_ms

    def parcel(self, number: int) -> Parcel | None:
        """The parcel that the script calls `number`; None if it never left."""
        return next((parcel for parcel in self.parcels if parcel.ship.parcel == number), None)

    def refund_of(self, place: int) -> Refund | None:
        """The latest refund of a line."""
        return next((refund for refund in reversed(self.refunds) if place in refund.lines), None)

    def refundable_fen(self, place: int) -> int:
        """All of a line; the last line that is left takes the postage with it."""
        others = (line for other, line in enumerate(self.lines) if other != place)
        postage_fen = 0 if any(line.status != CANCEL for line in others) else self.shipping_fen
        return self.lines[place].amount_fen + postage_fen

    def apply_refund(self, refund_id: str, place: int, amount_fen: int, now_ms: int, reason: str = UNWANTED) -> Refund:
        """Somebody asks for a line's money, or a part of it."""
        refund = Refund(refund_id, place, amount_fen, now_ms, reason=reason)
        self.ask_refund(refund, now_ms)
        return refund

    def ask_refund(self, refund: Refund, now_ms: int) -> None:
        """Somebody asks for money back."""
        refund.note(WAIT_AGREE, "BUYER_APPLY_REFUND", "buyer", now_ms)
        self.refunds.append(refund)
        self.modified_ms = now_ms

    def settle_refund(self, refund: Refund, now_ms: int, *, granted: bool, action: str = "") -> None:
        """A granted refund of whole unshipped lines cancels the lines; of everything, the trade."""
        usual = "SELLER_AGREE_REFUND" if granted else "BUYER_CANCEL_REFUND_CLOSE"
        by: Role = "seller" if granted else "buyer"
        refund.note(GRANTED if granted else CLOSED, action or usual, by, now_ms)
        refund.settled_ms = self.modified_ms = now_ms
        for place in refund.lines:
            line = self.lines[place]
            if granted and self.refunded(place) and line.logistics_status == NOT_SHIPPED:
                line.status = CANCEL
        if granted and not self.ended and all(self.refunded(place) for place in range(len(self.lines))):
            self.close("other", "CLOSE_TRADE_BY_SELLER", now_ms)

    def refunded(self, place: int) -> bool:
        """A line's money was given back, all of it."""
        refund = self.refund_of(place)
        if refund is None or refund.status != GRANTED:
            return False
        return refund.amount_fen >= sum(self.lines[one].amount_fen for one in refund.lines)

    def book(self, shipment: Shipment) -> None:
        """The order shows its international shipment."""
        self.shipments.append(shipment)
        self.modified_ms = shipment.booked_ms

    def sign(self, parcel: Parcel, now_ms: int) -> None:
        """One parcel was signed for; a line is received once all its parcels are."""
        parcel.signed_ms = now_ms
        for line in self.lines:
            waits = any(line.line_id in other.line_ids and not other.signed for other in self.parcels)
            if line.logistics_status == SHIPPED and not waits:
                line.logistics_status = RECEIVED
        parcel.modified_ms = self.modified_ms = now_ms

    def receive(self, now_ms: int) -> None:
        """Everything was signed for; the status waits for the confirmation."""
        for parcel in self.parcels:
            parcel.signed_ms = now_ms if parcel.signed_ms is None else parcel.signed_ms
        for line in self.lines:
            line.logistics_status = RECEIVED if line.logistics_status == SHIPPED else line.logistics_status
        self.received_ms = self.modified_ms = now_ms

    def confirm_lines(self, lines: list[Line], now_ms: int) -> None:
        """The receipt of some lines is confirmed; the order waits for the others."""
        for line in lines:
            line.status, line.logistics_status = CONFIRMED, RECEIVED
        self.modified_ms = now_ms

    def confirm(self, now_ms: int) -> None:
        """The receipt of all is confirmed."""
        self._move(CONFIRMED)
        self.received_ms = self.received_ms or now_ms
        self.confirmed_ms = self.modified_ms = now_ms

    def succeed(self, now_ms: int) -> None:
        """The end of a good trade."""
        self._move(SUCCESS)
        self.completed_ms = self.modified_ms = now_ms

    def close(self, reason: str, operate_type: str, now_ms: int) -> None:
        """The end of every other trade."""
        self._move(CANCEL)
        self.close_reason, self.close_operate_type = reason, operate_type
        self.completed_ms = self.modified_ms = now_ms

    def _move(self, status: str) -> None:
        self.status = status
        for line in self.lines:
            confirmed_early = line.status == CONFIRMED and status == WAIT_RECEIVE
            line.status = line.status if line.status == CANCEL or confirmed_early else status


def open_order(life: Life, now_ms: int) -> Order:
    """A new order. Upstream gives a single line the order's own id."""
    first = life.order_id
    several = len(life.goods) > 1
    lines = [Line(first + 2 * (place + 1) * several, goods) for place, goods in enumerate(life.goods)]
    return Order(life, created_ms=now_ms, modified_ms=now_ms, shipping_fen=life.shipping_fen, lines=lines)
