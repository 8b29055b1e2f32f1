"""Previewing and creating purchase orders: lines of several sellers become several orders.

Answers follow the upstream's objects (inferred). No idempotency key is known to PandaPon: a second call with the same
order number of the shop creates a second order.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from worker.sandbox.codes import Refused
from worker.sandbox.goods import Address, Goods
from worker.sandbox.ledgers import Created
from worker.sandbox.offers import Offer, Sku, as_goods, find_offer, postage_fen, seller_of
from worker.sandbox.parameters import Parameters
from worker.sandbox.sandbox import Sandbox
from worker.sandbox.taobao.order import TaobaoOrder
from worker.sandbox.taobao.script import write_life

RECEIVER_FIELDS = ("name", "address", "city", "state", "country")


@dataclass(frozen=True, slots=True)
class Wanted:
    """So many pieces of one sku, under the caller's own number for the line."""

    offer: Offer
    sku: Sku
    quantity: int
    line_no: str

    @property
    def goods(self) -> Goods:
        """As a line of an order."""
        return as_goods(self.offer, self.sku, self.quantity)

    @property
    def amount_fen(self) -> int:
        """Price times pieces."""
        return self.sku.price_fen * self.quantity


def sku_of(sandbox: Sandbox, item_id: str, sku_id: str) -> tuple[Offer, Sku]:
    """The sku of these ids, or a refusal."""
    offer = find_offer(sandbox.config.seed, int(item_id))
    sku = next((sku for sku in offer.skus if str(sku.sku_id) == sku_id), None) if offer else None
    if offer is None or sku is None or not offer.traded or sku.price_fen == 0:
        raise Refused(40402, item_id)
    return offer, sku


def preview(sandbox: Sandbox, call: Parameters) -> dict[str, Any]:
    """What it would cost, per seller; skus that cannot be had are named, not refused."""
    receiver_of(call, "receiver")
    found, missing = _wanted(sandbox, call, need_line_no=False)
    return priced(sandbox, found) | {"unavailableSkuList": missing}


def priced(sandbox: Sandbox, wanted: list[Wanted]) -> dict[str, Any]:
    """Prices per seller and in all."""
    groups = _by_seller(wanted)
    return {
        "renderItemList": [
            {
                "nick": seller_of(sandbox.config.seed, shop).login_id,
                "sellerId": shop,
                "itemPriceInfos": [
                    {
                        "itemId": str(line.offer.offer_id),
                        "skuId": str(line.sku.sku_id),
                        "quantity": line.quantity,
                        "originPrice": _money(line.sku.price_fen),
                        "discountPrice": _money(line.sku.price_fen),
                    }
                    for line in lines
                ],
                "mainlandShippingFee": _money(_postage_fen(lines)),
                "orderFee": _money(_sum_fen(lines)),
            }
            for shop, lines in groups.items()
        ],
        "unavailableSkuList": [],
        "totalRealPayPrice": _money(sum(_sum_fen(lines) for lines in groups.values())),
    }


def create(sandbox: Sandbox, call: Parameters) -> dict[str, Any]:
    """One purchase order per seller. The budget is for all of them; above it nothing is created."""
    address = receiver_of(call, "receiver")
    found, missing = _wanted(sandbox, call, need_line_no=True)
    if missing:
        raise Refused(40402, missing[0]["itemId"])
    return create_orders(sandbox, found, call, address)


def create_orders(sandbox: Sandbox, wanted: list[Wanted], call: Parameters, address: Address) -> dict[str, Any]:
    """Create what was found; shared with the cart.

    Raises:
        Refused: it would cost more than `purchaseAmount`.
    """
    groups = _by_seller(wanted)
    total_fen = sum(_sum_fen(lines) for lines in groups.values())
    if call.has("purchaseAmount") and call.integer("purchaseAmount") < total_fen:
        raise Refused(40920, f"costs {total_fen} fen, more than purchaseAmount")
    external = str(call.values["sellerOrderNumber"]) if call.has("sellerOrderNumber") else None
    rows = []
    for shop, lines in groups.items():
        order = _make(sandbox, shop, lines, address)
        order.seller_order_number, order.order_source = external, call.values.get("orderSource")
        sandbox.taobao.history.keep(order)
        created = Created(order.order_id, order.total_fen, sandbox.now_ms(), external, platform="taobao")
        sandbox.ledgers.created.append(created)
        rows.append(_created(order, lines))
    return {"success": True, "outerPurchaseId": external, "orderList": rows}


def _make(sandbox: Sandbox, shop: int, lines: list[Wanted], address: Address) -> TaobaoOrder:
    life = write_life(sandbox.config.seed, sandbox.taobao.take_number(), tuple(line.goods for line in lines))
    seller = seller_of(sandbox.config.seed, shop)
    return sandbox.taobao.create(replace(life, seller=seller, postage_fen=_postage_fen(lines), address=address))


def _created(order: TaobaoOrder, lines: list[Wanted]) -> dict[str, Any]:
    return {
        "purchaseId": order.life.purchase_id,
        "supplierNick": order.life.seller.login_id,
        "estimateAmount": order.total_fen,
        "estimateCurrency": "CNY",
        "orderLineList": [
            {
                "itemId": str(line.offer.offer_id),
                "orderLineNo": line.line_no,
                "quantity": line.quantity,
                "subPurchaseOrderId": sub.sub_id,
                "skuId": str(line.sku.sku_id),
            }
            for line, sub in zip(lines, order.subs, strict=True)
        ],
    }


def _wanted(sandbox: Sandbox, call: Parameters, *, need_line_no: bool) -> tuple[list[Wanted], list[dict[str, Any]]]:
    found, missing = [], []
    for row in call.rows("orderLineList"):
        quantity = row.integer("quantity")
        if quantity < 1:
            raise Refused(40000, "orderLineList.quantity: expected 1 or more")
        item_id, sku_id = row.id("itemId"), row.id("skuId")
        line_no = row.text("orderLineNo") if need_line_no else ""
        try:
            found.append(Wanted(*sku_of(sandbox, item_id, sku_id), quantity, line_no))
        except Refused:
            reason = {"reason": "not for sale", "errorCode": "SANDBOX_NOT_FOR_SALE", "errorMsg": "not for sale"}
            missing.append({"itemId": item_id, "skuId": sku_id} | reason)
    return found, missing


def _by_seller(lines: list[Wanted]) -> dict[int, list[Wanted]]:
    groups: dict[int, list[Wanted]] = {}
    for line in lines:
        groups.setdefault(line.offer.shop, []).append(line)
    return groups


def _sum_fen(lines: list[Wanted]) -> int:
    return sum(line.amount_fen for line in lines) + _postage_fen(lines)


def _postage_fen(lines: list[Wanted]) -> int:
    return postage_fen(sum(line.quantity for line in lines))


def _money(fen: int) -> dict[str, Any]:
    return {"amount": fen, "currency": "CNY"}


def receiver_of(call: Parameters, field: str) -> Address:
    """Where it goes, or a refusal (which fields are needed is inferred)."""
    receiver = call.inside(field)
    for name in RECEIVER_FIELDS:
        if not receiver.text(name, ""):
            raise Refused(40000, f"{field}.{name}: missing")
    return Address(
        province=receiver.text("state"),
        city=receiver.text("city"),
        area=receiver.text("district", ""),
        street=receiver.text("address"),
        post=receiver.text("zip", ""),
        phone=receiver.text("phone", "") or None,
    )
