"""The picture of every article: a few coloured dots made from its id, which the search by picture knows again.

Orders and offers name their pictures at a host that does not exist; an answer names them where its caller found the
sandbox, at a path that serves them.
"""

from __future__ import annotations

import hashlib
import re
import struct
import zlib

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from worker.sandbox.goods import PICTURE_HOST
from worker.sandbox.offers import Offer, find_offer, found_offers

PATH = "/_sandbox/pictures/"
SIDE = 4
"""Dots in a row, and rows."""
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_NAME = re.compile(r"([0-9]{1,18})(?:\.80x80)?\.png")
_ARTICLE = re.compile(rb"tEXtarticle\0([0-9]{1,18});")


def picture_of(article: int) -> bytes:
    """A PNG of an article, the same in every process."""
    dots = hashlib.shake_128(str(article).encode()).digest(SIDE * SIDE * 3)
    rows = (dots[start : start + SIDE * 3] for start in range(0, len(dots), SIDE * 3))
    return b"".join(
        (
            _SIGNATURE,
            _chunk(b"IHDR", struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)),
            _chunk(b"tEXt", b"article\0%d;" % article),
            _chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows))),
            _chunk(b"IEND", b""),
        )
    )


def article_in(picture: bytes) -> int | None:
    """The article that a picture shows, None if it is none of ours."""
    named = _ARTICLE.search(picture)
    article = int(named[1]) if named else None
    return article if article is not None and picture == picture_of(article) else None


def alike(seed: int, picture: bytes, count: int, skip: int = 0) -> list[Offer]:
    """What a search by this picture shows: the article itself first, then others; the same for the same picture."""
    article = article_in(picture)
    itself = None if article is None else find_offer(seed, article)
    others = found_offers(seed, f"image:{hashlib.sha256(picture).hexdigest()}", skip + count)
    found = others if itself is None else [itself, *(offer for offer in others if offer.offer_id != article)]
    return found[skip : skip + count]


def with_pictures(answer: Response, request: Request) -> Response:
    """The same answer with pictures that are to be had: from here, by the name under which the caller knows us."""
    here = msgspec.json.encode(f"{str(request.base_url).rstrip('/')}{PATH}")[1:-1]
    return Response(bytes(answer.body).replace(PICTURE_HOST.encode(), here), media_type=answer.media_type)


def picture_routes() -> list[Route]:
    """Every article has one, also in the small size."""

    async def picture(request: Request) -> Response:
        named = _NAME.fullmatch(request.path_params["name"])
        if named is None:
            return Response(status_code=404)
        return Response(picture_of(int(named[1])), media_type="image/png")

    return [Route(f"{PATH}{{name}}", picture, methods=["GET"])]


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
