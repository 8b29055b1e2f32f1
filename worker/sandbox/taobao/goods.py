"""Looking for articles on Taobao, and the cart. Money is whole fen.

Adding to the cart and creating orders from it are documented; searches are named by the menu alone, so their rows are
the sandbox's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from worker.catalogue.operation import Dialect
from worker.sandbox.basket import map_id
from worker.sandbox.carts import CartRow
from worker.sandbox.codes import Refused
from worker.sandbox.goods_actions import picture_in
from worker.sandbox.menu import Action
from worker.sandbox.offers import Offer, Sku, find_offer, found_offers, seller_of
from worker.sandbox.parameters import Parameters
from worker.sandbox.pictures import alike
from worker.sandbox.sandbox import Sandbox
from worker.sandbox.taobao.buying import Wanted, create_orders, priced, receiver_of, sku_of

MAX_IDS = 20
TOTAL = 200

Words = Callable[[Sandbox, Parameters], str]


def _search(words: Words) -> Action:
    def act(sandbox: Sandbox, call: Parameters) -> dict[str, Any]:
        found = found_offers(sandbox.config.seed, f"taobao {words(sandbox, call)}", TOTAL)
        return _page(sandbox, call, [_article(sandbox, offer) for offer in found])

    return act


def image_search(sandbox: Sandbox, call: Parameters) -> dict[str, Any]:
    """Articles that look like a picture."""
    found = alike(sandbox.config.seed, picture_in(call), TOTAL)
    return _page(sandbox, call, [_article(sandbox, offer) for offer in found])


def batch(sandbox: Sandbox, call: Parameters) -> list[dict[str, Any]]:
    """Several articles by their ids; unknown ones are left out."""
    item_ids = call.ids("itemIds")
    if not 1 <= len(item_ids) <= MAX_IDS:
        raise Refused(40000, f"itemIds: expected 1 to {MAX_IDS}")
    found = (find_offer(sandbox.config.seed, int(item_id)) for item_id in item_ids)
    return [_article(sandbox, offer) for offer in found if offer is not None]


def cart_list(sandbox: Sandbox, call: Parameters) -> dict[str, Any]:
    """One buyer's cart, newest first."""
    rows = sandbox.cart_taobao.of(call.id("userId"))
    return _page(sandbox, call, [_cart_row(sandbox, row) for row in rows])


def cart_add(sandbox: Sandbox, call: Parameters) -> dict[str, Any]:
    """Documented: `mpId` and `mpSkuId` name the sku; the rest of the many fields is only shown again."""
    offer, sku = sku_of(sandbox, call.id("mpId"), call.id("mpSkuId"))
    quantity = call.integer("quantity", 1)
    if not 1 <= quantity <= sku.stock:
        raise Refused(40920, f"quantity: expected 1 to {sku.stock}")
    user_id = call.id("userId") if call.has("userId") else sandbox.config.user_id
    row = sandbox.cart_taobao.add(user_id, offer.offer_id, sku.sku_id, quantity)
    return {"id": row.cart_id, "quantity": row.quantity}


def cart_delete(sandbox: Sandbox, call: Parameters) -> bool:
    """All of the rows, or none."""
    sandbox.cart_taobao.take(call.id("userId"), call.ids("ids"))
    return True


def cart_edit(sandbox: Sandbox, call: Parameters) -> bool:
    """Another quantity for one row."""
    (row,) = sandbox.cart_taobao.find(call.id("userId"), [call.id("id")])
    quantity = call.integer("quantity")
    if not 1 <= quantity <= sku_of(sandbox, str(row.item_id), str(row.sku_id))[1].stock:
        raise Refused(40920, "quantity")
    row.quantity = quantity
    return True


def cart_preview(sandbox: Sandbox, call: Parameters) -> dict[str, Any]:
    """What the named rows would cost now."""
    rows = sandbox.cart_taobao.find(call.id("userId"), call.ids("ids"))
    return priced(sandbox, [_wanted(sandbox, row) for row in rows])


def cart_create(sandbox: Sandbox, call: Parameters) -> dict[str, Any]:
    """Orders of the named rows, which leave the cart."""
    address = receiver_of(call, "orderAddress")
    user_id, ids = call.id("userId"), call.ids("ids")
    rows = sandbox.cart_taobao.find(user_id, ids)
    created = create_orders(sandbox, [_wanted(sandbox, row) for row in rows], call, address)
    sandbox.cart_taobao.take(user_id, ids)
    return created


def _wanted(sandbox: Sandbox, row: CartRow) -> Wanted:
    offer, sku = sku_of(sandbox, str(row.item_id), str(row.sku_id))
    return Wanted(offer, sku, row.quantity, str(row.cart_id))


def _page(sandbox: Sandbox, call: Parameters, rows: list[dict[str, Any]]) -> dict[str, Any]:
    number, size = call.integer("pageNo", 1), call.integer("pageSize", 20)
    if number < 1 or not 1 <= size <= sandbox.config.max_page_size:
        raise Refused(40002, f"expected pageNo from 1, pageSize 1 to {sandbox.config.max_page_size}")
    return {
        "totalRecords": len(rows),
        "totalPage": -(-len(rows) // size),
        "pageSize": size,
        "currentPage": number,
        "data": rows[(number - 1) * size : number * size],
    }


def _article(sandbox: Sandbox, offer: Offer) -> dict[str, Any]:
    return {
        "itemId": str(offer.offer_id),
        "itemMapId": map_id(offer.offer_id),
        "mpId": str(offer.offer_id),
        "title": offer.subject,
        "picUrl": offer.image,
        "price": offer.price_fen,
        "currency": "CNY",
        "shopId": offer.shop,
        "shopName": seller_of(sandbox.config.seed, offer.shop).login_id,
        "monthSold": offer.month_sold,
        "skuList": [_sku(sku) for sku in offer.skus],
    }


def _sku(sku: Sku) -> dict[str, Any]:
    return {
        "skuId": str(sku.sku_id),
        "mpSkuId": str(sku.sku_id),
        "price": sku.price_fen,
        "quantity": sku.stock,
        "properties": ";".join(":".join(pair) for pair in sku.attributes),
    }


def _cart_row(sandbox: Sandbox, row: CartRow) -> dict[str, Any]:
    offer, sku = sku_of(sandbox, str(row.item_id), str(row.sku_id))
    return {
        "id": row.cart_id,
        "userId": row.user_id,
        "mpId": str(row.item_id),
        "mpSkuId": str(row.sku_id),
        "itemTitle": offer.subject,
        "itemPic": offer.image,
        "price": sku.price_fen,
        "quantity": row.quantity,
        "shopId": offer.shop,
    }


_P = Dialect.PANDAPON
ACTIONS: Mapping[tuple[Dialect, str], Action] = {
    (_P, "taobao.goods.search"): _search(lambda _sandbox, call: f"words:{call.text('keyword')}"),
    (_P, "taobao.goods.commodity_search"): _search(lambda _sandbox, call: f"commodity:{call.text('keyword')}"),
    (_P, "taobao.goods.image_search"): image_search,
    (_P, "taobao.goods.batch"): batch,
    (_P, "taobao.cart.list"): cart_list,
    (_P, "taobao.cart.add"): cart_add,
    (_P, "taobao.cart.delete"): cart_delete,
    (_P, "taobao.cart.edit_quantity"): cart_edit,
    (_P, "taobao.cart.preview"): cart_preview,
    (_P, "taobao.cart.create_order"): cart_create,
}
