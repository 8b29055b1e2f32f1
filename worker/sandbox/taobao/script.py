"""The deeds that make up a purchase order's life, and the life itself as plain data."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final, TypeAlias

from worker.sandbox import pacing
from worker.sandbox.goods import (
    CARRIERS,
    WAREHOUSE,
    Address,
    Carrier,
    Goods,
    Party,
    invent_goods,
    invent_party,
    invent_waybill,
)
from worker.sandbox.seeded import spread, stream

MINUTE = 60.0
HOUR = 3600.0
FIRST_PURCHASE_ID: Final = 4_400_000_000_000_000_001
FIRST_REFUND_ID: Final = 6_600_000_000_000_000_001
ID_STRIDE: Final = 2_000_000
SALES_ID_AHEAD: Final = 100_000_000_000_000_000
"""How far Taobao's own order number lies from the purchase order's id, where they are two."""

REPRICED, CLOSED_BY_SELLER, WAYBILL_REPLACED, REFUNDED, REFUND_GRANTED = 0.3, 0.05, 0.12, 0.15, 0.6


@dataclass(frozen=True, slots=True)
class Build:
    """The platform has made the order: it can be paid."""


@dataclass(frozen=True, slots=True)
class Reprice:
    """The seller sets the postage and each sub-order's discount (signed: negative makes it cheaper); fen."""

    postage_fen: int
    discounts_fen: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SellerCloses:
    """The seller has no goods."""


@dataclass(frozen=True, slots=True)
class Dispatch:
    """One parcel leaves with some sub-orders."""

    places: tuple[int, ...]
    carrier: Carrier
    waybill: str


@dataclass(frozen=True, slots=True)
class Rename:
    """A parcel gets another waybill number; nothing else names it."""

    old: str
    new: str


@dataclass(frozen=True, slots=True)
class AskRefund:
    """The buyer asks for a sub-order's money."""

    place: int
    refund_id: int


@dataclass(frozen=True, slots=True)
class AnswerRefund:
    """The refund goes on to another status: 20, 30, 100, -10 or -20."""

    refund_id: int
    status: int


Deed: TypeAlias = Build | Reprice | SellerCloses | Dispatch | Rename | AskRefund | AnswerRefund


@dataclass(frozen=True, slots=True)
class Step(pacing.Step[Deed]):
    """One step of a purchase order's life."""


@dataclass(frozen=True, slots=True)
class TaobaoLife:
    """Everything about one purchase order that the seed decides."""

    number: int
    purchase_id: int
    goods: tuple[Goods, ...]
    postage_fen: int
    buyer: Party
    seller: Party
    settle_share: float
    shows_paying: bool
    before: tuple[Step, ...]
    after: tuple[Step, ...]
    address: Address = WAREHOUSE


def write_life(seed: int, number: int, goods: tuple[Goods, ...] = ()) -> TaobaoLife:
    """The script of purchase order `number` (from 0); `goods`: what somebody ordered, else the dice say."""
    rng = stream(seed, "taobao", number)
    goods = goods or tuple(invent_goods(rng) for _ in range(rng.choice((1, 1, 2, 3))))
    postage_fen = rng.choice((0, 0, 600, 1000))
    return TaobaoLife(
        number=number,
        purchase_id=FIRST_PURCHASE_ID + number * ID_STRIDE + 2 * rng.randrange(ID_STRIDE // 2 - 100),
        goods=goods,
        postage_fen=postage_fen,
        buyer=invent_party(stream(seed, "buyer"), "买"),
        seller=invent_party(rng, "店"),
        settle_share=rng.uniform(0.1, 1.0),
        shows_paying=rng.random() < 0.5,  # noqa: PLR2004 - every other order
        before=tuple(_before(rng, goods, postage_fen)),
        after=tuple(_after(stream(seed, "taobao after", number), number, goods)),
    )


def _before(rng: random.Random, goods: tuple[Goods, ...], postage_fen: int) -> list[Step]:
    steps = [Step(spread(rng, 5, MINUTE), Build())]
    if rng.random() < REPRICED:
        discounts = tuple(round(line.price_fen * line.quantity * rng.uniform(-0.2, 0.02)) for line in goods)
        steps.append(Step(spread(rng, 2 * MINUTE, 6 * HOUR), Reprice(postage_fen, discounts)))
    if rng.random() < CLOSED_BY_SELLER:
        steps.append(Step(spread(rng, HOUR, 12 * HOUR), SellerCloses()))
    return steps


def _after(rng: random.Random, number: int, goods: tuple[Goods, ...]) -> list[Step]:
    places = list(range(len(goods)))
    cut = rng.randint(1, len(places))
    steps: list[Step] = []
    for load in (places[:cut], places[cut:]):
        if not load:
            continue
        carrier = rng.choice(CARRIERS)
        waybill = invent_waybill(rng, carrier)
        steps.append(Step(spread(rng, HOUR, 24 * HOUR), Dispatch(tuple(load), carrier, waybill)))
        if rng.random() < WAYBILL_REPLACED:
            steps.append(Step(spread(rng, 0.5 * HOUR, 3 * HOUR), Rename(waybill, invent_waybill(rng, carrier))))
    if rng.random() < REFUNDED:
        refund_id = FIRST_REFUND_ID + number * ID_STRIDE
        course = (20, 30, 100) if rng.random() < REFUND_GRANTED else (-10, -20)
        steps.append(Step(spread(rng, HOUR, 12 * HOUR), AskRefund(rng.randrange(len(goods)), refund_id)))
        steps += [Step(spread(rng, HOUR, 12 * HOUR), AnswerRefund(refund_id, status)) for status in course]
    return steps
