"""A picture's address comes from outside: it leads to picture servers on the public net, or nowhere."""

from collections.abc import AsyncIterator

import pytest

from tests.marketplaces.servers import Answer, Scripted
from worker.marketplaces.images import MAX_IMAGE_BYTES, ImageFetcher, resolve
from worker.marketplaces.port import RejectedError, RetryableError

HOSTS = ("alicdn.com", "1688.com")
PNG = (("content-type", "image/png"),)


class Names:
    """Says what a name resolves to, and remembers which names it was asked for."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = list(addresses)
        self.asked: list[str] = []

    async def __call__(self, host: str) -> list[str]:
        self.asked.append(host)
        if not self.addresses:
            raise OSError("no such host")
        return self.addresses


@pytest.fixture
async def local(scripted: Scripted) -> AsyncIterator[ImageFetcher]:
    """A fetcher that may also ask the scripted server, and whose names all stand in a private net."""
    made = ImageFetcher(HOSTS, (scripted.url.removeprefix("http://"),), resolve=Names("10.0.0.1"))
    yield made
    await made.close()


async def test_a_picture_is_fetched_as_it_is(scripted: Scripted, local: ImageFetcher) -> None:
    scripted.says(Answer(200, b"\x89PNG", PNG))
    assert await local.fetch(f"{scripted.url}/a.png?x=1") == b"\x89PNG"
    assert await local.fetch_base64(f"{scripted.url}/a.png") == "iVBORw=="
    asked = scripted.asked[0]
    assert (asked.method, asked.path, asked.query) == ("GET", "/a.png", "x=1")
    assert asked.headers["accept-encoding"] == "identity"
    assert "cookie" not in asked.headers


@pytest.mark.parametrize(
    "answer",
    [
        Answer(404, b"", PNG),
        Answer(500, b"", PNG),
        Answer(204, b"", PNG),
        Answer(302, b"", (("location", "http://169.254.169.254/latest"), *PNG)),
        Answer(200, b"<html>", (("content-type", "text/html"),)),
        Answer(200, b"?"),
        Answer(200, b"\x1f\x8b", (("content-encoding", "gzip"), *PNG)),
        Answer(200, b"x" * (MAX_IMAGE_BYTES + 1), PNG),
    ],
)
async def test_what_is_no_picture_is_refused(scripted: Scripted, local: ImageFetcher, answer: Answer) -> None:
    scripted.says(answer)
    with pytest.raises(RejectedError):
        await local.fetch(f"{scripted.url}/a.png")
    assert len(scripted.asked) == 1


async def test_the_greatest_picture_is_taken(scripted: Scripted, local: ImageFetcher) -> None:
    scripted.says(Answer(200, b"x" * MAX_IMAGE_BYTES, PNG))
    assert len(await local.fetch(f"{scripted.url}/a.png")) == MAX_IMAGE_BYTES


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a.png",
        "/a.png",
        "https://",
        "https:///a.png",
        "https://example.com/a.png",
        "https://evilalicdn.com/a.png",
        "https://alicdn.com.evil.example/a.png",
        "https://example.com/alicdn.com",
        "https://example.com#.alicdn.com",
        "https://example.com?.alicdn.com",
        "https://user@img.alicdn.com/a.png",
        "https://img.alicdn.com@example.com/a.png",
        "https://img.alicdn.com:8443/a.png",
        "https://img.alicdn.com:99999/a.png",
        "http://img.alicdn.com:8080/a.png",
        "//img.alicdn.com:80/a.png",
        "ftp://img.alicdn.com/a.png",
        "file:///etc/passwd",
        "data:image/png;base64,AAAA",
        "https://127.0.0.1/a.png",
        "https://[::1]/a.png",
        "https://[fe80::1/a.png",
        "https://2130706433/a.png",
        "http://169.254.169.254/latest/meta-data",
        "http://localhost/a.png",
        "http://127.0.0.1:1/a.png",
        "https://img.alicdn.com./a.png",
        "https://img.al\u0131cdn.com/a.png",
    ],
)
async def test_other_addresses_are_not_even_looked_up(url: str) -> None:
    names = Names("93.184.216.34")
    fetcher = ImageFetcher(HOSTS, ("127.0.0.1:8090",), resolve=names)
    with pytest.raises(RejectedError):
        await fetcher.fetch(url)
    await fetcher.close()
    assert names.asked == []


@pytest.mark.parametrize(
    "addresses",
    [
        ["10.0.0.1"],
        ["127.0.0.1"],
        ["::1"],
        ["169.254.169.254"],
        ["192.168.1.1"],
        ["fd00::1"],
        ["0.0.0.0"],  # noqa: S104 - nothing listens here
        ["93.184.216.34", "10.0.0.1"],
    ],
)
async def test_a_known_name_that_leads_into_a_private_net_is_refused(addresses: list[str]) -> None:
    names = Names(*addresses)
    fetcher = ImageFetcher(HOSTS, resolve=names)
    for url in ("https://img.alicdn.com/a.png", "http://alicdn.com/a.png", "//CBU01.1688.com/a.png"):
        with pytest.raises(RejectedError, match="public net"):
            await fetcher.fetch(url)
    await fetcher.close()
    assert names.asked == ["img.alicdn.com", "alicdn.com", "cbu01.1688.com"]


async def test_a_name_that_nobody_knows_now_may_be_tried_again() -> None:
    fetcher = ImageFetcher(HOSTS, resolve=Names())
    with pytest.raises(RetryableError):
        await fetcher.fetch("https://img.alicdn.com/a.png")
    await fetcher.close()


async def test_a_server_that_is_away_may_be_tried_again(scripted: Scripted) -> None:
    fetcher = ImageFetcher((), ("127.0.0.1:9",))
    with pytest.raises(RetryableError):
        await fetcher.fetch("http://127.0.0.1:9/a.png")
    await fetcher.close()


async def test_an_error_does_not_repeat_the_address(local: ImageFetcher) -> None:
    with pytest.raises(RejectedError) as caught:
        await local.fetch("https://example.com/a.png?token=s3cret")
    assert "s3cret" not in str(caught.value)


async def test_a_name_is_looked_up_as_this_machine_does() -> None:
    assert set(await resolve("localhost")) & {"127.0.0.1", "::1"}
    fetcher = ImageFetcher(("localhost",))
    with pytest.raises(RejectedError, match="public net"):
        await fetcher.fetch("https://localhost/a.png")
    await fetcher.close()
