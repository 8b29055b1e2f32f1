"""A sandbox under a clock that moves only when told, with a client and a callback receiver that are plain functions."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import httpx2
import msgspec

from worker.sandbox import Sandbox, SandboxConfig, create_app, sign
from worker.sandbox.courier import Push
from worker.sandbox.faults import CallbackFaults, Fault, FaultLevel
from worker.sandbox.order import Order
from worker.sandbox.truth import TrueOrder, tell_truth

NOON_MS = 1_767_240_000_123
"""2026-01-01 12:00:00.123 in Beijing."""

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S

exact = msgspec.json.Decoder(float_hook=Decimal)

Receiver = Callable[[Push], int | None]


def always(fault: Fault) -> FaultLevel:
    """A level at which every call meets the same fault."""
    return FaultLevel(callbacks=CallbackFaults(), reads=((fault, 1.0),), effects=((fault, 1.0),), slow_s=2.0)


class Clock:
    """Unix milliseconds, moved by hand."""

    def __init__(self) -> None:
        self.ms = NOON_MS

    def __call__(self) -> int:
        return self.ms


class Stage:
    """Everything a test needs to play a sandbox in no time at all."""

    def __init__(self, receiver: Receiver = lambda _push: 200, **config: Any) -> None:
        settings: dict[str, Any] = {"speed": 1.0, "arrival_s": 0.0, "callback_url": "http://receiver.invalid/"}
        self.clock = Clock()
        self.slept: list[float] = []
        self.sandbox = Sandbox(SandboxConfig(**(settings | config)), self.clock, self._sleep)
        self.pushed: list[tuple[int, Push]] = []
        """Every callback attempt with the moment at which it was made."""
        self._receiver = receiver
        self.sandbox.outbox.hand_over = self._receive
        self.client = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(create_app(self.sandbox)), base_url="http://sandbox.invalid"
        )

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def _receive(self, push: Push) -> None:
        self.pushed.append((self.clock.ms, push))
        self.sandbox.outbox.report(push, self._receiver(push))

    def advance(self, seconds: float) -> None:
        """Move the clock, stopping at everything that happens on the way."""
        end = self.clock.ms + round(seconds * 1000)
        agenda = self.sandbox.agenda
        while (due := agenda.next_due_ms()) is not None and due <= end:
            self.clock.ms = max(self.clock.ms, due)
            agenda.run_due()
        self.clock.ms = end

    def begin(self) -> list[Order]:
        """Start, and return the orders just created."""
        self.sandbox.start()
        self.advance(0)
        return self.orders

    def play(self, days: int = 40, *, pay: bool = True) -> None:
        """Play until nothing is left; a prompt buyer asks once for the payment of each order, within an hour."""
        self.begin()
        asked: set[str] = set()
        for _ in range(days * 24):
            self.advance(HOUR_S)
            for order in self.orders if pay else []:
                if order.payable and order.order_id not in asked:
                    asked.add(order.order_id)
                    self._ask(order)
        assert self.sandbox.stats().quiet

    def _ask(self, order: Order) -> None:
        if order.life.agreement:
            self.sandbox.world.pay(order, "agreement")
        else:
            self.sandbox.world.give_pay_url(order)

    @property
    def orders(self) -> list[Order]:
        return list(self.sandbox.world.orders.values())

    @property
    def truth(self) -> list[TrueOrder]:
        return [tell_truth(order, self.sandbox.world.taken_fen(order)) for order in self.orders]

    def headers(self, **changes: str) -> dict[str, str]:
        """Signed headers; `changes` (with underscores) are applied before signing, an empty text removes a header."""
        config = self.sandbox.config
        values = {
            "access_key": config.access_key,
            "timestamp": str(self.clock.ms),
            "nonce_str": "n" * 32,
            "user_id": config.user_id,
        } | changes
        values.setdefault(
            "signature", sign(values["access_key"], values["timestamp"], values["nonce_str"], config.access_secret)
        )
        return {name.replace("_", "-"): value for name, value in values.items() if value}

    async def detail(self, order_id: object, **headers: str) -> dict[str, Any]:
        """The envelope of an order detail."""
        return await self.post("/alibaba/order/detail", {"webSite": "1688", "orderId": order_id}, **headers)

    async def post(self, path: str, body: Any, **headers: str) -> dict[str, Any]:
        """The envelope of a signed POST."""
        content = body if isinstance(body, bytes) else msgspec.json.encode(body)
        return envelope(await self.client.post(path, content=content, headers=self.headers(**headers)))

    async def get(self, path: str, **query: object) -> dict[str, Any]:
        """The envelope of a signed GET."""
        params = {name: str(value) for name, value in query.items()}
        return envelope(await self.client.get(path, params=params, headers=self.headers()))

    async def warehouse(self, path: str, body: Any, **query: str) -> dict[str, Any]:
        """The envelope of a call that is signed in its query."""
        config = self.sandbox.config
        stamp = str(self.clock.ms)
        params = {"timestamp": stamp, "sign": sign(config.access_key, stamp, "", config.access_secret)} | query
        return envelope(await self.client.post(path, content=msgspec.json.encode(body), params=params))

    async def book(self, name: str) -> list[dict[str, Any]]:
        """One book of effects, as it is read over HTTP."""
        rows: list[dict[str, Any]] = (await self.client.get(f"/_sandbox/ledgers/{name}")).json()["rows"]
        return rows

    def until(self, found: Callable[[], Order | None], hours: int = 400) -> Order:
        """Advance hour by hour until the order that a test needs is there."""
        for _ in range(hours):
            order = found()
            if order is not None:
                return order
            self.advance(HOUR_S)
        raise AssertionError("no such order came up")

    async def pay(self, order_id: str, path: str = "/v2/alibaba/order/pay/url") -> dict[str, Any]:
        """The envelope of a pay call."""
        return envelope(await self.client.get(path, params={"orderId": order_id}, headers=self.headers()))


def envelope(answer: httpx2.Response) -> dict[str, Any]:
    """The five fields of an answer, numbers kept exact."""
    assert answer.status_code == 200
    fields: dict[str, Any] = exact.decode(answer.content)
    assert set(fields) == {"requestId", "code", "developId", "msg", "data"}
    assert fields["code"] == 200 or fields["data"] is None
    return fields
