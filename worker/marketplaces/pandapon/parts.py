"""Reads of parts of an order through PandaPon and Xport: its logistics, one refund."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from worker.catalogue.operation import Dialect
from worker.domain.clock import Millis
from worker.domain.facts import Fact, ParcelTrack, RefundDetail, RefundSeen, Snapshot, Source
from worker.domain.identity import OrderKey, Platform
from worker.domain.money import MoneyError, fen_from_fen
from worker.marketplaces.caller import Caller
from worker.marketplaces.pandapon import taobao
from worker.marketplaces.port import MarketplaceError, Part, UnreadableError, UnsupportedError
from worker.marketplaces.tracks import tracks_of, with_steps
from worker.marketplaces.values import UnreadableValueError, as_list, as_object, identifier, instant, text

_1688_TRACKING: Final = {Dialect.PANDAPON: "1688.order.tracking", Dialect.XPORT: "1688.order.logistics"}
_TAOBAO_LOGISTICS = "taobao.order.logistics"
_REFUNDS = {Platform.ALIBABA_1688: "1688.refund.detail", Platform.TAOBAO: "taobao.refund.detail"}
MAX_LINES_READ = 20
"""Sub-orders on Taobao are asked for one by one: of an order with more, the first ones are."""


class PartReader:
    """Reads parts of one account's orders. Only what has a path can be read."""

    def __init__(self, account: str, caller: Caller, dialect: Dialect) -> None:
        self._account = account
        self._caller = caller
        self._tracking = _1688_TRACKING.get(dialect, "")

    def reads_part(self, platform: Platform, part: Part) -> bool:
        """Tell whether the operation's path is known."""
        if part is Part.REFUND:
            return self._caller.supports(_REFUNDS[platform])
        return self._caller.supports(self._tracking if platform is Platform.ALIBABA_1688 else _TAOBAO_LOGISTICS)

    async def logistics(self, platform: Platform, order_id: str, line_ids: Sequence[str]) -> Fact:
        """Return the tracks: on 1688 as the upstream tells them (inferred), on Taobao sub-order by sub-order."""
        if platform is Platform.TAOBAO:
            return await self._taobao(order_id, line_ids)
        answer = await self._caller.ask(self._tracking, {"orderId": order_id})
        data = answer.data
        rows = data if isinstance(data, list) else as_object(data).get("result")
        if not isinstance(rows, list):
            raise UnreadableError(f"{self._tracking}: the answer about order {order_id} has no list of parcels")
        return self._fact(platform, order_id, Snapshot(tracks=with_steps(tracks_of(rows), rows)), answer.asked_at)

    async def refund(self, platform: Platform, order_id: str, refund_id: str) -> Fact:
        """Return a refund. PandaPon's times are those of its own record: only the upstream's dates the read."""
        name = _REFUNDS[platform]
        answer = await self._caller.ask(name, {"refundId": refund_id})
        data = as_object(answer.data)
        try:
            seen = _refund_on_1688(data) if platform is Platform.ALIBABA_1688 else taobao.refund_of(data)
        except (UnreadableValueError, MoneyError) as error:
            raise UnreadableError(f"{name}: refund {refund_id}: {error}") from error
        order_named = identifier(data.get("orderId"))
        if seen.refund_id not in (refund_id, "") or order_named not in (None, order_id):
            raise UnreadableError(f"asked for refund {refund_id} of order {order_id}, the answer is about another one")
        if seen.word is None:
            raise UnreadableError(f"{name}: the answer does not say how refund {refund_id} stands")
        detail = RefundDetail(msgspec.structs.replace(seen, refund_id=refund_id), instant(data.get("gmtModified")))
        return self._fact(platform, order_id, Snapshot(refund=detail), answer.asked_at)

    async def _taobao(self, order_id: str, line_ids: Sequence[str]) -> Fact:
        """Ask for each sub-order. One that cannot be read leaves the others told; if none can, that is the failure."""
        if not line_ids:
            raise UnsupportedError(f"{_TAOBAO_LOGISTICS} wants sub-orders, none of order {order_id} is known")
        tracks: dict[str, ParcelTrack] = {}
        asked: list[Millis] = []
        failure: MarketplaceError | None = None
        for line_id in line_ids[:MAX_LINES_READ]:
            try:
                answer = await self._caller.ask(_TAOBAO_LOGISTICS, {"subPurchaseOrderId": line_id})
            except MarketplaceError as error:
                failure = error
                continue
            asked.append(answer.asked_at)
            for track in _taobao_tracks(as_object(answer.data), line_id):
                known = tracks.get(track.parcel_id, track)
                both = tuple(dict.fromkeys((*known.line_ids, *track.line_ids)))
                tracks[track.parcel_id] = msgspec.structs.replace(track, line_ids=both)
        if failure is not None and not asked:
            raise failure
        found = tuple(tracks[name] for name in sorted(tracks))
        return self._fact(Platform.TAOBAO, order_id, Snapshot(tracks=found), min(asked))

    def _fact(self, platform: Platform, order_id: str, content: Snapshot, asked_at: Millis) -> Fact:
        key = OrderKey(self._account, platform, order_id)
        return Fact(key=key, source=Source.RESPONSE, content=content, observed_at=asked_at)


def _taobao_tracks(data: dict[str, Any], line_id: str) -> list[ParcelTrack]:
    """Return the parcels of one sub-order (documented: all leaf values are texts, times are Beijing's)."""
    found: list[ParcelTrack] = []
    for row in (as_object(entry) for entry in as_list(data.get("pnmLogisticsDetails"))[: taobao.MAX_PARCELS]):
        waybill = text(row.get("mailNo"))
        if waybill is None or identifier(waybill) is None:
            continue
        steps = [as_object(step) for step in as_list(row.get("logisticsTraces"))]
        dated = [(at, step) for step in steps if (at := instant(step.get("time"))) is not None]
        latest = max(dated, key=lambda one: one[0], default=None)
        partners = as_list(row.get("logisticsPartner"))
        found.append(
            ParcelTrack(
                parcel_id=waybill,
                waybill=waybill,
                carrier=text(as_object(partners[0]).get("company")) if partners else None,
                status_word=None if latest is None else text(latest[1].get("status")),
                line_ids=(line_id,),
                moved_at=None if latest is None else latest[0],
            )
        )
    return found


def _refund_on_1688(data: dict[str, Any]) -> RefundSeen:
    """Return a refund of `AlibabaRefundInfo`; amounts are fen. An `id` without TQ before it is PandaPon's own."""
    own = identifier(data.get("id"))
    lines = [identifier(line) for line in as_list(data.get("orderEntryIds"))[:MAX_LINES_READ]]
    said = [data[name] for name in ("applyPayment", "applyCarriage") if data.get(name) not in (None, "")]
    amount = sum(fen_from_fen(value, "applyPayment") for value in said) if said else None
    return RefundSeen(
        refund_id=identifier(data.get("refundId")) or (own if own is not None and own.startswith("TQ") else ""),
        word=text(data.get("status")) or text(data.get("refundStatus")),
        amount=amount,
        line_ids=tuple(line for line in lines if line is not None),
        reason=text(data.get("applyReason")) or msgspec.UNSET,
    )
