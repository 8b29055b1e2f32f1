"""The twin as one object: world, outbox and faults over one agenda and one clock. No network in here."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

import msgspec

from worker.sandbox.agenda import Agenda, NowMs
from worker.sandbox.aop.courier import OpenPlatformCourier
from worker.sandbox.aop.platform import OpenPlatform
from worker.sandbox.carts import Cart
from worker.sandbox.config import SandboxConfig
from worker.sandbox.courier import Courier, PandaPonCourier
from worker.sandbox.faults import CallFaults
from worker.sandbox.ledgers import Ledgers, Refusal
from worker.sandbox.messages import Notice
from worker.sandbox.order import Shipment
from worker.sandbox.outbox import Outbox
from worker.sandbox.taobao.world import TaobaoWorld
from worker.sandbox.traffic import Traffic
from worker.sandbox.warehouse import Warehouse
from worker.sandbox.world import World
from worker.sandbox.xport import XportCourier


class Stats(msgspec.Struct, frozen=True):
    """What `GET /_sandbox/stats` answers."""

    started: bool
    quiet: bool
    """Begun, and nothing will happen any more by itself: no step, callback attempt or pay time-out is left."""
    orders: int
    orders_planned: int
    orders_by_status: dict[str, int]
    taobao_orders: int
    taobao_by_status: dict[str, int]
    pending_events: int
    callbacks_made: int
    callbacks_unaddressed: int
    callbacks_lost: int
    duplicates: int
    callbacks_sent: int
    retries: int
    callbacks_delivered: int
    callbacks_given_up: int
    callback_answers_ms: dict[str, int]
    """Attempts by the least bound in ms that the answer kept; `none` where none came in time."""
    payments_accepted: int
    double_payments: int
    receipts_confirmed: int
    bookings: int
    double_bookings: int
    warehouse_notices: int
    warehouse_repeats: int
    """Notices that said what had been said of the order before."""
    cancels: int
    calls: dict[str, int]
    faults: dict[str, int]


class Sandbox:
    """What the API and the control endpoints talk to."""

    def __init__(
        self, config: SandboxConfig, now_ms: NowMs, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self.config = config
        self.now_ms = now_ms
        self.sleep = sleep
        """Waits real seconds; only slow answers use it."""
        self.agenda = Agenda(now_ms)
        self.open_platform = OpenPlatform(config, now_ms)
        self.outbox = Outbox(config, self.agenda, now_ms, self._courier())
        self.ledgers = Ledgers()
        self.prices: dict[str, list[tuple[int, int]]] = {}
        """Every total that an order had: since when (Unix ms), and how much (fen)."""
        self.world = World(config, self.agenda, now_ms, self._tell, self.ledgers)
        self.world.after_step = self.outbox.stepped
        self.warehouse = Warehouse(config, self.ledgers, now_ms)
        self.taobao = TaobaoWorld(config, self.agenda, now_ms, self.outbox.post, self.ledgers)
        self.cart_1688 = Cart()
        self.cart_taobao = Cart()
        self.addresses: dict[int, dict[str, str | None]] = {}
        """The address book, by number from 1."""
        self.faults = CallFaults(config.seed, config.level)
        self.traffic = Traffic(now_ms, config.rate_per_s, config.burst)
        self.started = False
        self.hang_up: Callable[[tuple[str, int]], None] | None = None
        """Cuts the connection of a client; the server knows how, without a server an exception stands in."""
        self.verify: Callable[[str], Awaitable[bool]] | None = None
        """Asks a callback URL for its HTTP 200; needs the server's client."""

    def _courier(self) -> Courier:
        if self.config.push == "pandapon":
            return PandaPonCourier(self.config)
        if self.config.push == "xport":
            return XportCourier(self.config)
        courier = OpenPlatformCourier(self.config, self.agenda, self.open_platform.queue, self.now_ms)
        courier.post = lambda notice: self.outbox.post(notice)  # noqa: PLW0108 - there is no outbox yet
        return courier

    def _tell(self, notice: Notice) -> None:
        """Keep the order's price, whatever becomes of the message about it."""
        order = notice.order
        had = self.prices.setdefault(order.order_id, [])
        if not had or had[-1][1] != order.total_fen:
            had.append((self.now_ms(), order.total_fen))
        self.outbox.tell(notice)

    def start(self) -> None:
        """Let the configured orders begin; a second call does nothing."""
        if not self.started:
            self.started = True
            self.world.add_orders(self.config.orders)
            self.taobao.add_orders(self.config.taobao_orders)

    def refuse(self, operation: str, order_id: str, reason: str) -> None:
        """Write down that an effect was asked for and refused."""
        self.ledgers.refusals.append(Refusal(operation, order_id, self.now_ms(), reason))

    def is_paid(self, order_id: str) -> bool | None:
        """Tell whether an order of any platform is shown as paid; None if there is no such order."""
        order = self.world.orders.get(order_id)
        if order is not None:
            return order.paid
        purchase = self.taobao.find(order_id)
        return None if purchase is None else purchase.paid_ms is not None

    def show_shipment(self, order_id: str, shipment: Shipment) -> None:
        """Let the order, if there is one, show what was booked for it."""
        if (order := self.world.orders.get(order_id)) is not None:
            order.book(shipment)
            self.world.history.keep(order)
        elif (purchase := self.taobao.find(order_id)) is not None:
            purchase.book(shipment)
            self.taobao.history.keep(purchase)

    def stats(self) -> Stats:
        """Figures of this moment."""
        tally = self.outbox.tally
        pending = self.agenda.pending + self.outbox.under_way
        return Stats(
            started=self.started,
            quiet=(self.started or self.world.planned > 0) and pending == 0,
            orders=len(self.world.orders),
            orders_planned=self.world.planned,
            orders_by_status=dict(Counter(order.status for order in self.world.orders.values())),
            taobao_orders=len(self.taobao.orders),
            taobao_by_status=dict(Counter(order.status for order in self.taobao.orders.values())),
            pending_events=pending,
            callbacks_made=tally.made,
            callbacks_unaddressed=tally.unaddressed,
            callbacks_lost=tally.lost,
            duplicates=tally.duplicates,
            callbacks_sent=tally.sent,
            retries=tally.retries,
            callbacks_delivered=tally.delivered,
            callbacks_given_up=tally.given_up,
            callback_answers_ms=dict(tally.answers_ms),
            payments_accepted=len(self.world.ledger),
            double_payments=self.world.double_payments,
            receipts_confirmed=len(self.ledgers.receipts),
            bookings=len(self.ledgers.bookings),
            double_bookings=self.ledgers.double_bookings,
            warehouse_notices=len(self.ledgers.warehouse_notices),
            warehouse_repeats=sum(row.repeats > 0 for row in self.ledgers.warehouse_notices),
            cancels=len(self.ledgers.cancels),
            calls=dict(self.traffic.calls),
            faults=dict(self.faults.made),
        )
