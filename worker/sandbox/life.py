"""Writing the script of one order's life, before it begins, from the seed and the order's number alone.

The script says what happens and how long it takes. Only the moments depend on the clock, and only one thing on the
outside world: whether and when the money comes. `before` runs until the money is taken, `after` from the moment the
order is shown as paid.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Literal

from worker.sandbox.goods import CARRIERS, NO_WAYBILL, Goods, invent_goods, invent_party, invent_waybill
from worker.sandbox.parcelling import Load, load_parcels
from worker.sandbox.refund import LACKING, UNWANTED
from worker.sandbox.script import (
    ApplyRefund,
    ChangePrice,
    Close,
    Confirm,
    ConfirmPart,
    Life,
    Receive,
    ReplaceWaybill,
    SettleRefund,
    Ship,
    Sign,
    Step,
    Succeed,
)
from worker.sandbox.seeded import spread, stream

MINUTE = 60.0
HOUR = 3600.0
FIRST_ORDER_ID = 3_300_000_000_000_000_001
"""19 digits, beyond 2^53, and odd with all its followers: no float can hold one of them."""
_ID_STRIDE = 2_000_000

# How common each turn of a life is (shares of 1).
OTHER_ZONE = 0.10
SHOWS_PAYING = 0.5
CLOSED_BY_BUYER, CLOSED_BY_SELLER = 0.06, 0.04
SMALL_CHANGE, SAME_POSTAGE, THERE_AND_BACK = 0.5, 0.6, 0.33
REFUND_UNSHIPPED, REFUND_ON_THE_WAY, REFUND_GRANTED = 0.09, 0.09, 0.7
CONFIRMED_IN_PARTS, WAYBILL_REPLACED, WITHOUT_WAYBILL = 0.3, 0.12, 0.02
REFUNDED_IN_FULL, REFUNDED_IN_PART = 0.02, 0.35

MAX_LINES = 90
"""What fits between two order ids."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large an order is to be; `parcels` at most as many as lines."""

    lines: int
    parcels: int

    def __post_init__(self) -> None:
        if not 1 <= self.parcels <= self.lines <= MAX_LINES:
            raise ValueError(f"expected 1 <= parcels <= lines <= {MAX_LINES}, got {self.parcels} and {self.lines}")


LARGE = Size(lines=60, parcels=7)


def write_life(
    seed: int,
    number: int,
    agreement_share: float,
    person_share: float,
    *,
    size: Size | None = None,
    goods: tuple[Goods, ...] = (),
) -> Life:
    """The script of order `number` (from 0). `size` None: the dice say; `goods`: what somebody ordered."""
    rng = stream(seed, "life", number)
    if not goods:
        count = size.lines if size else rng.choice((1, 1, 2, 2, 3, 4))
        goods = tuple(invent_goods(rng) for _ in range(count))
    shipping_fen = rng.choice((0, 300, 600, 800, 1250))
    agreement, person = rng.random() < agreement_share, rng.random() < person_share
    person_after_s = spread(rng, HOUR, 8 * HOUR)
    return Life(
        number=number,
        order_id=FIRST_ORDER_ID + number * _ID_STRIDE + 2 * rng.randrange(_ID_STRIDE // 2 - 100),
        goods=goods,
        shipping_fen=shipping_fen,
        buyer=invent_party(stream(seed, "buyer"), "买"),
        seller=invent_party(rng, "卖"),
        offset_h=-7 if rng.random() < OTHER_ZONE else 8,
        agreement=agreement,
        person_after_s=person_after_s if person and not agreement else None,
        settle_share=rng.uniform(0.1, 1.0),
        shows_paying=rng.random() < SHOWS_PAYING,
        before=tuple(_before_payment(rng, goods, shipping_fen)),
        after=tuple(_turned(stream(seed, "turns", number), _after_payment(stream(seed, "after", number), goods, size))),
    )


def _before_payment(rng: random.Random, goods: tuple[Goods, ...], shipping_fen: int) -> list[Step]:
    steps = [Step(spread(rng, 2 * MINUTE, 6 * HOUR), deed) for deed in _price_changes(rng, goods, shipping_fen)]
    ending = rng.random()
    if ending < CLOSED_BY_BUYER + CLOSED_BY_SELLER:
        by: Literal["buyer", "seller"] = "buyer" if ending < CLOSED_BY_BUYER else "seller"
        steps.append(Step(spread(rng, 10 * MINUTE, 12 * HOUR), Close(by)))
    return steps


def _price_changes(rng: random.Random, goods: tuple[Goods, ...], shipping_fen: int) -> list[ChangePrice]:
    """Up to three changes; a third of the series go A, B, A (, B): the same figures come twice."""
    count = rng.choices((0, 1, 2, 3), (60, 20, 12, 8))[0]
    start = ChangePrice(shipping_fen, (0,) * len(goods))
    if count > 1 and rng.random() < THERE_AND_BACK:
        other = _new_price(rng, goods, shipping_fen)
        return [other, start, other][:count]
    return [_new_price(rng, goods, shipping_fen) for _ in range(count)]


def _new_price(rng: random.Random, goods: tuple[Goods, ...], shipping_fen: int) -> ChangePrice:
    """Half of the changes stay within two per cent; the others go from 30 % less to 10 % more."""
    low, high = (-0.02, 0.01) if rng.random() < SMALL_CHANGE else (-0.30, 0.10)
    discounts = tuple(round(line.price_fen * line.quantity * rng.uniform(low, high)) for line in goods)
    return ChangePrice(shipping_fen if rng.random() < SAME_POSTAGE else rng.choice((0, 300, 600, 1000)), discounts)


def _after_payment(rng: random.Random, goods: tuple[Goods, ...], size: Size | None) -> list[Step]:
    refund = rng.random()
    granted = rng.random() < REFUND_GRANTED
    line = rng.randrange(len(goods))
    before_shipping = refund < REFUND_UNSHIPPED
    asks = _asks(rng, line, granted=granted, reason=LACKING if before_shipping else UNWANTED)
    on_the_way = not before_shipping and refund < REFUND_UNSHIPPED + REFUND_ON_THE_WAY
    if before_shipping and granted and len(goods) == 1:
        return asks  # nothing is left to ship: the refund closes the trade
    left = [place for place in range(len(goods)) if not (before_shipping and granted and place == line)]
    steps = [*(asks if before_shipping else ()), *_shipping(rng, goods, left, size)]
    if on_the_way:
        steps += asks
        if granted and len(goods) == 1:
            return steps
    loads = sum(isinstance(step.deed, Ship) for step in steps)
    if loads > 1 and rng.random() < CONFIRMED_IN_PARTS:
        steps.append(Step(spread(rng, HOUR, 24 * HOUR), ConfirmPart(0)))
    steps.append(Step(spread(rng, 12 * HOUR, 48 * HOUR), Receive()))
    steps.append(Step(spread(rng, HOUR, 12 * HOUR), Confirm()))
    steps.append(Step(spread(rng, HOUR, 12 * HOUR), Succeed()))
    return steps


def _asks(rng: random.Random, line: int, *, granted: bool, reason: str) -> list[Step]:
    """What has not left the seller is asked back because he lacks it."""
    applied_s = spread(rng, 0.5 * HOUR, 6 * HOUR)
    refund_id = f"TQ{rng.randrange(10**17, 10**18)}"
    settled_s = spread(rng, 0.5 * HOUR, 12 * HOUR)
    return [
        Step(applied_s, ApplyRefund(refund_id, line, reason=reason)),
        Step(settled_s, SettleRefund(refund_id, granted)),
    ]


def _turned(rng: random.Random, steps: list[Step]) -> list[Step]:
    """Rarer turns: parcels signed for one by one, refunds of a part, and orders of which all is paid back unshipped."""
    ships = [place for place, step in enumerate(steps) if isinstance(step.deed, Ship)]
    refunds = [place for place, step in enumerate(steps) if isinstance(step.deed, ApplyRefund)]
    if ships and not refunds and rng.random() < REFUNDED_IN_FULL:
        lines = sorted({line for place in ships for line in steps[place].deed.lines})  # type: ignore[union-attr]
        return [step for line in lines for step in _asks(rng, line, granted=True, reason=LACKING)]
    ends_well = isinstance(steps[-1].deed, Succeed)
    turned = list(steps)
    for place in refunds:
        deed = steps[place].deed
        late = bool(ships) and place > ships[-1]  # of what is shipped, a part can be paid back and the rest go on
        if isinstance(deed, ApplyRefund) and late and ends_well and rng.random() < REFUNDED_IN_PART:
            share = rng.uniform(0.1, 0.6)
            turned[place] = Step(steps[place].gap_s, replace(deed, share=share))
    if len(ships) > 1 and ends_well:
        taken = next(place for place, step in enumerate(turned) if isinstance(step.deed, ConfirmPart | Receive))
        turned[taken:taken] = [Step(spread(rng, HOUR, 6 * HOUR), Sign(parcel)) for parcel in range(len(ships) - 1)]
    return turned


def _shipping(rng: random.Random, goods: tuple[Goods, ...], left: list[int], size: Size | None) -> list[Step]:
    loads = load_parcels(rng, left, [line.quantity for line in goods], size.parcels if size else None)
    steps: list[Step] = []
    for parcel, load in enumerate(loads):
        ship = _ship(rng, parcel, load, last=parcel == len(loads) - 1)
        steps.append(Step(spread(rng, HOUR, (12 if parcel else 24) * HOUR), ship))
        if ship.waybill != NO_WAYBILL and rng.random() < WAYBILL_REPLACED:
            carrier = rng.choice(CARRIERS)
            change = ReplaceWaybill(parcel, carrier, invent_waybill(rng, carrier))
            steps.append(Step(spread(rng, 0.5 * HOUR, 3 * HOUR), change))
    return steps


def _ship(rng: random.Random, parcel: int, load: Load, *, last: bool) -> Ship:
    carrier = rng.choice(CARRIERS)
    waybill = invent_waybill(rng, carrier)
    return Ship(
        parcel=parcel,
        parcel_id=rng.randrange(50_000_000_000_000, 60_000_000_000_000),
        logistics_code=f"LP00{rng.randrange(10**12, 10**13)}",
        carrier=carrier,
        waybill=NO_WAYBILL if rng.random() < WITHOUT_WAYBILL else waybill,
        lines=load.lines,
        unfinished=load.unfinished,
        last=last,
    )
