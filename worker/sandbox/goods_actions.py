"""Looking for articles on 1688. Prices are yuan as text (inferred from their size).

The row of a search is documented; the detail's fields are the upstream's; which of the menu's lists answers what is not
known, so they all answer the same rows.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import msgspec

from worker.catalogue.operation import Dialect
from worker.sandbox.basket import map_id, offer_of, open_id
from worker.sandbox.codes import Refused
from worker.sandbox.menu import Action
from worker.sandbox.offers import SHOPS, Offer, Sku, found_offers, seller_of
from worker.sandbox.parameters import Parameters
from worker.sandbox.pictures import alike
from worker.sandbox.sandbox import Sandbox

MAX_PAGE = 50
TOTAL = 200
"""What a search finds, at most: invented."""
CATEGORIES = 40
MAX_IMAGE = 3_145_728

Words = Callable[[Sandbox, Parameters], str]


def detail(sandbox: Sandbox, call: Parameters) -> dict[str, Any]:
    """One article with its skus; what stands in an order is shown as it was ordered."""
    offer = _as_ordered(sandbox, offer_of(sandbox, call))
    return {
        "offerId": offer.offer_id,
        "offerMapId": map_id(offer.offer_id),
        "categoryId": category_of(offer),
        "subject": offer.subject,
        "subjectTrans": offer.subject_en,
        "status": "published" if offer.traded else "member expired",
        "sellerOpenId": open_id(sandbox, offer.shop),
        "minOrderQuantity": offer.min_quantity,
        "batchNumber": None,
        "productImage": {"images": [offer.image]},
        "productSkuInfos": [
            {
                "skuId": sku.sku_id,
                "specId": sku.spec_id,
                "amountOnSale": sku.stock,
                "price": yuan_text(sku.price_fen),
                "skuAttributes": [{"attributeName": name, "value": value} for name, value in sku.attributes],
            }
            for sku in offer.skus
        ],
        "productSaleInfo": {
            "amountOnSale": sum(sku.stock for sku in offer.skus),
            "priceRangeList": [{"startQuantity": offer.min_quantity, "price": yuan_text(offer.price_fen)}],
            "quoteType": 1,
        },
    }


def _as_ordered(sandbox: Sandbox, offer: Offer) -> Offer:
    """The lives order articles of their own invention: name, picture and sku of those come first."""
    lines = (goods for order in sandbox.world.orders.values() for goods in order.life.goods)
    ordered = [goods for goods in lines if goods.product_id == offer.offer_id]
    known = {sku.sku_id for sku in offer.skus}
    own = {goods.sku_id: goods for goods in ordered if goods.sku_id not in known}
    if not own:
        return offer
    skus = tuple(
        Sku(goods.sku_id, goods.spec_id, goods.sku, goods.price_fen, offer.skus[0].stock) for goods in own.values()
    )
    first = next(iter(own.values()))
    return replace(offer, subject=first.name, image=first.image, unit=first.unit, skus=(*skus, *offer.skus))


def _search(words: Words) -> Action:
    def act(sandbox: Sandbox, call: Parameters) -> dict[str, Any]:
        return page_of(found_offers(sandbox.config.seed, words(sandbox, call), TOTAL), call)

    return act


def image_search(sandbox: Sandbox, call: Parameters) -> dict[str, Any]:
    """Articles that look like a picture."""
    return page_of(alike(sandbox.config.seed, picture_in(call), TOTAL), call)


def shop_search(sandbox: Sandbox, call: Parameters) -> dict[str, Any]:
    """Articles of one seller."""
    wanted = call.text("sellerOpenId")
    shop = next((shop for shop in range(SHOPS) if open_id(sandbox, shop) == wanted), None)
    if shop is None:
        raise Refused(40402, f"sellerOpenId {wanted}")
    return page_of(found_offers(sandbox.config.seed, f"shop:{shop}", TOTAL, shop=shop), call)


def category(sandbox: Sandbox, call: Parameters) -> dict[str, Any]:  # noqa: ARG001 - all actions look alike
    """One category; 0 is the root of all."""
    number = call.integer("categoryId")
    if number == 0:
        children = [{"id": one, "name": f"类目{one}", "isLeaf": True} for one in range(1, CATEGORIES + 1)]
        return {"categoryId": 0, "name": None, "isLeaf": False, "childCategorys": children}
    if not 1 <= number <= CATEGORIES:
        raise Refused(40402, f"categoryId {number}")
    return {"categoryId": number, "name": f"类目{number}", "isLeaf": True, "childCategorys": []}


def wangwang_nick(sandbox: Sandbox, call: Parameters) -> str:
    """The seller's name in the chat, from the encrypted one that an article's page shows."""
    offer = offer_of(sandbox, call)
    if call.text("openUid") != open_id(sandbox, offer.shop):
        raise Refused(40402, "openUid")
    return seller_of(sandbox.config.seed, offer.shop).login_id


def page_of(offers: list[Offer], call: Parameters) -> dict[str, Any]:
    """One page of a search, after its filters and its order."""
    number, size = call.integer("beginPage"), call.integer("pageSize")
    if number < 1 or not 1 <= size <= MAX_PAGE:
        raise Refused(40002, f"expected beginPage from 1, pageSize 1 to {MAX_PAGE}")
    low, high = _fen(call, "priceStart", 0), _fen(call, "priceEnd", 10**12)
    found = [offer for offer in offers if low <= offer.price_fen <= high]
    if call.has("categoryId"):
        found = [offer for offer in found if category_of(offer) == call.integer("categoryId")]
    _sort(found, call)
    return {
        "totalRecords": len(found),
        "totalPage": -(-len(found) // size),
        "pageSize": size,
        "currentPage": number,
        "data": [row_of(offer) for offer in found[(number - 1) * size : number * size]],
    }


def row_of(offer: Offer) -> dict[str, Any]:
    """Documented, but for `offerId`, which the v1 paths have in place of `offerMapId`."""
    price = yuan_text(offer.price_fen)
    return {
        "imageUrl": offer.image,
        "subject": offer.subject,
        "subjectTrans": offer.subject_en,
        "offerId": offer.offer_id,
        "offerMapId": map_id(offer.offer_id),
        "isJxhy": False,
        "priceInfo": {"price": price, "jxhyPrice": None, "pfJxhyPrice": None},
        "repurchaseRate": f"{offer.repurchase_percent}%",
        "monthSold": offer.month_sold,
    }


def category_of(offer: Offer) -> int:
    """The category of an article."""
    return 1 + offer.offer_id % CATEGORIES


def yuan_text(fen: int) -> str:
    """Yuan with two decimals."""
    return f"{fen // 100}.{fen % 100:02d}"


def picture_in(call: Parameters) -> bytes:
    """The picture that a call brings along."""
    try:
        image = base64.b64decode(call.text("imageBase64"), validate=True)
    except ValueError as error:
        raise Refused(40000, "imageBase64: expected base64") from error
    if len(image) > MAX_IMAGE:
        raise Refused(40000, f"imageBase64: expected at most {MAX_IMAGE} bytes")
    return image


def _fen(call: Parameters, name: str, default: int) -> int:
    if not call.has(name):
        return default
    yuan, _, rest = str(call.values[name]).partition(".")
    if not (yuan + rest).isdecimal():
        raise Refused(40000, f"{name}: expected yuan")
    return int(yuan or 0) * 100 + int((rest + "00")[:2])


def _sort(offers: list[Offer], call: Parameters) -> None:
    """`sort` is JSON text as `{"price":"asc"}`; other keys leave the order as it is."""
    if not call.has("sort"):
        return
    try:
        wanted = msgspec.json.decode(call.text("sort"), type=dict[str, str])
    except msgspec.DecodeError as error:
        raise Refused(40000, 'sort: expected JSON text as {"price":"asc"}') from error
    if "price" in wanted:
        offers.sort(key=lambda offer: offer.price_fen, reverse=wanted["price"] == "desc")


def _keyword(kind: str) -> Words:
    return lambda _sandbox, call: f"{kind}:{call.text('keyword')}"


_P = Dialect.PANDAPON
ACTIONS: Mapping[tuple[Dialect, str], Action] = {
    (_P, "1688.goods.detail"): detail,
    (_P, "1688.goods.keyword_search"): _search(_keyword("words")),
    (_P, "1688.goods.image_search"): image_search,
    (_P, "1688.goods.shop_search"): shop_search,
    (_P, "1688.goods.category"): category,
    (_P, "1688.goods.recommend"): _search(lambda _sandbox, _call: "recommended"),
    (_P, "1688.goods.related"): _search(lambda sandbox, call: f"related:{offer_of(sandbox, call).offer_id}"),
    (_P, "1688.goods.global_keyword_search"): _search(_keyword("global")),
    (_P, "1688.goods.selection_keyword_search"): _search(_keyword("selection")),
    (_P, "1688.goods.hot_list"): _search(lambda _sandbox, _call: "hot"),
    (_P, "1688.order.wangwang_nick"): wangwang_nick,
}
