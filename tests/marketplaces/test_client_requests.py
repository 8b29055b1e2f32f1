"""What leaves the client: five headers, the documented paths, one call for one payment."""

import msgspec
import pytest

from tests.marketplaces.examples import ORDER_ID, RECEIVED_AT, dump, order_1688
from tests.marketplaces.servers import ACCESS_KEY, NONCE, SECRET, USER_ID, Answer, Scripted, client, envelope
from worker.domain.facts import Source
from worker.domain.identity import OrderKey, Platform
from worker.marketplaces.pandapon.client import PandaPonClient
from worker.marketplaces.pandapon.signing import signature
from worker.marketplaces.port import EffectOutcome, Stream, UnreadableError

DETAIL = Answer(body=b'{"code":200,"data":' + dump(order_1688()) + b"}")


def page(*rows: object, **fields: object) -> Answer:
    return envelope(
        {"totalRecords": len(rows), "totalPage": 1, "pageSize": 20, "currentPage": 1, "data": rows} | fields
    )


def row(order_id: str | int, **base: object) -> dict[str, object]:
    return {"baseInfo": {"id": order_id, "status": "waitbuyerpay", "modifyTime": "20260101100200000+0800"} | base}


async def test_a_read_is_signed_with_the_five_headers(scripted: Scripted, api: PandaPonClient) -> None:
    scripted.says(DETAIL)
    await api.read_order(Platform.ALIBABA_1688, ORDER_ID, Source.RESPONSE)
    (asked,) = scripted.asked
    assert (asked.method, asked.path) == ("POST", "/alibaba/order/detail")
    assert msgspec.json.decode(asked.body) == {"webSite": "1688", "orderId": ORDER_ID}
    assert asked.headers["content-type"] == "application/json"
    assert [asked.headers[name] for name in ("access-key", "timestamp", "nonce-str", "user-id", "signature")] == [
        ACCESS_KEY,
        str(RECEIVED_AT),
        NONCE,
        USER_ID,
        signature(ACCESS_KEY, str(RECEIVED_AT), NONCE, SECRET),
    ]


async def test_the_timestamp_is_in_seconds_where_the_account_says_so(scripted: Scripted) -> None:
    scripted.says(DETAIL)
    async with client(scripted.url, now=RECEIVED_AT, seconds=True) as api:
        await api.read_order(Platform.ALIBABA_1688, ORDER_ID, Source.RESPONSE)
    assert scripted.asked[0].headers["timestamp"] == str(RECEIVED_AT // 1000)


async def test_a_base_url_with_a_path_keeps_it(scripted: Scripted) -> None:
    scripted.says(DETAIL)
    async with client(f"{scripted.url}/api") as api:
        await api.read_order(Platform.ALIBABA_1688, ORDER_ID, Source.RESPONSE)
    assert scripted.asked[0].path == "/api/alibaba/order/detail"


async def test_a_snapshot_is_timed_when_it_was_asked_not_when_it_was_answered(
    scripted: Scripted, api: PandaPonClient
) -> None:
    scripted.says(DETAIL)
    fact = await api.read_order(Platform.ALIBABA_1688, ORDER_ID, Source.RESPONSE)
    assert fact.key == OrderKey("main", Platform.ALIBABA_1688, ORDER_ID)
    assert (fact.source, fact.kind, fact.observed_at, fact.provider_time) == ("response", "snapshot", RECEIVED_AT, None)


@pytest.mark.parametrize("other", [{}, {"baseInfo": None}, row("9"), row(int(ORDER_ID) + 1)])
async def test_an_answer_about_another_order_is_not_taken_for_ours(
    scripted: Scripted, api: PandaPonClient, other: dict[str, object]
) -> None:
    scripted.says(envelope(other))
    with pytest.raises(UnreadableError, match="another one or about none"):
        await api.read_order(Platform.ALIBABA_1688, ORDER_ID, Source.RESPONSE)


async def test_an_order_whose_amounts_are_no_numbers_is_unreadable(scripted: Scripted, api: PandaPonClient) -> None:
    scripted.says(envelope(row(ORDER_ID, totalAmount="abc")))
    with pytest.raises(UnreadableError, match="totalAmount"):
        await api.read_order(Platform.ALIBABA_1688, ORDER_ID, Source.RESPONSE)


async def test_a_list_asks_for_a_window_of_beijing_time(scripted: Scripted, api: PandaPonClient) -> None:
    scripted.says(page())
    await api.list_modified(Stream.ORDERS_1688, RECEIVED_AT - 60_000, RECEIVED_AT, 3)
    (asked,) = scripted.asked
    assert (asked.method, asked.path) == ("POST", "/v2/alibaba/order/page")
    assert msgspec.json.decode(asked.body) == {
        "page": 3,
        "pageSize": 20,
        "modifyStartTime": "20260101100400040+0800",
        "modifyEndTime": "20260101100500040+0800",
    }


async def test_a_row_that_cannot_be_read_is_handed_out_beside_the_others(
    scripted: Scripted, api: PandaPonClient
) -> None:
    poison: list[object] = [
        None,
        "x",
        {},
        row("a b"),
        row("7", status=None),
        {"baseInfo": {"id": 10**30 * 10**40}},
        {"baseInfo": {"status": "waitbuyerpay", "totalAmount": 1.5}, "huge": 10**30},
    ]
    scripted.says(
        Answer(body=b'{"code":200,"data":' + dump({"totalPage": 1, "data": [row("1"), *poison, row("2")]}) + b"}")
    )
    found = await api.list_modified(Stream.ORDERS_1688, 0, RECEIVED_AT, 1)
    assert [fact.key.order_id for fact in found.facts] == ["1", "2"]
    assert len(found.unreadable) == len(poison)
    assert found.unreadable[-1][1].endswith(b'"huge": 1' + b"0" * 30 + b"}")


async def test_a_row_nested_as_deep_as_json_may_be_stops_nothing(scripted: Scripted, api: PandaPonClient) -> None:
    deep = b"[" * 900 + b"]" * 900
    scripted.says(
        Answer(body=b'{"code":200,"data":{"totalPage":1,"data":[{"x":' + deep + b"}," + dump(row("2")) + b"]}}")
    )
    found = await api.list_modified(Stream.ORDERS_1688, 0, RECEIVED_AT, 1)
    assert ([fact.key.order_id for fact in found.facts], len(found.unreadable)) == (["2"], 1)


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        "x",
        {},
        {"data": None},
        {"data": {}},
        {"data": "x"},
        {"totalRecords": 3, "data": None},
        {"totalPage": 1, "data": None},
        {"data": [row(str(n)) for n in range(1, 21)]},
        {"totalPage": "many", "data": [row(str(n)) for n in range(1, 21)]},
        {"totalPage": 10_001, "data": []},
        {"totalPage": -1, "data": []},
    ],
)
async def test_a_page_that_might_hide_rows_is_no_empty_page(
    scripted: Scripted, api: PandaPonClient, data: object
) -> None:
    """The poller moves its cursor behind what it has read: what a page left out would never be asked for again."""
    scripted.says(envelope(data))
    with pytest.raises(UnreadableError):
        await api.list_modified(Stream.ORDERS_1688, 0, RECEIVED_AT, 1)


@pytest.mark.parametrize(
    ("fields", "pages"),
    [
        ({"totalPage": 3}, 3),
        ({"totalPage": "3"}, 3),
        ({"totalPage": None, "totalRecords": 41}, 3),
        ({"totalPage": 1, "totalRecords": "41"}, 3),
        ({"totalPage": 9, "totalRecords": 41}, 9),
        ({"totalPage": 0, "totalRecords": 0}, 1),
        ({"totalPage": None, "totalRecords": None}, 1),
        ({"totalRecords": 0, "totalPage": 0, "data": None}, 1),
    ],
)
async def test_the_number_of_pages_is_the_greatest_that_the_answer_speaks_of(
    scripted: Scripted, api: PandaPonClient, fields: dict[str, object], pages: int
) -> None:
    scripted.says(page(**fields))
    assert (await api.list_modified(Stream.ORDERS_1688, 0, RECEIVED_AT, 1)).total_pages == pages


async def test_a_payment_is_one_signed_get_on_a_connection_of_its_own(scripted: Scripted, api: PandaPonClient) -> None:
    paid = envelope({"orderId": ORDER_ID, "protocolPaySuccess": True, "payUrl": None, "cantPayOrderList": []})
    scripted.says(paid)
    first, second = await api.pay(Platform.ALIBABA_1688, ORDER_ID, 1), await api.pay(Platform.ALIBABA_1688, ORDER_ID, 1)
    assert (first.outcome, second.outcome) == (EffectOutcome.DONE, EffectOutcome.DONE)
    for asked in scripted.asked:
        assert (asked.method, asked.path, asked.query) == ("GET", "/alibaba/order/pay/url", f"orderId={ORDER_ID}")
        assert asked.headers["signature"] == signature(ACCESS_KEY, str(RECEIVED_AT), NONCE, SECRET)
    assert len({asked.peer for asked in scripted.asked}) == 2


async def test_reads_share_a_connection(scripted: Scripted, api: PandaPonClient) -> None:
    scripted.says(DETAIL)
    for _ in range(3):
        await api.read_order(Platform.ALIBABA_1688, ORDER_ID, Source.RESPONSE)
    assert len({asked.peer for asked in scripted.asked}) == 1
