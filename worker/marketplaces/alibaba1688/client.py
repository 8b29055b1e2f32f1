"""One buyer's account at the 1688 open platform."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from worker.domain.clock import HOUR, Millis
from worker.domain.facts import Fact, Line, Parcel, Source
from worker.domain.identity import OrderKey, Platform
from worker.marketplaces.alibaba1688 import answers
from worker.marketplaces.alibaba1688.actions import Actions
from worker.marketplaces.alibaba1688.callbacks import message_facts
from worker.marketplaces.alibaba1688.envelope import inner
from worker.marketplaces.alibaba1688.parts import PartReader
from worker.marketplaces.caller import Caller
from worker.marketplaces.events import NotUnderstoodError
from worker.marketplaces.images import ImageFetcher
from worker.marketplaces.listing import listed_order, raw_row
from worker.marketplaces.paylinks import PayLinks
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
    UnreadableError,
    UnsupportedError,
)
from worker.marketplaces.trade import order_id_of, snapshot_of
from worker.marketplaces.values import (
    UnreadableValueError,
    as_list,
    as_object,
    compact_text,
    identifier,
    small_int,
    text,
)

PAGE_SIZE = 20
"""The seller's side documents at most 20; buyers' integrators use up to 50 (field)."""
MAX_PAGES = 10_000
HISTORY_AFTER: Millis = 80 * 24 * HOUR
"""Orders created more than about three months ago are only listed with `isHis` (field); the border is not exact."""
FAILED_MESSAGES_PER_PAGE = 200
CONFIRMED_AT_ONCE = 200
_ONE = Platform.ALIBABA_1688
_ABILITIES = frozenset({Ability.PAY, Ability.CONFIRM_RECEIPT, Ability.CANCEL})


class Alibaba1688Client:
    """Implements `worker.marketplaces.port.Marketplace` for orders on 1688.

    `first_refund_page`: the sample of the refund list counts pages from 0 (inferred).
    """

    platforms = frozenset({_ONE})
    streams = frozenset({Stream.ORDERS_1688, Stream.REFUNDS_1688, Stream.FAILED_MESSAGES})

    def __init__(
        self,
        account: str,
        caller: Caller,
        images: ImageFetcher,
        now_ms: Callable[[], Millis],
        links: PayLinks,
        *,
        first_refund_page: int = 0,
    ) -> None:
        self._account = account
        self._caller = caller
        self._images = images
        self._now_ms = now_ms
        self._first_refund_page = first_refund_page
        self._actions = Actions(account, caller, links)
        self._parts = PartReader(account, caller, now_ms)

    async def close(self) -> None:
        """Close the connections."""
        await self._caller.close()
        await self._images.close()

    async def read_order(self, platform: Platform, order_id: str, source: Source) -> Fact:
        """Return a fresh snapshot."""
        self._check(platform)
        answer = await self._caller.ask("1688.order.detail", {"webSite": "1688", "orderId": order_id})
        trade = inner(as_object(answer.data))
        if order_id_of(trade) != order_id:
            raise UnreadableError(f"asked for order {order_id}, the answer is about another one or about none")
        try:
            snapshot = snapshot_of(trade, with_parcels=True)
        except UnreadableValueError as error:
            raise UnreadableError(f"order {order_id}: {error}") from error
        key = OrderKey(self._account, _ONE, order_id)
        return Fact(key=key, source=source, content=snapshot, observed_at=answer.asked_at)

    def credentials(self) -> tuple[Credential, ...]:
        """Return the tokens whose end is known."""
        return self._caller.credentials()

    async def extend_credentials(self) -> None:
        """Let the token that renews others live longer."""
        await self._caller.extend_credentials()

    def reads_part(self, platform: Platform, part: Part) -> bool:
        """Tell whether such parts can be read: both can, of orders on 1688."""
        return platform is _ONE and part in (Part.LOGISTICS, Part.REFUND)

    async def read_logistics(self, platform: Platform, order_id: str, line_ids: Sequence[str]) -> Fact:  # noqa: ARG002 - all lines at once
        """Return the tracks of the order's parcels."""
        self._check(platform)
        return await self._parts.logistics(order_id)

    async def read_refund(self, platform: Platform, order_id: str, refund_id: str) -> Fact:
        """Return one refund."""
        self._check(platform)
        return await self._parts.refund(order_id, refund_id)

    async def list_modified(self, stream: Stream, since: Millis, until: Millis, page: int) -> ListPage:
        """Return one page of the orders or refunds modified in the window."""
        match stream:
            case Stream.ORDERS_1688:
                return await self._orders(since, until, page)
            case Stream.REFUNDS_1688:
                return await self._refunds(since, until, page)
            case _:
                raise UnsupportedError(f"{stream} is no list of the open platform")

    async def failed_messages(self) -> FailedMessages:
        """Return the first page of the queue. Not the cursor, which confirms what it hands out."""
        question = {"page": 1, "pageSize": FAILED_MESSAGES_PER_PAGE}
        answer = await self._caller.ask("messages.failed.list", question)
        rows = as_object(as_object(answer.data).get("pushMessagePage")).get("datas")
        facts: list[Fact] = []
        unreadable: list[tuple[str, bytes]] = []
        ids: list[str] = []
        for row in as_list(rows):
            message_id = identifier(as_object(row).get("msgId"))
            try:
                facts += message_facts(self._account, row, self._now_ms())
            except NotUnderstoodError as error:
                unreadable.append((str(error), raw_row(row)))
            if message_id is not None:
                ids.append(message_id)
        return FailedMessages(tuple(facts), tuple(unreadable), tuple(ids))

    async def confirm_messages(self, message_ids: tuple[str, ...]) -> None:
        """Confirm; to confirm twice does no harm."""
        for first in range(0, len(message_ids), CONFIRMED_AT_ONCE):
            part = [int(one) if one.isdigit() else one for one in message_ids[first : first + CONFIRMED_AT_ONCE]]
            await self._caller.effect("messages.failed.confirm", {"msgIdList": part})

    async def find_similar(self, image_url: str, limit: int) -> tuple[Offer, ...]:
        """Upload the picture, then search by it."""
        image = await self._images.fetch_base64(image_url)
        uploaded = as_object(
            await self._caller.effect("1688.goods.image_upload", {"uploadImageParam": {"imageBase64": image}})
        )
        image_id = text(as_object(uploaded.get("result")).get("result"))
        if image_id is None:
            raise UnreadableError("1688.goods.image_upload: no image id in the answer")
        param = {"imageId": image_id, "beginPage": 1, "pageSize": limit, "country": "en"}
        found = await self._caller.read("1688.goods.image_search", {"offerQueryParam": param})
        return answers.offers_of(inner(as_object(found)), limit)

    @property
    def pay_batch_size(self) -> int:
        """Return 1: payments by agreement are made one by one here."""
        return 1

    def can(self, platform: Platform, ability: Ability) -> bool:
        """Tell whether the open platform has the effect: it has no warehouse."""
        return platform is _ONE and ability in _ABILITIES

    async def pay(self, platform: Platform, order_id: str, amount: int, *, attempt: int = 1) -> EffectAnswer:
        """Pay `amount` by agreement, or give the link for a person where there is none, or three tries were made."""
        self._check_effect(platform)
        return await self._actions.pay(order_id, amount, attempt)

    async def pay_many(self, platform: Platform, order_ids: Sequence[str]) -> dict[str, EffectAnswer]:
        """There is no payment by agreement of several orders here."""
        raise NotSentError(f"the open platform pays orders on {platform} one by one; {len(order_ids)} were given")

    async def confirm_receipt(self, platform: Platform, order_id: str, line_ids: Sequence[str]) -> EffectAnswer:
        """Confirm receipt of lines."""
        self._check_effect(platform)
        return await self._actions.confirm_receipt(order_id, line_ids)

    async def cancel(self, platform: Platform, order_id: str, reason: str) -> EffectAnswer:
        """Cancel an order that is not paid."""
        self._check_effect(platform)
        return await self._actions.cancel(order_id, reason)

    async def update_domestic_logistics(
        self,
        platform: Platform,  # noqa: ARG002 - there is no warehouse
        order_id: str,
        parcels: Sequence[Parcel],  # noqa: ARG002
        lines: Sequence[Line],  # noqa: ARG002
        *,
        international: str | None = None,  # noqa: ARG002
    ) -> EffectAnswer:
        """There is no warehouse here."""
        raise NotSentError(f"the open platform has no warehouse to tell of order {order_id}")

    async def preview_freight(self, question: FreightQuestion) -> FreightQuote:
        """There is no warehouse here."""
        raise UnsupportedError(f"the open platform sends nothing abroad, order {question.order_id} neither")

    async def book_international(self, question: FreightQuestion, render_id: str) -> EffectAnswer:
        """There is no warehouse here."""
        raise NotSentError(f"the open platform sends nothing abroad: order {question.order_id}, {render_id[:80]!r}")

    async def _orders(self, since: Millis, until: Millis, page: int) -> ListPage:
        """Return one page. What was last modified long ago may be listed as history or not: both lists are asked."""
        recent = await self._order_page(since, until, page, history=False)
        if until >= self._now_ms() - HISTORY_AFTER:
            return recent
        old = await self._order_page(since, until, page, history=True)
        return ListPage(
            recent.facts + old.facts,
            recent.unreadable + old.unreadable,
            max(recent.total_pages, old.total_pages),
        )

    async def _order_page(self, since: Millis, until: Millis, page: int, *, history: bool) -> ListPage:
        question = {
            "page": page,
            "pageSize": PAGE_SIZE,
            "modifyStartTime": compact_text(since),
            "modifyEndTime": compact_text(until),
            "isHis": history,
        }
        answer = await self._caller.ask("1688.order.list", question)
        data = as_object(answer.data)
        rows, total = data.get("result"), small_int(data.get("totalRecord"))
        return self._page(rows, total, lambda row: listed_order(self._account, row, answer.asked_at))

    async def _refunds(self, since: Millis, until: Millis, page: int) -> ListPage:
        question = {
            "currentPageNum": page - 1 + self._first_refund_page,
            "pageSize": PAGE_SIZE,
            "modifyStartTime": compact_text(since),
            "modifyEndTime": compact_text(until),
            "dipsuteType": 0,  # their spelling; in sale and after it
        }
        answer = await self._caller.ask("1688.refund.list", question)
        data = inner(as_object(answer.data))
        rows, total = data.get("opOrderRefundModels"), small_int(data.get("totalCount"))
        return self._page(rows, total, lambda row: answers.listed_refund(self._account, row, answer.asked_at))

    def _page(self, rows: Any, total: int | None, read: Callable[[dict[str, Any]], Fact]) -> ListPage:
        """Return a page. No rows and no word of how many there are is not an empty list: nothing may be skipped."""
        if total is None or (not isinstance(rows, list) and total > 0) or total > MAX_PAGES * PAGE_SIZE:
            raise UnreadableError("the list does not say how many rows there are, or too many to page through")
        facts: list[Fact] = []
        unreadable: list[tuple[str, bytes]] = []
        for row in as_list(rows):
            try:
                facts.append(read(as_object(row)))
            except UnreadableValueError as error:
                unreadable.append((str(error), raw_row(row)))
        return ListPage(tuple(facts), tuple(unreadable), max(1, -(-total // PAGE_SIZE)))

    def _check_effect(self, platform: Platform) -> None:
        if platform is not _ONE:
            raise NotSentError(f"the open platform has no orders of {platform}")

    def _check(self, platform: Platform) -> None:
        if platform is not _ONE:
            raise UnsupportedError(f"the open platform has no orders of {platform}")
