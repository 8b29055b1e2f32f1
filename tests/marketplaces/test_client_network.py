"""The network at its worst: only "no connection was made" proves that a payment did not happen."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from tests.marketplaces.examples import ORDER_ID
from tests.marketplaces.servers import Talk, client, talking
from worker.domain.facts import Source
from worker.domain.identity import Platform
from worker.marketplaces.http import MAX_ANSWER_BYTES, READ_ATTEMPTS
from worker.marketplaces.pandapon.client import PandaPonClient
from worker.marketplaces.port import EffectOutcome, MarketplaceError, NotSentError, RetryableError, UnreadableError

TIMEOUT_S = 0.3
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
PAID = b'{"code":200,"data":{"orderId":"%s","protocolPaySuccess":true}}' % ORDER_ID.encode()


async def says_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accept the request and keep quiet until the client goes."""
    await reader.read()


async def drops(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """End the connection without a byte."""


async def resets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Cut the connection."""
    writer.transport.abort()


async def breaks_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Promise more than is sent: even a body that reads like a yes is none."""
    writer.write(HEAD + b"content-length: 500\r\n\r\n" + PAID)
    await writer.drain()


async def stops_in_the_middle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send half an answer, and nothing more."""
    writer.write(HEAD + b"content-length: 500\r\n\r\n{")
    await writer.drain()
    await reader.read()


async def speaks_something_else(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer in no HTTP at all."""
    writer.write(b"SSH-2.0-OpenSSH_9.6\r\n")
    await writer.drain()


async def never_ends(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send more than anybody may be asked to keep, without saying beforehand how much it is."""
    writer.write(HEAD + b"transfer-encoding: chunked\r\n\r\n")
    chunk = b"%x\r\n" % 1_000_000 + b" " * 1_000_000 + b"\r\n"
    while True:
        writer.write(chunk)
        await writer.drain()


SILENT: list[Talk] = [says_nothing, drops, resets, breaks_off, stops_in_the_middle, speaks_something_else]


@pytest.fixture
async def nobody() -> AsyncIterator[str]:
    """An address at which nothing listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


async def test_a_refused_connection_is_a_payment_that_certainly_was_not_sent(nobody: str) -> None:
    async with client(nobody, timeout_s=TIMEOUT_S) as api:
        with pytest.raises(NotSentError):
            await api.pay(Platform.ALIBABA_1688, ORDER_ID, 1)


async def test_so_is_a_host_that_does_not_exist() -> None:
    async with client("http://marketplace.invalid", timeout_s=5) as api:
        with pytest.raises(NotSentError):
            await api.pay(Platform.ALIBABA_1688, ORDER_ID, 1)


async def test_a_refused_connection_is_a_read_that_may_be_tried_later(nobody: str) -> None:
    async with client(nobody, timeout_s=TIMEOUT_S) as api:
        with pytest.raises(RetryableError, match="no connection"):
            await api.read_order(Platform.ALIBABA_1688, ORDER_ID, Source.RESPONSE)


@pytest.mark.parametrize("talk", SILENT)
async def test_without_a_whole_answer_a_payment_is_unclear_and_not_sent_again(talk: Talk) -> None:
    async with talking(talk) as (url, heard), client(url, timeout_s=TIMEOUT_S) as api:
        assert (await api.pay(Platform.ALIBABA_1688, ORDER_ID, 1)).outcome is EffectOutcome.UNCLEAR
        assert len(heard) == 1
        assert heard[0].startswith(b"GET /alibaba/order/pay/url?orderId=")


@pytest.mark.parametrize("talk", SILENT)
async def test_without_a_whole_answer_a_read_is_tried_three_times(talk: Talk) -> None:
    async with talking(talk) as (url, heard), client(url, timeout_s=TIMEOUT_S) as api:
        with pytest.raises(RetryableError, match="no answer"):
            await api.read_order(Platform.ALIBABA_1688, ORDER_ID, Source.RESPONSE)
        assert len(heard) == READ_ATTEMPTS


async def test_an_endless_answer_is_not_kept() -> None:
    async with talking(never_ends) as (url, heard), client(url) as api:
        with pytest.raises(UnreadableError, match=str(MAX_ANSWER_BYTES)):
            await api.read_order(Platform.ALIBABA_1688, ORDER_ID, Source.RESPONSE)
        assert (await api.pay(Platform.ALIBABA_1688, ORDER_ID, 1)).outcome is EffectOutcome.UNCLEAR
        assert len(heard) == 2


async def test_the_time_out_is_for_the_whole_answer_not_for_each_byte() -> None:
    async def drips(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"content-length: 500\r\n\r\n")
        for _ in range(500):
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(TIMEOUT_S / 20)

    async with talking(drips) as (url, heard), client(url, timeout_s=TIMEOUT_S) as api:
        async with asyncio.timeout(TIMEOUT_S * 4):
            assert (await api.pay(Platform.ALIBABA_1688, ORDER_ID, 1)).outcome is EffectOutcome.UNCLEAR
        assert len(heard) == 1


async def test_a_cancelled_payment_is_cancelled_not_sent_again() -> None:
    async with talking(says_nothing) as (url, heard), client(url) as api:
        paying = asyncio.create_task(api.pay(Platform.ALIBABA_1688, ORDER_ID, 1))
        while not heard:  # noqa: ASYNC110 - the server is a stranger
            await asyncio.sleep(0.01)
        paying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await paying
        assert len(heard) == 1


async def paid_with(api: PandaPonClient) -> EffectOutcome | type[MarketplaceError]:
    try:
        return (await api.pay(Platform.ALIBABA_1688, ORDER_ID, 1)).outcome
    except MarketplaceError as error:
        return type(error)


async def test_a_server_that_closed_a_kept_connection_cannot_make_a_payment_ambiguous() -> None:
    """A payment has a connection of its own: a stale one could fail after the request was written."""

    async def answers_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"content-length: %d\r\n\r\n" % len(PAID) + PAID)
        await writer.drain()

    async with talking(answers_once) as (url, heard), client(url) as api:
        assert [await paid_with(api) for _ in range(3)] == [EffectOutcome.DONE] * 3
        assert len(heard) == 3
