"""Buyers who ask for money back at the worst moments: just when the receipt is about to be confirmed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from worker.sandbox.deeds import step_notice
from worker.sandbox.messages import Notice
from worker.sandbox.order import CONFIRMED, RECEIVED, SHIPPED, Order
from worker.sandbox.refund import Refund
from worker.sandbox.refunding import answer, withdraw

if TYPE_CHECKING:
    from worker.simulator.run import Play

LOOK_EVERY_S = 1.0
ANSWERED_MS = (2_000, 12_000)
GIVES_IN_MS = 1_000
"""So long after the seller has refused, the buyer withdraws."""
_GOODS_ARE_OUT = (SHIPPED, RECEIVED)


class Quarrels:
    """Starts refunds by the dice."""

    def __init__(self, play: Play) -> None:
        self._play = play
        self._asked = 0

    async def work(self) -> None:
        """Look at all orders now and then, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            for order in list(self._play.sandbox.world.orders.values()):
                if order.paid and not order.ended and not order.refunds and self._play.dice.falls("refund asked"):
                    self._ask(order)

    def _ask(self, order: Order) -> None:
        play, sandbox = self._play, self._play.sandbox
        rng = play.dice.stream("quarrels")
        places = [
            place
            for place, line in enumerate(order.lines)
            if line.logistics_status in _GOODS_ARE_OUT and line.status != CONFIRMED and line.amount_fen > 0
        ]
        if not places:
            return
        self._asked += 1
        place = rng.choice(places)
        refund = Refund(f"TQ9{self._asked:017}", place, order.lines[place].amount_fen, sandbox.now_ms())

        def asked(now_ms: int) -> list[Notice]:
            order.ask_refund(refund, now_ms)
            return [step_notice(order, refund, now_ms)]

        sandbox.world.change(order, asked)
        play.trace.note("refund asked", "world", order.order_id)
        granted = rng.random() < 0.5  # noqa: PLR2004 - a share
        delay_ms = rng.randint(*ANSWERED_MS)
        sandbox.agenda.after(delay_ms, lambda: answer(sandbox, order, refund, granted=granted))
        if not granted:
            sandbox.agenda.after(delay_ms + GIVES_IN_MS, lambda: self._give_in(order, refund))

    def _give_in(self, order: Order, refund: Refund) -> None:
        if refund.open:
            withdraw(self._play.sandbox, order, refund)
