"""What somebody wants to order through PandaPon or Xport, found on the shelf, and the orders that it becomes.

One order per seller and warehouse, as upstream splits them. A call that cannot be carried out whole creates nothing. No
idempotency key is known: the same call again creates the same orders again.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

from worker.sandbox.aop.cargo import Group, Item
from worker.sandbox.codes import Refused
from worker.sandbox.config import MAX_ORDERS
from worker.sandbox.goods import Address
from worker.sandbox.ledgers import Created
from worker.sandbox.life import MAX_LINES, write_life
from worker.sandbox.offers import Offer, find_offer, seller_of
from worker.sandbox.order import Order
from worker.sandbox.parameters import Parameters
from worker.sandbox.sandbox import Sandbox
from worker.sandbox.script import ChangePrice, Life, Step

_MAP_KEY = 0x5A17_B0C5_EED0
ADDRESS_FIELDS = ("fullName", "provinceText", "cityText", "address")


def map_id(offer_id: int) -> str:
    """The encrypted number of the v2 paths; how the real one encrypts is not known."""
    return f"om{offer_id ^ _MAP_KEY:012x}"


def open_id(sandbox: Sandbox, shop: int) -> str:
    """The name under which a seller goes in goods calls."""
    return hashlib.md5(f"{sandbox.config.seed}:pandapon:{shop}".encode(), usedforsecurity=False).hexdigest()


def offer_of(sandbox: Sandbox, row: Parameters) -> Offer:
    """The offer that a row names by `offerId` or `offerMapId`, or a refusal."""
    if row.has("offerMapId"):
        text = row.text("offerMapId")
        try:
            number = int(text.removeprefix("om"), 16) ^ _MAP_KEY
        except ValueError:
            number = 0
    else:
        text = row.id("offerId")
        number = int(text)
    offer = find_offer(sandbox.config.seed, number)
    if offer is None:
        raise Refused(40402, text)
    return offer


def item_of(offer: Offer, spec_id: str, quantity: int) -> Item:
    """So many pieces of one sku, held against the offer's rules, or a refusal."""
    sku = offer.sku(spec_id)
    if sku is None:
        raise Refused(40402, f"specId of {offer.offer_id}")
    if not offer.traded or sku.price_fen == 0:
        raise Refused(40920, f"{offer.offer_id} is not traded")
    if not max(1, offer.min_quantity) <= quantity <= sku.stock:
        raise Refused(40920, f"quantity of {offer.offer_id}: expected {max(1, offer.min_quantity)} to {sku.stock}")
    return Item(offer, sku, quantity)


def cargo_of(sandbox: Sandbox, call: Parameters) -> list[Item]:
    """The rows of `cargoParamList`."""
    items = []
    for row in call.rows("cargoParamList"):
        offer = offer_of(sandbox, row)
        if row.has("sellerOpenId") and row.text("sellerOpenId") != open_id(sandbox, offer.shop):
            raise Refused(40000, f"sellerOpenId: not the seller of {offer.offer_id}")
        items.append(item_of(offer, row.text("specId", ""), row.integer("quantity")))
    return items


def groups_of(items: list[Item], *, one_seller: bool) -> list[Group]:
    """What becomes one order each."""
    if len(items) > MAX_LINES or len({(item.offer.offer_id, item.sku.sku_id) for item in items}) < len(items):
        raise Refused(40000, f"expected up to {MAX_LINES} different skus")
    if one_seller and len({item.offer.shop for item in items}) > 1:
        raise Refused(40920, "several merchants: there is a call of its own for them")
    places: dict[tuple[int, int], list[Item]] = {}
    for item in items:
        places.setdefault((item.offer.shop, item.offer.warehouse), []).append(item)
    return [Group(tuple(places[place])) for place in sorted(places)]


def check_address(call: Parameters) -> Parameters:
    """The receiver; a name, a place and one telephone are needed (which exactly is inferred)."""
    address = call.inside("addressParam")
    missing = [name for name in ADDRESS_FIELDS if not address.text(name, "")]
    if missing or not (address.text("mobile", "") or address.text("phone", "")):
        raise Refused(40000, f"addressParam: missing {', '.join(missing) or 'mobile or phone'}")
    return address


def make_orders(sandbox: Sandbox, groups: list[Group], address: Parameters, call: Parameters) -> list[Order]:
    """Create one order per group, now; `outOrderId` and `message` of the call go with each."""
    external_id = str(call.values["outOrderId"]) if call.has("outOrderId") else None
    message = call.text("message") if call.has("message") else None
    world = sandbox.world
    if world.planned + len(groups) > MAX_ORDERS:
        raise Refused(40920, f"the sandbox holds {MAX_ORDERS} orders at most")
    orders = []
    for group in groups:
        order = world.create(replace(_life(sandbox, group, world.planned, address), message=message))
        world.planned += 1
        sandbox.ledgers.created.append(Created(order.order_id, order.total_fen, sandbox.now_ms(), external_id))
        orders.append(order)
    return orders


def _life(sandbox: Sandbox, group: Group, number: int, address: Parameters) -> Life:
    config = sandbox.config
    goods = tuple(item.as_goods() for item in group.items)
    life = write_life(config.seed, number, config.agreement_share, config.person_share, goods=goods)

    def with_postage(step: Step) -> Step:
        """The seller's new prices keep the postage where they kept it before."""
        deed = step.deed
        if isinstance(deed, ChangePrice) and deed.shipping_fen == life.shipping_fen:
            return replace(step, deed=replace(deed, shipping_fen=group.postage_fen))
        return step

    mobile = address.text("mobile", "") or address.text("phone", "")
    return replace(
        life,
        buyer=replace(life.buyer, name=address.text("fullName"), mobile=mobile),
        seller=seller_of(config.seed, group.items[0].offer.shop),
        address=_address(address),
        shipping_fen=group.postage_fen,
        before=tuple(with_postage(step) for step in life.before),
        offset_h=life.offset_h if config.offset_h is None else config.offset_h,
    )


def _address(given: Parameters) -> Address:
    return Address(
        province=given.text("provinceText"),
        city=given.text("cityText"),
        area=given.text("areaText", ""),
        town=given.text("townText", "") or None,
        street=given.text("address"),
        post=given.text("postCode", ""),
        district_code=given.text("districtCode", ""),
        phone=given.text("phone", "") or None,
    )
