"""PandaPon's and Xport's operations as calls. What an account can do follows from the paths that are known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from worker.catalogue.operation import Dialect
from worker.domain.clock import Millis
from worker.domain.facts import Fact, Line, Parcel, Snapshot, Source
from worker.domain.identity import OrderKey, Platform
from worker.marketplaces.caller import Caller
from worker.marketplaces.effects import Effects
from worker.marketplaces.images import ImageFetcher
from worker.marketplaces.listing import listed_order, raw_row
from worker.marketplaces.pandapon import taobao
from worker.marketplaces.pandapon.actions import Actions
from worker.marketplaces.pandapon.answers import LIST_PAGE_SIZE, offers_of, pages_of, rows_of
from worker.marketplaces.pandapon.parts import PartReader
from worker.marketplaces.pandapon.payments import Payments
from worker.marketplaces.pandapon.warehouse import Warehouse
from worker.marketplaces.paylinks import PayLinks
from worker.marketplaces.port import (
    Ability,
    Credential,
    EffectAnswer,
    FailedMessages,
    FreightQuestion,
    FreightQuote,
    ListPage,
    Offer,
    Part,
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

    `refund_list`: poll Taobao's after-sales list, which the manual marks as "in development". `pay_batch_size` and
    `definite_refusals`: see `Payments` and `verdicts`, both inferred.
    """

    def __init__(
        self,
        account: str,
        caller: Caller,
        images: ImageFetcher,
        links: PayLinks,
        *,
        dialect: Dialect = Dialect.PANDAPON,
        refund_list: bool = False,
        pay_batch_size: int = 1,
        definite_refusals: bool = True,
    ) -> None:
        self._account = account
        self._caller = caller
        self._images = images
        self._dialect = dialect
        self._refund_list = refund_list
        effects = Effects(caller, dialect, definite_refusals=definite_refusals)
        self._payments = Payments(caller, effects, links, batch_size=pay_batch_size)
        self._actions = Actions(caller, effects)
        self._warehouse = Warehouse(caller, effects)
        self._parts = PartReader(account, caller, dialect)

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

    def credentials(self) -> tuple[Credential, ...]:
        """Return the tokens whose end is known."""
        return self._caller.credentials()

    async def extend_credentials(self) -> None:
        """Let the token that renews others live longer."""
        await self._caller.extend_credentials()

    def reads_part(self, platform: Platform, part: Part) -> bool:
        """Tell whether the part's operation has a path."""
        return self._parts.reads_part(platform, part)

    async def read_logistics(self, platform: Platform, order_id: str, line_ids: Sequence[str]) -> Fact:
        """Return the tracks of the order's parcels."""
        return await self._parts.logistics(platform, order_id, line_ids)

    async def read_refund(self, platform: Platform, order_id: str, refund_id: str) -> Fact:
        """Return one refund."""
        return await self._parts.refund(platform, order_id, refund_id)

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

    @property
    def pay_batch_size(self) -> int:
        """Return how many orders on 1688 can be submitted for payment at once."""
        return self._payments.batch_size

    def can(self, platform: Platform, ability: Ability) -> bool:
        """Tell whether the effect's path is known."""
        match ability:
            case Ability.PAY:
                return self._payments.can_pay(platform)
            case Ability.CONFIRM_RECEIPT:
                return self._actions.can_confirm(platform)
            case Ability.CANCEL:
                return self._actions.can_cancel(platform)
            case Ability.UPDATE_DOMESTIC_LOGISTICS:
                return self._warehouse.can_update()
            case Ability.BOOK_INTERNATIONAL:
                return self._warehouse.can_book()

    async def pay(self, platform: Platform, order_id: str, amount: int, *, attempt: int = 1) -> EffectAnswer:  # noqa: ARG002 - the calls take neither
        """Pay once. The call takes no amount: what was read just before stands."""
        return await self._payments.pay(platform, order_id)

    async def pay_many(self, platform: Platform, order_ids: Sequence[str]) -> dict[str, EffectAnswer]:
        """Submit orders on 1688 for payment in one call."""
        return await self._payments.pay_many(platform, order_ids)

    async def confirm_receipt(self, platform: Platform, order_id: str, line_ids: Sequence[str]) -> EffectAnswer:
        """Confirm receipt of lines of an order on 1688."""
        return await self._actions.confirm_receipt(platform, order_id, line_ids)

    async def cancel(self, platform: Platform, order_id: str, reason: str) -> EffectAnswer:
        """Cancel before payment."""
        return await self._actions.cancel(platform, order_id, reason)

    async def update_domestic_logistics(
        self,
        platform: Platform,  # noqa: ARG002 - the warehouse knows an order by its id
        order_id: str,
        parcels: Sequence[Parcel],
        lines: Sequence[Line],
        *,
        international: str | None = None,
    ) -> EffectAnswer:
        """Tell the warehouse which parcels come."""
        return await self._warehouse.update(order_id, parcels, lines, international)

    async def preview_freight(self, question: FreightQuestion) -> FreightQuote:
        """Ask the warehouse for the price."""
        return await self._warehouse.preview(question)

    async def book_international(self, question: FreightQuestion, render_id: str) -> EffectAnswer:
        """Book at the warehouse."""
        return await self._warehouse.book(question, render_id)

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
