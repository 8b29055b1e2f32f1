"""What somebody wants to order, split as upstream splits it, and the orders that it becomes, whichever API is asked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from worker.sandbox.config import MAX_ORDERS
from worker.sandbox.goods import Goods
from worker.sandbox.ledgers import Created
from worker.sandbox.life import write_life
from worker.sandbox.offers import Offer, Sku, as_goods, postage_fen, seller_of
from worker.sandbox.order import Order
from worker.sandbox.sandbox import Sandbox
from worker.sandbox.script import ChangePrice, Life, Step


@dataclass(frozen=True, slots=True)
class Item:
    """One variant and how many pieces of it."""

    offer: Offer
    sku: Sku
    quantity: int

    @property
    def amount_fen(self) -> int:
        """Price times pieces."""
        return self.sku.price_fen * self.quantity

    def as_goods(self) -> Goods:
        """As a line of an order."""
        return as_goods(self.offer, self.sku, self.quantity)


@dataclass(frozen=True, slots=True)
class Group:
    """What becomes one order."""

    items: tuple[Item, ...]

    @property
    def goods_fen(self) -> int:
        """Sum of the items."""
        return sum(item.amount_fen for item in self.items)

    @property
    def postage_fen(self) -> int:
        """What sending costs."""
        return postage_fen(sum(item.quantity for item in self.items))


class FullError(Exception):
    """The sandbox holds as many orders as it can."""

    def __init__(self) -> None:
        super().__init__(f"the sandbox holds {MAX_ORDERS} orders at most")


def split(items: Iterable[Item]) -> list[Group]:
    """One order per seller and warehouse, as upstream splits them."""
    places: dict[tuple[int, int], list[Item]] = {}
    for item in items:
        places.setdefault((item.offer.shop, item.offer.warehouse), []).append(item)
    return [Group(tuple(places[place])) for place in sorted(places)]


def lives_of(sandbox: Sandbox, groups: Sequence[Group]) -> list[Life]:
    """A life for each group, with its goods, seller and postage; what happens in it the dice say.

    Raises:
        FullError: there is no room for so many.
    """
    first = sandbox.world.planned
    if first + len(groups) > MAX_ORDERS:
        raise FullError
    return [_life(sandbox, group, first + place) for place, group in enumerate(groups)]


def make_orders(sandbox: Sandbox, lives: Sequence[Life], external_id: str | None) -> list[Order]:
    """Let these lives begin, now. `external_id`: what the buyer calls them."""
    orders = []
    for life in lives:
        order = sandbox.world.create(life)
        sandbox.world.planned += 1
        sandbox.ledgers.created.append(Created(order.order_id, order.total_fen, sandbox.now_ms(), external_id))
        orders.append(order)
    return orders


def _life(sandbox: Sandbox, group: Group, number: int) -> Life:
    config = sandbox.config
    goods = tuple(item.as_goods() for item in group.items)
    life = write_life(config.seed, number, config.agreement_share, config.person_share, goods=goods)

    def with_postage(step: Step) -> Step:
        """The seller's new prices keep the postage where they kept it before."""
        deed = step.deed
        if isinstance(deed, ChangePrice) and deed.shipping_fen == life.shipping_fen:
            return replace(step, deed=replace(deed, shipping_fen=group.postage_fen))
        return step

    return replace(
        life,
        seller=seller_of(config.seed, group.items[0].offer.shop),
        shipping_fen=group.postage_fen,
        before=tuple(with_postage(step) for step in life.before),
        offset_h=life.offset_h if config.offset_h is None else config.offset_h,
    )
