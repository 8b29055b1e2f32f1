"""Previewing and creating orders on 1688, for one merchant and for several, directly and from the cart.

A preview's sums are fen and its cargo is yuan at PandaPon (documented and upstream); everything is fen at Xport
(inferred from its size). What a creation answers is documented for several merchants alone: an array of orders, one per
merchant. The single one is inferred to answer the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from worker.catalogue.operation import Dialect
from worker.sandbox.basket import cargo_of, check_address, groups_of, item_of, map_id, order_all
from worker.sandbox.carts import CartRow
from worker.sandbox.codes import Refused
from worker.sandbox.menu import Action
from worker.sandbox.offers import Offer, find_offer
from worker.sandbox.ordering import Group, Item
from worker.sandbox.parameters import Parameters
from worker.sandbox.sandbox import Sandbox
from worker.sandbox.tradeinfo import yuan

FLOWS: Final = ("general", "fenxiaonew", "fenxiao", "saleproxy", "boutiquefenxiao", "boutiquepifa")
XPORT_FEE: Final = Decimal("1.025")
"""Documented sample: the total to pay is about 2.5 % higher. That it is a service fee is inferred."""


def _preview(*, one_seller: bool) -> Action:
    def act(sandbox: Sandbox, call: Parameters) -> dict[str, Any]:
        check_address(call)
        _check_flow(call)
        return _previewed(groups_of(cargo_of(sandbox, call), one_seller=one_seller))

    return act


def preview_xport(sandbox: Sandbox, call: Parameters) -> list[dict[str, Any]]:
    """Documented: a plain list, one row per order."""
    check_address(call)
    _check_flow(call)
    return [
        {
            "sumCarriage": group.postage_fen,
            "sumPayment": group.goods_fen + group.postage_fen,
            "sumTotalPayment": int((group.goods_fen + group.postage_fen) * XPORT_FEE),
            "sumPaymentNoCarriage": group.goods_fen,
            "orderItemTOList": [
                _cargo(item) | {"amount": item.amount_fen, "finalUnitPrice": item.sku.price_fen} for item in group.items
            ],
        }
        for group in groups_of(cargo_of(sandbox, call), one_seller=True)
    ]


def _create(*, one_seller: bool) -> Action:
    def act(sandbox: Sandbox, call: Parameters) -> list[dict[str, Any]]:
        address = check_address(call)
        _check_flow(call)
        groups = groups_of(cargo_of(sandbox, call), one_seller=one_seller)
        orders = order_all(sandbox, groups, address, call)
        return [sandbox.world.shown(order) for order in orders]

    return act


def cart_list(sandbox: Sandbox, call: Parameters) -> dict[str, Any]:
    """One buyer's cart, newest first."""
    rows = sandbox.cart_1688.of(call.id("userId"))
    number, size = call.integer("pageNo", 1), call.integer("pageSize", 20)
    if number < 1 or not 1 <= size <= sandbox.config.max_page_size:
        raise Refused(40002, f"expected pageNo from 1, pageSize 1 to {sandbox.config.max_page_size}")
    shown = rows[(number - 1) * size : number * size]
    return {
        "totalRecords": len(rows),
        "totalPage": -(-len(rows) // size),
        "pageSize": size,
        "currentPage": number,
        "data": [_cart_row(sandbox, row) for row in shown],
    }


def cart_add(sandbox: Sandbox, call: Parameters) -> dict[str, Any]:
    """More of what is there already adds up."""
    offer = _offer(sandbox, int(call.id("offerId")))
    item = item_of(offer, call.text("specId"), call.integer("quantity"))
    row = sandbox.cart_1688.add(call.id("userId"), offer.offer_id, item.sku.sku_id, item.quantity)
    return {"cartId": row.cart_id, "quantity": row.quantity}


def cart_delete(sandbox: Sandbox, call: Parameters) -> bool:
    """All of the rows, or none."""
    sandbox.cart_1688.take(call.id("userId"), call.ids("cartIds"))
    return True


def cart_edit(sandbox: Sandbox, call: Parameters) -> bool:
    """Another quantity for one row."""
    (row,) = sandbox.cart_1688.find(call.id("userId"), [call.id("cartId")])
    item_of(_offer(sandbox, row.item_id), _spec_of(sandbox, row), call.integer("quantity"))
    row.quantity = call.integer("quantity")
    return True


def cart_preview(sandbox: Sandbox, call: Parameters) -> dict[str, Any]:
    """What the named rows would cost now."""
    check_address(call)
    rows = sandbox.cart_1688.find(call.id("userId"), call.ids("cartIds"))
    return _previewed(groups_of([_cart_item(sandbox, row) for row in rows], one_seller=False))


def cart_create(sandbox: Sandbox, call: Parameters) -> list[dict[str, Any]]:
    """Orders of the named rows, which leave the cart."""
    address = check_address(call)
    _check_flow(call)
    user_id, cart_ids = call.id("userId"), call.ids("cartIds")
    rows = sandbox.cart_1688.find(user_id, cart_ids)
    orders = order_all(sandbox, groups_of([_cart_item(sandbox, row) for row in rows], one_seller=False), address, call)
    sandbox.cart_1688.take(user_id, cart_ids)
    return [sandbox.world.shown(order) for order in orders]


def _previewed(groups: list[Group]) -> dict[str, Any]:
    return {
        "orderPreviewResuslt": [  # their spelling
            {
                "status": True,
                "resultCode": "200",
                "message": None,
                "flowFlag": "general",
                "tradeModeNameList": ["assureTrade"],
                "tradeModelList": [{"tradeWay": "general", "name": "担保交易", "tradeType": "assureTrade"}],
                "taoSampleSinglePromotion": False,
                "sumPayment": group.goods_fen + group.postage_fen,
                "sumCarriage": group.postage_fen,
                "sumPaymentNoCarriage": group.goods_fen,
                "discountFee": 0,
                "additionalFee": 0,
                "cargoList": [
                    _cargo(item) | {"amount": yuan(item.amount_fen), "finalUnitPrice": yuan(item.sku.price_fen)}
                    for item in group.items
                ],
                "shopPromotionList": [],
            }
            for group in groups
        ],
        "success": True,
        "errorCode": None,
        "errorMsg": None,
        "postFeeByDescOfferList": [],
        "consignOfferList": [],
        "unsupportedCrossBorderPayOfferList": [],
    }


def _cargo(item: Item) -> dict[str, Any]:
    return {
        "offerId": item.offer.offer_id,
        "openOfferId": map_id(item.offer.offer_id),
        "specId": item.sku.spec_id,
        "skuId": item.sku.sku_id,
        "resultCode": "200",
        "message": None,
        "cargoPromotionList": [],
    }


def _check_flow(call: Parameters) -> None:
    flow = call.text("flow", "general")
    if flow not in FLOWS:
        raise Refused(40000, f"flow: expected one of {', '.join(FLOWS)}")


def _offer(sandbox: Sandbox, offer_id: int) -> Offer:
    offer = find_offer(sandbox.config.seed, offer_id)
    if offer is None:
        raise Refused(40402, str(offer_id))
    return offer


def _spec_of(sandbox: Sandbox, row: CartRow) -> str:
    offer = _offer(sandbox, row.item_id)
    return next(sku.spec_id for sku in offer.skus if sku.sku_id == row.sku_id)


def _cart_item(sandbox: Sandbox, row: CartRow) -> Item:
    return item_of(_offer(sandbox, row.item_id), _spec_of(sandbox, row), row.quantity)


def _cart_row(sandbox: Sandbox, row: CartRow) -> dict[str, Any]:
    offer = _offer(sandbox, row.item_id)
    sku = next(sku for sku in offer.skus if sku.sku_id == row.sku_id)
    return {
        "cartId": row.cart_id,
        "offerId": row.item_id,
        "specId": sku.spec_id,
        "skuId": sku.sku_id,
        "quantity": row.quantity,
        "subject": offer.subject,
        "imageUrl": offer.image,
        "price": yuan(sku.price_fen),
    }


_P, _X = Dialect.PANDAPON, Dialect.XPORT
ACTIONS: Mapping[tuple[Dialect, str], Action] = {
    (_P, "1688.order.preview"): _preview(one_seller=True),
    (_P, "1688.order.create"): _create(one_seller=True),
    (_P, "1688.order.batch_preview"): _preview(one_seller=False),
    (_P, "1688.order.batch_create"): _create(one_seller=False),
    (_P, "1688.cart.list"): cart_list,
    (_P, "1688.cart.add"): cart_add,
    (_P, "1688.cart.delete"): cart_delete,
    (_P, "1688.cart.edit_quantity"): cart_edit,
    (_P, "1688.cart.preview"): cart_preview,
    (_P, "1688.cart.create_order"): cart_create,
    (_X, "1688.order.preview"): preview_xport,
    (_X, "1688.order.create"): _create(one_seller=True),
}
