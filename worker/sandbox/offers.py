"""The shelf: every offer that can be looked at, found and ordered, invented from the seed and the offer's own id.

The same id is the same offer in every process and for both APIs. Money is fen.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from worker.sandbox.goods import PICTURE_HOST, Goods, Party, invent_goods, invent_party
from worker.sandbox.seeded import stream

FIRST, BEYOND = 600_000_000_000, 800_000_000_000
"""Offer ids between these exist."""
SHOPS = 12
"""Sellers; an offer's id says whose it is."""
NOT_TRADED, FREE = 97, 89
"""One offer in so many cannot be ordered, or has a price of 0."""
POSTAGE_FIRST_FEN, POSTAGE_MORE_FEN, POSTAGE_MOST_FEN = 600, 100, 2_000


@dataclass(frozen=True, slots=True)
class Sku:
    """One variant of an offer."""

    sku_id: int
    spec_id: str
    attributes: tuple[tuple[str, str], ...]
    price_fen: int
    stock: int


@dataclass(frozen=True, slots=True)
class Offer:
    """One article of one seller."""

    offer_id: int
    subject: str
    subject_en: str
    image: str
    unit: str
    skus: tuple[Sku, ...]
    shop: int
    min_quantity: int
    month_sold: int
    repurchase_percent: int
    traded: bool

    @property
    def warehouse(self) -> int:
        """Orders are split by it."""
        return self.offer_id // SHOPS % 2

    @property
    def price_fen(self) -> int:
        """The lowest price."""
        return min(sku.price_fen for sku in self.skus)

    def sku(self, spec_id: str) -> Sku | None:
        """The variant of this spec; of an offer with one variant also without naming it."""
        if not spec_id and len(self.skus) == 1:
            return self.skus[0]
        return next((sku for sku in self.skus if sku.spec_id == spec_id), None)


def find_offer(seed: int, offer_id: int) -> Offer | None:
    """The offer, None if there is none of that id."""
    if not FIRST <= offer_id < BEYOND:
        return None
    rng = stream(seed, "offer", offer_id)
    model = invent_goods(rng)
    price_fen = 0 if offer_id % FREE == 0 else rng.randint(150, 9_000)
    skus = tuple(_sku(rng, price_fen) for _ in range(rng.choice((1, 2, 3, 4))))
    return Offer(
        offer_id=offer_id,
        subject=model.name,
        subject_en=f"Article {offer_id % 10_000}",
        image=f"{PICTURE_HOST}{offer_id}.png",
        unit=model.unit,
        skus=skus,
        shop=offer_id % SHOPS,
        min_quantity=rng.choice((1, 1, 1, 2, 3)),
        month_sold=rng.randint(0, 5_000),
        repurchase_percent=rng.randint(0, 60),
        traded=offer_id % NOT_TRADED != 0,
    )


def seller_of(seed: int, shop: int) -> Party:
    """The seller of a shop."""
    return invent_party(stream(seed, "shop", shop), "卖")


def found_offers(seed: int, words: str, count: int, skip: int = 0, shop: int | None = None) -> list[Offer]:
    """What a search shows: the same for the same words, without end. `shop`: of one seller alone."""
    found: list[Offer] = []
    for place in range(skip, skip + count):
        offer_id = stream(seed, "search", words, place).randrange(FIRST, BEYOND - SHOPS)
        if shop is not None:
            offer_id += (shop - offer_id) % SHOPS
        offer = find_offer(seed, offer_id)
        if offer is not None:
            found.append(offer)
    return found


def as_goods(offer: Offer, sku: Sku, quantity: int) -> Goods:
    """So many pieces as one line of an order."""
    return Goods(
        product_id=offer.offer_id,
        sku_id=sku.sku_id,
        spec_id=sku.spec_id,
        name=offer.subject,
        sku=sku.attributes,
        image=offer.image,
        unit=offer.unit,
        quantity=quantity,
        price_fen=sku.price_fen,
    )


def postage_fen(pieces: int) -> int:
    """What sending so many pieces of one order costs."""
    return min(POSTAGE_MOST_FEN, POSTAGE_FIRST_FEN + POSTAGE_MORE_FEN * (pieces - 1))


def _sku(rng: random.Random, price_fen: int) -> Sku:
    model = invent_goods(rng)
    return Sku(
        sku_id=model.sku_id,
        spec_id=model.spec_id,
        attributes=model.sku,
        price_fen=price_fen and price_fen + rng.choice((0, 0, 50, 120)),
        stock=rng.choice((0, 40, 900, 12_000)) if rng.random() < 0.3 else 5_000,  # noqa: PLR2004 - a share
    )
