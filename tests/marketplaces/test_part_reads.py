"""Reads of a part of an order, over HTTP: what becomes of each answer, and what is left out of it."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs

import msgspec
import pytest

from tests.marketplaces.examples import ORDER_ID, RECEIVED_AT, REFUND_ID, TAOBAO_ORDER_ID
from tests.marketplaces.open_platform import OpenPlatform, buyer, open_platform
from tests.marketplaces.servers import Answer, Scripted, at, envelope
from worker.catalogue.operation import Dialect
from worker.domain.facts import Fact, ParcelTrack, RefundDetail, RefundSeen, Snapshot, Source
from worker.domain.identity import OrderKey, Platform
from worker.marketplaces.alibaba1688.client import Alibaba1688Client
from worker.marketplaces.port import MarketplaceError, Part, RejectedError, UnreadableError, UnsupportedError

ON_1688, ON_TAOBAO = Platform.ALIBABA_1688, Platform.TAOBAO
INFOS, TRACE = "alibaba.trade.getLogisticsInfos.buyerView", "alibaba.trade.getLogisticsTraceInfo.buyerView"
REFUND = "alibaba.trade.refund.OpQueryOrderRefund"
STEP_AT = 1_767_232_800_000
ROW = {
    "logisticsId": "LP1",
    "logisticsBillNo": "SF0001",
    "orderEntryIds": "11, 12",
    "status": "TRANSPORT",
    "logisticsCompanyName": "SF",
    "receiver": {"receiverName": "王小明", "receiverMobile": "13800000000"},
}
STEPS = {
    "logisticsId": "LP1",
    "logisticsSteps": [
        {"acceptTime": "2026-01-01 10:00:00", "remark": "courier 13900000000"},
        {"acceptTime": "2025-12-31 10:00:00", "remark": "left"},
        {"acceptTime": "soon"},
    ],
}
MODEL = {
    "refundId": REFUND_ID,
    "orderId": int(ORDER_ID),
    "status": "waitselleragree",
    "applyPayment": 1_200,
    "applyCarriage": 300,
    "orderEntryIdList": [11],
    "applyReason": "七天无理由",
    "gmtModified": "20260101100000000+0800",
}
PATHS = {
    "1688.order.tracking": "/alibaba/order/logistics",
    "taobao.order.detail": "/open/order/detail",
    "taobao.refund.detail": "/open/order/refund/detail",
}


def snapshot_of(fact: Fact) -> Snapshot:
    assert isinstance(fact.content, Snapshot)
    assert (fact.source, fact.observed_at) == (Source.RESPONSE, RECEIVED_AT)
    assert (fact.content.lifecycle, fact.content.amounts, fact.content.parcels) == (None, None, None)
    return fact.content


@pytest.fixture
async def platform() -> AsyncIterator[OpenPlatform]:
    async with open_platform() as found:
        found.answers[INFOS] = {"result": [ROW, {"status": "SIGN"}, None], "success": True}
        found.answers[TRACE] = {"logisticsTrace": [STEPS, {"logisticsId": "other"}], "success": True}
        found.answers[REFUND] = {"result": {"success": True, "result": {"opOrderRefundModelDetail": MODEL}}}
        yield found


@pytest.fixture
async def api(platform: OpenPlatform) -> AsyncIterator[Alibaba1688Client]:
    async with buyer(platform.url, RECEIVED_AT) as made:
        yield made


# The open platform


async def test_parcels_are_tracked_without_the_people_in_them(platform: OpenPlatform, api: Alibaba1688Client) -> None:
    fact = await api.read_logistics(ON_1688, ORDER_ID, [])
    track = ParcelTrack("LP1", "SF0001", "SF", "TRANSPORT", ("11", "12"), STEP_AT)
    assert snapshot_of(fact) == Snapshot(tracks=(track,))
    assert fact.key == OrderKey("main", ON_1688, ORDER_ID)
    told = msgspec.json.encode(fact).decode()
    assert not [word for word in ("13800000000", "13900000000", "王小明") if word in told]
    assert [(form["webSite"], form["orderId"]) for form in platform.calls(INFOS)] == [("1688", ORDER_ID)]


@pytest.mark.parametrize(
    "answer", [{"success": False, "errorCode": "404"}, {"success": False, "errorCode": "order.createtime.history"}]
)
async def test_a_trace_that_is_refused_leaves_the_parcels_told(
    platform: OpenPlatform, api: Alibaba1688Client, answer: Any
) -> None:
    platform.answers[TRACE] = answer
    content = snapshot_of(await api.read_logistics(ON_1688, ORDER_ID, []))
    assert content.tracks == (ParcelTrack("LP1", "SF0001", "SF", "TRANSPORT", ("11", "12")),)


async def test_an_order_that_is_not_shipped_yet_has_no_parcels(platform: OpenPlatform, api: Alibaba1688Client) -> None:
    platform.answers[INFOS] = {"success": False, "errorCode": "500_2", "errorMessage": "not shipped"}
    assert snapshot_of(await api.read_logistics(ON_1688, ORDER_ID, [])) == Snapshot(tracks=())
    assert platform.calls(TRACE) == []


@pytest.mark.parametrize("answer", [{}, {"result": None}, {"result": {}}, {"success": True}])
async def test_an_answer_without_parcels_is_not_one_that_says_there_are_none(
    platform: OpenPlatform, api: Alibaba1688Client, answer: Any
) -> None:
    platform.answers[INFOS] = answer
    with pytest.raises(UnreadableError):
        await api.read_logistics(ON_1688, ORDER_ID, [])


async def test_other_refusals_are_failures(platform: OpenPlatform, api: Alibaba1688Client) -> None:
    platform.answers[INFOS] = {"success": False, "errorCode": "order.nopermission.buyer"}
    with pytest.raises(RejectedError):
        await api.read_logistics(ON_1688, ORDER_ID, [])


@pytest.mark.parametrize("name", ["opOrderRefundModelDetail", "opOrderRefundModel"])
async def test_a_refund_is_dated_by_its_own_time(platform: OpenPlatform, api: Alibaba1688Client, name: str) -> None:
    platform.answers[REFUND] = {"result": {"success": "true", name: MODEL}}
    content = snapshot_of(await api.read_refund(ON_1688, ORDER_ID, REFUND_ID))
    seen = RefundSeen(REFUND_ID, "waitselleragree", amount=1_500, line_ids=("11",), reason="七天无理由")
    assert content == Snapshot(refund=RefundDetail(seen, STEP_AT))


@pytest.mark.parametrize("changes", [{"orderId": 5}, {"orderId": None}, {"refundId": "TQ1"}, {"applyPayment": "1.5"}])
async def test_a_refund_of_something_else_is_none(
    platform: OpenPlatform, api: Alibaba1688Client, changes: dict[str, Any]
) -> None:
    platform.answers[REFUND] = {"result": {"success": "true", "result": {"opOrderRefundModelDetail": MODEL | changes}}}
    with pytest.raises(UnreadableError):
        await api.read_refund(ON_1688, ORDER_ID, REFUND_ID)


async def test_the_open_platform_has_no_parts_of_taobao(api: Alibaba1688Client) -> None:
    assert all(api.reads_part(ON_1688, part) for part in Part)
    assert not any(api.reads_part(ON_TAOBAO, part) for part in Part)
    with pytest.raises(UnsupportedError):
        await api.read_logistics(ON_TAOBAO, TAOBAO_ORDER_ID, ["1"])
    with pytest.raises(UnsupportedError):
        await api.read_refund(ON_TAOBAO, TAOBAO_ORDER_ID, "1")


# PandaPon and Xport


@pytest.mark.parametrize("data", [[ROW], {"result": [ROW]}])
async def test_tracking_through_pandapon_reads_like_the_upstream(scripted: Scripted, data: Any) -> None:
    scripted.says(envelope(data))
    async with at(scripted, paths=PATHS) as api:
        content = snapshot_of(await api.read_logistics(ON_1688, ORDER_ID, []))
    assert content.tracks == (ParcelTrack("LP1", "SF0001", "SF", "TRANSPORT", ("11", "12")),)
    (asked,) = scripted.asked
    assert (asked.method, asked.path, asked.query) == ("GET", "/alibaba/order/logistics", f"orderId={ORDER_ID}")


@pytest.mark.parametrize("data", [None, {}, "x", {"result": None}])
async def test_tracking_without_a_list_tells_nothing(scripted: Scripted, data: Any) -> None:
    scripted.says(envelope(data))
    async with at(scripted, paths=PATHS) as api:
        with pytest.raises(UnreadableError):
            await api.read_logistics(ON_1688, ORDER_ID, [])


async def test_without_a_path_a_part_is_not_asked_for(scripted: Scripted) -> None:
    async with at(scripted) as api, at(scripted, Dialect.XPORT) as xport:
        assert [api.reads_part(ON_1688, part) for part in (Part.LOGISTICS, Part.REFUND)] == [False, True]
        assert [api.reads_part(ON_TAOBAO, part) for part in (Part.LOGISTICS, Part.REFUND)] == [True, False]
        assert not any(xport.reads_part(place, part) for place in (ON_1688, ON_TAOBAO) for part in Part)
        with pytest.raises(UnsupportedError):
            await api.read_logistics(ON_1688, ORDER_ID, [])
        with pytest.raises(UnsupportedError):
            await xport.read_refund(ON_1688, ORDER_ID, REFUND_ID)
    assert scripted.asked == []


def detail(waybill: str, *steps: tuple[str, str], company: str = "SF") -> dict[str, Any]:
    traces = [{"time": time, "status": word, "statusDesc": "13900000000"} for time, word in steps]
    return {"mailNo": waybill, "logisticsTraces": traces, "logisticsPartner": [{"company": company}]}


async def test_taobao_is_asked_sub_order_by_sub_order(scripted: Scripted) -> None:
    both = detail("SF0001", ("2026-01-01 10:00:00", "SIGNED"), ("2025-12-31 09:00:00", "TRANSPORT"))
    scripted.says(
        envelope({"pnmLogisticsDetails": [both]}),
        envelope({"pnmLogisticsDetails": [both, detail("YT0002"), {"mailNo": None}, None]}),
    )
    async with at(scripted) as api:
        content = snapshot_of(await api.read_logistics(ON_TAOBAO, TAOBAO_ORDER_ID, ["11", "12"]))
    assert content.tracks == (
        ParcelTrack("SF0001", "SF0001", "SF", "SIGNED", ("11", "12"), STEP_AT),
        ParcelTrack("YT0002", "YT0002", "SF", None, ("12",), None),
    )
    assert [parse_qs(asked.query)["subPurchaseOrderId"] for asked in scripted.asked] == [["11"], ["12"]]


async def test_one_sub_order_that_cannot_be_read_hides_no_other(scripted: Scripted) -> None:
    scripted.says(envelope(None, code=40400), envelope({"pnmLogisticsDetails": [detail("YT0002")]}))
    async with at(scripted) as api:
        content = snapshot_of(await api.read_logistics(ON_TAOBAO, TAOBAO_ORDER_ID, ["11", "12"]))
        assert content.tracks == (ParcelTrack("YT0002", "YT0002", "SF", None, ("12",), None),)
        scripted.says(envelope(None, code=40400))
        with pytest.raises(RejectedError):
            await api.read_logistics(ON_TAOBAO, TAOBAO_ORDER_ID, ["11", "12"])
        with pytest.raises(UnsupportedError, match="sub-orders"):
            await api.read_logistics(ON_TAOBAO, TAOBAO_ORDER_ID, [])


INFO = {"id": 77, "refundId": REFUND_ID, "status": "refundsuccess", "applyPayment": 1_200, "applyCarriage": 0}


async def test_a_refund_through_pandapon_is_not_dated_by_pandapons_own_record(scripted: Scripted) -> None:
    scripted.says(envelope(INFO | {"applyReason": "x", "updateTime": "2026-01-01 10:00:00"}))
    async with at(scripted) as api:
        content = snapshot_of(await api.read_refund(ON_1688, ORDER_ID, REFUND_ID))
    seen = RefundSeen(REFUND_ID, "refundsuccess", amount=1_200, reason="x")
    assert content == Snapshot(refund=RefundDetail(seen, None))
    assert msgspec.json.decode(scripted.asked[0].body) == {"refundId": REFUND_ID}


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        INFO | {"status": None},
        INFO | {"refundId": "TQ1"},
        INFO | {"orderId": "5"},
        INFO | {"applyPayment": "x"},
    ],
)
async def test_a_refund_that_says_too_little_is_none(scripted: Scripted, data: Any) -> None:
    scripted.says(envelope(data))
    async with at(scripted) as api:
        with pytest.raises(UnreadableError):
            await api.read_refund(ON_1688, ORDER_ID, REFUND_ID)


async def test_a_refund_on_taobao(scripted: Scripted) -> None:
    scripted.says(envelope({"refundOrder": {"refundId": 9, "refundStatus": 10, "refundFee": 3_990}}))
    async with at(scripted, paths=PATHS) as api:
        content = snapshot_of(await api.read_refund(ON_TAOBAO, TAOBAO_ORDER_ID, "9"))
    assert content == Snapshot(refund=RefundDetail(RefundSeen("9", "10", amount=3_990), None))
    assert scripted.asked[0].query == "refundId=9"


@pytest.mark.parametrize("answer", [Answer(502, b""), Answer(200, b"<html>"), envelope(None, code=40400)])
async def test_failures_are_those_of_any_read(scripted: Scripted, answer: Answer) -> None:
    scripted.says(answer)
    async with at(scripted, paths=PATHS) as api:
        for read in (api.read_logistics(ON_1688, ORDER_ID, []), api.read_refund(ON_1688, ORDER_ID, REFUND_ID)):
            with pytest.raises(MarketplaceError):
                await read
