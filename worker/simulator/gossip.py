"""Callbacks that are not true: late, early, or about something else. Callbacks are hints; nothing may rest on them."""

from __future__ import annotations

from worker.sandbox import Sandbox
from worker.sandbox.messages import CLOSED, Notice, status_notice
from worker.simulator.dice import Dice
from worker.simulator.trace import Trace


def spread(sandbox: Sandbox, dice: Dice, trace: Trace) -> None:
    """Let the marketplace say now and then that an order was closed, along with something that is true."""
    tell = sandbox.world._tell  # noqa: SLF001 - the twin itself never lies; here it has to

    def told(notice: Notice) -> None:
        tell(notice)
        if dice.falls("misleading callback"):
            trace.note("misleading callback", "world", notice.order.order_id)
            sandbox.outbox.tell(status_notice(notice.order, CLOSED["platform"], sandbox.now_ms(), "cancel"))

    sandbox.world._tell = told  # noqa: SLF001 - as above
