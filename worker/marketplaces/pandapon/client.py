"""PandaPon's 1688 operations as calls. HTTP 200 may carry a failure; only code 200 is a success (documented)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from worker.domain.clock import Clock, Millis
from worker.domain.facts import Fact, Source, StatusSeen
from worker.domain.identity import OrderKey, Platform, valid_order_id
from worker.marketplaces.http import RETRYABLE, HttpCore, retried_reads
from worker.marketplaces.pandapon.answers import open_envelope, pages_of, raw_row, read_pay_answer, rows_of
from worker.marketplaces.pandapon.endpoints import LIST_PAGE_SIZE, ORDER_DETAIL, ORDER_LIST, ORDER_PAY, Endpoint
from worker.marketplaces.pandapon.signing import new_nonce, signature
from worker.marketplaces.pandapon.trade import lifecycle_of, order_id_of, snapshot_of
from worker.marketplaces.port import (
    ListPage,
    MarketplaceError,
    NotSentError,
    PayAnswer,
    PayOutcome,
    UnreadableError,
)
from worker.marketplaces.values import (
    UnreadableValueError,
    as_object,
    compact_text,
)


class Credentials(msgspec.Struct, frozen=True):
    """One account's keys. `__repr__` keeps the secret to itself."""

    access_key: str
    access_secret: str
    user_id: str

    def __repr__(self) -> str:
        return f"Credentials(user_id={self.user_id!r})"


class PandaPonClient:
    """One account at PandaPon, for orders on 1688. Implements `worker.marketplaces.port.Marketplace`.

    `timestamp_in_seconds`: the manual's samples sign milliseconds, a public client seconds (inferred: switchable).
    """

    def __init__(
        self,
        account: str,
        http: HttpCore,
        credentials: Credentials,
        clock: Clock,
        *,
        timestamp_in_seconds: bool = False,
        nonce: Callable[[], str] = new_nonce,
    ) -> None:
        self._account = account
        self._http = http
        self._credentials = credentials
        self._clock = clock
        self._timestamp_in_seconds = timestamp_in_seconds
        self._nonce = nonce

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def read_order(self, order_id: str, source: Source) -> Fact:
        """Return a fresh snapshot, timed at the moment before the answered question left."""
        return await retried_reads()(RETRYABLE, self._read_order_once, order_id, source)

    async def list_modified(self, since: Millis, until: Millis, page: int) -> ListPage:
        """Return one page of the orders modified in the window; the parameters' names are the upstream's (inferred).

        An answer without rows is an empty page only if it says so: UnreadableError otherwise, since the caller would
        move on and never come back to this window.
        """
        return await retried_reads()(RETRYABLE, self._list_once, since, until, page)

    async def pay(self, order_id: str) -> PayAnswer:
        """Pay once. All but a plain yes or a pay URL is unclear: "failed" has been said of money that was taken."""
        try:
            answer = await self._http.effect(
                ORDER_PAY.method, ORDER_PAY.path, headers=self._headers(), params={"orderId": order_id}
            )
            return read_pay_answer(order_id, open_envelope(answer, ORDER_PAY))
        except NotSentError:
            raise
        except MarketplaceError as error:
            return PayAnswer(PayOutcome.UNCLEAR, f"{type(error).__name__}: {error}")

    async def _read_order_once(self, order_id: str, source: Source) -> Fact:
        asked_at = self._clock.now_ms()
        trade = as_object(await self._read(ORDER_DETAIL, {"webSite": "1688", "orderId": order_id}))
        if order_id_of(trade) != order_id:
            raise UnreadableError(f"asked for order {order_id}, the answer is about another one or about none")
        try:
            snapshot = snapshot_of(trade, with_parcels=True)
        except UnreadableValueError as error:
            raise UnreadableError(f"order {order_id}: {error}") from error
        key = OrderKey(self._account, Platform.ALIBABA_1688, order_id)
        return Fact(key=key, source=source, content=snapshot, observed_at=asked_at)

    async def _list_once(self, since: Millis, until: Millis, page: int) -> ListPage:
        asked_at = self._clock.now_ms()
        question = {
            "page": page,
            "pageSize": LIST_PAGE_SIZE,
            "modifyStartTime": compact_text(since),
            "modifyEndTime": compact_text(until),
        }
        answer = as_object(await self._read(ORDER_LIST, question))
        facts: list[Fact] = []
        unreadable: list[tuple[str, bytes]] = []
        for row in rows_of(answer):
            try:
                facts.append(self._listed(as_object(row), asked_at))
            except UnreadableValueError as error:
                unreadable.append((str(error), raw_row(row)))
        return ListPage(tuple(facts), tuple(unreadable), pages_of(answer))

    def _listed(self, row: dict[str, Any], asked_at: Millis) -> Fact:
        """A list row is a hint: it says that the order was modified, and the detail is read if that is news."""
        order_id = order_id_of(row)
        if order_id is None or not valid_order_id(order_id):
            raise UnreadableValueError("a list row has no order id")
        life = lifecycle_of(row)
        return Fact(
            key=OrderKey(self._account, Platform.ALIBABA_1688, order_id),
            source=Source.POLL,
            content=StatusSeen(word=life.word),
            observed_at=asked_at,
            provider_time=life.modified_at,
        )

    async def _read(self, endpoint: Endpoint, question: dict[str, Any]) -> Any:
        headers = self._headers() | {"Content-Type": "application/json"}
        body = msgspec.json.encode(question)
        answer = await self._http.read(endpoint.method, endpoint.path, headers=headers, body=body)
        return open_envelope(answer, endpoint)

    def _headers(self) -> dict[str, str]:
        now = self._clock.now_ms()
        timestamp = str(now // 1000 if self._timestamp_in_seconds else now)
        nonce = self._nonce()
        keys = self._credentials
        return {
            "access-key": keys.access_key,
            "timestamp": timestamp,
            "nonce-str": nonce,
            "user-id": keys.user_id,
            "signature": signature(keys.access_key, timestamp, nonce, keys.access_secret),
        }
