"""Posting callbacks: a fixed number of hands, one second each."""

from __future__ import annotations

import asyncio

import httpx2

from worker.sandbox.agenda import NowMs
from worker.sandbox.config import SandboxConfig
from worker.sandbox.courier import Push
from worker.sandbox.outbox import Outbox
from worker.sandbox.seeded import stream


class Sender:
    """Takes pushes from the outbox and reports how each attempt ended.

    The queue has no bound of its own: it holds at most one entry per copy of a message of the limited number of orders.
    """

    def __init__(self, config: SandboxConfig, outbox: Outbox, now_ms: NowMs, client: httpx2.AsyncClient) -> None:
        self._config = config
        self._outbox = outbox
        self._now_ms = now_ms
        self._client = client
        self._queue: asyncio.Queue[Push] = asyncio.Queue()
        self._nonces = stream(config.seed, "nonce")
        outbox.hand_over = self._queue.put_nowait

    async def work(self) -> None:
        """Send for ever; ends only by cancellation."""
        async with asyncio.TaskGroup() as hands:
            for _ in range(self._config.callbacks_in_flight):
                hands.create_task(self._hand())

    async def _hand(self) -> None:
        while True:
            push = await self._queue.get()
            began_ms = self._now_ms()
            status = await self._post(push)
            self._outbox.tally.note_answer(status, self._now_ms() - began_ms)
            self._outbox.report(push, status)

    async def _post(self, push: Push) -> int | None:
        """One attempt. The receiver may well have worked on a push that is counted as failed here."""
        url = self._outbox.url
        if url is None:
            return None
        nonce = f"{self._nonces.getrandbits(128):032x}"
        content, headers = self._outbox.courier.written(push, self._now_ms(), nonce)
        try:
            async with asyncio.timeout(self._config.callback_timeout_s):
                answer = await self._client.post(url, content=content, headers=headers)
        except (TimeoutError, httpx2.HTTPError):
            return None
        return answer.status_code


def new_client(config: SandboxConfig) -> httpx2.AsyncClient:
    """A client that follows nothing and trusts no proxy settings of the environment."""
    limits = httpx2.Limits(max_connections=config.callbacks_in_flight)
    return httpx2.AsyncClient(timeout=config.callback_timeout_s, limits=limits, trust_env=False)


async def verify_url(client: httpx2.AsyncClient, url: str, timeout_s: float) -> bool:
    """The console's "Verify": a plain call that wants HTTP 200 (what the real one sends is not documented)."""
    try:
        async with asyncio.timeout(timeout_s):
            answer = await client.get(url)
    except (TimeoutError, httpx2.HTTPError, httpx2.InvalidURL):
        return False
    return answer.status_code == httpx2.codes.OK
