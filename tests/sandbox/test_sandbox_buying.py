"""Goods, carts and orders that our own calls create on 1688."""

from __future__ import annotations

import base64
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.sandbox.stage import Stage
from worker.catalogue.operation import Dialect
from worker.catalogue.tables import find
from worker.sandbox.basket import map_id, open_id
from worker.sandbox.menu import paths_of
from worker.sandbox.offers import Offer, found_offers

ADDRESS = {"fullName": "甲", "mobile": "10000000000", "provinceText": "P", "cityText": "C", "address": "A"}
PREVIEW = "/alibaba/order/create/preview"


def path(name: str, dialect: Dialect = Dialect.PANDAPON) -> str:
    return paths_of(find(dialect, name))[0]


@pytest.fixture
def stage() -> Stage:
    stage = Stage(orders=0, agreement_share=1.0)
    stage.begin()
    return stage


def buyable(stage: Stage, shop: int | None = None, count: int = 2) -> list[Offer]:
    """Offers that can be ordered, of different sellers unless one is named."""
    offers = [
        offer
        for offer in found_offers(stage.sandbox.config.seed, "any", 300, shop=shop)
        if offer.traded and offer.skus[0].price_fen and offer.skus[0].stock > 10
    ]
    if shop is None:
        return list({offer.shop: offer for offer in offers}.values())[:count]
    return offers[:count]


def cargo(*offers: Offer, quantity: int = 5) -> list[dict[str, Any]]:
    return [{"offerId": offer.offer_id, "specId": offer.skus[0].spec_id, "quantity": quantity} for offer in offers]


def order_of(*offers: Offer, **changes: Any) -> dict[str, Any]:
    return {"flow": "general", "addressParam": ADDRESS, "cargoParamList": cargo(*offers)} | changes


async def test_a_search_pages_filters_and_sorts_and_its_rows_lead_to_the_detail(stage: Stage) -> None:
    body = {"keyword": "伞", "beginPage": 1, "pageSize": 20, "country": "en"}
    pages = [
        (await stage.post(path("1688.goods.keyword_search"), body | {"beginPage": page}))["data"] for page in (1, 2)
    ]
    ids = [row["offerId"] for page in pages for row in page["data"]]
    assert len(set(ids)) == 40
    row = pages[0]["data"][0]
    assert row["priceInfo"]["price"].count(".") == 1
    assert row["repurchaseRate"].endswith("%")
    low, high = "10.00", "50.00"
    answer = await stage.post(
        path("1688.goods.keyword_search"), body | {"priceStart": low, "priceEnd": high, "sort": '{"price":"asc"}'}
    )
    prices = [Decimal(row["priceInfo"]["price"]) for row in answer["data"]["data"]]
    assert prices == sorted(prices)
    assert all(Decimal(low) <= price <= Decimal(high) for price in prices)
    by_number = (await stage.post(path("1688.goods.detail"), {"offerId": row["offerId"], "country": "en"}))["data"]
    assert (by_number["offerId"], by_number["offerMapId"]) == (row["offerId"], row["offerMapId"])


@pytest.mark.parametrize(
    ("change", "code"),
    [({"pageSize": 51}, 40002), ({"beginPage": 0}, 40002), ({"sort": "cheap"}, 40000), ({"priceStart": "x"}, 40000)],
)
async def test_a_search_that_cannot_be_is_refused(stage: Stage, change: dict[str, Any], code: int) -> None:
    body = {"keyword": "x", "beginPage": 1, "pageSize": 20, "country": "en"}
    assert (await stage.post(path("1688.goods.keyword_search"), body | change))["code"] == code


async def test_the_same_picture_finds_the_same_and_a_large_one_still_fits(stage: Stage) -> None:
    body = {"beginPage": 1, "pageSize": 5, "country": "en"}
    found = []
    for image in (b"a", b"a", b"b" * 1_000_000):
        picture = base64.b64encode(image).decode()
        for road in ("/alibaba/product/image/query", "/v2/alibaba/product/image/query"):
            data = (await stage.post(road, body | {"imageBase64": picture}))["data"]["data"]
            found.append([row["offerMapId"] for row in data])
    assert found[0] == found[1] == found[2] == found[3] != found[4]
    for wrong in ("not base64!", base64.b64encode(b"c" * 4_000_000).decode()):
        assert (await stage.post(path("1688.goods.image_search"), body | {"imageBase64": wrong}))["code"] == 40000


async def test_a_shop_a_category_and_a_nick_are_found_by_their_encrypted_names(stage: Stage) -> None:
    (offer,) = buyable(stage, shop=3, count=1)
    body = {"sellerOpenId": open_id(stage.sandbox, 3), "beginPage": 1, "pageSize": 20, "country": "en"}
    rows = (await stage.post(path("1688.goods.shop_search"), body))["data"]["data"]
    assert {row["offerId"] % 12 for row in rows} == {3}
    assert (await stage.post(path("1688.goods.shop_search"), body | {"sellerOpenId": "x"}))["code"] == 40402
    root = (await stage.post(path("1688.goods.category"), {"categoryId": 0}))["data"]
    assert len(root["childCategorys"]) == 40
    assert (await stage.post(path("1688.goods.category"), {"categoryId": 41}))["code"] == 40402
    asked = {"offerId": offer.offer_id, "openUid": open_id(stage.sandbox, 3)}
    assert (await stage.post(path("1688.order.wangwang_nick"), asked))["data"].startswith("卖")
    assert (await stage.post(path("1688.order.wangwang_nick"), asked | {"openUid": "x"}))["code"] == 40402
    for name in ("recommend", "hot_list"):
        assert (await stage.post(path(f"1688.goods.{name}"), body))["data"]["data"]
    for name in ("global_keyword_search", "selection_keyword_search"):
        assert (await stage.post(path(f"1688.goods.{name}"), body | {"keyword": "x"}))["data"]["data"]
    assert (await stage.post(path("1688.goods.related"), body | {"offerId": offer.offer_id}))["data"]["data"]


async def test_an_article_that_stands_in_an_order_is_shown_as_it_was_ordered() -> None:
    stage = Stage(orders=3)
    for order in stage.begin():
        for item in (await stage.detail(order.order_id))["data"]["productItems"]:
            asked = {"offerId": item["productID"], "country": "en"}
            article = (await stage.post(path("1688.goods.detail"), asked))["data"]
            assert article["subject"] == item["name"]
            assert article["productSkuInfos"][0]["skuId"] == item["skuID"]
            assert Decimal(article["productSkuInfos"][0]["price"]) == item["price"]


async def test_a_preview_says_in_fen_and_yuan_what_the_created_order_then_costs(stage: Stage) -> None:
    (offer,) = buyable(stage, shop=1, count=1)
    preview = (await stage.post(PREVIEW, order_of(offer)))["data"]
    (row,) = preview["orderPreviewResuslt"]
    assert row["sumPayment"] == row["sumPaymentNoCarriage"] + row["sumCarriage"]
    assert row["cargoList"][0]["amount"] * 100 == row["sumPaymentNoCarriage"]
    assert stage.orders == []
    (created,) = (await stage.post("/v2/alibaba/order/create", order_of(offer, message="please hurry")))["data"]
    assert created["baseInfo"]["totalAmount"] * 100 == row["sumPayment"]
    assert created["baseInfo"]["status"] == "waitbuyerpay"
    assert created["baseInfo"]["receiverInfo"]["toFullName"] == ADDRESS["fullName"]
    assert created["baseInfo"]["receiverInfo"]["toArea"] == "P C A"
    assert created["nativeLogistics"]["province"] == "P"
    assert created["baseInfo"]["buyerFeedback"] == "please hurry"
    (booked,) = await stage.book("created")
    assert booked["order_id"] == created["baseInfo"]["idOfStr"]
    stage.advance(0)
    assert stage.pushed[0][1].topic.endswith("BUYER_MAKE")
    await stage.pay(booked["order_id"])
    assert stage.sandbox.world.ledger[0].amount_fen == row["sumPayment"]


async def test_at_xport_everything_is_fen_and_the_outer_number_is_kept(stage: Stage) -> None:
    (offer,) = buyable(stage, shop=1, count=1)
    (row,) = (await stage.post("/api/alibaba/ka/order/create/preview", order_of(offer)))["data"]
    item = row["orderItemTOList"][0]
    assert row["sumPayment"] == item["amount"] + row["sumCarriage"] < row["sumTotalPayment"]
    assert item["finalUnitPrice"] * 5 == item["amount"]
    await stage.post("/api/alibaba/ka/order/create", order_of(offer, outOrderId="SHOP-9"))
    await stage.post("/api/alibaba/ka/order/create", order_of(offer, outOrderId="SHOP-9"))
    rows = await stage.book("created")
    assert [row["external_id"] for row in rows] == ["SHOP-9", "SHOP-9"], "nothing protects a client that asks twice"


async def test_goods_of_several_merchants_need_the_call_for_them_and_become_an_order_each(stage: Stage) -> None:
    offers = buyable(stage, count=3)
    assert (await stage.post("/alibaba/order/create", order_of(*offers)))["code"] == 40920
    assert stage.orders == []
    body = order_of(*offers)
    for row, offer in zip(body["cargoParamList"], offers, strict=True):
        row["sellerOpenId"] = open_id(stage.sandbox, offer.shop)
    shown = (await stage.post(path("1688.order.batch_preview"), body))["data"]["orderPreviewResuslt"]
    created = (await stage.post("/v2/alibaba/order/batch/create", body))["data"]
    assert len(shown) == len(created) == 3
    assert len({info["baseInfo"]["sellerID"] for info in created}) == 3
    body["cargoParamList"][0]["sellerOpenId"] = "x"
    assert (await stage.post("/v2/alibaba/order/batch/create", body))["code"] == 40000


async def test_goods_of_one_merchant_in_two_warehouses_are_split(stage: Stage) -> None:
    offers = buyable(stage, shop=2, count=40)
    first = offers[0]
    other = next(offer for offer in offers if offer.warehouse != first.warehouse)
    created = (await stage.post("/alibaba/order/create", order_of(first, other)))["data"]
    assert len(created) == 2
    assert len({info["baseInfo"]["sellerID"] for info in created}) == 1


async def test_goods_of_the_v2_paths_are_named_by_encrypted_ids(stage: Stage) -> None:
    (offer,) = buyable(stage, shop=1, count=1)
    row = {"offerMapId": map_id(offer.offer_id), "specId": offer.skus[0].spec_id, "quantity": 5}
    created = (await stage.post("/v2/alibaba/order/create", order_of(cargoParamList=[row])))["data"]
    assert created[0]["productItems"][0]["productID"] == offer.offer_id
    row["offerMapId"] = "omzz"
    assert (await stage.post("/v2/alibaba/order/create", order_of(cargoParamList=[row])))["code"] == 40402


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"flow": "elsewhere"}, 40000),
        ({"addressParam": {"fullName": "甲"}}, 40000),
        ({"cargoParamList": []}, 40000),
        ({"cargoParamList": [{"offerId": 1, "specId": "", "quantity": 1}]}, 40402),
    ],
)
async def test_an_order_that_cannot_be_is_refused_and_nothing_is_created(
    stage: Stage, change: dict[str, Any], code: int
) -> None:
    (offer,) = buyable(stage, shop=1, count=1)
    for road in (PREVIEW, "/alibaba/order/create", "/api/alibaba/ka/order/create"):
        assert (await stage.post(road, order_of(offer, **change)))["code"] == code
    doubled = order_of(cargoParamList=cargo(offer, offer))
    assert (await stage.post(PREVIEW, doubled))["code"] == 40000
    too_many = order_of(cargoParamList=cargo(offer, quantity=1_000_000))
    assert (await stage.post(PREVIEW, too_many))["code"] == 40920
    assert stage.orders == []


async def test_a_cart_is_filled_changed_and_ordered_from(stage: Stage) -> None:
    one, other = buyable(stage, count=2)
    for offer, quantity in ((one, 3), (other, 3), (one, 2)):
        body = {"userId": "7", "offerId": offer.offer_id, "specId": offer.skus[0].spec_id, "quantity": quantity}
        assert (await stage.post(path("1688.cart.add"), body))["code"] == 200
    rows = (await stage.get(path("1688.cart.list"), userId="7"))["data"]["data"]
    assert [(row["offerId"], row["quantity"]) for row in rows] == [(other.offer_id, 3), (one.offer_id, 5)]
    assert rows[0]["cartId"] > 2**53
    edited = {"userId": "7", "cartId": rows[0]["cartId"], "quantity": 4}
    assert (await stage.post(path("1688.cart.edit_quantity"), edited))["data"] is True
    asked = {"userId": "7", "cartIds": [row["cartId"] for row in rows], "addressParam": ADDRESS, "flow": "general"}
    shown = (await stage.post("/alibaba/cart/preview/order", asked))["data"]["orderPreviewResuslt"]
    created = (await stage.post("/alibaba/cart/create/order", asked))["data"]
    assert sum(row["sumPayment"] for row in shown) == sum(info["baseInfo"]["totalAmount"] for info in created) * 100
    assert (await stage.get(path("1688.cart.list"), userId="7"))["data"]["totalRecords"] == 0
    assert (await stage.post("/alibaba/cart/create/order", asked))["code"] == 40403, (
        "what was ordered has left the cart"
    )
    assert len(await stage.book("created")) == 2


async def test_a_row_is_deleted_only_by_its_buyer_and_with_all_the_others_named(stage: Stage) -> None:
    (offer,) = buyable(stage, count=1)
    body = {"userId": "7", "offerId": offer.offer_id, "specId": offer.skus[0].spec_id, "quantity": 3}
    cart_id = (await stage.post(path("1688.cart.add"), body))["data"]["cartId"]
    for wrong in ({"userId": "8", "cartIds": [cart_id]}, {"userId": "7", "cartIds": [cart_id, 1]}):
        assert (await stage.post(path("1688.cart.delete"), wrong))["code"] == 40403
    assert (await stage.post(path("1688.cart.delete"), {"userId": "7", "cartIds": [cart_id]}))["data"] is True
    assert (await stage.get(path("1688.cart.list"), userId="7"))["data"]["totalRecords"] == 0


async def test_taobaos_cart_and_goods_speak_in_fen(stage: Stage) -> None:
    found = (await stage.post(path("taobao.goods.search"), {"keyword": "伞"}))["data"]["data"]
    assert all(isinstance(row["price"], int) for row in found)
    article = next(row for row in found if row["skuList"][0]["price"] and row["skuList"][0]["quantity"] > 10)
    assert (await stage.post(path("taobao.goods.batch"), {"itemIds": [article["itemId"], "1"]}))["data"] == [article]
    assert (await stage.post(path("taobao.goods.batch"), {"itemIds": []}))["code"] == 40000
    picture = {"imageBase64": base64.b64encode(b"a").decode()}
    assert (await stage.post(path("taobao.goods.image_search"), picture))["data"]["data"]
    assert (await stage.post(path("taobao.goods.commodity_search"), {"keyword": "伞"}))["data"]["data"]
    sku = article["skuList"][0]
    wanted = {"mpId": article["mpId"], "mpSkuId": sku["mpSkuId"], "quantity": 2, "userId": "7"}
    row_id = (await stage.post("/v2/taobao/cart/add", wanted))["data"]["id"]
    assert (await stage.post("/open/cart/add", wanted | {"mpSkuId": "1"}))["code"] == 40402
    edited = {"userId": "7", "id": row_id, "quantity": 3}
    assert (await stage.post(path("taobao.cart.edit_quantity"), edited))["data"] is True
    (row,) = (await stage.get(path("taobao.cart.list"), userId="7"))["data"]["data"]
    assert (row["quantity"], row["price"]) == (3, sku["price"])
    shown = (await stage.post(path("taobao.cart.preview"), {"ids": [row_id], "userId": "7"}))["data"]
    receiver = {"name": "A", "address": "B", "city": "C", "state": "D", "country": "CN"}
    ordered = {"ids": [row_id], "userId": "7", "orderAddress": receiver}
    assert (await stage.post("/open/cart/create/order", ordered | {"orderAddress": {}}))["code"] == 40000
    created = (await stage.post("/open/cart/create/order", ordered))["data"]["orderList"]
    assert created[0]["estimateAmount"] == shown["totalRealPayPrice"]["amount"]
    assert (await stage.post(path("taobao.cart.delete"), {"userId": "7", "ids": [row_id]}))["code"] == 40403
    assert msgspec.json.encode(created)
