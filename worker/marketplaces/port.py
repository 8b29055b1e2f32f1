"""What every marketplace offers the stages, and the five kinds of failure they must tell apart."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Protocol

import msgspec

from worker.domain.clock import Millis
from worker.domain.facts import Fact, Source


class Mark(StrEnum):
    """How sure a fact about a marketplace is."""

    DOCUMENTED = "documented"
    FIELD = "field"
    INFERRED = "inferred"
    UNKNOWN = "unknown"


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


class NotSentError(MarketplaceError):
    """No connection was made: the call certainly had no effect."""


class PayOutcome(StrEnum):
    """What a payment call's answer means. Only `paid` and `needs_person` are definite."""

    PAID = "paid"
    NEEDS_PERSON = "needs_person"
    UNCLEAR = "unclear"


class PayAnswer(msgspec.Struct, frozen=True):
    """The answer to a payment call. `detail` is redacted and may be stored and shown."""

    outcome: PayOutcome
    reason: str
    pay_url: str | None = None
    detail: dict[str, Any] = {}


class ListPage(msgspec.Struct, frozen=True):
    """One page of a list: the facts it holds, and the rows that could not be read (reason, raw row)."""

    facts: tuple[Fact, ...]
    unreadable: tuple[tuple[str, bytes], ...]
    total_pages: int


class Marketplace(Protocol):
    """One account at one API."""

    async def read_order(self, order_id: str, source: Source) -> Fact:
        """Return a fresh snapshot (safe read, retried within bounds). Raises MarketplaceError."""
        ...

    async def list_modified(self, since: Millis, until: Millis, page: int) -> ListPage:
        """Return one page (from 1) of the orders modified in [since, until]. Raises MarketplaceError."""
        ...

    async def pay(self, order_id: str) -> PayAnswer:
        """Pay once; never retried. Raises NotSentError, and nothing else that leaves the effect in doubt."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...
