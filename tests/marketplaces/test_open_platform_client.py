"""The client of the 1688 open platform against a gateway that checks signature and token, over real HTTP."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from tests.marketplaces.examples import ORDER_ID, RECEIVED_AT, order_1688
from tests.marketplaces.open_platform import (
    APP_KEY,
    APP_SECRET,
    FIRST_TOKEN,
    REFRESH_TOKEN,
    OpenPlatform,
    StandingClock,
    buyer,
    open_platform,
)
from worker.catalogue.operation import Dialect
from worker.catalogue.tables import find
from worker.domain.facts import RefundSeen, Snapshot, Source, StatusSeen
from worker.domain.identity import Platform
from worker.marketplaces.alibaba1688.client import Alibaba1688Client
from worker.marketplaces.alibaba1688.wire import AopWire, AppKeys
from worker.marketplaces.http import READ_ATTEMPTS, HttpCore
from worker.marketplaces.port import (
    EffectOutcome,
    MarketplaceError,
    NotSentError,
    RejectedError,
    RetryableError,
    Stream,
    ThrottledError,
    UnauthorisedError,
    UnreadableError,
    UnsupportedError,
)

DETAIL, LIST = "alibaba.trade.get.buyerView", "alibaba.trade.getBuyerOrderList"
REFUNDS = "alibaba.trade.refund.buyer.queryOrderRefundList"
AGREEMENT, PREPARE = "alibaba.trade.pay.protocolPay.isopen", "alibaba.trade.pay.protocolPay.preparePay"
LINK, QUEUE, CONFIRM = "alibaba.alipay.url.get", "push.query.messageList", "push.message.confirm"
ON_1688 = Platform.ALIBABA_1688
SIGNED = {"payChannel": "ALIPAY", "bindingStatus": "true", "signedStatus": "true"}


def wrapped(data: Any) -> dict[str, Any]:
    return {"result": {"success": "true", "result": data}}


def agreements(*rows: dict[str, Any]) -> dict[str, Any]:
    return wrapped({"paymentAgreements": list(rows)})


@pytest.fixture
async def platform() -> AsyncIterator[OpenPlatform]:
    async with open_platform() as found:
        found.answers[DETAIL] = {"success": "true", "result": order_1688()}
        found.answers[AGREEMENT] = agreements(SIGNED)
        yield found


@pytest.fixture
async def api(platform: OpenPlatform) -> AsyncIterator[Alibaba1688Client]:
    async with buyer(platform.url, RECEIVED_AT) as made:
        yield made


async def test_a_detail_is_a_snapshot_timed_at_the_question(platform: OpenPlatform, api: Alibaba1688Client) -> None:
    fact = await api.read_order(ON_1688, ORDER_ID, Source.RESPONSE)
    assert isinstance(fact.content, Snapshot)
    assert fact.content.amounts is not None
    assert (fact.key.order_id, fact.observed_at) == (ORDER_ID, RECEIVED_AT)
    (form,) = platform.calls(DETAIL)
    assert (form["webSite"], form["orderId"], form["access_token"]) == ("1688", ORDER_ID, "token-1")
    assert form["_aop_timestamp"] == str(RECEIVED_AT)


async def test_an_answer_about_another_order_is_not_believed(api: Alibaba1688Client) -> None:
    with pytest.raises(UnreadableError):
        await api.read_order(ON_1688, "12", Source.RESPONSE)


async def test_there_are_no_taobao_orders(api: Alibaba1688Client) -> None:
    with pytest.raises(UnsupportedError):
        await api.read_order(Platform.TAOBAO, ORDER_ID, Source.RESPONSE)


async def test_a_token_that_expires_in_the_middle_is_renewed_once_for_all(
    platform: OpenPlatform, api: Alibaba1688Client
) -> None:
    await api.read_order(ON_1688, ORDER_ID, Source.RESPONSE)
    platform.token = "token-expired-meanwhile"
    reads = [api.read_order(ON_1688, ORDER_ID, Source.RESPONSE) for _ in range(8)]
    facts = await asyncio.gather(*reads)
    assert len(facts) == 8
    assert platform.renewals == 1


async def test_a_call_under_way_is_not_renewed_for_once_more_after_others_have_gone_on(platform: OpenPlatform) -> None:
    http, clock = HttpCore(platform.url, timeout_s=5.0), StandingClock(RECEIVED_AT)
    wire = AopWire(AppKeys(APP_KEY, APP_SECRET, FIRST_TOKEN, REFRESH_TOKEN), http, clock)
    detail = find(Dialect.ALIBABA1688, "1688.order.detail")
    first_refused, others_went_on = asyncio.Event(), asyncio.Event()

    async def refused_late() -> bool:
        wire.request(detail, detail.paths["aop"], {})
        first_refused.set()
        await others_went_on.wait()
        return await wire.renew()

    late = asyncio.create_task(refused_late())
    await first_refused.wait()
    wire.request(detail, detail.paths["aop"], {})
    assert await wire.renew()
    wire.request(detail, detail.paths["aop"], {})  # with the new token, on its way
    others_went_on.set()
    assert await late
    assert platform.renewals == 1
    await http.close()


NOT_NOW = [(502, {}), (429, {}), (400, {"error_code": "gw.QosAppFrequencyLimit"})]


@pytest.mark.parametrize("failure", NOT_NOW)
async def test_a_renewal_that_meets_a_fault_is_tried_again_and_says_nothing_about_the_credentials(
    platform: OpenPlatform, api: Alibaba1688Client, failure: tuple[int, Any]
) -> None:
    platform.token = "ended-meanwhile"
    platform.failures_to_renew = [failure] * (READ_ATTEMPTS - 1)
    assert (await api.read_order(ON_1688, ORDER_ID, Source.RESPONSE)).key.order_id == ORDER_ID
    platform.token = "ended-again"
    platform.failures_to_renew = [failure] * 99
    with pytest.raises(RetryableError, match="cannot be renewed now"):
        await api.read_order(ON_1688, ORDER_ID, Source.RESPONSE)


async def test_a_renewal_that_is_refused_is_for_a_person(platform: OpenPlatform, api: Alibaba1688Client) -> None:
    platform.token = "ended-meanwhile"
    platform.failures_to_renew = [(401, {"error_code": "401", "error_message": "refresh_token is invalid"})]
    with pytest.raises(UnauthorisedError):
        await api.read_order(ON_1688, ORDER_ID, Source.RESPONSE)
    assert len(platform.calls("getToken")) == 1


async def test_a_lasting_token_that_ended_is_for_a_person(platform: OpenPlatform) -> None:
    platform.token = "another"
    async with buyer(platform.url, RECEIVED_AT, refresh_token="") as api:
        with pytest.raises(UnauthorisedError):
            await api.read_order(ON_1688, ORDER_ID, Source.RESPONSE)
    assert platform.renewals == 0
    assert len(platform.calls(DETAIL)) == 1


ENVELOPES = [
    ((400, {"error_code": "gw.QosAppFrequencyLimit", "error_message": "exceeds"}), ThrottledError, READ_ATTEMPTS),
    ((200, {"error_code": "gw.QosRequestLimit"}), ThrottledError, READ_ATTEMPTS),
    ((400, {"error_code": "gw.APIACLDecline", "error_message": "AppKey is not allowed(acl)"}), RejectedError, 1),
    ((400, {"error_code": "gw.SignatureInvalid"}), UnauthorisedError, 2),
    ((400, {"error_code": "400", "error_message": "Request is expired."}), UnauthorisedError, 2),
    ({"success": False, "errorCode": "ORDER_NOT_EXIST", "errorMessage": "no"}, RejectedError, 1),
    ({"success": "false", "erroMsg": "their spelling"}, RejectedError, 1),
    ({"result": {"success": "false", "code": "5001", "message": "no"}}, RejectedError, 1),
    ((404, {"strange": True}), RejectedError, 1),
    ([], UnreadableError, 1),
]


@pytest.mark.parametrize(("answer", "expected", "calls"), ENVELOPES)
async def test_every_envelope_of_a_failure_has_its_kind(
    platform: OpenPlatform, api: Alibaba1688Client, answer: Any, expected: type[MarketplaceError], calls: int
) -> None:
    platform.answers[DETAIL] = answer
    with pytest.raises(expected) as caught:
        await api.read_order(ON_1688, ORDER_ID, Source.RESPONSE)
    assert len(platform.calls(DETAIL)) == calls
    said = f"{caught.value!r} {api!r}"
    assert not any(secret in said for secret in (APP_SECRET, REFRESH_TOKEN, "token-"))


async def test_a_code_of_zeros_is_no_failure(platform: OpenPlatform, api: Alibaba1688Client) -> None:
    platform.answers[DETAIL] = {"error_code": "0000", "result": order_1688()}
    assert (await api.read_order(ON_1688, ORDER_ID, Source.RESPONSE)).key.order_id == ORDER_ID


async def test_a_permission_that_is_missing_says_what_to_do(platform: OpenPlatform, api: Alibaba1688Client) -> None:
    platform.answers[DETAIL] = (400, {"error_code": "gw.APIACLDecline"})
    with pytest.raises(RejectedError, match="apply for the operation in the console"):
        await api.read_order(ON_1688, ORDER_ID, Source.RESPONSE)


async def test_the_order_list_in_pages(platform: OpenPlatform, api: Alibaba1688Client) -> None:
    platform.answers[LIST] = {"result": [order_1688(), {"baseInfo": {}}], "totalRecord": 41}
    page = await api.list_modified(Stream.ORDERS_1688, RECEIVED_AT - 60_000, RECEIVED_AT, 2)
    (fact,) = page.facts
    assert isinstance(fact.content, StatusSeen)
    assert len(page.unreadable) == 1
    assert page.total_pages == 3
    (form,) = platform.calls(LIST)
    assert (form["page"], form["isHis"], form["modifyEndTime"][-5:]) == ("2", "false", "+0800")


async def test_old_orders_are_asked_for_as_history(platform: OpenPlatform, api: Alibaba1688Client) -> None:
    platform.answers[LIST] = {"result": [], "totalRecord": 0}
    year = 365 * 86_400_000
    assert (await api.list_modified(Stream.ORDERS_1688, RECEIVED_AT - year, RECEIVED_AT - year // 2, 1)).facts == ()
    assert [form["isHis"] for form in platform.calls(LIST)] == ["false", "true"]


@pytest.mark.parametrize("answer", [{}, {"result": []}, {"totalRecord": 3}, {"result": None, "totalRecord": 1}])
async def test_a_list_that_does_not_say_how_much_there_is_is_not_empty(
    platform: OpenPlatform, api: Alibaba1688Client, answer: Any
) -> None:
    platform.answers[LIST] = answer | {"success": True}
    with pytest.raises(UnreadableError):
        await api.list_modified(Stream.ORDERS_1688, 0, RECEIVED_AT, 1)


async def test_refunds_are_hints_in_fen(platform: OpenPlatform, api: Alibaba1688Client) -> None:
    row = {"refundId": "TQ1", "orderId": int(ORDER_ID), "status": "waitselleragree", "applyPayment": 1250}
    row |= {
        "applyCarriage": 50,
        "applyReason": "缺货",
        "orderEntryIdList": [7],
        "gmtModified": "20260101100000000+0800",
    }
    platform.answers[REFUNDS] = wrapped({"opOrderRefundModels": [row, {"refundId": "TQ2"}], "totalCount": 2})
    page = await api.list_modified(Stream.REFUNDS_1688, 0, RECEIVED_AT, 1)
    (fact,) = page.facts
    assert fact.content == RefundSeen("TQ1", word="waitselleragree", amount=1300, line_ids=("7",), reason="缺货")
    assert fact.key.order_id == ORDER_ID
    assert len(page.unreadable) == 1
    assert platform.calls(REFUNDS)[0]["currentPageNum"] == "0"


async def test_failed_pushes_are_read_without_confirming_and_confirmed_by_id(
    platform: OpenPlatform, api: Alibaba1688Client
) -> None:
    data = {"orderId": int(ORDER_ID), "currentStatus": "success", "msgSendTime": "2026-01-01 10:00:00"}
    rows = [
        {"msgId": 11, "type": "ORDER_BUYER_VIEW_ORDER_SUCCESS", "gmtBorn": RECEIVED_AT, "data": data},
        {"msgId": "12", "type": "PRODUCT_PFT_OFFER_QUIT", "data": {"offerId": 1}},
    ]
    platform.answers[QUEUE] = {"pushMessagePage": {"datas": rows, "totalCount": 2}}
    platform.answers[CONFIRM] = {"isSuccess": True}
    found = await api.failed_messages()
    assert [fact.message_id for fact in found.facts] == ["11"]
    assert len(found.unreadable) == 1
    assert found.message_ids == ("11", "12")
    assert platform.calls(CONFIRM) == []
    await api.confirm_messages(found.message_ids)
    assert msgspec.json.decode(platform.calls(CONFIRM)[0]["msgIdList"]) == [11, 12]
    assert "access_token" not in platform.calls(CONFIRM)[0], "these operations need no user"


async def test_a_payment_names_its_amount_and_is_sent_once(platform: OpenPlatform, api: Alibaba1688Client) -> None:
    platform.answers[PREPARE] = wrapped({"payChannel": "alipay", "paySuccess": True})
    assert (await api.pay(ON_1688, ORDER_ID, 12_300)).outcome is EffectOutcome.DONE
    (form,) = platform.calls(PREPARE)
    sent = msgspec.json.decode(form["tradeWithholdPreparePayParam"])
    assert (sent["orderId"], sent["payAmount"], sent["payChannel"]) == (int(ORDER_ID), 12_300, "alipay")


UNCLEAR = [
    wrapped({"payChannel": "alipay", "paySuccess": False}),
    {"result": {"success": False, "code": "x", "message": "failed"}},
    (502, {}),
    (400, {"error_code": "gw.QosAppFrequencyLimit"}),
    (401, {"error_code": "401"}),
    {},
]


@pytest.mark.parametrize("answer", UNCLEAR)
async def test_whatever_is_no_plain_yes_is_unclear_and_never_repeated(
    platform: OpenPlatform, api: Alibaba1688Client, answer: Any
) -> None:
    platform.answers[PREPARE] = answer
    assert (await api.pay(ON_1688, ORDER_ID, 1)).outcome is EffectOutcome.UNCLEAR
    assert len(platform.calls(PREPARE)) == 1
    assert platform.calls(LINK) == [], "a link is not asked for where money may have moved"


@pytest.mark.parametrize("half", [{"bindingStatus": "false"}, {"signedStatus": "false"}, {"signedStatus": None}])
async def test_without_a_whole_agreement_a_person_gets_the_link(
    platform: OpenPlatform, api: Alibaba1688Client, half: dict[str, Any]
) -> None:
    platform.answers[AGREEMENT] = agreements(SIGNED | half)
    url = f"https://trade.1688.com/order/cashier.htm?orderId={ORDER_ID}"
    platform.answers[LINK] = {"success": True, "payUrl": url}
    answer = await api.pay(ON_1688, ORDER_ID, 1)
    assert (answer.outcome, answer.pay_url) == (EffectOutcome.NEEDS_PERSON, url)
    assert platform.calls(PREPARE) == []


@pytest.mark.parametrize("url", ["https://evil.example/1688.com", "http://trade.1688.com/x", "javascript:1", None])
async def test_a_link_to_anywhere_else_is_not_given_to_people(
    platform: OpenPlatform, api: Alibaba1688Client, url: str | None
) -> None:
    platform.answers[AGREEMENT] = agreements()
    platform.answers[LINK] = {"success": True, "payUrl": url}
    with pytest.raises(NotSentError, match="no link to pay"):
        await api.pay(ON_1688, ORDER_ID, 1)


async def test_what_fails_before_the_payment_was_not_sent(platform: OpenPlatform, api: Alibaba1688Client) -> None:
    platform.answers[AGREEMENT] = (400, {"error_code": "gw.APIACLDecline"})
    with pytest.raises(NotSentError):
        await api.pay(ON_1688, ORDER_ID, 1)
    assert platform.calls(PREPARE) == []


async def test_similar_articles_by_picture(platform: OpenPlatform, api: Alibaba1688Client) -> None:
    platform.answers["product.image.upload"] = {"result": {"success": "true", "code": "200", "result": "4711"}}
    row = {"offerId": 610, "subject": "杯子", "subjectTrans": "Cup", "priceInfo": {"price": "12.30"}}
    row |= {"monthSold": 900, "repurchaseRate": "15%", "imageUrl": "https://cbu01.alicdn.com/1.jpg"}
    platform.answers["product.search.imageQuery"] = wrapped({"data": [row, {}], "totalRecords": 2})
    (offer,) = await api.find_similar(f"{platform.url}/image/1.jpg", 5)
    assert (offer.offer_id, offer.title, offer.price, offer.sold_monthly) == ("610", "Cup", 1230, 900)
