"""How one API brings its news to a callback URL: what it says, how it proves itself, and when it gives up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import msgspec

from worker.sandbox.config import SandboxConfig
from worker.sandbox.faults import CallbackPlan
from worker.sandbox.messages import Notice
from worker.sandbox.order import Order
from worker.sandbox.signing import callback_headers

PREFIXES = {0: "TAOBAO_", 1: "1688_"}
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
    serial: int = 0
    """Names the message among all of its sandbox; all copies carry the same."""
    member_id: str = ""
    """The buyer whom it is about."""
    platform: int = 1

    def rendered(self) -> bytes:
        """The whole POST body of PandaPon."""
        return encoder.encode(
            {
                "messageType": self.topic if self.plan.bare_type else PREFIXES[self.platform] + self.topic,
                "messageBody": self.body.decode() if self.plan.body_as_text else msgspec.Raw(self.body),
                "messagePlatform": self.platform,
                "timestamp": str(self.stamped_ms),
            }
        )


class Courier(Protocol):
    """The rules and the handwriting of one API."""

    @property
    def retries(self) -> int:
        """How often a copy is sent again."""
        ...

    @property
    def retry_after_s(self) -> float:
        """Seconds of the marketplace's time between two attempts."""
        ...

    def messages(self, notice: Notice, now_ms: int) -> list[Notice]:
        """Return what this API tells of a piece of news, in its own words."""
        ...

    def stepped(self, order: Order, now_ms: int) -> list[Notice]:
        """Return what else there is to tell after a step of an order's life."""
        ...

    def acknowledged(self, status: int | None) -> bool:
        """Tell whether an attempt that ended with this HTTP status (None: without one) was the last."""
        ...

    def written(self, push: Push, now_ms: int, nonce: str) -> tuple[bytes, dict[str, str]]:
        """Return body and headers of the POST."""
        ...

    def lost(self, push: Push) -> None:
        """Take leave of a message that is never sent, by fault."""
        ...

    def given_up(self, push: Push) -> None:
        """Take leave of a copy whose last attempt failed."""
        ...


class PandaPonCourier:
    """Documented: not answered with HTTP 200 in time, pushed again after half an hour, at most five times, then never.

    The signature headers are inferred.
    """

    def __init__(self, config: SandboxConfig) -> None:
        self._config = config
        self.retries = config.callback_retries
        self.retry_after_s = config.callback_retry_after_s

    def messages(self, notice: Notice, now_ms: int) -> list[Notice]:  # noqa: ARG002 - all couriers look alike
        """The news as they are."""
        return [notice]

    def stepped(self, order: Order, now_ms: int) -> list[Notice]:  # noqa: ARG002 - as above
        """Nothing else."""
        return []

    def acknowledged(self, status: int | None) -> bool:
        """Only 200 will do."""
        return status == ANSWERED

    def written(self, push: Push, now_ms: int, nonce: str) -> tuple[bytes, dict[str, str]]:
        """JSON under five signed headers."""
        headers = callback_headers(self._config, now_ms, nonce)
        return push.rendered(), headers | {"Content-Type": "application/json"}

    def lost(self, push: Push) -> None:
        """Nobody hears of it again."""

    def given_up(self, push: Push) -> None:
        """Nobody hears of it again."""
