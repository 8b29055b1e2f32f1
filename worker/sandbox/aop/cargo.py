"""What somebody wants to order: read, held against the rules of ordering, and split as the platform splits it."""

from __future__ import annotations

from typing import Any

from worker.sandbox.aop.form import Form, digits, whole
from worker.sandbox.aop.refusals import BusinessRefusal
from worker.sandbox.offers import find_offer
from worker.sandbox.ordering import Group, Item, split
from worker.sandbox.sandbox import Sandbox

MAX_SKUS = 50
MIXED_BATCH, MIXED_PIECES = 7, 2
"""One offer in so many wants at least so many pieces of the seller in one order (an invented mixing rule)."""
FLOWS = ("general", "fenxiao", "saleproxy", "paired", "repurchase", "boutiquefenxiao", "boutiquepifa")
WHOLESALE_PIECES = 3
"""`boutiquepifa` is for more than two pieces."""
ADDRESS_TEXTS = ("fullName", "provinceText", "cityText", "address")
# Documented for the preview; what exactly leads to each is inferred from its name.
NO_TRADE, SELLERS, NO_SPEC, NO_STOCK, BELOW_MOQ, NO_MIX, NO_RELATION, NO_PRICE, WHOLESALE = (
    f"500_00{number}" for number in range(1, 10)
)


def read_cargo(sandbox: Sandbox, form: Form, flow: str) -> list[Group]:
    """The orders that this cargo becomes, one per warehouse of the seller. Raises BusinessRefusal with 500_00x."""
    rows = form.list("cargoParamList")
    if not 1 <= len(rows) <= MAX_SKUS:
        raise BusinessRefusal("400", f"cargoParamList: expected 1 to {MAX_SKUS} SKUs")
    items = [_item(sandbox, row) for row in rows]
    if len({(item.offer.offer_id, item.sku.spec_id) for item in items}) != len(items):
        raise BusinessRefusal("400", "the same SKU twice: sum the quantities up")
    if len({item.offer.shop for item in items}) > 1:
        raise BusinessRefusal(SELLERS, "several sellers in one order")
    _check_flow(items, flow)
    return split(items)


def check_address(form: Form) -> dict[str, Any]:
    """The first usable of an address id, a district code and texts (documented). There is no address book here."""
    address = form.object("addressParam")
    if address.get("addressId"):
        raise BusinessRefusal("400", "AddressId invalid")
    wanted = ("fullName", "address") if address.get("districtCode") else ADDRESS_TEXTS
    missing = [name for name in wanted if not address.get(name)]
    if missing or not (address.get("mobile") or address.get("phone")):
        raise BusinessRefusal("400", f"address is incomplete: {', '.join(missing) or 'mobile or phone'}")
    return address


def _item(sandbox: Sandbox, row: Any) -> Item:
    given = row if isinstance(row, dict) else {}
    offer = find_offer(sandbox.config.seed, int(digits("offerId", given.get("offerId"))))
    quantity = whole("quantity", given.get("quantity"))
    spec_id = str(given.get("specId") or "")
    if offer is None or not offer.traded:
        raise BusinessRefusal(NO_TRADE, "the offer is not traded online")
    if not spec_id and len(offer.skus) > 1:
        raise BusinessRefusal(SELLERS, "specId is missing")
    sku = offer.sku(spec_id)
    if sku is None:
        raise BusinessRefusal(NO_SPEC, "the spec is not of this offer")
    if sku.price_fen == 0:
        raise BusinessRefusal(NO_PRICE, "the price of the SKU is 0")
    if quantity < max(1, offer.min_quantity):
        raise BusinessRefusal(BELOW_MOQ, f"at least {offer.min_quantity}")
    if quantity > sku.stock:
        raise BusinessRefusal(NO_STOCK, f"only {sku.stock} left")
    return Item(offer, sku, quantity)


def _check_flow(items: list[Item], flow: str) -> None:
    if flow not in ("", *FLOWS):
        raise BusinessRefusal("400", f"flow: expected one of {', '.join(FLOWS)}")
    pieces = sum(item.quantity for item in items)
    if flow == "saleproxy":
        raise BusinessRefusal(NO_RELATION, "no consignment relation with the seller")
    if flow == "boutiquepifa" and pieces < WHOLESALE_PIECES:
        raise BusinessRefusal(WHOLESALE, f"at least {WHOLESALE_PIECES} pieces")
    if any(item.offer.offer_id % MIXED_BATCH == 0 for item in items) and pieces < MIXED_PIECES:
        raise BusinessRefusal(NO_MIX, f"at least {MIXED_PIECES} pieces of this seller")
