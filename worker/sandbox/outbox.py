"""Callbacks that are due, under way, to be retried or given up: the rules, without any network.

Documented rules: a callback that is not answered with HTTP 200 within the time-out is pushed again after half an hour,
at most five times, and then never again. Order is not guaranteed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from worker.sandbox.agenda import Agenda, NowMs
from worker.sandbox.config import SandboxConfig
from worker.sandbox.faults import CallbackPlan, plan_callback
from worker.sandbox.messages import Notice

PLATFORM_1688 = 1
ANSWERED = 200

encoder = msgspec.json.Encoder(decimal_format="number")
"""Decimals become JSON numbers, as upstream writes yuan."""


@dataclass(frozen=True, slots=True)
class Push:
    """One copy of one message, at one attempt."""

    order_id: str
    topic: str
    body: bytes
    """The message body, already JSON, frozen when the news happened."""
    plan: CallbackPlan
    stamped_ms: int
    attempt: int = 1

    def rendered(self) -> bytes:
        """The whole POST body."""
        return encoder.encode(
            {
                "messageType": self.topic if self.plan.bare_type else f"1688_{self.topic}",
                "messageBody": self.body.decode() if self.plan.body_as_text else msgspec.Raw(self.body),
                "messagePlatform": PLATFORM_1688,
                "timestamp": str(self.stamped_ms),
            }
        )


@dataclass(slots=True)
class Tally:
    """What became of the callbacks; one attempt is one HTTP POST."""

    made: int = 0
    """Things worth telling, before any fault."""
    unaddressed: int = 0
    """Made while no callback URL was set."""
    lost: int = 0
    """Never sent at all, by fault."""
    duplicates: int = 0
    """Extra copies, by fault."""
    sent: int = 0
    """Attempts, retries included."""
    retries: int = 0
    delivered: int = 0
    """Copies answered with 200."""
    given_up: int = 0
    """Copies whose last retry failed."""


class Outbox:
    """Schedules every copy of every message and judges the answers."""

    def __init__(self, config: SandboxConfig, agenda: Agenda, now_ms: NowMs) -> None:
        self._config = config
        self._agenda = agenda
        self._now_ms = now_ms
        self._messages_of: Counter[int] = Counter()
        self.url = config.callback_url
        self.tally = Tally()
        self.under_way = 0
        """Handed over for sending and not reported yet."""
        self.hand_over: Callable[[Push], None] | None = None
        """Takes a push for sending; who takes it reports its end."""

    def tell(self, notice: Notice) -> None:
        """Draw the message's fate and enter its copies in the agenda."""
        self.tally.made += 1
        number = notice.order.life.number
        self._messages_of[number] += 1
        plan = plan_callback(
            self._config.seed,
            number,
            self._messages_of[number],
            self._config.level.callbacks,
            self._config.lost_share,
            self._config.speed,
        )
        if self.url is None:
            self.tally.unaddressed += 1
            return
        if not plan.copies_ms:
            self.tally.lost += 1
            return
        self.tally.duplicates += len(plan.copies_ms) - 1
        body = encoder.encode(_with_id(notice.body, notice.order.order_id, as_text=plan.id_as_text))
        push = Push(notice.order.order_id, notice.topic, body, plan, self._now_ms())
        for delay_ms in plan.copies_ms:
            self._enter(push, delay_ms)

    def report(self, push: Push, status: int | None) -> None:
        """The end of one attempt: the HTTP status, or None for a time-out or a broken connection."""
        self.under_way -= 1
        if status == ANSWERED:
            self.tally.delivered += 1
        elif push.attempt > self._config.callback_retries:
            self.tally.given_up += 1
        else:
            self._enter(
                replace(push, attempt=push.attempt + 1), self._config.scaled_ms(self._config.callback_retry_after_s)
            )

    def _enter(self, push: Push, delay_ms: int) -> None:
        self._agenda.after(delay_ms, lambda: self._send(push))

    def _send(self, push: Push) -> None:
        if self.hand_over is None:
            raise RuntimeError("no sender is connected to the outbox")
        if push.attempt > 1:
            self.tally.retries += 1
            if push.plan.restamped:
                push = replace(push, stamped_ms=self._now_ms())
        self.tally.sent += 1
        self.under_way += 1
        self.hand_over(push)


def _with_id(body: dict[str, Any], order_id: str, *, as_text: bool) -> dict[str, Any]:
    """Field fact: the same topic carries its order id now as a number, now as text."""
    return body | {"orderId": order_id} if as_text and "orderId" in body else body
