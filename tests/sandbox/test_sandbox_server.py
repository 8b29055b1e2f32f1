"""The sandbox on a real port: callbacks over HTTP, cut connections, a clean end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.sandbox.stage import always
from worker.sandbox import SandboxConfig, SandboxServer, run, sign
from worker.sandbox.faults import CallFaults, Fault
from worker.sandbox.port import Port
from worker.sandbox.sandbox import Sandbox
from worker.sandbox.server import wall_clock_ms

WAIT_S = 20.0


class Receiver:
    """A callback endpoint that keeps what it gets."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.first = asyncio.Event()

    async def take(self, request: Request) -> Response:
        if request.method == "POST":
            self.got.append((dict(request.headers), await request.body()))
            self.first.set()
        return Response(status_code=self.status)


def fast(**settings: Any) -> SandboxConfig:
    """A life of five days in a quarter of a second."""
    return SandboxConfig(**({"speed": 2_000_000.0, "arrival_s": 0.05, "settle_s": 0.01} | settings))


@contextlib.asynccontextmanager
async def listening(receiver: Callable[[Request], Awaitable[Response]]) -> AsyncIterator[str]:
    """The receiver on a port of its own."""
    port = Port(Starlette(routes=[Route("/callbacks", receiver, methods=["GET", "POST"])]))
    serving = await port.open()
    try:
        yield f"{port.url}/callbacks"
    finally:
        port.close()
        await serving


async def until_quiet(sandbox: Sandbox) -> None:
    async with asyncio.timeout(WAIT_S):
        while not sandbox.stats().quiet:  # noqa: ASYNC110  # watches the twin from outside, as the demo does
            await asyncio.sleep(0.01)


def signed(config: SandboxConfig) -> dict[str, str]:
    now = str(wall_clock_ms())
    return {
        "access-key": config.access_key,
        "timestamp": now,
        "user-id": config.user_id,
        "signature": sign(config.access_key, now, "", config.access_secret),
    }


async def test_a_taken_port_is_an_error_of_the_start() -> None:
    async with SandboxServer(SandboxConfig(orders=0)) as server:
        port = int(server.url.rsplit(":", 1)[1])
        other = SandboxServer(SandboxConfig(orders=0), port=port)
        with pytest.raises(OSError, match="in use"):
            await other.start()
        await other.stop()


async def test_every_life_is_told_over_http_with_signed_headers() -> None:
    receiver = Receiver()
    async with listening(receiver.take) as url:
        config = fast(orders=30, callback_url=url, autostart=True)
        async with SandboxServer(config) as server:
            await until_quiet(server.sandbox)
            stats = server.sandbox.stats()
    assert stats.callbacks_delivered == stats.callbacks_made == len(receiver.got) > 30
    assert sum(stats.callback_answers_ms.values()) == stats.callbacks_sent
    assert "none" not in stats.callback_answers_ms
    headers, body = receiver.got[0]
    assert headers["content-type"] == "application/json"
    assert headers["signature"] == sign(
        config.access_key, headers["timestamp"], headers["nonce-str"], config.access_secret
    )
    assert b"messageType" in body


async def test_a_receiver_that_takes_too_long_gets_the_callback_again() -> None:
    release = asyncio.Event()

    async def dawdle(_request: Request) -> Response:
        await release.wait()
        return Response()

    async with listening(dawdle) as url:
        config = fast(orders=1, callback_url=url, autostart=True, callback_timeout_s=0.05, callback_retries=1)
        async with SandboxServer(config) as server:
            await until_quiet(server.sandbox)
            stats = server.sandbox.stats()
        release.set()
    assert stats.callbacks_given_up == stats.callbacks_made == stats.retries
    assert stats.callbacks_delivered == 0
    assert stats.callback_answers_ms == {"none": stats.callbacks_sent}


async def test_nobody_listening_is_a_failed_attempt_like_any_other() -> None:
    config = fast(orders=1, callback_url="http://127.0.0.1:9/", autostart=True, callback_retries=0)
    async with SandboxServer(config) as server:
        await until_quiet(server.sandbox)
        assert server.sandbox.stats().callbacks_given_up == server.sandbox.stats().callbacks_made > 0


async def test_a_callback_url_can_be_verified_and_set_while_it_runs() -> None:
    receiver = Receiver()
    async with (
        listening(receiver.take) as url,
        SandboxServer(fast(orders=1)) as server,
        httpx2.AsyncClient(base_url=server.url) as client,
    ):
        answer = await client.post("/_sandbox/callback-url", json={"url": url + "/wrong", "verify": True})
        assert (answer.status_code, server.sandbox.outbox.url) == (422, None)
        answer = await client.post("/_sandbox/callback-url", json={"url": url, "verify": True})
        assert answer.json() == {"callback_url": url, "verified": True}
        await client.post("/_sandbox/start")
        async with asyncio.timeout(WAIT_S):
            await receiver.first.wait()


@pytest.mark.parametrize("fault", [Fault.LATE_DROP, Fault.LATE_HANG, Fault.DROPPED])
async def test_a_cut_connection_gives_its_client_not_one_byte(fault: Fault) -> None:
    config = SandboxConfig(orders=1, agreement_share=1.0, arrival_s=0.0, hang_s=0.05, autostart=True)
    async with SandboxServer(config) as server, httpx2.AsyncClient(base_url=server.url) as client:
        server.sandbox.faults = CallFaults(1, always(fault))
        async with asyncio.timeout(WAIT_S):
            while not server.sandbox.world.orders:  # noqa: ASYNC110  # watches the twin from outside
                await asyncio.sleep(0.005)
        (order_id,) = server.sandbox.world.orders
        for path, arguments in (
            ("GET", {"url": "/alibaba/order/pay/url", "params": {"orderId": order_id}}),
            ("POST", {"url": "/alibaba/order/detail", "json": {"webSite": "1688", "orderId": order_id}}),
        ):
            request: dict[str, Any] = dict(arguments)
            with pytest.raises(httpx2.RemoteProtocolError):
                await client.request(path, headers=signed(config), **request)
        assert len(server.sandbox.world.ledger) == (0 if fault is Fault.DROPPED else 1)


async def test_the_command_serves_until_it_is_told_to_stop() -> None:
    urls: list[str] = []
    stop = asyncio.Event()

    def ready(url: str) -> None:
        urls.append(url)
        stop.set()

    async with asyncio.timeout(WAIT_S):
        await run(SandboxConfig(orders=1), ready, stop=stop)
    assert urls[0].startswith("http://127.0.0.1:")


async def test_a_part_that_dies_is_not_hushed_up() -> None:
    server = SandboxServer(fast(orders=1))
    await server.start()

    def break_down() -> None:
        raise ZeroDivisionError("a bug of ours")

    server.sandbox.agenda.after(0, break_down)
    with pytest.raises(ZeroDivisionError):
        await server.failed()
    with pytest.raises(ZeroDivisionError):
        await server.stop()
