"""The push centre: a form of `message` and `_aop_signature`, three tries, then the queue of failed messages.

Documented: the form, the signature without a path, "N times, normally three", that order is not kept, and that messages
carry ids, never amounts. Inferred from the official receiver: any 2xx acknowledges. Unknown: time-out and interval.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import msgspec

from worker.sandbox import messages
from worker.sandbox.agenda import Agenda, NowMs
from worker.sandbox.aop.failed import FailedMessage, FailedQueue
from worker.sandbox.aop.signature import SIGNATURE, signed
from worker.sandbox.aop.tracing import ON_THE_WAY, SIGN, is_traced
from worker.sandbox.config import SandboxConfig
from worker.sandbox.courier import Push, encoder
from worker.sandbox.messages import Notice, status_notice
from worker.sandbox.order import CANCEL, Order, Parcel
from worker.sandbox.seeded import stream
from worker.sandbox.timetext import plain

TRACE = "LOGISTICS_BUYER_VIEW_TRACE"
_SHIPMENTS = (messages.SHIPPED, messages.PART_SHIPPED)
FIRST_MESSAGE = 68_000_000
"""Ids have the length of the manual's sample."""
_OK = range(200, 300)


class OpenPlatformCourier:
    """Implements `worker.sandbox.courier.Courier`."""

    def __init__(self, config: SandboxConfig, agenda: Agenda, queue: FailedQueue, now_ms: NowMs) -> None:
        self._config = config
        self._agenda = agenda
        self._queue = queue
        self._now_ms = now_ms
        self.post: Callable[[Notice], None] = lambda _notice: None
        """Sends what the courier has to tell of its own accord, later."""
        self.retries = config.aop.callback_tries - 1
        self.retry_after_s = config.aop.callback_retry_after_s
        self._told: set[tuple[str, str, str]] = set()

    def messages(self, notice: Notice, now_ms: int) -> list[Notice]:
        """The news in the platform's words."""
        order = notice.order
        if notice.topic == messages.PRICE_CHANGED:  # documented: no amounts in it
            return [status_notice(order, messages.PRICE_CHANGED, now_ms)]
        if notice.topic in _SHIPMENTS:
            return [notice, *self._consigned(order, now_ms)]
        if notice.topic == messages.REFUND and _closed_a_line(notice):  # documented: also sent then
            return [notice, status_notice(order, messages.PRICE_CHANGED, now_ms)]
        return [notice]

    def stepped(self, order: Order, now_ms: int) -> list[Notice]:
        """The last trace message of each parcel that was signed for since the last look."""
        fresh = [parcel for parcel in order.parcels if parcel.signed and self._is_first(order, parcel, SIGN)]
        return [notice for parcel in fresh for notice in self._traces(order, parcel, SIGN, now_ms)]

    def _consigned(self, order: Order, now_ms: int) -> list[Notice]:
        """The first trace message of each parcel that has just left; the others come as it travels."""
        fresh = [parcel for parcel in order.parcels if self._is_first(order, parcel, "CONSIGN")]
        for parcel in fresh:
            self._follow(order, parcel)
        return [notice for parcel in fresh for notice in self._traces(order, parcel, "CONSIGN", now_ms)]

    def _is_first(self, order: Order, parcel: Parcel, word: str) -> bool:
        """Documented: each node is told of once."""
        node = (order.order_id, parcel.ship.logistics_code, word)
        known = node in self._told
        self._told.add(node)
        return not known

    def acknowledged(self, status: int | None) -> bool:
        """Any 2xx."""
        return status in _OK

    def written(self, push: Push, now_ms: int, nonce: str) -> tuple[bytes, dict[str, str]]:  # noqa: ARG002
        """The signed form."""
        fields = {"message": encoder.encode(envelope(push)).decode()}
        fields[SIGNATURE] = signed(fields, self._config.access_secret)
        return urlencode(fields).encode(), {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}

    def lost(self, push: Push) -> None:
        """Of the messages that never arrive some are found in the queue, as if all tries had failed on the way."""
        if stream(self._config.seed, "queued", push.serial).random() < self._config.aop.queued_share:
            delay_ms = self._config.scaled_ms(self.retries * self.retry_after_s)
            self._agenda.after(delay_ms, lambda: self.given_up(push))

    def given_up(self, push: Push) -> None:
        """Keep it as failed."""
        message = FailedMessage(
            msg_id=msg_id(push),
            type=push.topic,
            user_info=push.member_id,
            data=msgspec.json.decode(push.body),
            gmt_born=push.stamped_ms,
        )
        self._queue.add(message)

    def _follow(self, order: Order, parcel: Parcel) -> None:
        """Enter the coming trace messages of a parcel that has just left; none comes after it was signed for."""

        def reach(word: str) -> None:
            if not parcel.signed:
                for notice in self._traces(order, parcel, word, self._now_ms()):
                    self.post(notice)

        for word, after_s in ON_THE_WAY[1:] if is_traced(parcel) else ():
            self._agenda.after(self._config.scaled_ms(after_s), lambda word=word: reach(word))  # type: ignore[misc]

    def _traces(self, order: Order, parcel: Parcel, word: str, now_ms: int) -> list[Notice]:
        if not is_traced(parcel):
            return []
        model = {
            "logisticsId": parcel.ship.logistics_code,
            "cpCode": parcel.carrier_code,
            "mailNo": parcel.waybill,
            "statusChanged": word,
            "changeTime": plain(now_ms),
            "orderLogsItems": [
                {"orderId": order.life.order_id, "orderEntryId": line_id} for line_id in parcel.line_ids
            ],
        }
        return [Notice(order, TRACE, {"OrderLogisticsTracingModel": model})]


def msg_id(push: Push) -> int | str:
    """Unique per message. The manual shows it as text in one place and as a number in another."""
    number = FIRST_MESSAGE + push.serial
    return str(number) if push.plan.bare_type else number


def envelope(push: Push) -> dict[str, Any]:
    """The value of `message`. `data` is an object; one version of the manual calls it text."""
    return {
        "msgId": msg_id(push),
        "gmtBorn": push.stamped_ms,
        "type": push.topic,
        "userInfo": push.member_id,
        "data": push.body.decode() if push.plan.body_as_text else msgspec.Raw(push.body),
        "extraInfo": None,
    }


def _closed_a_line(notice: Notice) -> bool:
    order = notice.order
    refund = next(refund for refund in order.refunds if refund.refund_id == notice.body["refundId"])
    return refund.status == "refundsuccess" and order.status != CANCEL and order.lines[refund.line].status == CANCEL
