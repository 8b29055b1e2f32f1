"""Who sends drop by drop, or without end, is cut off; everybody else is served meanwhile."""

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest

from worker import http_server
from worker.http_server import HttpServer, Receive, Scope, Send, front

SOON_S = 0.3


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[HttpServer]:
    """A server that says how many bytes of a body it got."""
    monkeypatch.setattr(http_server, "HEADERS_WITHIN_S", SOON_S)
    monkeypatch.setattr(http_server, "BODY_WITHIN_S", SOON_S)
    monkeypatch.setattr(http_server, "BODY_MAX_BYTES", 1_000)

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        size = len((await receive()).get("body", b""))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
        await send({"type": "http.response.body", "body": b"%04d" % size})

    made = HttpServer(front(None, app), "127.0.0.1", 0, max_concurrency=50, shutdown_timeout_s=1)
    await made.start()
    yield made
    await made.stop()


async def talk(server: HttpServer, *words: bytes) -> bytes:
    """Say this and no more; everything that comes back until the server hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        for word in words:
            writer.write(word)
        async with asyncio.timeout(20 * SOON_S + 5):
            return await reader.read()
    finally:
        writer.close()


POST = b"POST /api HTTP/1.1\r\nhost: x\r\n"


@pytest.mark.parametrize(
    "words",
    [b"", b"GET", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nhost: x\r\nx-slow: a", b"POST / HTTP/1.1\r\nhost: x"],
)
async def test_headers_that_do_not_arrive_end_the_connection(server: HttpServer, words: bytes) -> None:
    assert await talk(server, words) == b""


async def test_a_second_request_has_to_arrive_in_time_as_well(server: HttpServer) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert (await reader.readuntil(b"0000")).startswith(b"HTTP/1.1 200")
        writer.write(b"GET / HTTP/1.1\r\nho")
        async with asyncio.timeout(20 * SOON_S + 5):
            assert await reader.read() == b""
    finally:
        writer.close()


async def test_a_body_that_does_not_arrive_is_408(server: HttpServer) -> None:
    said = await talk(server, POST + b"content-length: 10\r\n\r\n", b"half")
    assert said.startswith(b"HTTP/1.1 408")
    assert b'"code": "too_slow"' in said


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_without_end_is_413_before_it_is_all_here(server: HttpServer, chunked: bool) -> None:  # noqa: FBT001 - two ways of sending
    part = b"x" * 1_001
    head = b"transfer-encoding: chunked" if chunked else b"content-length: 999999999"
    said = await talk(server, POST + head + b"\r\n\r\n", b"3e9\r\n" + part if chunked else part)
    assert said.startswith(b"HTTP/1.1 413")
    assert b'"code": "too_large"' in said


async def test_a_hundred_who_dawdle_do_not_lock_out_the_others_for_long(server: HttpServer) -> None:
    dawdlers = [asyncio.create_task(talk(server, b"GET / HTTP/1.1\r\nx-slow: ")) for _ in range(100)]
    await asyncio.gather(*dawdlers)
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", trust_env=False) as client:
        answer = await client.post("/api", content=b"x" * 1_000)
    assert (answer.status_code, answer.text) == (200, "1000")


async def test_who_sends_in_time_is_served_whole_over_one_connection(server: HttpServer) -> None:
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", trust_env=False) as client:
        for size in (0, 1, 999, 1_000):
            assert (await client.post("/api", content=b"x" * size)).text == f"{size:04}"
            await asyncio.sleep(0)
        assert (await client.get("/")).status_code == 200
