"""Refunds that somebody asks for through an API, and what the seller makes of them.

The words of the states and of the steps are upstream's. How long a seller takes and how often he refuses is invented.
"""

from __future__ import annotations

from worker.sandbox.deeds import settle_refund, step_notice
from worker.sandbox.ledgers import RefundRequest
from worker.sandbox.messages import Notice
from worker.sandbox.order import Order
from worker.sandbox.refund import WAIT_AGREE, WAIT_MODIFY, WAIT_RECEIVE, WAIT_SEND, Refund, Role
from worker.sandbox.sandbox import Sandbox
from worker.sandbox.seeded import spread, stream

HOUR_S, DAY_S = 3_600.0, 86_400.0
GRANTED_SHARE = 0.75
BUYER_WAITS_S = 5 * DAY_S
"""A buyer who does nothing for so long loses the refund."""
BACK_S = 2 * DAY_S
"""Goods that are sent back arrive after so long."""


def ask(sandbox: Sandbox, order: Order, refund: Refund) -> None:
    """Ask for money back; the seller answers some hours later, in the sandbox's own time."""

    def asked(now_ms: int) -> list[Notice]:
        order.ask_refund(refund, now_ms)
        return [step_notice(order, refund, now_ms)]

    sandbox.world.change(order, asked)
    line_ids = [str(order.lines[place].line_id) for place in refund.lines]
    row = RefundRequest(refund.refund_id, order.order_id, line_ids, refund.amount_fen, sandbox.now_ms())
    sandbox.ledgers.refunds.append(row)
    rng = stream(sandbox.config.seed, "seller", refund.refund_id)
    granted = rng.random() < GRANTED_SHARE
    sandbox.world.later(spread(rng, HOUR_S, 12 * HOUR_S), lambda: answer(sandbox, order, refund, granted=granted))


def answer(sandbox: Sandbox, order: Order, refund: Refund, *, granted: bool) -> None:
    """The seller agrees or refuses; too late if the refund does not wait for that any more."""
    if refund.status != WAIT_AGREE:
        return
    if granted and refund.dispute == "refund":
        sandbox.world.change(order, lambda now_ms: settle_refund(order, refund, now_ms, granted=True))
    elif granted:
        _step(sandbox, order, refund, WAIT_SEND, "SELLER_AGREE_REFUND_PROCOTOL", "seller")  # their spelling
    else:
        _step(sandbox, order, refund, WAIT_MODIFY, "SELLER_REJECT_REFUND", "seller")
    if refund.open:
        waited_for = refund.status
        sandbox.world.later(BUYER_WAITS_S, lambda: _time_out(sandbox, order, refund, waited_for))


def withdraw(sandbox: Sandbox, order: Order, refund: Refund) -> None:
    """The buyer takes an open refund back."""
    sandbox.world.change(order, lambda now_ms: settle_refund(order, refund, now_ms, granted=False))


def send_back(sandbox: Sandbox, order: Order, refund: Refund, freight_bill: str) -> None:
    """The goods go back to a seller who has agreed to that; when they arrive, the money comes."""
    refund.freight_bill = freight_bill
    _step(sandbox, order, refund, WAIT_RECEIVE, "BUYER_SEND_GOODS", "buyer")
    sandbox.world.later(BACK_S, lambda: _arrived(sandbox, order, refund))


def _arrived(sandbox: Sandbox, order: Order, refund: Refund) -> None:
    if refund.status == WAIT_RECEIVE:
        sandbox.world.change(
            order, lambda now_ms: settle_refund(order, refund, now_ms, granted=True, action="SELLER_RECEIVE_GOODS")
        )


def _time_out(sandbox: Sandbox, order: Order, refund: Refund, waited_for: str) -> None:
    if refund.open and refund.status == waited_for:
        sandbox.world.change(
            order, lambda now_ms: settle_refund(order, refund, now_ms, granted=False, action="CRM_APPLY_TIMEOUT_CLOSE")
        )


def _step(sandbox: Sandbox, order: Order, refund: Refund, status: str, action: str, by: Role) -> None:
    def stepped(now_ms: int) -> list[Notice]:
        refund.note(status, action, by, now_ms)
        order.modified_ms = now_ms
        return [step_notice(order, refund, now_ms)]

    sandbox.world.change(order, stepped)
