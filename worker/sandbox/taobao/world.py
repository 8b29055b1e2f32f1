"""All purchase orders on Taobao, the money that was really taken for them, and the running of every life."""

from __future__ import annotations

from collections.abc import Callable

from worker.sandbox.agenda import Agenda, NowMs
from worker.sandbox.config import MAX_ORDERS, SandboxConfig
from worker.sandbox.history import History
from worker.sandbox.ledgers import Cancel, How, Ledgers, Payment
from worker.sandbox.pacing import Waits
from worker.sandbox.seeded import stream
from worker.sandbox.taobao.news import TaobaoNotice, price_changed, refund_changed, status_changed
from worker.sandbox.taobao.order import (
    CLOSED,
    VOUCHER_SENT,
    TaobaoOrder,
    TaobaoParcel,
    TaobaoRefund,
    open_purchase,
)
from worker.sandbox.taobao.script import (
    AnswerRefund,
    AskRefund,
    Build,
    Dispatch,
    Rename,
    Reprice,
    SellerCloses,
    Step,
    TaobaoLife,
    write_life,
)

CANCEL_TAKES_S = 60.0
"""Seconds of the marketplace's time until an accepted cancel is carried out: documented upstream as asynchronous."""
FINANCE_TAKES_S = 1800.0
"""Until finance has looked at a payment voucher."""


class TaobaoWorld:
    """Time comes in through the agenda and the clock, news go out through `post`."""

    def __init__(
        self,
        config: SandboxConfig,
        agenda: Agenda,
        now_ms: NowMs,
        post: Callable[[TaobaoNotice], None],
        ledgers: Ledgers,
    ) -> None:
        self._config = config
        self._agenda = agenda
        self._now_ms = now_ms
        self._post = post
        self._ledgers = ledgers
        self._waits = Waits(agenda, config.scaled_ms)
        self.later = self._waits.later
        """Enter something that happens after so many seconds of the marketplace's time."""
        self.orders: dict[str, TaobaoOrder] = {}
        """By the purchase order's id as text."""
        self._by_sales_id: dict[str, str] = {}
        self.history: History[TaobaoOrder] = History(self.orders, now_ms, config.stale_s, config.seed)
        self.planned = 0

    @property
    def pay_timeout_ms(self) -> int:
        """How long an order may stay unpaid, in real milliseconds."""
        return self._config.scaled_ms(self._config.pay_timeout_s)

    def add_orders(self, count: int) -> None:
        """Let `count` more purchase orders be created over the next `arrival_s` real seconds.

        Raises:
            ValueError: that would be too many.
        """
        if not 0 <= count <= MAX_ORDERS - self.planned:
            raise ValueError(f"count: expected 0 to {MAX_ORDERS - self.planned}, got {count}")
        for number in range(self.planned, self.planned + count):
            life = write_life(self._config.seed, number)
            delay_s = stream(self._config.seed, "taobao arrival", number).uniform(0, self._config.arrival_s)
            self._agenda.after(round(delay_s * 1000), lambda life=life: self._begin(life))  # type: ignore[misc]
        self.planned += count

    def take_number(self) -> int:
        """The number of an order that a call creates."""
        self.planned += 1
        return self.planned - 1

    def find(self, any_id: str) -> TaobaoOrder | None:
        """The order that goes by this id: its own, Taobao's number, or a sub-order's."""
        return self.orders.get(self._own_id(any_id))

    def seen(self, any_id: str) -> TaobaoOrder | None:
        """The same as a read sees it."""
        return self.history.seen(self._own_id(any_id))

    def _own_id(self, any_id: str) -> str:
        return self._by_sales_id.get(any_id, any_id)

    def create(self, life: TaobaoLife) -> TaobaoOrder:
        """An order comes into being now."""
        order = open_purchase(life, self._now_ms(), two_ids=self._config.taobao_two_ids)
        self.orders[order.order_id] = order
        self._by_sales_id[str(order.sales_id)] = order.order_id
        self._by_sales_id.update({str(sub.sub_id): order.order_id for sub in order.subs})
        self._waits.open(order.order_id)
        self._waits.enter(order.order_id, self._config.pay_timeout_s, lambda: self._close(order, "timeout"))
        self.history.keep(order)
        self._go_on(order, life.before)
        return order

    def pay(self, order: TaobaoOrder, how: How) -> None:
        """Take the money, also a second time while the first payment settles; the caller has checked `payable`."""
        first = not order.settling
        payments = sum(row.order_id == order.order_id for row in self._ledgers.payments)
        row = Payment(order.order_id, order.total_fen, self._now_ms(), how, payments + 1, "taobao")
        self._ledgers.payments.append(row)
        if first:
            self._waits.close(order.order_id)
            order.start_payment(self._now_ms())
            self.history.keep(order)
            settle_ms = round(self._config.settle_s * 1000 * order.life.settle_share)
            self._agenda.after(settle_ms, lambda: self._show_paid(order))

    def upload_voucher(self, order: TaobaoOrder) -> None:
        """Finance looks at it after a while and then pays."""
        self._waits.close(order.order_id)
        self.change(order, order.upload_voucher)

        def passed() -> None:
            if order.status == VOUCHER_SENT:
                self.change(order, order.pass_finance)
                self.pay(order, "voucher")

        self.later(FINANCE_TAKES_S, passed)

    def cancel(self, order: TaobaoOrder, places: list[int], reason: str) -> None:
        """Accept a cancel; it is carried out later, unless the money was quicker."""
        order.cancelling = True

        def carry_out() -> None:
            order.cancelling = False
            if order.payable and not order.settling:
                self._ledgers.cancels.append(Cancel(order.order_id, order.total_fen, self._now_ms(), reason, "taobao"))
                self.change(order, lambda now_ms: order.close_subs(places, reason, now_ms))
                if order.status == CLOSED:
                    self._waits.close(order.order_id)

        self.later(CANCEL_TAKES_S, carry_out)

    def change(self, order: TaobaoOrder, deed: Callable[[int], None]) -> None:
        """Let something happen to an order that its status messages tell of."""
        deed(self._now_ms())
        self.history.keep(order)
        self._post(status_changed(order, self._now_ms()))

    def change_refund(self, order: TaobaoOrder, refund: TaobaoRefund, status: int | None = None) -> None:
        """A refund is new (`status` None) or goes on."""
        if status is None:
            order.ask_refund(refund)
        else:
            order.answer_refund(refund, status, self._now_ms())
        self.history.keep(order)
        self._post(refund_changed(order, refund))
        if order.status == CLOSED:
            self._post(status_changed(order, self._now_ms()))

    def _begin(self, life: TaobaoLife) -> None:
        self.create(life)

    def _close(self, order: TaobaoOrder, reason: str) -> None:
        self._waits.close(order.order_id)
        self.change(order, lambda now_ms: order.close(reason, now_ms))

    def _show_paid(self, order: TaobaoOrder) -> None:
        self.change(order, order.show_paid)
        self._go_on(order, order.life.after)

    def _go_on(self, order: TaobaoOrder, steps: tuple[Step, ...]) -> None:
        if steps and order.status != CLOSED:
            self._waits.enter(order.order_id, steps[0].gap_s, lambda: self._take_step(order, steps))

    def _take_step(self, order: TaobaoOrder, steps: tuple[Step, ...]) -> None:
        if order.status == CLOSED:  # closed from outside the script meanwhile
            return
        self._perform(order, steps[0])
        self._go_on(order, steps[1:])

    def _perform(self, order: TaobaoOrder, step: Step) -> None:
        match step.deed:
            case Build():
                self.change(order, order.build)
            case Reprice(postage_fen, discounts_fen):
                order.reprice(postage_fen, discounts_fen, self._now_ms())
                self.history.keep(order)
                self._post(price_changed(order, self.pay_timeout_ms))
            case SellerCloses():
                self._close(order, "sellerGoodsLack")
            case Dispatch(places, carrier, waybill):
                parcel = TaobaoParcel(carrier, waybill, self._now_ms())
                self.change(order, lambda _now_ms: order.dispatch(places, parcel))
            case Rename(old, new):
                self.change(order, lambda now_ms: order.rename(old, new, now_ms))
            case AskRefund(place, refund_id):
                now_ms, fee_fen = self._now_ms(), order.subs[place].amount_fen
                self.change_refund(order, TaobaoRefund(refund_id, place, fee_fen, 10, now_ms, now_ms))
            case AnswerRefund(refund_id, status):
                refund = next((one for one in order.refunds if one.refund_id == refund_id), None)
                if refund is not None and refund.open:
                    self.change_refund(order, refund, status)
