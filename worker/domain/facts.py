"""A fact is one observation of one order. Its id is derived from its content, so a redelivery is the same fact."""

from __future__ import annotations

import hashlib
import re
from enum import StrEnum

import msgspec

from worker.domain.clock import MINUTE, Millis
from worker.domain.identity import OrderKey

_SIGNED = frozenset({"sign", "signed"})
"""SIGN: documented upstream for reads of the logistics, inferred for the order's detail. SIGNED: Taobao's nodes."""
_WAYBILL = re.compile(r"[A-Za-z0-9-]{4,64}")
FUTURE_STAMP_TOLERANCE: Millis = 10 * MINUTE
"""A sender's time further ahead of ours than this is not a time we can order by."""


def is_believable(at: Millis | None, observed_at: Millis) -> bool:
    """Tell whether a sender's time can order anything: given, not zero or before the epoch, not far in the future."""
    return at is not None and 0 < at <= observed_at + FUTURE_STAMP_TOLERANCE


class Source(StrEnum):
    """Through which door the fact came in."""

    CALLBACK = "callback"
    POLL = "poll"
    RESPONSE = "response"
    OPERATOR = "operator"
    SWEEP = "sweep"
    """A read that nothing but the order's age asked for: what it changes is drift."""


class Amounts(msgspec.Struct, frozen=True):
    """What the order costs, in minor units. `total` is what has to be paid; the others are None when not said."""

    total: int
    shipping: int | None = None
    products: int | None = None
    discount: int | None = None
    refunded: int | None = None
    currency: str = "CNY"


class Line(msgspec.Struct, frozen=True):
    """One line (sub-order). `amount` is what is really paid for it, minor units."""

    line_id: str
    product_id: str | None = None
    sku_id: str | None = None
    name: str | None = None
    image_url: str | None = None
    quantity: str | None = None
    price: int | None = None
    amount: int | None = None
    status_word: str | None = None
    logistics_status: int | None = None
    refund_id: str | None = None
    refund_word: str | None = None


class Parcel(msgspec.Struct, frozen=True):
    """One parcel, known by the marketplace's logistics id: its waybill number can be replaced later.

    Later additions are left out where they are not said, so that older facts keep their ids: `code` is the other id by
    which reads of the logistics name the parcel, `tracked` the status word of such a read, `moved_at` the time of the
    latest step in its trace.
    """

    parcel_id: str
    waybill: str | None = None
    carrier: str | None = None
    status_word: str | None = None
    line_ids: tuple[str, ...] = ()
    shipped_at: Millis | None = None
    code: str | msgspec.UnsetType = msgspec.UNSET
    tracked: str | msgspec.UnsetType = msgspec.UNSET
    moved_at: Millis | msgspec.UnsetType = msgspec.UNSET

    @property
    def is_signed(self) -> bool:
        """Tell whether somebody signed for it, as the order or the logistics say."""
        return any(isinstance(word, str) and word.lower() in _SIGNED for word in (self.status_word, self.tracked))

    @property
    def number(self) -> str | None:
        """Return the waybill if it can be one: sellers write words there that say that nobody carries it."""
        return self.waybill if self.waybill is not None and _WAYBILL.fullmatch(self.waybill) else None


class ParcelTrack(msgspec.Struct, frozen=True):
    """One parcel as a read of the order's logistics shows it. `moved_at`: the latest step in its trace."""

    parcel_id: str
    waybill: str | None = None
    carrier: str | None = None
    status_word: str | None = None
    line_ids: tuple[str, ...] = ()
    moved_at: Millis | None = None


class RefundSeen(msgspec.Struct, frozen=True, tag="refund"):
    """A refund as somebody mentioned it.

    `amount` in minor units, None when not said. `reason` came later and is left out where it is not said: what had no
    reason keeps the id that it always had.
    """

    refund_id: str
    word: str | None = None
    action: str | None = None
    amount: int | None = None
    line_ids: tuple[str, ...] = ()
    reason: str | msgspec.UnsetType = msgspec.UNSET


class RefundDetail(msgspec.Struct, frozen=True):
    """A refund as a read of it alone shows it, and when the marketplace last modified it (None if it does not say)."""

    refund: RefundSeen
    modified_at: Millis | None = None


class Lifecycle(msgspec.Struct, frozen=True):
    """The order's own status word and times, as read from the marketplace.

    `pay_until`: until when it can be paid; left out where the answer does not say.
    """

    word: str
    created_at: Millis | None = None
    paid_at: Millis | None = None
    shipped_at: Millis | None = None
    received_at: Millis | None = None
    completed_at: Millis | None = None
    modified_at: Millis | None = None
    close_reason: str | None = None
    paid: bool = False
    pay_until: Millis | msgspec.UnsetType = msgspec.UNSET


class StatusSeen(msgspec.Struct, frozen=True, tag="status"):
    """A status word that somebody pushed or listed. `event` is the sender's topic without prefix."""

    word: str | None = None
    event: str | None = None


class PriceSeen(msgspec.Struct, frozen=True, tag="price"):
    """A price change; native 1688 says only that there was one, then `amounts` is None."""

    amounts: Amounts | None = None


class LogisticsSeen(msgspec.Struct, frozen=True, tag="logistics"):
    """Something happened to a parcel. Parcels themselves come from snapshots."""

    event: str
    waybill: str | None = None


class BookingSeen(msgspec.Struct, frozen=True, tag="booking"):
    """The number under which the order goes abroad, as the answer to our own booking named it."""

    number: str


class InspectionSeen(msgspec.Struct, frozen=True, tag="inspection"):
    """What the warehouse says of a parcel that it opened: whether its goods passed the inspection."""

    waybill: str
    passed: bool


class Snapshot(msgspec.Struct, frozen=True, tag="snapshot"):
    """The order as the marketplace answers when asked. An aspect that the answer does not cover is None or left out.

    `tracks` and `refund` come from reads of a part of the order. Such a read does not say when the order was modified,
    so it is never put into one order with those that do: it has evidence of its own. `international`: the numbers
    under which the order goes abroad.
    """

    lifecycle: Lifecycle | None = None
    amounts: Amounts | None = None
    lines: tuple[Line, ...] | None = None
    parcels: tuple[Parcel, ...] | None = None
    refunds: tuple[RefundSeen, ...] | None = None
    tracks: tuple[ParcelTrack, ...] | msgspec.UnsetType = msgspec.UNSET
    refund: RefundDetail | msgspec.UnsetType = msgspec.UNSET
    international: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET


Content = StatusSeen | PriceSeen | RefundSeen | LogisticsSeen | BookingSeen | InspectionSeen | Snapshot


class Fact(msgspec.Struct, frozen=True):
    """One observation.

    `provider_time` is the sender's own time for it (None if it gave none), `observed_at` when we received it or, for a
    snapshot, when we *asked*: an answer can only be trusted about what was true by then.
    """

    key: OrderKey
    source: Source
    content: Content
    observed_at: Millis
    provider_time: Millis | None = None
    message_id: str | None = None

    @property
    def kind(self) -> str:
        """Return `status`, `price`, `refund`, `logistics`, `booking`, `inspection` or `snapshot`."""
        return str(self.content.__struct_config__.tag)

    @property
    def stamp(self) -> Millis:
        """Return the time by which this fact is ordered among others.

        The sender's time where it gave a believable one. Otherwise our own, which then is part of the fact's identity,
        so that the order in which facts arrive is still no input of the merge.
        """
        if isinstance(self.content, Snapshot) or not self._provider_time_is_believable:
            return self.observed_at
        return self.provider_time or 0

    @property
    def _provider_time_is_believable(self) -> bool:
        return is_believable(self.provider_time, self.observed_at)

    def derive_id(self) -> str:
        """Return 32 hex digits that depend on what was observed, never on when or how often it arrived."""
        own_time = isinstance(self.content, Snapshot) or not self._provider_time_is_believable
        identity = (
            self.key.account,
            self.key.platform,
            self.key.order_id,
            self.source,
            self.provider_time,
            self.message_id,
            self.observed_at if own_time else None,
            self.content,
        )
        return hashlib.sha256(_ENCODER.encode(identity)).hexdigest()[:32]


_ENCODER = msgspec.json.Encoder()
