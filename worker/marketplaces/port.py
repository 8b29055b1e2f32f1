"""What every marketplace offers the stages, and the five kinds of failure they must tell apart."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Protocol

import msgspec

from worker.domain.clock import Millis
from worker.domain.facts import Fact, Line, Parcel, Source
from worker.domain.identity import Platform


class Stream(StrEnum):
    """A list that can be polled by time, one cursor each."""

    ORDERS_1688 = "orders"
    ORDERS_TAOBAO = "orders_taobao"
    REFUNDS_1688 = "refunds"
    REFUNDS_TAOBAO = "refunds_taobao"
    FAILED_MESSAGES = "messages"
    """Pushes that did not reach us; read and confirmed, not read by time."""


class Credential(msgspec.Struct, frozen=True):
    """A token of an account and when it ends. `kind` is `access_token` or `refresh_token`.

    `renews_itself`: the client gets a new one when this one ends. `is_extendable`: it may be asked to live longer.
    """

    kind: str
    ends_at: Millis
    renews_itself: bool = False
    is_extendable: bool = False


class Part(StrEnum):
    """A part of an order that can be read by itself."""

    LOGISTICS = "logistics"
    REFUND = "refund"


class MarketplaceError(Exception):
    """A call that brought no usable answer. The text is safe to log: no secret, address or phone number is in it.

    `code`: the marketplace's own code for it, None where it gave none.
    """

    def __init__(self, said: str = "", *, code: str | None = None) -> None:
        super().__init__(said)
        self.code = code


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
    """The call certainly had no effect: no connection was made, or the marketplace said that it is too early."""


class Ability(StrEnum):
    """An effect that an account's API has, or has not. The values are those of `worker.domain.policy.Effect`."""

    PAY = "pay"
    CONFIRM_RECEIPT = "confirm_receipt"
    CANCEL = "cancel"
    UPDATE_DOMESTIC_LOGISTICS = "update_domestic_logistics"
    BOOK_INTERNATIONAL = "book_international"


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


class Receiver(msgspec.Struct, frozen=True):
    """Who gets the goods abroad. `country` is ISO 3166-1 alpha-2. Personal: `__repr__` keeps it to itself."""

    name: str
    country: str
    address: str
    city: str = ""
    state: str = ""
    zip: str = ""
    phone: str = ""
    mobile: str = ""
    email: str = ""
    tax_id: str = ""

    def __repr__(self) -> str:
        return f"Receiver(country={self.country!r})"


class FreightService(msgspec.Struct, frozen=True):
    """One service of an international carrier, as the warehouse names it."""

    service_id: str
    company: str
    category: str


class FreightQuestion(msgspec.Struct, frozen=True):
    """What to send abroad, to whom and how. A line needs an article, a whole quantity and a price or an amount."""

    platform: Platform
    order_id: str
    receiver: Receiver
    service: FreightService
    lines: tuple[Line, ...]
    remark: str = ""


class FreightQuote(msgspec.Struct, frozen=True):
    """What it would cost: `amount` in minor units of `currency`. `render_id` books it, until `expires_at` if known."""

    render_id: str
    amount: int
    currency: str
    service: FreightService
    expires_at: Millis | None = None


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

    def reads_part(self, platform: Platform, part: Part) -> bool:
        """Tell whether such parts of the platform's orders can be read here."""
        ...

    async def read_logistics(self, platform: Platform, order_id: str, line_ids: Sequence[str]) -> Fact:
        """Return the tracks of the order's parcels (safe read). `line_ids`: where each line is asked for by itself."""
        ...

    async def read_refund(self, platform: Platform, order_id: str, refund_id: str) -> Fact:
        """Return one refund of the order as it is now (safe read)."""
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

    # Effects: called once, never retried. They raise NotSentError, and nothing else that leaves them in doubt.

    @property
    def pay_batch_size(self) -> int:
        """Return how many orders `pay_many` takes at most, 1 where there is no payment of several at once."""
        ...

    def can(self, platform: Platform, ability: Ability) -> bool:
        """Tell whether the effect exists here for orders of the platform and its path is known."""
        ...

    async def pay(self, platform: Platform, order_id: str, amount: int, *, attempt: int = 1) -> EffectAnswer:
        """Pay `amount` fen. Where the API takes no amount, what was read just before stands.

        `attempt` counts the calls begun for this payment, from 1: it names the request where the API wants a name.
        """
        ...

    async def pay_many(self, platform: Platform, order_ids: Sequence[str]) -> dict[str, EffectAnswer]:
        """Submit orders for payment in one call; each has an answer of its own. Not for more than `pay_batch_size`."""
        ...

    async def confirm_receipt(self, platform: Platform, order_id: str, line_ids: Sequence[str]) -> EffectAnswer:
        """Confirm that the goods of these lines have come. It releases the money."""
        ...

    async def cancel(self, platform: Platform, order_id: str, reason: str) -> EffectAnswer:
        """Cancel an order that is not paid. `reason` is for people."""
        ...

    async def update_domestic_logistics(
        self,
        platform: Platform,
        order_id: str,
        parcels: Sequence[Parcel],
        lines: Sequence[Line],
        *,
        international: str | None = None,
    ) -> EffectAnswer:
        """Tell the warehouse which parcels come with which lines. `international`: the number they go abroad under."""
        ...

    async def preview_freight(self, question: FreightQuestion) -> FreightQuote:
        """Return what it would cost to send it abroad (safe read)."""
        ...

    async def book_international(self, question: FreightQuestion, render_id: str) -> EffectAnswer:
        """Book what was previewed as `render_id`. `reference` of the answer is the international number."""
        ...

    def credentials(self) -> tuple[Credential, ...]:
        """Return the tokens whose end is known; none where keys do not end."""
        ...

    async def extend_credentials(self) -> None:
        """Extend what is extendable and keep it safe. Raises MarketplaceError or OSError, then see `AmbiguousError`."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...
