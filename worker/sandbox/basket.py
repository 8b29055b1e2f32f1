"""What somebody wants to order through PandaPon or Xport, found on the shelf, and the orders that it becomes.

One order per seller and warehouse, as upstream splits them. A call that cannot be carried out whole creates nothing. No
idempotency key is known: the same call again creates the same orders again.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

from worker.sandbox.codes import Refused
from worker.sandbox.goods import Address
from worker.sandbox.life import MAX_LINES
from worker.sandbox.offers import Offer, find_offer
from worker.sandbox.order import Order
from worker.sandbox.ordering import FullError, Group, Item, lives_of, make_orders, split
from worker.sandbox.parameters import Parameters
from worker.sandbox.sandbox import Sandbox

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
    return split(items)


def check_address(call: Parameters) -> Parameters:
    """The receiver; a name, a place and one telephone are needed (which exactly is inferred)."""
    address = call.inside("addressParam")
    missing = [name for name in ADDRESS_FIELDS if not address.text(name, "")]
    if missing or not (address.text("mobile", "") or address.text("phone", "")):
        raise Refused(40000, f"addressParam: missing {', '.join(missing) or 'mobile or phone'}")
    return address


def order_all(sandbox: Sandbox, groups: list[Group], address: Parameters, call: Parameters) -> list[Order]:
    """Create one order per group, now; `outOrderId` and `message` of the call go with each."""
    message = call.text("message") if call.has("message") else None
    mobile = address.text("mobile", "") or address.text("phone", "")
    try:
        lives = lives_of(sandbox, groups)
    except FullError as error:
        raise Refused(40920, str(error)) from error
    addressed = [
        replace(
            life,
            buyer=replace(life.buyer, name=address.text("fullName"), mobile=mobile),
            address=_address(address),
            message=message,
        )
        for life in lives
    ]
    return make_orders(sandbox, addressed, str(call.values["outOrderId"]) if call.has("outOrderId") else None)


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
