"""Looking for articles: pictures, words, shops. Prices are yuan as text (documented).

`country` is a language code, whatever its name says.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from worker.sandbox.aop.form import Form, digits, whole
from worker.sandbox.aop.gateway import Action
from worker.sandbox.aop.refusals import BusinessRefusal
from worker.sandbox.offers import SHOPS, Offer, Sku, find_offer, found_offers, seller_of
from worker.sandbox.pictures import alike
from worker.sandbox.sandbox import Sandbox

MOST, TOTAL = 50, 400
"""Documented: pages of at most 50. That a search finds 400 is invented."""
MAX_IMAGE = 3_145_728
MAX_IMAGE_DIRECT = 1_048_576
REGION = "0,400,0,400"
_BAD_PAGE = ("PARAM_ILLEGAL", f"beginPage from 1, pageSize from 1 to {MOST}")


def upload(sandbox: Sandbox, form: Form) -> str:
    """`product.image.upload`: an id for the picture. How long it lives is not documented: here for ever."""
    text = form.object("uploadImageParam").get("imageBase64")
    try:
        image = base64.b64decode(str(text or ""), validate=True)
    except ValueError as error:
        raise BusinessRefusal("IMAGE_ILLEGAL", "imageBase64 is not base64") from error
    return _keep(sandbox, image, MAX_IMAGE)


def by_image(sandbox: Sandbox, form: Form) -> dict[str, Any]:
    """`product.search.imageQuery`: by the id of an uploaded picture, or the address of one that stands on 1688."""
    param = form.object("offerQueryParam")
    image_id = str(param.get("imageId") or "")
    if image_id not in ("", "0") and image_id not in sandbox.open_platform.images:
        raise BusinessRefusal("IMAGE_NOT_EXIST", f"imageId {image_id} does not exist")
    address = str(param.get("imageAddress") or "")
    if image_id in ("", "0") and ".alicdn.com/" not in address:
        raise BusinessRefusal("PARAM_ILLEGAL", "imageId, or the address of a picture on 1688, is needed")
    picture = sandbox.open_platform.images.get(image_id, address.encode())
    shown = _page(param, lambda count, skip: alike(sandbox.config.seed, picture, count, skip))
    return shown | {"picRegionInfo": {"currentRegion": REGION, "yoloCropRegion": REGION}}


def by_words(sandbox: Sandbox, form: Form) -> dict[str, Any]:
    """`product.search.keywordQuery`."""
    param = form.object("offerQueryParam")
    words = f"words:{param.get('keyword')}"
    return _page(param, lambda count, skip: found_offers(sandbox.config.seed, words, count, skip))


def of_shop(sandbox: Sandbox, form: Form) -> dict[str, Any]:
    """`product.search.querySellerOfferList`."""
    param = form.object("offerQueryParam")
    shop = next((one for one in range(SHOPS) if _open_id(sandbox, one) == param.get("sellerOpenId")), None)
    if shop is None:
        raise BusinessRefusal("SELLER_NOT_EXIST", "sellerOpenId does not exist")
    return _page(param, lambda count, skip: found_offers(sandbox.config.seed, f"shop:{shop}", count, skip, shop))


def recommended(sandbox: Sandbox, form: Form) -> list[dict[str, Any]]:
    """`product.search.offerRecommend`: a plain list."""
    param = form.object("recommendOfferParam")
    number, size = _paging(param)
    found = found_offers(sandbox.config.seed, "recommended", size, (number - 1) * size)
    return [_row(offer) for offer in found]


def detail(sandbox: Sandbox, form: Form) -> dict[str, Any]:
    """`product.search.queryProductDetail`."""
    param = form.object("offerDetailParam")
    offer = find_offer(sandbox.config.seed, int(digits("offerId", param.get("offerId"))))
    if offer is None:
        raise BusinessRefusal("OFFER_NOT_EXIST", "the offer does not exist")
    return {
        "offerId": offer.offer_id,
        "subject": offer.subject,
        "subjectTrans": offer.subject_en,
        "status": "published" if offer.traded else "member expired",
        "sellerOpenId": _open_id(sandbox, offer.shop),
        "minOrderQuantity": offer.min_quantity,
        "batchNumber": None,
        "productImage": {"images": [offer.image]},
        "productSkuInfos": [_sku_row(sku) for sku in offer.skus],
        "productSaleInfo": {
            "amountOnSale": sum(sku.stock for sku in offer.skus),
            "priceRangeList": [{"startQuantity": offer.min_quantity, "price": yuan_text(offer.price_fen)}],
            "quoteType": 1,
        },
        "productShippingInfo": {"weight": 0.3, "shippingTimeGuarantee": "shipIn48Hours"},
        "sellerMixSetting": {"generalHunpi": False},
    }


def by_image_direct(sandbox: Sandbox, form: Form) -> dict[str, Any]:
    """`alibaba.product.image.search` of an unreliable source: nobody has seen this operation work."""
    image = form.files.get("image", b"")
    if not image:
        raise BusinessRefusal("PARAM_ILLEGAL", "image: expected a file")
    size = form.integer("pageSize", 20)
    if not 1 <= size <= MOST:
        raise BusinessRefusal(*_BAD_PAGE)
    _keep(sandbox, image, MAX_IMAGE_DIRECT)
    found = alike(sandbox.config.seed, image, size, (form.integer("page", 1) - 1) * size)
    rows = [
        {
            "productId": offer.offer_id,
            "title": offer.subject,
            "imageUrl": offer.image,
            "similarity": 0.9,
            "price": yuan_text(offer.price_fen),
            "minOrderQuantity": offer.min_quantity,
            "sellerId": seller_of(sandbox.config.seed, offer.shop).member_id,
            "sellerName": seller_of(sandbox.config.seed, offer.shop).name,
            "detailPageUrl": f"https://detail.1688.com/offer/{offer.offer_id}.html",
        }
        for offer in found
    ]
    return {"result": {"productList": rows}}


def yuan_text(fen: int) -> str:
    """Yuan with two decimals."""
    return f"{fen // 100}.{fen % 100:02d}"


def _keep(sandbox: Sandbox, image: bytes, most: int) -> str:
    if not 0 < len(image) <= most:
        raise BusinessRefusal("IMAGE_ILLEGAL", f"the image is empty or larger than {most} bytes")
    image_id = str(int(hashlib.sha256(image).hexdigest()[:15], 16))
    sandbox.open_platform.images[image_id] = image
    return image_id


def _page(param: dict[str, Any], find: Callable[[int, int], list[Offer]]) -> dict[str, Any]:
    """One page of a search; `find` gets how many offers it shows and how many come before them."""
    number, size = _paging(param)
    skip = min(TOTAL, (number - 1) * size)
    found = find(min(size, TOTAL - skip), skip)
    return {
        "totalRecords": TOTAL,
        "totalPage": -(-TOTAL // size),
        "pageSize": size,
        "currentPage": number,
        "data": [_row(offer) for offer in found],
    }


def _paging(param: dict[str, Any]) -> tuple[int, int]:
    number, size = whole("beginPage", param.get("beginPage")), whole("pageSize", param.get("pageSize"))
    if number < 1 or not 1 <= size <= MOST:
        raise BusinessRefusal(*_BAD_PAGE)
    return number, size


def _row(offer: Offer) -> dict[str, Any]:
    price = yuan_text(offer.price_fen)
    return {
        "offerId": offer.offer_id,
        "subject": offer.subject,
        "subjectTrans": offer.subject_en,
        "imageUrl": offer.image,
        "priceInfo": {"price": price, "consignPrice": price, "promotionPrice": None},
        "monthSold": offer.month_sold,
        "repurchaseRate": f"{offer.repurchase_percent}%",
        "minOrderQuantity": offer.min_quantity,
        "sellerIdentities": [],
        "offerIdentities": [],
        "tradeScore": "4.5",
        "traceInfo": f"object_id@{offer.offer_id}",
    }


def _sku_row(sku: Sku) -> dict[str, Any]:
    price = yuan_text(sku.price_fen)
    return {
        "skuId": sku.sku_id,
        "specId": sku.spec_id,
        "amountOnSale": sku.stock,
        "price": price,
        "promotionPrice": None,
        "fenxiaoPriceInfo": {"onePiecePrice": price, "offerPrice": price},
        "skuAttributes": [{"attributeName": name, "value": value} for name, value in sku.attributes],
    }


def _open_id(sandbox: Sandbox, shop: int) -> str:
    return hashlib.md5(f"{sandbox.config.seed}:open:{shop}".encode(), usedforsecurity=False).hexdigest()


ACTIONS: Mapping[str, Action] = {
    "1688.goods.image_upload": upload,
    "1688.goods.image_search": by_image,
    "1688.goods.image_search_direct": by_image_direct,
    "1688.goods.keyword_search": by_words,
    "1688.goods.detail": detail,
    "1688.goods.shop_search": of_shop,
    "1688.goods.recommend": recommended,
}
