"""The proxy that fails on demand: what arrives, what does not, and what becomes of what was held back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from proof.rig.tcp_proxy import Link, TcpProxy
from tests.waiting import until

SILENCE_S = 0.15
"""Long for what takes a millisecond on loopback."""


class Echo:
    """A server that answers what it hears, and remembers it."""

    def __init__(self) -> None:
        self.heard = b""
        self.ended = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while piece := await reader.read(1_024):
                self.heard += piece
                writer.write(piece)
        self.ended += 1
        writer.close()


@asynccontextmanager
async def echo_behind_a_proxy() -> AsyncIterator[tuple[Echo, TcpProxy]]:
    echo = Echo()
    server = await asyncio.start_server(echo.serve, "127.0.0.1", 0)
    try:
        async with TcpProxy("echo", server.sockets[0].getsockname()[1]) as proxy:
            yield echo, proxy
    finally:
        server.close()


@asynccontextmanager
async def client_of(proxy: TcpProxy) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def hears(reader: asyncio.StreamReader, words: bytes) -> None:
    async with asyncio.timeout(5):
        assert await reader.readexactly(len(words)) == words


async def hears_nothing(reader: asyncio.StreamReader) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(SILENCE_S):
            await reader.read(1)


async def test_it_passes_on_both_ways_and_the_end_too() -> None:
    async with echo_behind_a_proxy() as (echo, proxy), client_of(proxy) as (reader, writer):
        writer.write(b"hello")
        await hears(reader, b"hello")
        writer.write_eof()
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        await until(lambda: echo.ended == 1)
        assert proxy.connections == 1


async def test_a_cut_resets_what_is_open_and_what_comes() -> None:
    async with echo_behind_a_proxy() as (echo, proxy), client_of(proxy) as (reader, writer):
        writer.write(b"hello")
        await hears(reader, b"hello")
        proxy.set(Link.CUT)
        with pytest.raises(ConnectionResetError):
            await reader.read()
        async with client_of(proxy) as (again, _):
            with pytest.raises(ConnectionResetError):
                await again.read()
        await until(lambda: echo.ended == 1, what="the server to hear of it")
        proxy.set(Link.PASS)
        async with client_of(proxy) as (healed, writing):
            writing.write(b"back")
            await hears(healed, b"back")


async def test_a_black_hole_swallows_both_ways_and_gives_back_when_it_closes() -> None:
    async with echo_behind_a_proxy() as (echo, proxy), client_of(proxy) as (reader, writer):
        proxy.set(Link.BLACK_HOLE)
        writer.write(b"hello")
        await hears_nothing(reader)
        assert echo.heard == b""
        async with client_of(proxy) as (new, writing):
            writing.write(b", you")
            await hears_nothing(new)
        proxy.set(Link.PASS)
        await hears(reader, b"hello")
        await until(lambda: echo.heard in {b"hello, you", b", youhello"}, what="even who has hung up is heard")


async def test_half_open_a_call_arrives_and_its_answer_does_not() -> None:
    async with echo_behind_a_proxy() as (echo, proxy), client_of(proxy) as (reader, writer):
        proxy.set(Link.HALF_OPEN)
        writer.write(b"pay")
        await until(lambda: echo.heard == b"pay")
        await hears_nothing(reader)
        proxy.set(Link.PASS)
        await hears(reader, b"pay")


async def test_a_delay_holds_every_piece_both_ways() -> None:
    async with echo_behind_a_proxy() as (_, proxy), client_of(proxy) as (reader, writer):
        writer.write(b"quick")
        await hears(reader, b"quick")
        proxy.set(Link.DELAY, SILENCE_S)
        began = asyncio.get_running_loop().time()
        writer.write(b"slow")
        await hears(reader, b"slow")
        assert asyncio.get_running_loop().time() - began >= 2 * SILENCE_S


async def test_a_server_that_is_not_there_is_a_reset() -> None:
    async with TcpProxy("nobody") as proxy, client_of(proxy) as (reader, _):
        with pytest.raises(ConnectionResetError):
            await reader.read()


async def test_it_ends_while_connections_are_held() -> None:
    async with asyncio.timeout(5), echo_behind_a_proxy() as (_, proxy), client_of(proxy) as (_, writer):
        proxy.set(Link.BLACK_HOLE)
        writer.write(b"hello")
        await until(lambda: proxy.connections == 1)
