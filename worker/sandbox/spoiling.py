"""What a fault does to one answer, in whichever words the API at hand says it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response

from worker.sandbox.faults import CallPlan, Fault
from worker.sandbox.sandbox import Sandbox

CUT_S = 1.0
"""Within this time the server has noticed that it cut a connection."""


class Voice(Protocol):
    """How an API says two things."""

    def throttled(self) -> Response:
        """Say that the caller asks too much."""
        ...

    def refused_late(self) -> Response:
        """Say "failed" of something that was done."""
        ...


class Spoiler:
    """Spoils answers of one sandbox as its faults are drawn."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def before(self, request: Request, plan: CallPlan, voice: Voice) -> Response | None:
        """Return the answer that comes instead of doing anything, None if the call is to be carried out."""
        match plan.fault:
            case Fault.ERROR:
                return Response("<html><h1>502 Bad Gateway</h1></html>", 502, media_type="text/html")
            case Fault.THROTTLED:
                return voice.throttled()
            case Fault.THROTTLED_429:
                return Response("Too Many Requests", 429, {"Retry-After": "1"})
            case Fault.DROPPED:
                return await self.hang_up(request)
        return None

    async def after(self, request: Request, plan: CallPlan, voice: Voice) -> Response | None:
        """Return what the caller gets instead of the answer to what was done, None if it gets that answer."""
        match plan.fault:
            case Fault.SLOW:  # after the act: what arrives late is also old
                await self._sandbox.sleep(plan.slow_s)
            case Fault.LATE_ERROR:
                return Response("<html><h1>504 Gateway Time-out</h1></html>", 504, media_type="text/html")
            case Fault.LATE_REFUSAL:
                return voice.refused_late()
            case Fault.LATE_DROP:
                return await self.hang_up(request)
            case Fault.LATE_HANG:
                return await self.hang(request)
        return None

    async def hang(self, request: Request) -> Response:
        """Keep the client waiting until it gives up."""
        await self._sandbox.sleep(self._sandbox.config.hang_s)
        return await self.hang_up(request)

    async def hang_up(self, request: Request) -> Response:
        """Cut the connection; what is returned afterwards reaches nobody."""
        cut = self._sandbox.hang_up
        if cut is None or request.client is None:
            raise ConnectionResetError("the sandbox cut the connection")
        cut((request.client.host, request.client.port))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CUT_S):
                while (await request.receive())["type"] != "http.disconnect":
                    pass
        return Response(status_code=503)
