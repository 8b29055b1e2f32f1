"""The sandbox as a worker meets it: it acts on every request that has left, whoever lives to hear of it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextvars import Context

import httpx2

from tests.effects.mortal import current_life
from worker.accounts import Account
from worker.domain.clock import SystemClock
from worker.marketplaces.build import Network, build_marketplace
from worker.marketplaces.limits import NoLimit
from worker.marketplaces.port import Marketplace
from worker.sandbox import Sandbox, SandboxConfig, create_app
from worker.sandbox.order import Order

KEY, SECRET, USER = "5a4db0c0ffee4000a000000000000001", "proof-secret", "2100000000001"
HOUR_MS = 3_600_000
Spoil = Callable[[httpx2.Request, httpx2.Response], Awaitable[httpx2.Response]]


def make_account(**changes: object) -> Account:
    """The account of the sandbox's keys."""
    account = Account.model_validate(
        {
            "name": "main",
            "dialect": "pandapon",
            "base_url": "http://localhost:1",
            "access_key": KEY,
            "access_secret_env": "SECRET",
            "user_id": USER,
            "callback_auth": "signature",
        }
        | changes
    )
    assert list(account.resolve_secrets({"SECRET": SECRET})) == []
    return account


class MovedClock:
    """The wall clock, moved by `shift` ms."""

    def __init__(self, shift: int = 0) -> None:
        self.shift = shift

    def __call__(self) -> int:
        return SystemClock().now_ms() + self.shift

    def now_ms(self) -> int:
        return self()


class Market:
    """A sandbox whose orders are as old as a test needs them, and its own books of what really happened.

    `spoil` may delay or replace an answer; the marketplace has acted by then.
    """

    def __init__(self, *, days: int = 0, **config: object) -> None:
        settings = {"speed": 1.0, "arrival_s": 0.0, "settle_s": 0.0, "agreement_share": 1.0} | config
        keys = {"access_key": KEY, "access_secret": SECRET, "user_id": USER}
        self.clock = MovedClock(-24 * days * HOUR_MS)
        self.sandbox = Sandbox(SandboxConfig(**(keys | settings)), self.clock)  # type: ignore[arg-type]
        self.network = httpx2.ASGITransport(create_app(self.sandbox))
        self.spoil: Spoil | None = None
        self.sandbox.start()
        self.run_due()
        while self.clock.shift < 0:
            self.clock.shift = min(0, self.clock.shift + HOUR_MS)
            self.run_due()
            for order in self.orders():
                if order.payable:
                    self.sandbox.world.pay(order, "agreement")

    def orders(self) -> Iterator[Order]:
        yield from list(self.sandbox.world.orders.values())

    def client(self, clock: MovedClock | None = None, *, batch: int = 1) -> Marketplace:
        """A worker's own client."""
        account = make_account(pay_batch_size=batch)
        return build_marketplace(account, clock or MovedClock(), 5.0, NoLimit(), Network(transport=_Wire(self)))

    async def answer(self, request: httpx2.Request, body: bytes) -> httpx2.Response:
        """Act on a request that has left."""
        self.run_due()
        sent = httpx2.Request(request.method, request.url, headers=request.headers, content=body)
        response = await self.network.handle_async_request(sent)
        content = await response.aread()
        self.run_due()
        whole = httpx2.Response(response.status_code, headers=response.headers, content=content)
        return whole if self.spoil is None else await self.spoil(sent, whole)

    def taken(self, order_id: str) -> list[int]:
        """What was taken for an order, fen."""
        return [row.amount_fen for row in self.sandbox.ledgers.payments if row.order_id == order_id]

    def spent(self) -> int:
        """Everything that was taken, fen."""
        return sum(row.amount_fen for row in self.sandbox.ledgers.payments)

    def run_due(self) -> None:
        while self.sandbox.agenda.run_due():
            pass


class _Wire(httpx2.AsyncBaseTransport):
    """Nothing comes back to the dead, and nothing that they had not sent leaves any more."""

    def __init__(self, market: Market) -> None:
        self._market = market

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        body = await request.aread()
        await asyncio.sleep(0)  # the last moment before it leaves
        life = current_life()
        if life is not None and life.dead:
            raise httpx2.ConnectError("the worker is dead")
        acting = asyncio.get_running_loop().create_task(self._market.answer(request, body), context=Context())
        return await asyncio.shield(acting)
