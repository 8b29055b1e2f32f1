"""Any mixture of calls and time: the world keeps its own rules, and its books agree with its orders."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.sandbox.stage import DAY_S, HOUR_S, Stage
from worker.sandbox.codes import Refused
from worker.sandbox.life import Size
from worker.sandbox.order import CANCEL, CONFIRMED, SUCCESS, Order
from worker.sandbox.parameters import Parameters
from worker.sandbox.receipts import ReceiptRefusedError
from worker.sandbox.refund_actions import create, return_goods
from worker.sandbox.refund_rules import REASONS
from worker.sandbox.trade_actions import cancel
from worker.sandbox.truth import tell_truth

ENDED = {SUCCESS, CANCEL}
places = st.integers(min_value=0, max_value=200)


class Shop(RuleBasedStateMachine):
    """Five orders, most of them shipped in parts, and a buyer who does all that a client can do, sensible or not."""

    stage: Stage

    @initialize(seed=st.integers(min_value=0, max_value=10_000), buyer=st.booleans(), lenient=st.booleans())
    def begin(self, seed: int, *, buyer: bool, lenient: bool) -> None:
        self.stage = Stage(
            seed=seed, orders=2, agreement_share=0.7, settle_s=60.0, buyer_confirms=buyer, lenient_receipts=lenient
        )
        self.stage.begin()
        self.stage.sandbox.world.add_orders(3, Size(lines=4, parcels=3))
        self.stage.advance(0)
        self.ended: dict[str, str] = {}

    def order(self, place: int) -> Order:
        return self.stage.orders[place % len(self.stage.orders)]

    @rule(hours=st.sampled_from([0.01, 0.5, 3, 12, 48]))
    def time_passes(self, hours: float) -> None:
        self.stage.advance(hours * HOUR_S)

    @rule(place=places)
    def pay(self, place: int) -> None:
        before = len(self.stage.sandbox.ledgers.payments)
        outcome = self.stage.sandbox.world.pay(self.order(place), "agreement")
        assert len(self.stage.sandbox.ledgers.payments) - before == (outcome == "taken")

    @rule()
    def pay_everything(self) -> None:
        for order in self.stage.orders:
            if order.payable and not order.settling:
                self.stage.sandbox.world.pay(order, "agreement")

    @rule(place=places)
    def confirm_what_has_come(self, place: int) -> None:
        order = self.order(place)
        for line in order.lines:
            with contextlib.suppress(ReceiptRefusedError):
                self.stage.sandbox.world.confirm_receipt(order, [str(line.line_id)])

    @rule(place=places)
    def cancel(self, place: int) -> None:
        self._call(cancel, {"webSite": "1688", "orderId": self.order(place).order_id, "cancelReason": "other"})

    @rule(place=places, which=st.sets(st.integers(min_value=0, max_value=3)))
    def confirm(self, place: int, which: set[int]) -> None:
        order = self.order(place)
        line_ids = [str(line.line_id) for at, line in enumerate(order.lines) if at in which]
        with contextlib.suppress(ReceiptRefusedError):
            self.stage.sandbox.world.confirm_receipt(order, line_ids)

    @rule(place=places, line=places, share=st.floats(min_value=0.01, max_value=1), back=st.booleans(), word=places)
    def ask_money_back(self, place: int, line: int, share: float, word: int, *, back: bool) -> None:
        order = self.order(place)
        at = line % len(order.lines)
        words = ("refundWaitSellerSend", "refundWaitBuyerReceive", "refundBuyerReceived", "aftersaleBuyerReceived")
        values = {
            "orderId": order.order_id,
            "orderEntryIds": [order.lines[at].line_id],
            "disputeRequest": "returnRefund" if back else "refund",
            "applyPayment": max(1, round(order.lines[at].amount_fen * share)),
            "applyCarriage": 0,
            "applyReasonId": next(iter(REASONS)),
            "description": "too many",
            "goodsStatus": words[word % len(words)],
        }
        self._call(create, values)

    @rule(place=places)
    def send_back(self, place: int) -> None:
        for refund in self.order(place).refunds:
            values = {"refundId": refund.refund_id, "logisticsCompanyNo": "SF", "freightBill": "SF1"}
            self._call(return_goods, values)

    @precondition(lambda self: hasattr(self, "stage"))
    @invariant()
    def books_agree(self) -> None:
        books = self.stage.sandbox.ledgers
        for order in self.stage.orders:
            truth = tell_truth(order, self.stage.sandbox.world.taken_fen(order))
            taken_fen = sum(row.amount_fen for row in books.payments if row.order_id == order.order_id)
            assert truth.taken_fen == taken_fen
            assert order.paid <= (taken_fen > 0)
            assert truth.total_fen == sum(line.amount_fen for line in order.lines) + order.shipping_fen
            assert 0 <= truth.refunded_fen <= truth.total_fen
            confirmed = [
                line_id for row in books.receipts if row.order_id == order.order_id for line_id in row.line_ids
            ]
            assert len(confirmed) == len(set(confirmed)), "no line is confirmed twice"
            shown_confirmed = {str(line.line_id) for line in order.lines if line.status in (CONFIRMED, SUCCESS)}
            if order.status not in (CONFIRMED, *ENDED):
                assert shown_confirmed <= set(confirmed)
            assert sum(order.order_id == row.order_id for row in books.cancels) <= (order.status == CANCEL)

    @precondition(lambda self: hasattr(self, "stage"))
    @invariant()
    def what_has_ended_stays_ended(self) -> None:
        for order in self.stage.orders:
            assert self.ended.get(order.order_id, order.status) == order.status
            if order.status in ENDED:
                self.ended[order.order_id] = order.status
                assert order.completed_ms is not None
        if not self.stage.sandbox.config.lenient_receipts:
            assert not any(row.refund_open for row in self.stage.sandbox.ledgers.receipts if row.by == "call")

    def teardown(self) -> None:
        if not hasattr(self, "stage"):
            return
        self.stage.advance(60 * DAY_S)
        assert self.stage.sandbox.stats().quiet, "every story comes to its end"
        self.books_agree()
        for order in self.stage.orders:
            waits_for_us = not self.stage.sandbox.config.buyer_confirms and order.received_ms is not None
            assert order.status in ENDED or waits_for_us, order.status
        asyncio.run(self.stage.client.aclose())

    def _call(self, action: Any, values: dict[str, Any]) -> None:
        with contextlib.suppress(Refused):
            action(self.stage.sandbox, Parameters(values))


TestShop = Shop.TestCase
TestShop.settings = settings(
    max_examples=60, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
