"""All orders of the twin, the money that was really taken, and the running of every life."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import msgspec

from worker.sandbox.agenda import Agenda, Entry, NowMs
from worker.sandbox.config import MAX_ORDERS, SandboxConfig
from worker.sandbox.deeds import close, perform
from worker.sandbox.life import write_life
from worker.sandbox.messages import MADE, PAID, Notice, status_notice
from worker.sandbox.order import Order, open_order
from worker.sandbox.script import Close, Life, Step
from worker.sandbox.seeded import stream
from worker.sandbox.tradeinfo import trade_info

How = Literal["agreement", "page"]
PayOutcome = Literal["taken", "already_paid", "closed"]


class Payment(msgspec.Struct, frozen=True):
    """One row of the ledger: money that really left the buyer. Nothing ever removes a row."""

    order_id: str
    amount_fen: int
    at: int
    """Unix milliseconds."""
    how: How
    call_no: int
    """1 for the first payment of an order; anything above it is money spent twice."""


class World:
    """The marketplace behind the API. Time comes in through the agenda and the clock, news go out through `tell`."""

    def __init__(self, config: SandboxConfig, agenda: Agenda, now_ms: NowMs, tell: Callable[[Notice], None]) -> None:
        self._config = config
        self._agenda = agenda
        self._now_ms = now_ms
        self._tell = tell
        self.after_step: Callable[[Order], None] = lambda _order: None
        """Told about every step of a life, also those that no message tells of."""
        self._waiting: dict[str, list[Entry]] = {}
        self.orders: dict[str, Order] = {}
        """By id as text, in the order of their creation."""
        self.planned = 0
        self.ledger: list[Payment] = []
        self._payments_of: Counter[str] = Counter()
        self._taken_fen: Counter[str] = Counter()

    def add_orders(self, count: int) -> None:
        """Let `count` more orders be created over the next `arrival_s` real seconds.

        Raises:
            ValueError: that would be too many.
        """
        if not 0 <= count <= MAX_ORDERS - self.planned:
            raise ValueError(f"count: expected 0 to {MAX_ORDERS - self.planned}, got {count}")
        for number in range(self.planned, self.planned + count):
            life = write_life(self._config.seed, number, self._config.agreement_share, self._config.person_share)
            if self._config.offset_h is not None:
                life = replace(life, offset_h=self._config.offset_h)
            delay_s = stream(self._config.seed, "arrival", number).uniform(0, self._config.arrival_s)
            self._agenda.after(round(delay_s * 1000), lambda life=life: self._create(life))  # type: ignore[misc]
        self.planned += count

    def shown(self, order: Order, *, parcels: bool = True) -> dict[str, Any]:
        """The order as the API shows it."""
        expires_ms = order.created_ms + self._config.scaled_ms(self._config.pay_timeout_s)
        return trade_info(order, parcels=parcels, pay_timeout_s=self._config.pay_timeout_s, expires_ms=expires_ms)

    def modified_between(
        self, modified: tuple[int, int], created: tuple[int, int], status: str | None, skip: int, size: int
    ) -> tuple[int, list[Order]]:
        """How many orders changed (and were created) between two moments, both included, and one page, newest first."""
        found = [
            order
            for order in self.orders.values()
            if modified[0] <= order.modified_ms <= modified[1]
            and created[0] <= order.created_ms <= created[1]
            and status in (None, order.status)
        ]
        found.sort(key=lambda order: (order.modified_ms, order.life.number), reverse=True)
        return len(found), found[skip : skip + size]

    @property
    def double_payments(self) -> int:
        """Payments beyond the first of an order."""
        return len(self.ledger) - len(self._payments_of)

    def taken_fen(self, order: Order) -> int:
        """Money that was taken for an order, all payments together."""
        return self._taken_fen[order.order_id]

    def pay(self, order: Order, how: How) -> PayOutcome:
        """Take the money, unless the order is shown as paid or closed.

        While a first payment settles a second one is taken as well: a marketplace that answers "not paid yet" cannot be
        trusted to refuse.
        """
        if not order.payable:
            return "already_paid" if order.paid else "closed"
        first = not order.settling
        self._payments_of[order.order_id] += 1
        self._taken_fen[order.order_id] += order.total_fen
        self.ledger.append(
            Payment(order.order_id, order.total_fen, self._now_ms(), how, self._payments_of[order.order_id])
        )
        if first:
            for entry in self._waiting.pop(order.order_id, []):
                self._agenda.cancel(entry)
            order.start_payment(how, self._now_ms())
            settle_ms = round(self._config.settle_s * 1000 * order.life.settle_share)
            self._agenda.after(settle_ms, lambda: self._show_paid(order))
        return "taken"

    def give_pay_url(self, order: Order) -> None:
        """A pay URL was handed out: perhaps a person follows it, hours later, once."""
        after_s = order.life.person_after_s
        if after_s is None or order.person_called:
            return
        order.person_called = True
        self._wait(order, after_s, lambda: self._person_pays(order))

    def _person_pays(self, order: Order) -> None:
        """A person looks at the page first: nobody pays what is shown as paid, closed or in progress."""
        if order.payable and not order.settling:
            self.pay(order, "page")

    def _create(self, life: Life) -> None:
        order = open_order(life, self._now_ms())
        self.orders[order.order_id] = order
        self._waiting[order.order_id] = []
        self._wait(order, self._config.pay_timeout_s, lambda: self._close_unpaid(order))
        self._tell(status_notice(order, MADE, self._now_ms()))
        self._go_on(order, life.before, 0)

    def _close_unpaid(self, order: Order) -> None:
        for entry in self._waiting.pop(order.order_id, []):
            self._agenda.cancel(entry)
        self._tell(close(order, Close("platform"), self._now_ms()))

    def _show_paid(self, order: Order) -> None:
        order.show_paid(self._now_ms())
        self._tell(status_notice(order, PAID, self._now_ms()))
        self._go_on(order, order.life.after, 0)

    def _go_on(self, order: Order, steps: tuple[Step, ...], place: int) -> None:
        """Enter the next step; the waiting ones are struck out when money is taken or the order closes."""
        if place < len(steps):
            self._wait(order, steps[place].gap_s, lambda: self._take_step(order, steps, place))

    def _take_step(self, order: Order, steps: tuple[Step, ...], place: int) -> None:
        deed = steps[place].deed
        if isinstance(deed, Close):
            for entry in self._waiting.pop(order.order_id, []):
                self._agenda.cancel(entry)
        for notice in perform(order, deed, self._now_ms(), self.shown):
            self._tell(notice)
        self.after_step(order)
        self._go_on(order, steps, place + 1)

    def _wait(self, order: Order, seconds: float, action: Callable[[], None]) -> None:
        entry = self._agenda.after(self._config.scaled_ms(seconds), action)
        if order.order_id in self._waiting:
            self._waiting[order.order_id].append(entry)
