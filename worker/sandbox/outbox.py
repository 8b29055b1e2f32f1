"""Callbacks that are due, under way, to be retried or given up, without any network.

When an answer counts and how often a copy comes again is the courier's business. Order is not guaranteed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from worker.sandbox.agenda import Agenda, NowMs
from worker.sandbox.config import SandboxConfig
from worker.sandbox.courier import Courier, Push, encoder
from worker.sandbox.faults import plan_callback
from worker.sandbox.messages import Notice, Tellable
from worker.sandbox.order import Order

MESSAGES_PER_ORDER = 1_000
"""Spaces the serial numbers of different orders' messages."""
ANSWER_BOUNDS_MS = (2, 5, 10, 20, 50, 100, 200, 350, 500, 700, 1_000)
"""Upper bounds of the classes in which answer times are counted."""
UNANSWERED = "none"


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
    """Copies that were acknowledged."""
    given_up: int = 0
    """Copies whose last retry failed."""
    answers_ms: Counter[str] = field(default_factory=Counter)
    """Attempts by how long the answer took: the least of the bounds that it kept, or `none` where none came in time."""

    def note_answer(self, status: int | None, took_ms: int) -> None:
        """Count one attempt, whatever the answer said; what came later than the last bound came too late."""
        kept = next((bound for bound in ANSWER_BOUNDS_MS if took_ms <= bound), None)
        self.answers_ms[UNANSWERED if status is None or kept is None else str(kept)] += 1


class Outbox:
    """Schedules every copy of every message and judges the answers."""

    def __init__(self, config: SandboxConfig, agenda: Agenda, now_ms: NowMs, courier: Courier) -> None:
        self._config = config
        self.courier = courier
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
        """Tell a piece of news as the courier words it."""
        for message in self.courier.messages(notice, self._now_ms()):
            self.post(message)

    def stepped(self, order: Order) -> None:
        """Tell what there is to tell after a step that nobody tells of by itself."""
        for message in self.courier.stepped(order, self._now_ms()):
            self.post(message)

    def post(self, notice: Tellable) -> None:
        """Draw one message's fate and enter its copies in the agenda."""
        self.tally.made += 1
        number = notice.number
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
        body = encoder.encode(_with_id(notice.body, notice.subject_id, as_text=plan.id_as_text))
        push = Push(
            notice.subject_id,
            notice.topic,
            body,
            plan,
            self._now_ms(),
            serial=number * MESSAGES_PER_ORDER + self._messages_of[number],
            member_id=notice.member_id,
            platform=notice.platform,
        )
        if not plan.copies_ms:
            self.tally.lost += 1
            self.courier.lost(push)
            return
        self.tally.duplicates += len(plan.copies_ms) - 1
        for delay_ms in plan.copies_ms:
            self._enter(push, delay_ms)

    def report(self, push: Push, status: int | None) -> None:
        """The end of one attempt: the HTTP status, or None for a time-out or a broken connection."""
        self.under_way -= 1
        if self.courier.acknowledged(status):
            self.tally.delivered += 1
        elif push.attempt > self.courier.retries:
            self.tally.given_up += 1
            self.courier.given_up(push)
        else:
            self._enter(replace(push, attempt=push.attempt + 1), self._config.scaled_ms(self.courier.retry_after_s))

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
