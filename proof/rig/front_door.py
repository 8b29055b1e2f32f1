"""The load balancer before the workers: spreads callbacks over those that listen, and keeps a log of its own.

Each line of the log is `{"at": Unix ms, "status": int, "worker": int, "body": text}`, one per callback that a worker
answered. What was answered 200 there has to be found in the model: the log is the proof's witness.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx2 as httpx
import msgspec

from proof.rig.worker_process import WorkerProcess
from worker.http_server import HttpServer, Receive, Scope, Send

ANSWERS_WITHIN_S = 2.0
"""Longer than the sender waits (1 s): a worker that accepts a callback late has accepted it."""
PASSED_OVER_S = 3.0
"""So long a worker that did not answer gets nothing, as load balancers do; all the same if none is better."""
BAD_GATEWAY, GATEWAY_TIMEOUT = 502, 504
OK = 200


class Passed(msgspec.Struct, frozen=True):
    """One line of the log."""

    at: int
    status: int
    worker: int
    body: str


class FrontDoor:
    """An HTTP server. Who does not listen is passed over; who does not answer costs a callback now and then."""

    def __init__(self, workers: Sequence[WorkerProcess], log: Path) -> None:
        self.workers = workers
        self.log = log
        self.answers: Counter[int] = Counter()
        """How many callbacks got which status, 502 and 504 of our own included."""
        self._next = 0
        self._silent_until: dict[int, float] = {}
        self._http = HttpServer(self, "127.0.0.1", 0, max_concurrency=2_000, shutdown_timeout_s=1.0)
        limits = httpx.Limits(max_connections=200, keepalive_expiry=5.0)
        self._client = httpx.AsyncClient(timeout=ANSWERS_WITHIN_S, limits=limits, trust_env=False)
        self._file = log.open("ab", buffering=0)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._http.port}"

    async def __aenter__(self) -> Self:
        await self._http.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self._http.stop()
        await self._client.aclose()
        self._file.close()

    def accepted(self) -> list[Passed]:
        """Return what was answered 200, from the log."""
        lines = (msgspec.json.decode(line, type=Passed) for line in self.log.read_bytes().splitlines())
        return [line for line in lines if line.status == OK and line.body]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on (an ASGI application)."""
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            if not message.get("more_body", False):
                break
        # Shielded: a worker that accepts after the sender hung up has accepted, and the log has to know of it.
        status, answer = await asyncio.shield(self._pass_on(scope, bytes(body)))
        if body:  # the question whether there is anybody has none
            self.answers[status] += 1
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": answer})

    async def _pass_on(self, scope: Scope, body: bytes) -> tuple[int, bytes]:
        query = scope["query_string"].decode("ascii")
        path = scope["path"] + (f"?{query}" if query else "")
        # httpx writes its own Host and Content-Length.
        headers = [(name, value) for name, value in scope["headers"] if name not in {b"host", b"content-length"}]
        for worker in self._in_turn():
            url = f"http://127.0.0.1:{worker.port}{path}"
            try:
                answer = await self._client.request(scope["method"], url, content=body, headers=headers)
            except httpx.ConnectError:
                continue  # nobody listens there: nothing was sent
            except httpx.HTTPError:
                self._silent_until[worker.number] = time.monotonic() + PASSED_OVER_S
                return GATEWAY_TIMEOUT, b""
            line = Passed(time.time_ns() // 1_000_000, answer.status_code, worker.number, body.decode(errors="replace"))
            self._file.write(msgspec.json.encode(line) + b"\n")
            return answer.status_code, answer.content
        return BAD_GATEWAY, b""

    def _in_turn(self) -> list[WorkerProcess]:
        """Return the workers, beginning with whose turn it is; those that were silent lately come last."""
        self._next = (self._next + 1) % len(self.workers)
        turn = [*self.workers[self._next :], *self.workers[: self._next]]
        now = time.monotonic()
        return sorted(turn, key=lambda worker: self._silent_until.get(worker.number, 0.0) > now)
