"""What every marketplace offers the stages, and the five kinds of failure they must tell apart."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Protocol

import msgspec

from worker.domain.clock import Millis
from worker.domain.facts import Fact, Source
from worker.domain.identity import Platform


class Stream(StrEnum):
    """A list that can be polled by time, one cursor each."""

    ORDERS_1688 = "orders"
    ORDERS_TAOBAO = "orders_taobao"
    REFUNDS_1688 = "refunds"
    REFUNDS_TAOBAO = "refunds_taobao"
    FAILED_MESSAGES = "messages"
    """Pushes that did not reach us; read and confirmed, not read by time."""


class MarketplaceError(Exception):
    """A call that brought no usable answer. The text is safe to log: no secret, address or phone number is in it."""


class RetryableError(MarketplaceError):
    """The network or the server failed; a safe read may be tried again."""


class ThrottledError(MarketplaceError):
    """We ask too much; come back later."""


class UnauthorisedError(MarketplaceError):
    """The credentials or the clock are wrong; trying again does not help."""


class RejectedError(MarketplaceError):
    """The marketplace understood and refused, e.g. because it does not know the order."""


class UnreadableError(MarketplaceError):
    """The answer cannot be read as what was asked for."""


class AmbiguousError(MarketplaceError):
    """An effect was sent and no definite answer came back: it may have happened. Never repeat it blindly."""


class UnsupportedError(MarketplaceError):
    """This account's API has no such operation, or nobody knows its path; the text says what to configure."""


class NotSentError(MarketplaceError):
    """No connection was made: the call certainly had no effect."""


class EffectOutcome(StrEnum):
    """What the answer to an effect means. All but `unclear` are definite."""

    DONE = "done"
    NEEDS_PERSON = "needs_person"
    REJECTED = "rejected"
    """A definite no: nothing happened. A payment that "failed" is none: money has been taken behind that word."""
    UNCLEAR = "unclear"


class EffectAnswer(msgspec.Struct, frozen=True):
    """The answer to an effect. `detail` is redacted and may be stored and shown.

    `reference`: the number that the marketplace gave to what was done, e.g. of a booking.
    """

    outcome: EffectOutcome
    reason: str
    pay_url: str | None = None
    reference: str | None = None
    detail: dict[str, Any] = {}


class ListPage(msgspec.Struct, frozen=True):
    """One page of a list: the facts it holds, and the rows that could not be read (reason, raw row)."""

    facts: tuple[Fact, ...]
    unreadable: tuple[tuple[str, bytes], ...]
    total_pages: int


class FailedMessages(msgspec.Struct, frozen=True):
    """Pushes that did not reach us: their facts, those not understood (reason, raw), and the ids to confirm."""

    facts: tuple[Fact, ...]
    unreadable: tuple[tuple[str, bytes], ...]
    message_ids: tuple[str, ...]


class Offer(msgspec.Struct, frozen=True):
    """An article that could stand in for another. `price` in fen; None where it cannot be read exactly."""

    offer_id: str
    title: str
    price: int | None
    sold_monthly: int | None
    repurchase_rate: str | None
    image_url: str | None


class Marketplace(Protocol):
    """One account at one API. What it cannot do raises UnsupportedError; all raise MarketplaceError."""

    @property
    def platforms(self) -> frozenset[Platform]:
        """Return the platforms whose orders can be read here."""
        ...

    @property
    def streams(self) -> frozenset[Stream]:
        """Return the lists that can be polled here."""
        ...

    async def read_order(self, platform: Platform, order_id: str, source: Source) -> Fact:
        """Return a fresh snapshot (safe read, retried within bounds)."""
        ...

    async def list_modified(self, stream: Stream, since: Millis, until: Millis, page: int) -> ListPage:
        """Return one page (from 1) of what was modified in [since, until]."""
        ...

    async def failed_messages(self) -> FailedMessages:
        """Return the oldest pushes that did not reach us. They stay until they are confirmed."""
        ...

    async def confirm_messages(self, message_ids: tuple[str, ...]) -> None:
        """Tell the marketplace that these pushes are safe with us."""
        ...

    async def find_similar(self, image_url: str, limit: int) -> tuple[Offer, ...]:
        """Return articles that look like the picture, the marketplace's best first (safe read)."""
        ...

    async def pay(self, platform: Platform, order_id: str, amount: int) -> EffectAnswer:
        """Pay `amount` fen once; never retried. Where the API takes no amount, what was read just before stands.

        Raises NotSentError, and nothing else that leaves the effect in doubt.
        """
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...
