"""Writing the script of one order's life, before it begins, from the seed and the order's number alone.

The script says what happens and how long it takes. Only the moments depend on the clock, and only one thing on the
outside world: whether and when the money comes. `before` runs until the money is taken, `after` from the moment the
order is shown as paid.
"""

from __future__ import annotations

import random
from typing import Literal

from worker.sandbox.goods import CARRIERS, NO_WAYBILL, Goods, invent_goods, invent_party, invent_waybill
from worker.sandbox.parcelling import Load, load_parcels
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


def write_life(seed: int, number: int, agreement_share: float, person_share: float) -> Life:
    """The script of order `number` (from 0)."""
    rng = stream(seed, "life", number)
    goods = tuple(invent_goods(rng) for _ in range(rng.choice((1, 1, 2, 2, 3, 4))))
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
        after=tuple(_after_payment(stream(seed, "after", number), goods)),
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


def _after_payment(rng: random.Random, goods: tuple[Goods, ...]) -> list[Step]:
    refund = rng.random()
    granted = rng.random() < REFUND_GRANTED
    line = rng.randrange(len(goods))
    asks = [
        Step(spread(rng, 0.5 * HOUR, 6 * HOUR), ApplyRefund(f"TQ{rng.randrange(10**17, 10**18)}", line)),
        Step(spread(rng, 0.5 * HOUR, 12 * HOUR), SettleRefund(granted)),
    ]
    before_shipping = refund < REFUND_UNSHIPPED
    on_the_way = not before_shipping and refund < REFUND_UNSHIPPED + REFUND_ON_THE_WAY
    if before_shipping and granted and len(goods) == 1:
        return asks  # nothing is left to ship: the refund closes the trade
    left = [place for place in range(len(goods)) if not (before_shipping and granted and place == line)]
    steps = [*(asks if before_shipping else ()), *_shipping(rng, goods, left)]
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


def _shipping(rng: random.Random, goods: tuple[Goods, ...], left: list[int]) -> list[Step]:
    loads = load_parcels(rng, left, [line.quantity for line in goods])
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
