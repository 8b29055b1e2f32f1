"""The sandbox as a process of its own, and what it tells about its truth."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2 as httpx
import msgspec

from worker.cli.options import SandboxOptions
from worker.embedded.process import GuardedProcess, ServerOrder, StopStep

READY_WITHIN_S = 20.0
VERIFICATIONS = 5
"""So often the address is offered, as a person would press the button again: on a busy machine one second is short."""
_READY = "sandbox at "
_PAGE = 500


class TwinError(RuntimeError):
    """The sandbox did not start or does not answer; the text has the end of its log."""


class Twin:
    """A sandbox process that ends with us."""

    def __init__(self, options: SandboxOptions, directory: Path) -> None:
        self._options = options
        self._log = directory / "sandbox.log"
        self._process: GuardedProcess | None = None
        self._http: httpx.AsyncClient | None = None
        self.url = ""

    async def __aenter__(self) -> Self:
        """Start it; returns once it answers."""
        given = self._options
        argv = [sys.executable, "-m", "worker", "sandbox", "--port", "0"]
        argv += ["--orders", str(given.orders), "--seed", str(given.seed), "--faults", given.faults]
        argv += ["--speed", str(given.speed), "--push", given.push, "--access-token-s", str(given.access_token_s)]
        argv += ["--taobao-orders", str(given.taobao_orders), "--large-share", str(given.large_share)]
        argv += ["--buyer-confirms" if given.buyer_confirms else "--no-buyer-confirms"]
        argv += ["--render-valid-s", str(given.render_valid_s)]
        if given.stale_reads_s is not None:
            argv += ["--stale-reads-s", str(given.stale_reads_s)]
        if given.lost_callbacks is not None:
            argv += ["--lost-callbacks", str(given.lost_callbacks)]
        stop = (StopStep(signal.SIGTERM, 5.0), StopStep(signal.SIGKILL, 5.0))
        order = ServerOrder(argv=argv, log=self._log, cwd=Path.cwd(), env=dict(os.environ), stop=stop)
        self._process = GuardedProcess(order)
        self.url = await self._ready()
        self._http = httpx.AsyncClient(base_url=self.url, timeout=10.0, trust_env=False)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        """Stop it."""
        if self._http is not None:
            await self._http.aclose()
        if self._process is not None:
            await asyncio.to_thread(self._process.stop)

    async def begin(self, callback_url: str) -> None:
        """Tell it where callbacks go, and let the lives begin. A worker just started may answer late at first."""
        for attempt in range(1, VERIFICATIONS + 1):
            try:
                await self._post("/_sandbox/callback-url", {"url": callback_url, "verify": True})
                break
            except TwinError:
                if attempt == VERIFICATIONS:
                    raise
                await asyncio.sleep(1.0)
        await self._post("/_sandbox/start", {})

    @property
    def guard_pid(self) -> int:
        """The id of the process whose only child is the sandbox, for who measures it."""
        assert self._process is not None  # noqa: S101 - entered
        return self._process.guard_pid

    async def add_orders(self, count: int) -> None:
        """Let so many more orders begin their lives over the next seconds."""
        await self._post("/_sandbox/orders", {"count": count})

    def send(self, number: signal.Signals) -> None:
        """Pass a signal on to the process."""
        assert self._process is not None  # noqa: S101 - entered
        self._process.send(number)

    async def stats(self) -> dict[str, Any]:
        """Return its counters."""
        return await self._get("/_sandbox/stats")

    async def truth(self) -> AsyncIterator[dict[str, Any]]:
        """Yield every order as it really is."""
        after: int | None = None
        while True:
            query = f"?limit={_PAGE}" + (f"&after={after}" if after is not None else "")
            page = await self._get(f"/_sandbox/truth{query}")
            for order in page["orders"]:
                yield order
            after = page["next"]
            if after is None:
                return

    async def payments(self) -> list[dict[str, Any]]:
        """Return the ledger of what was really paid."""
        rows: list[dict[str, Any]] = (await self._get("/_sandbox/ledger"))["payments"]
        return rows

    async def book(self, name: str) -> list[dict[str, Any]]:
        """Return a book of effects that really took place: `receipts`, `bookings`, `warehouse-notices` and others."""
        rows: list[dict[str, Any]] = []
        while page := (await self._get(f"/_sandbox/ledgers/{name}?after={len(rows)}"))["rows"]:
            rows += page
        return rows

    async def prices(self) -> dict[str, list[tuple[int, int]]]:
        """Return per order every total that it had: since when (Unix ms), and how much (fen)."""
        told = (await self._get("/_sandbox/prices"))["prices"]
        return {order_id: [(at, fen) for at, fen in had] for order_id, had in told.items()}

    async def _ready(self) -> str:
        assert self._process is not None  # noqa: S101 - set by the caller
        async with asyncio.timeout(READY_WITHIN_S):
            while True:
                if self._process.poll() is not None:
                    raise TwinError(f"the sandbox ended at once:\n{self._process.tail()}")
                for line in self._log.read_text(errors="replace").splitlines():
                    if line.startswith(_READY):
                        return line.removeprefix(_READY).strip()
                await asyncio.sleep(0.05)

    async def _get(self, path: str) -> dict[str, Any]:
        assert self._http is not None  # noqa: S101 - entered
        return self._read(await self._http.get(path))

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        assert self._http is not None  # noqa: S101 - entered
        return self._read(await self._http.post(path, content=msgspec.json.encode(body)))

    def _read(self, response: httpx.Response) -> dict[str, Any]:
        if response.status_code != httpx.codes.OK:
            raise TwinError(f"the sandbox answered {response.status_code}: {response.text[:500]}")
        answer: dict[str, Any] = msgspec.json.decode(response.content)
        return answer
