"""A gateway of the 1688 open platform, as strict as the notes say: API, signature, token, then a test's answer.

Written from the notes, not from the client: the signature is computed here a second time.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from worker.catalogue.operation import Dialect
from worker.domain.clock import Millis, SystemClock
from worker.marketplaces.alibaba1688.client import Alibaba1688Client
from worker.marketplaces.alibaba1688.vault import RefreshTokenFile
from worker.marketplaces.alibaba1688.wire import AopWire, AppKeys
from worker.marketplaces.breaker import Breaker
from worker.marketplaces.caller import Caller, Routes
from worker.marketplaces.http import HttpCore
from worker.marketplaces.images import ImageFetcher
from worker.marketplaces.limits import NoLimit
from worker.marketplaces.paylinks import PayLinks
from worker.sandbox.port import Port

APP_KEY, APP_SECRET = "1000000", "app-secret-6c1f"
FIRST_TOKEN, REFRESH_TOKEN = "token-1", "refresh-token-9a2b"
Message = MutableMapping[str, Any]
Given = Any | Callable[[dict[str, str]], Any]


LINKS = PayLinks(("1688.com", "alipay.com"))


class OpenPlatform:
    """Answers by API name. A value that can be called gets the form; a tuple is (HTTP status, answer)."""

    def __init__(self) -> None:
        self.url = ""
        self.answers: dict[str, Given] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.token = FIRST_TOKEN
        self.renewals = 0
        self.refresh_token = REFRESH_TOKEN
        self.failures_to_renew: list[tuple[int, Any]] = []
        """What the next renewals are answered instead of a token."""
        self.postponing: Given = None
        """What to answer to an extension; None: extend."""

    def calls(self, api: str) -> list[dict[str, str]]:
        return [form for name, form in self.asked if name == api]

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        form = dict(parse_qsl(body.decode(), keep_blank_values=True))
        status, answer = self._answer(scope["path"], form)
        headers = [(b"content-type", b"image/jpeg" if isinstance(answer, bytes) else b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        content = answer if isinstance(answer, bytes) else msgspec.json.encode(answer)
        await send({"type": "http.response.body", "body": content})

    def _answer(self, path: str, form: dict[str, str]) -> tuple[int, Any]:
        if path.startswith("/image"):
            return 200, b"\xff\xd8\xff\xd9"
        api = path.removeprefix("/openapi/").removesuffix(f"/{APP_KEY}").split("/", 3)[-1]
        self.asked.append((api, form))
        if api in ("getToken", "postponeToken"):
            return self._renew(form) if api == "getToken" else self._postpone(form)
        if api not in self.answers:
            return 400, {"error_code": "gw.APIUnsupported", "error_message": "no such API"}
        if form.get("_aop_signature") != self._signature(path, form):
            return 400, {"error_code": "gw.SignatureInvalid", "error_message": "Invalid signature"}
        if "access_token" in form and form["access_token"] != self.token:
            return 401, {"error_code": "401", "error_message": "Request need user authorized"}
        given = self.answers[api]
        found = given(form) if callable(given) else given
        return found if isinstance(found, tuple) else (200, found)

    def _renew(self, form: dict[str, str]) -> tuple[int, Any]:
        if form != {
            "grant_type": "refresh_token",
            "refresh_token": self.refresh_token,
            "client_id": APP_KEY,
            "client_secret": APP_SECRET,
        }:
            return 400, {"error_code": "gw.ParamMissing", "error_message": "refused"}
        if self.failures_to_renew:
            return self.failures_to_renew.pop(0)
        self.renewals += 1
        self.token = f"token-{self.renewals + 1}"
        return 200, {"access_token": self.token, "expires_in": "36000"}

    def _postpone(self, form: dict[str, str]) -> tuple[int, Any]:
        keys = {"refresh_token": self.refresh_token, "access_token": self.token}
        if form != keys | {"client_id": APP_KEY, "client_secret": APP_SECRET}:
            return 400, {"error_code": "400", "error_message": "refused"}
        if self.postponing is not None:
            return self.postponing if isinstance(self.postponing, tuple) else (200, self.postponing)
        self.refresh_token, self.token = "refresh-token-2", "token-postponed"
        granted = {"access_token": self.token, "expires_in": "36000", "refresh_token": self.refresh_token}
        return 200, granted | {"refresh_token_timeout": "20260701080000000+0800"}

    def _signature(self, path: str, form: dict[str, str]) -> str:
        pairs = sorted(name + value for name, value in form.items() if name != "_aop_signature")
        signed = path.removeprefix("/openapi/") + "".join(pairs)
        return hmac.new(APP_SECRET.encode(), signed.encode(), "sha1").hexdigest().upper()


class StandingClock:
    """Stands still."""

    def __init__(self, now: Millis | None = None) -> None:
        self.now = now or SystemClock().now_ms()

    def now_ms(self) -> Millis:
        return self.now


@asynccontextmanager
async def open_platform() -> AsyncIterator[OpenPlatform]:
    platform = OpenPlatform()
    port = Port(platform)
    serving = await port.open()
    platform.url = port.url
    try:
        yield platform
    finally:
        port.close()
        await serving


@asynccontextmanager
async def buyer(
    url: str,
    now: Millis,
    *,
    refresh_token: str = REFRESH_TOKEN,
    secret: str = APP_SECRET,
    timeout_s: float = 5.0,
    pictures: str = "",
    ends: tuple[Millis | None, Millis | None] = (None, None),
    vault: RefreshTokenFile | None = None,
) -> AsyncIterator[Alibaba1688Client]:
    """A client with the gateway's keys. `pictures`: where else it may fetch them; `ends`: when its tokens end."""
    clock = StandingClock(now)
    http = HttpCore(url, timeout_s=timeout_s)
    wire = AopWire(AppKeys(APP_KEY, secret, FIRST_TOKEN, refresh_token, *ends), http, clock, vault=vault)
    caller = Caller(
        http,
        wire,
        clock,
        routes=Routes(Dialect.ALIBABA1688, "v1"),
        limiter=NoLimit(),
        breaker=Breaker(time.monotonic, threshold=1_000_000),
    )
    images = ImageFetcher((), (urlsplit(url).netloc, urlsplit(pictures).netloc))
    made = Alibaba1688Client("main", caller, images, clock.now_ms, LINKS)
    try:
        yield made
    finally:
        await made.close()
