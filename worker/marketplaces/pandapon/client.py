"""PandaPon's and Xport's operations as calls. What an account can do follows from the paths that are known."""

from __future__ import annotations

from typing import Any

from worker.catalogue.operation import Dialect
from worker.domain.clock import Millis
from worker.domain.facts import Fact, Snapshot, Source
from worker.domain.identity import OrderKey, Platform
from worker.marketplaces.caller import Caller
from worker.marketplaces.images import ImageFetcher
from worker.marketplaces.listing import listed_order, raw_row
from worker.marketplaces.pandapon import taobao
from worker.marketplaces.pandapon.answers import (
    LIST_PAGE_SIZE,
    offers_of,
    pages_of,
    read_pay_answer,
    rows_of,
)
from worker.marketplaces.port import (
    EffectAnswer,
    EffectOutcome,
    FailedMessages,
    ListPage,
    MarketplaceError,
    NotSentError,
    Offer,
    Stream,
    UnreadableError,
    UnsupportedError,
)
from worker.marketplaces.trade import order_id_of, snapshot_of
from worker.marketplaces.values import UnreadableValueError, as_object, compact_text

_READS = {Platform.ALIBABA_1688: "1688.order.detail", Platform.TAOBAO: "taobao.order.detail"}
_LISTS = {
    Stream.ORDERS_1688: "1688.order.list",
    Stream.ORDERS_TAOBAO: "taobao.order.list",
    Stream.REFUNDS_TAOBAO: "taobao.refund.list",
}
_IMAGE_SEARCH = "1688.goods.image_search"


class PandaPonClient:
    """One account at PandaPon or Xport. Implements `worker.marketplaces.port.Marketplace`.

    `refund_list`: poll Taobao's after-sales list, which the manual marks as "in development".
    """

    def __init__(
        self,
        account: str,
        caller: Caller,
        images: ImageFetcher,
        *,
        dialect: Dialect = Dialect.PANDAPON,
        refund_list: bool = False,
    ) -> None:
        self._account = account
        self._caller = caller
        self._images = images
        self._dialect = dialect
        self._refund_list = refund_list

    @property
    def platforms(self) -> frozenset[Platform]:
        """Return the platforms whose order detail has a path."""
        return frozenset(platform for platform, name in _READS.items() if self._caller.supports(name))

    @property
    def streams(self) -> frozenset[Stream]:
        """Return the lists that have a path, of platforms whose orders can be read."""
        found = {stream for stream, name in _LISTS.items() if self._caller.supports(name)}
        if not self._refund_list:
            found.discard(Stream.REFUNDS_TAOBAO)
        if Platform.TAOBAO not in self.platforms:
            found -= {Stream.ORDERS_TAOBAO, Stream.REFUNDS_TAOBAO}
        if Platform.ALIBABA_1688 not in self.platforms:
            found.discard(Stream.ORDERS_1688)
        return frozenset(found)

    async def close(self) -> None:
        """Close the connections."""
        await self._caller.close()
        await self._images.close()

    async def read_order(self, platform: Platform, order_id: str, source: Source) -> Fact:
        """Return a fresh snapshot, timed at the moment before the answered question left."""
        question = {"webSite": "1688", "orderId": order_id} if platform is Platform.ALIBABA_1688 else {"id": order_id}
        answer = await self._caller.ask(_READS[platform], question)
        order = as_object(answer.data)
        native = platform is Platform.ALIBABA_1688
        if not (order_id_of(order) == order_id if native else taobao.is_about(order, order_id)):
            raise UnreadableError(f"asked for order {order_id}, the answer is about another one or about none")
        try:
            snapshot = snapshot_of(order, with_parcels=True) if native else taobao.snapshot_of(order)
        except UnreadableValueError as error:
            raise UnreadableError(f"order {order_id}: {error}") from error
        return self._fact(platform, order_id, source, snapshot, answer.asked_at)

    async def list_modified(self, stream: Stream, since: Millis, until: Millis, page: int) -> ListPage:
        """Return one page of what was modified in the window; the parameters' names are the upstream's (inferred).

        An answer without rows is an empty page only if it says so: UnreadableError otherwise, since the caller would
        move on and never come back to this window.
        """
        name = _LISTS.get(stream)
        if name is None or stream not in self.streams:
            raise UnsupportedError(f"{stream} cannot be polled at {self._dialect}")
        asked = await self._caller.ask(name, _question(stream, since, until, page))
        answer = as_object(asked.data)
        facts: list[Fact] = []
        unreadable: list[tuple[str, bytes]] = []
        for row in rows_of(answer):
            try:
                facts.append(self._listed(stream, as_object(row), asked.asked_at))
            except UnreadableValueError as error:
                unreadable.append((str(error), raw_row(row)))
        return ListPage(tuple(facts), tuple(unreadable), pages_of(answer))

    async def failed_messages(self) -> FailedMessages:
        """There is no queue of failed pushes here: the lists tell what a push did not."""
        raise UnsupportedError("PandaPon keeps no queue of failed pushes")

    async def confirm_messages(self, message_ids: tuple[str, ...]) -> None:
        """There is no queue of failed pushes here."""
        raise UnsupportedError(f"PandaPon keeps no queue of failed pushes; {len(message_ids)} ids were given")

    async def find_similar(self, image_url: str, limit: int) -> tuple[Offer, ...]:
        """Search by picture; the picture itself travels (documented)."""
        if not self._caller.supports(_IMAGE_SEARCH):
            raise UnsupportedError(f"{self._dialect} has no search by picture")
        image = await self._images.fetch_base64(image_url)
        question = {"imageBase64": image, "beginPage": 1, "pageSize": limit, "country": "en"}
        return offers_of(await self._caller.read(_IMAGE_SEARCH, question), limit)

    async def pay(self, platform: Platform, order_id: str, amount: int) -> EffectAnswer:  # noqa: ARG002 - the call takes none
        """Pay once. All but a plain yes or a pay URL is unclear: "failed" has been said of money that was taken."""
        if platform is not Platform.ALIBABA_1688:
            raise NotSentError("orders on Taobao are not paid from here: it is not known which of their ids names them")
        try:
            return read_pay_answer(order_id, await self._caller.effect("1688.order.pay", {"orderId": order_id}))
        except (NotSentError, UnsupportedError) as error:
            raise NotSentError(str(error)) from error
        except MarketplaceError as error:
            return EffectAnswer(EffectOutcome.UNCLEAR, f"{type(error).__name__}: {error}")

    def _listed(self, stream: Stream, row: dict[str, Any], asked_at: Millis) -> Fact:
        if stream is Stream.ORDERS_1688:
            return listed_order(self._account, row, asked_at)
        if stream is Stream.ORDERS_TAOBAO:
            return taobao.listed_order(self._account, row, asked_at)
        return taobao.listed_refund(self._account, row, asked_at)

    def _fact(self, platform: Platform, order_id: str, source: Source, snapshot: Snapshot, asked_at: Millis) -> Fact:
        key = OrderKey(self._account, platform, order_id)
        return Fact(key=key, source=source, content=snapshot, observed_at=asked_at)


def _question(stream: Stream, since: Millis, until: Millis, page: int) -> dict[str, Any]:
    match stream:
        case Stream.ORDERS_1688:
            return {
                "page": page,
                "pageSize": LIST_PAGE_SIZE,
                "modifyStartTime": compact_text(since),
                "modifyEndTime": compact_text(until),
            }
        case Stream.ORDERS_TAOBAO:
            return {"pageNo": page, "pageSize": LIST_PAGE_SIZE, "modifyTimeStart": since, "modifyTimeEnd": until}
        case _:
            return {"pageNo": page, "pageSize": LIST_PAGE_SIZE, "refundStartTime": since, "refundEndTime": until}
