# ruff: noqa: ARG002 - it refuses whatever it is asked
"""A marketplace that can do nothing yet: a test's own marketplace says what it can on top of this."""

from worker.domain.clock import Millis
from worker.domain.facts import Fact, Source
from worker.domain.identity import Platform
from worker.marketplaces.port import EffectAnswer, FailedMessages, ListPage, Offer, Stream, UnsupportedError


class BareMarketplace:
    """Implements `worker.marketplaces.port.Marketplace` by refusing."""

    platforms: frozenset[Platform] = frozenset({Platform.ALIBABA_1688})
    streams: frozenset[Stream] = frozenset({Stream.ORDERS_1688})

    async def read_order(self, platform: Platform, order_id: str, source: Source) -> Fact:
        raise UnsupportedError("read_order")

    async def list_modified(self, stream: Stream, since: Millis, until: Millis, page: int) -> ListPage:
        raise UnsupportedError("list_modified")

    async def failed_messages(self) -> FailedMessages:
        raise UnsupportedError("failed_messages")

    async def confirm_messages(self, message_ids: tuple[str, ...]) -> None:
        raise UnsupportedError("confirm_messages")

    async def find_similar(self, image_url: str, limit: int) -> tuple[Offer, ...]:
        raise UnsupportedError("find_similar")

    async def pay(self, platform: Platform, order_id: str, amount: int) -> EffectAnswer:
        raise UnsupportedError("pay")

    async def close(self) -> None:
        """Nothing is open."""
