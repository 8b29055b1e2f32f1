"""A small ledger and small books, to be bent out of shape."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from worker.domain.policy import Effect, Policy
from worker.promises.books import Books
from worker.promises.rows import Attempt, Decision, FollowUp, Ledger, Pause, PlanVersion, Spending, Word
from worker.sandbox.ledgers import Booking, Cancel, Payment, Receipt, WarehouseNotice
from worker.sandbox.truth import TrueOrder, TrueRefund

ACCOUNT = "main"
ORDER = "3300000000000000001"
PAYING = Policy(
    auto_pay=True,
    auto_pay_limit=10_000,
    price_tolerance=Decimal("0.10"),
    four_eyes_above=20_000,
    daily_budget=30_000,
    freight_limit=4_000,
)
POLICIES = {ACCOUNT: PAYING}


class Desk:
    """Writes a story down, first in our ledger, then in the marketplace's books. Instants are small numbers."""

    def __init__(self) -> None:
        self.ledger = Ledger([], [], [], [], [], [], [])
        self.payments: list[Payment] = []
        self.receipts: list[Receipt] = []
        self.bookings: list[Booking] = []
        self.cancels: list[Cancel] = []
        self.notices: list[WarehouseNotice] = []
        self.orders: dict[str, TrueOrder] = {}

    @property
    def books(self) -> Books:
        return Books(self.payments, self.receipts, self.bookings, self.cancels, self.notices, self.orders)

    def wanted(self, effect: Effect, state: str = "succeeded", *, purpose: str = "full", **fields: Any) -> int:
        number = len(self.ledger.follow_ups) + 1
        known: dict[str, Any] = {
            "reason": None,
            "attempts": 0,
            "amount_minor": None,
            "approved_minor": None,
            "requested_by": None,
            "reference": None,
            "cleared": None,
        }
        self.ledger.follow_ups.append(
            FollowUp(number, ACCOUNT, ORDER, effect.value, purpose, state, **(known | fields))
        )
        return number

    def called(
        self,
        follow_up: int,
        at: int = 100,
        amount: int | None = None,
        *,
        outcome: str | None = "done",
        render: str = "",
        **evidence: Any,
    ) -> Attempt:
        number = len(self.ledger.attempts) + 1
        found = {"asked_at": at - 10} | evidence
        made = Attempt(number, follow_up, amount, outcome, at, found, {"render_id": render}, f"token-{number}")
        self.ledger.attempts.append(made)
        if amount is not None:
            self.ledger.spendings.append(Spending(made.token, follow_up, ACCOUNT, amount, at, released=False))
        return made

    def paid(self, amount: int = 5_000, at: int = 110, call_no: int = 1, how: Any = "agreement") -> None:
        self.payments.append(Payment(ORDER, amount, at, how, call_no))

    def confirmed(self, *lines: str, at: int = 110, signed: bool = True) -> None:
        self.receipts.append(Receipt(ORDER, list(lines), 1, at, "call", whole=True, signed=signed, refund_open=False))

    def booked(self, render: str, amount: int = 3_000, at: int = 110, number: str = "F1") -> None:
        call_no = len(self.bookings) + 1
        self.bookings.append(Booking(number, render, ORDER, amount, "CNY", "SEA", at, call_no, {}))

    def cancelled(self, at: int = 110) -> None:
        self.cancels.append(Cancel(ORDER, 5_000, at, "no more"))

    def told(self) -> None:
        self.notices.append(WarehouseNotice(ORDER, 110, {}, 0))

    def order(self, status: str = "waitbuyerpay", refunds: list[TrueRefund] | None = None) -> None:
        figures: dict[str, Any] = dict.fromkeys(TrueOrder.__struct_fields__)
        figures |= {"order_id": ORDER, "status": status, "refunds": refunds or []}
        self.orders[ORDER] = TrueOrder(**figures)

    def said(self, follow_up: int, actor: str, amount: int, at: int = 50, decision: str = "approve") -> None:
        self.ledger.approvals.append(Word(follow_up, actor, decision, amount, at))

    def decided(self, follow_up: int, action: str, at: int, after: str = "planned", actor: str = "ann") -> None:
        self.ledger.retries.append(Decision(follow_up, actor, action, after, at))

    def paused(self, opened_at: int, lifted_at: int | None = None, effect: str | None = None) -> None:
        self.ledger.pauses.append(Pause(ACCOUNT, effect, opened_at, lifted_at, automatic=False))

    def planned(self, version: int, at: int = 10, by: str = "shop", **content: Any) -> None:
        self.ledger.plans.append(PlanVersion(ACCOUNT, ORDER, version, content, by, at))


def refund(applied_at: int, settled_at: int | None = None) -> TrueRefund:
    return TrueRefund("TQ1", "1", ["1"], 100, "waitselleragree", applied_at, settled_at)
