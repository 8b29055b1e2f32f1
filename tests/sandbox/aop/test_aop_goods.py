"""Looking for articles: by picture, by words, in a shop; the same offers that can be ordered."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.sandbox.aop.caller import OpenStage
from worker.sandbox.offers import find_offer

UPLOAD, SEARCH, DETAIL = "1688.goods.image_upload", "1688.goods.image_search", "1688.goods.detail"
PAGE = {"beginPage": 1, "pageSize": 10, "country": "en"}


@pytest.fixture
def stage() -> OpenStage:
    return OpenStage(orders=0)


async def upload(stage: OpenStage, image: bytes) -> dict[str, Any]:
    text = base64.b64encode(image).decode()
    result: dict[str, Any] = (await stage.call(UPLOAD, uploadImageParam={"imageBase64": text}))["result"]
    return result


async def search(stage: OpenStage, name: str = SEARCH, **param: Any) -> dict[str, Any]:
    result: dict[str, Any] = (await stage.call(name, offerQueryParam=PAGE | param))["result"]
    return result


async def test_a_picture_gets_an_id_by_which_offers_are_found(stage: OpenStage) -> None:
    uploaded = await upload(stage, b"\xff\xd8one\xff\xd9")
    assert uploaded["success"] == "true", "a text"
    found = await search(stage, imageId=uploaded["result"])
    assert found["success"] == "true"
    rows = found["result"]["data"]
    assert len(rows) == 10
    assert all(isinstance(row["priceInfo"]["price"], str) for row in rows)
    assert all(row["repurchaseRate"].endswith("%") and isinstance(row["monthSold"], int) for row in rows)
    again = await search(stage, imageId=(await upload(stage, b"\xff\xd8one\xff\xd9"))["result"])
    assert again == found, "the same picture finds the same"
    other = await search(stage, imageId=(await upload(stage, b"\xff\xd8two\xff\xd9"))["result"])
    assert other != found


async def test_pages_of_a_search_do_not_overlap_and_come_to_an_end(stage: OpenStage) -> None:
    image_id = (await upload(stage, b"x"))["result"]
    pages = [(await search(stage, imageId=image_id, beginPage=page, pageSize=50))["result"] for page in range(1, 10)]
    assert [len(page["data"]) for page in pages] == [50] * 8 + [0]
    ids = [row["offerId"] for page in pages for row in page["data"]]
    assert len(set(ids)) == len(ids) == pages[0]["totalRecords"]


@pytest.mark.parametrize(
    "wrong", [{"imageId": "1"}, {"imageId": "0", "imageAddress": "https://elsewhere.invalid/1.jpg"}]
)
async def test_a_picture_that_is_not_there_finds_nothing(stage: OpenStage, wrong: dict[str, Any]) -> None:
    assert (await search(stage, **wrong))["success"] == "false"


async def test_a_picture_on_the_marketplace_itself_needs_no_upload(stage: OpenStage) -> None:
    found = await search(stage, imageId="0", imageAddress="https://cbu01.alicdn.com/img/1.jpg")
    assert found["success"] == "true"


@pytest.mark.parametrize("page", [{"pageSize": 51}, {"pageSize": 0}, {"beginPage": 0}])
async def test_pages_have_their_limits(stage: OpenStage, page: dict[str, int]) -> None:
    assert (await search(stage, "1688.goods.keyword_search", keyword="杯", **page))["code"] == "PARAM_ILLEGAL"


@pytest.mark.parametrize("image", [b"", b"x" * 3_145_729])
async def test_an_empty_and_a_huge_picture_are_refused(stage: OpenStage, image: bytes) -> None:
    answer = await stage.send(UPLOAD, uploadImageParam={"imageBase64": base64.b64encode(image).decode()})
    refused = answer.json().get("result", {}).get("success") == "false" or answer.status_code == 400
    assert refused
    assert stage.sandbox.open_platform.images == {}


async def test_an_offer_is_the_same_wherever_it_is_seen(stage: OpenStage) -> None:
    rows = (await search(stage, "1688.goods.keyword_search", keyword="杯"))["result"]["data"]
    row = rows[0]
    detail = (await stage.call(DETAIL, offerDetailParam={"offerId": row["offerId"], "country": "en"}))["result"][
        "result"
    ]
    assert detail["productSaleInfo"]["priceRangeList"][0]["price"] == row["priceInfo"]["price"]
    offer = find_offer(stage.sandbox.config.seed, row["offerId"])
    assert offer is not None
    assert [sku["specId"] for sku in detail["productSkuInfos"]] == [sku.spec_id for sku in offer.skus]
    shop = (await search(stage, "1688.goods.shop_search", sellerOpenId=detail["sellerOpenId"]))["result"]["data"]
    assert shop
    for other in shop:
        found = await stage.call(DETAIL, offerDetailParam={"offerId": other["offerId"], "country": "en"})
        assert found["result"]["result"]["sellerOpenId"] == detail["sellerOpenId"]


async def test_what_is_not_there_is_said_so(stage: OpenStage) -> None:
    assert (await stage.call(DETAIL, offerDetailParam={"offerId": 1}))["result"]["code"] == "OFFER_NOT_EXIST"
    assert (await search(stage, "1688.goods.shop_search", sellerOpenId="x"))["code"] == "SELLER_NOT_EXIST"


async def test_recommendations_are_a_plain_list(stage: OpenStage) -> None:
    answer = await stage.call("1688.goods.recommend", recommendOfferParam=PAGE)
    assert len(answer["result"]["result"]) == 10
