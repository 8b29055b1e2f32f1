"""Every article has a picture that is to be had, and a search by it finds the article again."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Any

import pytest

from tests.sandbox.aop.caller import OpenStage
from tests.sandbox.stage import Stage
from worker.sandbox.pictures import alike, article_in, picture_of

SEARCH = "/v2/alibaba/product/image/query"


async def shown_picture(stage: Stage) -> tuple[str, int]:
    """The address of the picture in the first order's detail, and the article's id."""
    item = (await stage.detail(stage.begin()[0].order_id))["data"]["productItems"][0]
    return item["productImgUrl"][0], item["productID"]


async def searched(stage: Stage, picture: bytes) -> list[dict[str, Any]]:
    body = {
        "imageBase64": base64.b64encode(picture).decode(),
        "beginPage": 1,
        "pageSize": 10,
        "country": "en",
    }
    rows: list[dict[str, Any]] = (await stage.post(SEARCH, body))["data"]["data"]
    return rows


async def test_the_picture_of_a_line_is_to_be_had_where_the_caller_found_the_sandbox() -> None:
    stage = Stage(orders=1)
    address, article = await shown_picture(stage)
    assert address == f"http://sandbox.invalid/_sandbox/pictures/{article}.png"
    answer = await stage.client.get(address)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert answer.content == picture_of(article)
    small = await stage.client.get(address.replace(".png", ".80x80.png"))
    assert small.content == answer.content


async def test_a_name_in_the_callers_words_cannot_break_an_answer() -> None:
    stage = Stage(orders=1)
    headers = stage.headers() | {"host": 'a"b\\c'}
    body = f'{{"webSite": "1688", "orderId": "{stage.begin()[0].order_id}"}}'
    answer = await stage.client.post("/alibaba/order/detail", content=body, headers=headers)
    assert answer.json()["code"] == 200


@pytest.mark.parametrize("name", ["x.png", "1.jpg", "1234567890123456789.png", "1.80x80.80x80.png", "%2e%2e"])
async def test_what_is_no_picture_is_not_found(name: str) -> None:
    assert (await Stage().client.get(f"/_sandbox/pictures/{name}")).status_code == 404


async def test_a_search_by_a_picture_finds_the_article_itself_first_and_then_others() -> None:
    stage = Stage(orders=1)
    address, article = await shown_picture(stage)
    picture = (await stage.client.get(address)).content
    found = await searched(stage, picture)
    assert [row["offerId"] for row in found] == [offer.offer_id for offer in alike(1, picture, 10)]
    assert found[0]["offerId"] == article
    assert found[0]["imageUrl"] == address
    assert article not in [row["offerId"] for row in found[1:]]
    other = await searched(stage, picture_of(found[1]["offerId"]))
    assert {row["offerId"] for row in other} & {row["offerId"] for row in found} == {found[1]["offerId"]}


async def test_both_apis_find_the_same_by_the_same_picture() -> None:
    stage, picture = OpenStage(), picture_of(700_000_000_001)
    image = {"imageBase64": base64.b64encode(picture).decode()}
    uploaded = await stage.call("1688.goods.image_upload", uploadImageParam=image)
    param = {"imageId": uploaded["result"]["result"], "beginPage": 1, "pageSize": 10, "country": "en"}
    rows = (await stage.call("1688.goods.image_search", offerQueryParam=param))["result"]["result"]["data"]
    other = await searched(Stage(), picture)
    assert [row["offerId"] for row in rows] == [row["offerId"] for row in other]
    assert rows[0]["imageUrl"].endswith("/_sandbox/pictures/700000000001.png")


def test_a_picture_is_a_png_that_shows_its_article_alone() -> None:
    picture = picture_of(610_000_000_000)
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    place, kinds = 8, []
    while place < len(picture):
        (length,) = struct.unpack_from(">I", picture, place)
        kind_and_content = picture[place + 4 : place + 8 + length]
        (checksum,) = struct.unpack_from(">I", picture, place + 8 + length)
        assert checksum == zlib.crc32(kind_and_content)
        kinds.append(kind_and_content[:4])
        place += 12 + length
    assert kinds == [b"IHDR", b"tEXt", b"IDAT", b"IEND"]
    assert article_in(picture) == 610_000_000_000
    assert picture != picture_of(610_000_000_001)


@pytest.mark.parametrize("picture", [b"", b"\xff\xd8\xff\xd9", picture_of(1)[:-1], b"tEXtarticle\x0012;"])
def test_what_only_looks_like_one_of_ours_shows_nothing(picture: bytes) -> None:
    assert article_in(picture) is None
    assert len(alike(1, picture, 10)) == 10


def test_pages_of_a_search_go_on_where_the_last_one_ended() -> None:
    picture = picture_of(610_000_000_000)
    pages = [alike(1, picture, 5, skip) for skip in (0, 5, 10)]
    assert [offer for page in pages for offer in page] == alike(1, picture, 15)
