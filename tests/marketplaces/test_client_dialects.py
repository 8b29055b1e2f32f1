"""What an account can do at PandaPon and at Xport, on both platforms, and what it asks to do it."""

from typing import Any
from urllib.parse import parse_qs

import msgspec
import pytest

from tests.marketplaces.examples import GOLDEN, ORDER_ID, RECEIVED_AT, TAOBAO_ORDER_ID, dump, order_1688
from tests.marketplaces.servers import ACCESS_KEY, NONCE, SECRET, USER_ID, Answer, FixedClock, Scripted, at, envelope
from worker.catalogue.operation import Auth, Dialect, Field, Kind
from worker.catalogue.tables import find
from worker.domain.facts import RefundSeen, Snapshot, Source, StatusSeen
from worker.domain.identity import OrderKey, Platform
from worker.marketplaces.pandapon.signing import signature
from worker.marketplaces.pandapon.wire import Credentials, PandaPonWire, as_sent
from worker.marketplaces.port import (
    EffectOutcome,
    NotSentError,
    Offer,
    RejectedError,
    Stream,
    UnreadableError,
    UnsupportedError,
)
from worker.marketplaces.values import decode_json

TAOBAO_PATHS = {
    "taobao.order.detail": "/open/order/detail",
    "taobao.order.list": "/open/order/page",
    "taobao.order.pay": "/open/order/pay",
}
KA_PATHS = {"1688.order.detail": "/api/alibaba/ka/order/detail", "1688.order.list": "/api/alibaba/ka/order/list"}
HOUR = 3_600_000


def golden(name: str) -> Any:
    return decode_json((GOLDEN / f"{name}.json").read_bytes())


def answer(data: Any) -> Answer:
    """An envelope around data with numbers of any size."""
    return Answer(body=b'{"code":200,"data":' + dump(data) + b"}")


async def test_an_account_can_do_what_has_a_path(scripted: Scripted) -> None:
    both = {Platform.ALIBABA_1688, Platform.TAOBAO}
    orders = {Stream.ORDERS_1688, Stream.ORDERS_TAOBAO}
    async with at(scripted) as bare:
        assert bare.platforms == {Platform.ALIBABA_1688}
        assert bare.streams == {Stream.ORDERS_1688}
    async with at(scripted, refund_list=True) as bare:
        assert bare.streams == {Stream.ORDERS_1688}, "refunds of orders that cannot be read are of no use"
    async with at(scripted, paths=TAOBAO_PATHS) as full:
        assert full.platforms == both
        assert full.streams == orders
    async with at(scripted, paths=TAOBAO_PATHS, refund_list=True) as full:
        assert full.streams == orders | {Stream.REFUNDS_TAOBAO}


async def test_xport_can_do_nothing_until_it_is_told_where_orders_are_read(scripted: Scripted) -> None:
    async with at(scripted, Dialect.XPORT, version="ka") as bare:
        assert not bare.platforms
        assert not bare.streams
        with pytest.raises(UnsupportedError, match=r'paths = \{"1688.order.detail"'):
            await bare.read_order(Platform.ALIBABA_1688, ORDER_ID, Source.RESPONSE)
    async with at(scripted, Dialect.XPORT, version="ka", paths=KA_PATHS, refund_list=True) as full:
        assert full.platforms == {Platform.ALIBABA_1688}, "its menu has no detail of a Taobao order"
        assert full.streams == {Stream.ORDERS_1688}
        with pytest.raises(UnsupportedError, match=r"has no operation taobao\.order\.detail"):
            await full.read_order(Platform.TAOBAO, TAOBAO_ORDER_ID, Source.RESPONSE)
    assert scripted.asked == []


async def test_what_is_not_supported_is_never_asked(scripted: Scripted) -> None:
    scripted.says(answer({}))
    async with at(scripted) as api:
        with pytest.raises(UnsupportedError):
            await api.read_order(Platform.TAOBAO, TAOBAO_ORDER_ID, Source.RESPONSE)
        for stream in set(Stream) - {Stream.ORDERS_1688}:
            with pytest.raises(UnsupportedError):
                await api.list_modified(stream, 0, HOUR, 1)
        with pytest.raises(NotSentError):
            await api.pay(Platform.TAOBAO, TAOBAO_ORDER_ID, 1)
        with pytest.raises(UnsupportedError):
            await api.failed_messages()
        with pytest.raises(UnsupportedError):
            await api.confirm_messages(("1",))
    async with at(scripted, Dialect.XPORT) as api:
        with pytest.raises(UnsupportedError, match="no search by picture"):
            await api.find_similar(f"{scripted.url}/a.jpg", 5)
    assert scripted.asked == []


async def test_a_taobao_order_is_read(scripted: Scripted) -> None:
    scripted.says(answer(golden("taobao_order")))
    async with at(scripted, paths=TAOBAO_PATHS) as api:
        fact = await api.read_order(Platform.TAOBAO, TAOBAO_ORDER_ID, Source.SWEEP)
    assert fact.key == OrderKey("main", Platform.TAOBAO, TAOBAO_ORDER_ID)
    assert (fact.source, fact.observed_at) == (Source.SWEEP, RECEIVED_AT)
    assert isinstance(fact.content, Snapshot)
    assert len(fact.content.lines or ()) == 2
    assert scripted.asked[0].path == "/open/order/detail"


async def test_xport_hands_on_1688s_order(scripted: Scripted) -> None:
    scripted.says(answer(order_1688()))
    async with at(scripted, Dialect.XPORT, paths=KA_PATHS) as api:
        fact = await api.read_order(Platform.ALIBABA_1688, ORDER_ID, Source.RESPONSE)
    assert isinstance(fact.content, Snapshot)
    assert scripted.asked[0].path == "/api/alibaba/ka/order/detail"


@pytest.mark.parametrize("changes", [{"purchase_id": 1}, {"purchase_id": None}, {"status": None}])
async def test_an_answer_about_another_order_or_none_is_not_taken(scripted: Scripted, changes: dict[str, Any]) -> None:
    scripted.says(answer(golden("taobao_order") | changes))
    async with at(scripted, paths=TAOBAO_PATHS) as api:
        with pytest.raises(UnreadableError):
            await api.read_order(Platform.TAOBAO, TAOBAO_ORDER_ID, Source.RESPONSE)


PAGES = [
    {"totalRecords": 21, "totalPage": 2, "data": [golden("taobao_order"), {"status": 3}, None]},
    {"results_total": 21, "page_no": 1, "page_size": 20, "purchase_orders": [golden("taobao_order"), {}, "x"]},
    {"resultsTotal": 21, "purchaseOrders": [golden("taobao_order"), [], 5]},
]


@pytest.mark.parametrize("page", PAGES)
async def test_taobaos_list_is_read_in_the_familys_form_and_in_the_upstreams(
    scripted: Scripted, page: dict[str, Any]
) -> None:
    scripted.says(answer(page))
    async with at(scripted, paths=TAOBAO_PATHS) as api:
        found = await api.list_modified(Stream.ORDERS_TAOBAO, HOUR, 2 * HOUR, 3)
    assert found.total_pages == 2
    (fact,) = found.facts
    assert (fact.key.order_id, fact.content) == (TAOBAO_ORDER_ID, StatusSeen("WAIT_BUYER_CONFIRM_GOODS"))
    assert [reason for reason, _ in found.unreadable] == ["a list row has no purchase order id"] * 2
    (asked,) = scripted.asked
    sent = msgspec.json.decode(asked.body) if asked.body else {k: int(v[0]) for k, v in parse_qs(asked.query).items()}
    assert sent == {"pageNo": 3, "pageSize": 20, "modifyTimeStart": HOUR, "modifyTimeEnd": 2 * HOUR}


async def test_refunds_are_listed_where_the_account_says_so(scripted: Scripted) -> None:
    scripted.says(answer({"totalRecords": 1, "totalPage": 1, "data": [golden("taobao_refund_row")]}))
    async with at(scripted, paths=TAOBAO_PATHS, refund_list=True) as api:
        (fact,) = (await api.list_modified(Stream.REFUNDS_TAOBAO, HOUR, 2 * HOUR, 1)).facts
    assert isinstance(fact.content, RefundSeen)
    assert fact.content.amount == 3_990
    assert (scripted.asked[0].method, scripted.asked[0].path) == ("POST", "/open/order/refund/queryList")
    sent = msgspec.json.decode(scripted.asked[0].body)
    assert sent == {"pageNo": 1, "pageSize": 20, "refundStartTime": HOUR, "refundEndTime": 2 * HOUR}


PAYMENTS = [
    (Dialect.PANDAPON, Platform.ALIBABA_1688, "GET", "/alibaba/order/pay/url"),
    (Dialect.XPORT, Platform.ALIBABA_1688, "POST", "/api/alibaba/ka/order/pay"),
]


@pytest.mark.parametrize(("dialect", "platform", "method", "path"), PAYMENTS)
async def test_every_payment_leaves_once_and_names_its_order(
    scripted: Scripted, dialect: Dialect, platform: Platform, method: str, path: str
) -> None:
    scripted.says(answer({"orderId": ORDER_ID, "protocolPaySuccess": True}))
    async with at(scripted, dialect, paths=TAOBAO_PATHS) as api:
        assert (await api.pay(platform, ORDER_ID, 1)).outcome is EffectOutcome.DONE
    (asked,) = scripted.asked
    assert (asked.method, asked.path) == (method, path)
    if method == "POST":
        assert msgspec.json.decode(asked.body) == {"orderId": ORDER_ID}
    else:
        assert asked.query == f"orderId={ORDER_ID}"


@pytest.mark.parametrize("data", [None, True, {}, "ok", {"success": True}, {"payUrl": "https://pay.example.com"}, []])
@pytest.mark.parametrize(("dialect", "platform"), [row[:2] for row in PAYMENTS])
async def test_a_payments_answer_that_nobody_described_is_unclear(
    scripted: Scripted, dialect: Dialect, platform: Platform, data: Any
) -> None:
    scripted.says(answer(data))
    async with at(scripted, dialect, paths=TAOBAO_PATHS) as api:
        assert (await api.pay(platform, ORDER_ID, 1)).outcome is EffectOutcome.UNCLEAR
    assert len(scripted.asked) == 1


@pytest.mark.parametrize("status", [300, 404, 422])
async def test_a_success_that_http_denies_is_none(scripted: Scripted, status: int) -> None:
    scripted.says(Answer(status, answer({"orderId": ORDER_ID, "protocolPaySuccess": True}).body))
    async with at(scripted) as api:
        assert (await api.pay(Platform.ALIBABA_1688, ORDER_ID, 1)).outcome is EffectOutcome.UNCLEAR
        with pytest.raises(UnreadableError):
            await api.read_order(Platform.ALIBABA_1688, ORDER_ID, Source.RESPONSE)


async def test_similar_articles_are_found_by_the_picture_itself(scripted: Scripted) -> None:
    scripted.says(Answer(200, b"\x89PNG", (("content-type", "image/png"),)), answer(golden("image_search")))
    async with at(scripted) as api:
        offers = await api.find_similar(f"{scripted.url}/a.png", 5)
    picture, search = scripted.asked
    assert "signature" not in picture.headers
    assert (search.method, search.path) == ("POST", "/alibaba/product/image/query")
    sent = msgspec.json.decode(search.body)
    assert sent == {"imageBase64": "iVBORw==", "beginPage": 1, "pageSize": 5, "country": "en"}
    thermos = "Stainless steel thermos 500 ml"
    assert offers == (
        Offer("b0Zx1yEnCrYpTeD==", thermos, 3_550, 1_200, "5%", "https://cbu01.alicdn.com/img/a.jpg"),
        Offer("700000000009", "保温杯", None, None, None, None),
    )


@pytest.mark.parametrize("data", [None, [], {}, {"data": None}, {"data": ["x", None, {}, {"offerMapId": ""}]}])
async def test_a_search_that_found_nothing_readable_found_nothing(scripted: Scripted, data: Any) -> None:
    scripted.says(Answer(200, b"\x89PNG", (("content-type", "image/png"),)), answer(data))
    async with at(scripted) as api:
        assert await api.find_similar(f"{scripted.url}/a.png", 5) == ()


async def test_no_more_offers_come_than_were_asked_for(scripted: Scripted) -> None:
    scripted.says(
        Answer(200, b"\x89PNG", (("content-type", "image/png"),)), answer({"data": [{"offerId": n} for n in range(9)]})
    )
    async with at(scripted) as api:
        assert len(await api.find_similar(f"{scripted.url}/a.png", 2)) == 2


async def test_a_picture_from_elsewhere_is_not_searched_by(scripted: Scripted) -> None:
    async with at(scripted) as api:
        with pytest.raises(RejectedError):
            await api.find_similar("https://evil.example.com/a.png", 5)
    assert scripted.asked == []


def test_the_warehouse_is_asked_with_its_proof_in_the_query() -> None:
    wire = PandaPonWire(Credentials(ACCESS_KEY, SECRET, USER_ID), FixedClock(RECEIVED_AT), nonce=lambda: NONCE)
    operation = find(Dialect.PANDAPON, "warehouse.freight.estimate")
    assert operation.auth is Auth.QUERY
    request = wire.request(operation, "/x", {"itemId": "1", "price": None})
    stamp = str(RECEIVED_AT)
    assert request.params == {"timestamp": stamp, "sign": signature(ACCESS_KEY, stamp, NONCE, SECRET)}
    assert "signature" not in request.headers
    assert msgspec.json.decode(request.content or b"") == {"itemId": "1"}


def test_ids_travel_as_numbers_and_objects_as_text_where_the_manual_has_them_so() -> None:
    number, text = Field("orderId", Kind.ID_NUMBER), Field("receiver", Kind.JSON_TEXT)
    assert as_sent("3300000000000000001", number) == 3_300_000_000_000_000_001
    assert as_sent("TQ1", number) == "TQ1"
    assert as_sent("٣", number) == "٣"
    assert as_sent({"name": "x"}, text) == '{"name":"x"}'
    assert as_sent('{"name":"x"}', text) == '{"name":"x"}'
    assert as_sent("1", None) == "1"
    wire = PandaPonWire(Credentials(ACCESS_KEY, SECRET, USER_ID), FixedClock(RECEIVED_AT))
    cancel = wire.request(find(Dialect.PANDAPON, "1688.order.cancel"), "/x", {"webSite": "1688", "orderId": ORDER_ID})
    assert cancel.content == b'{"webSite":"1688","orderId":3300000000000000001}'


async def test_keys_cannot_be_renewed_by_a_machine(scripted: Scripted) -> None:
    scripted.says(envelope(code=401))
    wire = PandaPonWire(Credentials(ACCESS_KEY, SECRET, USER_ID), FixedClock(RECEIVED_AT))
    assert await wire.renew() is False
