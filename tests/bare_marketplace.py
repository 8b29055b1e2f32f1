# ruff: noqa: ARG002 - it refuses whatever it is asked
"""A marketplace that can do nothing yet: a test's own marketplace says what it can on top of this."""

from collections.abc import Sequence

from worker.domain.clock import Millis
from worker.domain.facts import Fact, Line, Parcel, Source
from worker.domain.identity import Platform
from worker.marketplaces.port import (
    Ability,
    Credential,
    EffectAnswer,
    FailedMessages,
    FreightQuestion,
    FreightQuote,
    ListPage,
    NotSentError,
    Offer,
    Part,
    Stream,
    UnsupportedError,
)


class BareMarketplace:
    """Implements `worker.marketplaces.port.Marketplace` by refusing."""

    platforms: frozenset[Platform] = frozenset({Platform.ALIBABA_1688})
    streams: frozenset[Stream] = frozenset({Stream.ORDERS_1688})

    async def read_order(self, platform: Platform, order_id: str, source: Source) -> Fact:
        raise UnsupportedError("read_order")

    def reads_part(self, platform: Platform, part: Part) -> bool:
        return False

    async def read_logistics(self, platform: Platform, order_id: str, line_ids: Sequence[str]) -> Fact:
        raise UnsupportedError("read_logistics")

    async def read_refund(self, platform: Platform, order_id: str, refund_id: str) -> Fact:
        raise UnsupportedError("read_refund")

    async def list_modified(self, stream: Stream, since: Millis, until: Millis, page: int) -> ListPage:
        raise UnsupportedError("list_modified")

    async def failed_messages(self) -> FailedMessages:
        raise UnsupportedError("failed_messages")

    async def confirm_messages(self, message_ids: tuple[str, ...]) -> None:
        raise UnsupportedError("confirm_messages")

    async def find_similar(self, image_url: str, limit: int) -> tuple[Offer, ...]:
        raise UnsupportedError("find_similar")

    pay_batch_size = 1

    def can(self, platform: Platform, ability: Ability) -> bool:
        return False

    async def pay(self, platform: Platform, order_id: str, amount: int, *, attempt: int = 1) -> EffectAnswer:
        raise NotSentError("pay")

    async def pay_many(self, platform: Platform, order_ids: Sequence[str]) -> dict[str, EffectAnswer]:
        raise NotSentError("pay_many")

    async def confirm_receipt(self, platform: Platform, order_id: str, line_ids: Sequence[str]) -> EffectAnswer:
        raise NotSentError("confirm_receipt")

    async def cancel(self, platform: Platform, order_id: str, reason: str) -> EffectAnswer:
        raise NotSentError("cancel")

    async def update_domestic_logistics(
        self,
        platform: Platform,
        order_id: str,
        parcels: Sequence[Parcel],
        lines: Sequence[Line],
        *,
        international: str | None = None,
    ) -> EffectAnswer:
        raise NotSentError("update_domestic_logistics")

    async def preview_freight(self, question: FreightQuestion) -> FreightQuote:
        raise UnsupportedError("preview_freight")

    async def book_international(self, question: FreightQuestion, render_id: str) -> EffectAnswer:
        raise NotSentError("book_international")

    def credentials(self) -> tuple[Credential, ...]:
        return ()

    async def extend_credentials(self) -> None:
        raise UnsupportedError("extend_credentials")

    async def close(self) -> None:
        """Nothing is open."""
