"""Every article that can be bought: invented from its number, so that it is the same whenever somebody looks.

What stands in an order already is shown as it was ordered.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from worker.sandbox.goods import Goods, Party, invent_goods, invent_party
from worker.sandbox.seeded import stream

LOWEST, BEYOND = 600_000_000_000, 800_000_000_000
"""Articles' numbers; all others do not exist."""
_SELLERS: Final = 12
_MAP_KEY: Final = 0x5A17_B0C5_EED0
SKUS_OF_AN_ARTICLE: Final = 3
FOUND_BY_A_SEARCH: Final = 57


@dataclass(frozen=True, slots=True)
class Article:
    """One article: its skus as they would stand in an order, one piece each."""

    product_id: int
    seller_no: int
    category_id: int
    month_sold: int
    repurchase_percent: int
    skus: tuple[Goods, ...]

    @property
    def map_id(self) -> str:
        """The encrypted number of the v2 paths."""
        return f"om{self.product_id ^ _MAP_KEY:012x}"

    @property
    def name(self) -> str:
        """What it is."""
        return self.skus[0].name

    @property
    def price_fen(self) -> int:
        """What its cheapest sku costs."""
        return min(sku.price_fen for sku in self.skus)

    def sku(self, spec_or_sku_id: str) -> Goods | None:
        """One of its skus by either of its ids; the only one or the first for an empty id."""
        if not spec_or_sku_id:
            return self.skus[0]
        return next((sku for sku in self.skus if spec_or_sku_id in (sku.spec_id, str(sku.sku_id))), None)


def product_id_of(map_id: str) -> int | None:
    """The number behind an encrypted one."""
    try:
        return int(map_id.removeprefix("om"), 16) ^ _MAP_KEY if map_id.startswith("om") else None
    except ValueError:
        return None


class Shelf:
    """All articles of one sandbox."""

    def __init__(self, seed: int, ordered: Callable[[], Iterator[Goods]]) -> None:
        self._seed = seed
        self._ordered = ordered

    def find(self, product_id: int | None) -> Article | None:
        """The article; None if there is none of that number."""
        if product_id is None or not LOWEST <= product_id < BEYOND:
            return None
        rng = stream(self._seed, "article", product_id)
        first = next((goods for goods in self._ordered() if goods.product_id == product_id), None)
        base = replace(first or invent_goods(rng), product_id=product_id, quantity=1)
        base = replace(base, image=f"https://img.example.invalid/{product_id}.jpg")
        return Article(
            product_id=product_id,
            seller_no=product_id % _SELLERS,
            category_id=1_000 + product_id % 40,
            month_sold=rng.randrange(5_000),
            repurchase_percent=rng.randrange(60),
            skus=(base, *(_variant(rng, base) for _ in range(SKUS_OF_AN_ARTICLE - 1))),
        )

    def search(self, *words: object) -> list[Article]:
        """The articles that a search for these words finds, the best first; the same ones every time."""
        rng = stream(self._seed, "search", *words)
        return [found for _ in range(FOUND_BY_A_SEARCH) if (found := self.find(rng.randrange(LOWEST, BEYOND)))]

    def seller(self, number: int) -> Party:
        """Who sells it."""
        return invent_party(stream(self._seed, "seller", number), "卖")

    def open_id(self, number: int) -> str:
        """The encrypted name under which the seller goes in goods calls."""
        return f"{stream(self._seed, 'open id', number).getrandbits(120):030x}"


def _variant(rng: random.Random, base: Goods) -> Goods:
    other = invent_goods(rng)
    return replace(base, sku_id=other.sku_id, spec_id=other.spec_id, sku=other.sku, price_fen=other.price_fen)
