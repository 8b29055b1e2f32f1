"""All orders of the twin, the money that was really taken, and the running of every life."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

from worker.sandbox.agenda import Agenda, Entry, NowMs
from worker.sandbox.config import MAX_ORDERS, SandboxConfig
from worker.sandbox.deeds import close, confirmed, perform
from worker.sandbox.history import History
from worker.sandbox.ledgers import Cancel, How, Ledgers, Payment, Receipt
from worker.sandbox.life import HOUR, LARGE, Size, write_life
from worker.sandbox.messages import MADE, PAID, Notice, status_notice
from worker.sandbox.order import CANCEL, CONFIRMED, SHIPPED, SUCCESS, Line, Order, open_order
from worker.sandbox.pacing import Waits
from worker.sandbox.receipts import complete, confirmable, receipt_of
from worker.sandbox.script import Close, Confirm, ConfirmPart, Life, SettleRefund, Step, Succeed
from worker.sandbox.seeded import stream
from worker.sandbox.tradeinfo import trade_info

PayOutcome = Literal["taken", "already_paid", "closed"]
BUYERS_DEEDS = (ConfirmPart, Confirm, Succeed)
LOOK_AGAIN_S = 6 * HOUR
"""A buyer with an open refund looks again after so long."""


class World:
    """The marketplace behind the API. Time comes in through the agenda and the clock, news go out through `tell`."""

    def __init__(
        self,
        config: SandboxConfig,
        agenda: Agenda,
        now_ms: NowMs,
        tell: Callable[[Notice], None],
        ledgers: Ledgers | None = None,
    ) -> None:
        self._config = config
        self._agenda = agenda
        self._now_ms = now_ms
        self._tell = tell
        self.after_step: Callable[[Order], None] = lambda _order: None
        """Told about every step of a life, also those that no message tells of."""
        self._waits = Waits(agenda, config.scaled_ms)
        self.later = self._waits.later
        """Enter something that happens after so many seconds of the marketplace's time."""
        self._next: dict[str, tuple[Entry, tuple[Step, ...]]] = {}
        """Per order whose life goes on: the entry of the next step, and the steps from it on."""
        self.orders: dict[str, Order] = {}
        """By id as text, in the order of their creation."""
        self.history: History[Order] = History(self.orders, now_ms, config.stale_s, config.seed)
        self.planned = 0
        self.ledgers = ledgers or Ledgers()
        self._payments_of: Counter[str] = Counter()
        self._taken_fen: Counter[str] = Counter()

    def add_orders(self, count: int, size: Size | None = None) -> None:
        """Let `count` more orders be created over the next `arrival_s` real seconds; `size` None: the dice say.

        Raises:
            ValueError: that would be too many.
        """
        if not 0 <= count <= MAX_ORDERS - self.planned:
            raise ValueError(f"count: expected 0 to {MAX_ORDERS - self.planned}, got {count}")
        for number in range(self.planned, self.planned + count):
            life = self._write_life(number, size)
            delay_s = stream(self._config.seed, "arrival", number).uniform(0, self._config.arrival_s)
            self._agenda.after(round(delay_s * 1000), lambda life=life: self._begin(life))  # type: ignore[misc]
        self.planned += count

    def _write_life(self, number: int, size: Size | None) -> Life:
        config = self._config
        if size is None and stream(config.seed, "size", number).random() < config.large_share:
            size = LARGE
        life = write_life(config.seed, number, config.agreement_share, config.person_share, size=size)
        return life if config.offset_h is None else replace(life, offset_h=config.offset_h)

    def shown(self, order: Order, *, parcels: bool = True) -> dict[str, Any]:
        """The order as the API shows it."""
        expires_ms = order.created_ms + self._config.scaled_ms(self._config.pay_timeout_s)
        return trade_info(order, parcels=parcels, pay_timeout_s=self._config.pay_timeout_s, expires_ms=expires_ms)

    def modified_between(
        self, modified: tuple[int, int], created: tuple[int, int], status: str | None, skip: int, size: int
    ) -> tuple[int, list[Order]]:
        """How many orders changed (and were created) between two moments, both included, and one page, newest first.

        As a read sees them, so perhaps as they were a moment ago.
        """
        found = [
            order
            for order in self.history.all_seen()
            if modified[0] <= order.modified_ms <= modified[1]
            and created[0] <= order.created_ms <= created[1]
            and status in (None, order.status)
        ]
        found.sort(key=lambda order: (order.modified_ms, order.life.number), reverse=True)
        return len(found), found[skip : skip + size]

    @property
    def ledger(self) -> list[Payment]:
        """All money that was taken, on every platform."""
        return self.ledgers.payments

    @property
    def double_payments(self) -> int:
        """Payments beyond the first of an order."""
        return self.ledgers.double_payments

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
            self._waits.close(order.order_id)
            order.start_payment(how, self._now_ms())
            self.history.keep(order)
            settle_ms = round(self._config.settle_s * 1000 * order.life.settle_share)
            self._agenda.after(settle_ms, lambda: self._show_paid(order))
        return "taken"

    def give_pay_url(self, order: Order) -> None:
        """A pay URL was handed out: perhaps a person follows it, hours later, once."""
        after_s = order.life.person_after_s
        if after_s is None or order.person_called:
            return
        order.person_called = True
        self._waits.enter(order.order_id, after_s, lambda: self._person_pays(order))

    def cancel(self, order: Order, reason: str) -> None:
        """Close an order that nobody has paid; the caller has checked that it may be."""
        self._waits.close(order.order_id)
        self.ledgers.cancels.append(Cancel(order.order_id, order.total_fen, self._now_ms(), reason))
        self._tell(close(order, Close("buyer"), self._now_ms(), reason))
        self.history.keep(order)

    def confirm_receipt(self, order: Order, line_ids: list[str]) -> Receipt:
        """Confirm the receipt of some lines, of all that are left where none is named. The money is the seller's then.

        Raises:
            ReceiptRefusedError: nothing was confirmed.
        """
        lines = confirmable(order, line_ids, while_refunding=self._config.lenient_receipts)
        receipt = receipt_of(order, lines, self._now_ms(), by_call=True)
        self.ledgers.receipts.append(receipt)
        order.confirm_lines(lines, self._now_ms())
        if complete(order):
            order.confirm(self._now_ms())
            self._finish(order)
        self._tell(confirmed(order, self._now_ms()))
        self.history.keep(order)
        return receipt

    def change(self, order: Order, deed: Callable[[int], list[Notice]]) -> None:
        """Let something outside the script happen to an order: `deed` gets the time and returns what is to be told."""
        had_ended = order.ended
        for notice in deed(self._now_ms()):
            self._tell(notice)
        if order.ended and not had_ended and order.order_id in self._next:
            self._agenda.cancel(self._next.pop(order.order_id)[0])
        self.history.keep(order)

    def create(self, life: Life) -> Order:
        """An order comes into being now."""
        order = open_order(life, self._now_ms())
        self.orders[order.order_id] = order
        self._waits.open(order.order_id)
        self._waits.enter(order.order_id, self._config.pay_timeout_s, lambda: self._close_unpaid(order))
        self._tell(status_notice(order, MADE, self._now_ms()))
        self.history.keep(order)
        self._go_on(order, life.before)
        return order

    def _person_pays(self, order: Order) -> None:
        """A person looks at the page first: nobody pays what is shown as paid, closed or in progress."""
        if order.payable and not order.settling:
            self.pay(order, "page")

    def _begin(self, life: Life) -> None:
        self.create(life)

    def _close_unpaid(self, order: Order) -> None:
        self._waits.close(order.order_id)
        self._tell(close(order, Close("platform"), self._now_ms()))
        self.history.keep(order)

    def _show_paid(self, order: Order) -> None:
        order.show_paid(self._now_ms())
        self._tell(status_notice(order, PAID, self._now_ms()))
        self.history.keep(order)
        steps = order.life.after
        if not self._config.buyer_confirms:
            steps = tuple(step for step in steps if not isinstance(step.deed, BUYERS_DEEDS))
        self._go_on(order, steps)

    def _go_on(self, order: Order, steps: tuple[Step, ...], after_s: float | None = None) -> None:
        """Enter the next step; the waiting ones are struck out when money is taken or the order closes."""
        self._next.pop(order.order_id, None)
        if steps and not order.ended:
            gap_s = steps[0].gap_s if after_s is None else after_s
            entry = self._waits.enter(order.order_id, gap_s, lambda: self._take_step(order, steps))
            self._next[order.order_id] = entry, steps

    def _take_step(self, order: Order, steps: tuple[Step, ...]) -> None:
        deed = steps[0].deed
        if order.ended and not isinstance(deed, SettleRefund):  # from outside the script meanwhile
            return
        if isinstance(deed, BUYERS_DEEDS) and order.refund_open:
            self._go_on(order, steps, LOOK_AGAIN_S)
            return
        if isinstance(deed, Close):
            self._waits.close(order.order_id)
        if lines := _confirmed_by(order, steps[0]):
            self.ledgers.receipts.append(receipt_of(order, lines, self._now_ms(), by_call=False))
        for notice in perform(order, deed, self._now_ms(), self.shown):
            self._tell(notice)
        self.after_step(order)
        self.history.keep(order)
        self._go_on(order, steps[1:])

    def _finish(self, order: Order) -> None:
        """All is confirmed: of the script only the end is left, and refunds that are under way."""
        if order.order_id in self._next:
            self._agenda.cancel(self._next[order.order_id][0])
        left = [step for step in order.life.after if isinstance(step.deed, SettleRefund) and _is_open(order, step.deed)]
        end = next((step for step in order.life.after if isinstance(step.deed, Succeed)), Step(HOUR, Succeed()))
        self._go_on(order, (*left, end))


def _confirmed_by(order: Order, step: Step) -> list[Line]:
    """The lines whose receipt this step confirms."""
    done = (CONFIRMED, SUCCESS, CANCEL)
    match step.deed:
        case Confirm():
            return [line for line in order.lines if line.status not in done]
        case ConfirmPart():
            parcel = order.parcel(step.deed.parcel)
            ids = parcel.line_ids if parcel else ()
            here = (line for line in order.lines if line.line_id in ids and line.status not in done)
            return [line for line in here if line.logistics_status == SHIPPED]
    return []


def _is_open(order: Order, deed: SettleRefund) -> bool:
    return any(refund.refund_id == deed.refund_id and refund.settled_ms is None for refund in order.refunds)
