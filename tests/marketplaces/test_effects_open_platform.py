"""Effects at the 1688 open platform: three tries at most, definite refusals by code, links for people."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from tests.marketplaces.examples import ORDER_ID, RECEIVED_AT
from tests.marketplaces.open_platform import OpenPlatform, buyer, open_platform
from worker.domain.identity import Platform
from worker.marketplaces.alibaba1688.client import Alibaba1688Client
from worker.marketplaces.port import (
    Ability,
    EffectOutcome,
    FreightQuestion,
    FreightService,
    NotSentError,
    Receiver,
    UnsupportedError,
)

ON_1688 = Platform.ALIBABA_1688
AGREEMENT, PREPARE = "alibaba.trade.pay.protocolPay.isopen", "alibaba.trade.pay.protocolPay.preparePay"
LINK, CONFIRM, CANCEL = "alibaba.alipay.url.get", "trade.receivegoods.confirm", "alibaba.trade.cancel"
CASHIER = f"https://trade.1688.com/order/cashier.htm?orderId={ORDER_ID}"
SIGNED = {"payChannel": "ALIPAY", "bindingStatus": "true", "signedStatus": "true"}
LINE_ID = "3300000000000000011"
THROTTLED = (400, {"error_code": "gw.QosAppFrequencyLimit", "error_message": "App call exceeds limited frequency"})


@pytest.fixture
async def platform() -> AsyncIterator[OpenPlatform]:
    async with open_platform() as found:
        found.answers[AGREEMENT] = {"result": {"success": "true", "result": {"paymentAgreements": [SIGNED]}}}
        found.answers[PREPARE] = {"result": {"success": "true", "result": {"payChannel": "alipay", "paySuccess": True}}}
        found.answers[LINK] = {"success": True, "payUrl": CASHIER}
        yield found


@pytest.fixture
async def api(platform: OpenPlatform) -> AsyncIterator[Alibaba1688Client]:
    async with buyer(platform.url, RECEIVED_AT) as made:
        yield made


async def test_each_attempt_has_a_name_that_stays_its_own(platform: OpenPlatform, api: Alibaba1688Client) -> None:
    for attempt in (1, 2, 2, 3):
        await api.pay(ON_1688, ORDER_ID, 12_300, attempt=attempt)
    params = [msgspec.json.decode(form["tradeWithholdPreparePayParam"]) for form in platform.calls(PREPARE)]
    first, second, again, third = (param["opRequestId"] for param in params)
    assert second == again
    assert len({first, second, third}) == 3
    assert {param["payAmount"] for param in params} == {12_300}


async def test_after_three_tries_a_person_pays(platform: OpenPlatform, api: Alibaba1688Client) -> None:
    answer = await api.pay(ON_1688, ORDER_ID, 12_300, attempt=4)
    assert (answer.outcome, answer.pay_url) == (EffectOutcome.NEEDS_PERSON, CASHIER)
    assert platform.calls(PREPARE) == []


@pytest.mark.parametrize(
    "link",
    [
        "https://trade.1688.com.evil.example/x",
        "https://evil1688.com/x",
        "https://evil.example\\@trade.1688.com/x",
        "https://trade.1688.com:444/x",
        "https://user@trade.1688.com/x",
        "http://trade.1688.com/x",
        "https://" + "a" * 3_000 + ".1688.com/",
        "https://trade.1688.com/x\nhttps://evil.example",
        "https://trade.1688.c\u043em/x",
        "",
    ],
)
async def test_a_link_that_leads_elsewhere_is_not_shown(
    platform: OpenPlatform, api: Alibaba1688Client, link: str
) -> None:
    platform.answers[LINK] = {"success": True, "payUrl": link}
    with pytest.raises(NotSentError, match="pay_hosts"):
        await api.pay(ON_1688, ORDER_ID, 1, attempt=4)


@pytest.mark.parametrize("failed", [[int(ORDER_ID)], [{"orderId": ORDER_ID}]])
async def test_a_link_that_leaves_the_order_out_is_none(
    platform: OpenPlatform, api: Alibaba1688Client, failed: list[Any]
) -> None:
    platform.answers[LINK] = {"success": True, "payUrl": CASHIER, "payFailureOrderList": failed}
    with pytest.raises(NotSentError):
        await api.pay(ON_1688, ORDER_ID, 1, attempt=4)


@pytest.mark.parametrize("answer", [THROTTLED, (401, {"error_code": "401"}), (400, {"error_code": "gw.APIACLDecline"})])
async def test_no_failure_of_money_is_definite(platform: OpenPlatform, api: Alibaba1688Client, answer: Any) -> None:
    platform.answers |= {PREPARE: answer, CONFIRM: answer}
    assert (await api.pay(ON_1688, ORDER_ID, 1)).outcome is EffectOutcome.UNCLEAR
    assert (await api.confirm_receipt(ON_1688, ORDER_ID, [LINE_ID])).outcome is EffectOutcome.UNCLEAR
    assert (len(platform.calls(PREPARE)), len(platform.calls(CONFIRM))) == (1, 1)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ({"result": {"success": True, "errorInfo": "", "errorCode": ""}}, EffectOutcome.DONE),
        ({"result": {"success": "true"}}, EffectOutcome.DONE),
        ({"success": True}, EffectOutcome.DONE),
        (
            {"result": {"success": False, "errorInfo": "no such order", "errorCode": "4003"}},
            EffectOutcome.UNCLEAR,
        ),
        ({"result": {}}, EffectOutcome.UNCLEAR),
        ({}, EffectOutcome.UNCLEAR),
        ((502, {}), EffectOutcome.UNCLEAR),
    ],
)
async def test_receipt_is_confirmed_by_line(
    platform: OpenPlatform, api: Alibaba1688Client, answer: Any, outcome: EffectOutcome
) -> None:
    platform.answers[CONFIRM] = answer
    assert (await api.confirm_receipt(ON_1688, ORDER_ID, [LINE_ID, "12"])).outcome is outcome
    (form,) = platform.calls(CONFIRM)
    assert (form["orderId"], form["orderEntryIds"]) == (ORDER_ID, f"[{LINE_ID},12]")


@pytest.mark.parametrize("lines", [[], ["x"]])
async def test_receipt_of_nothing_is_not_confirmed(
    platform: OpenPlatform, api: Alibaba1688Client, lines: list[str]
) -> None:
    with pytest.raises(NotSentError):
        await api.confirm_receipt(ON_1688, ORDER_ID, lines)
    assert platform.asked == []


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ({"success": True}, EffectOutcome.DONE),
        ({"success": False, "errorCode": "ORDER_STATUS_ERROR", "errorMessage": "paid"}, EffectOutcome.REJECTED),
        ({"success": False, "errorCode": "ORDER_NOT_EXIST"}, EffectOutcome.REJECTED),
        ({"success": "false", "errorCode": "400_3"}, EffectOutcome.REJECTED),
        ((400, {"error_code": "gw.APIACLDecline"}), EffectOutcome.REJECTED),
        ({"success": False, "errorCode": "SYSTEM_ERROR"}, EffectOutcome.UNCLEAR),
        ({"success": False}, EffectOutcome.UNCLEAR),
        ({}, EffectOutcome.UNCLEAR),
        ((502, {}), EffectOutcome.UNCLEAR),
        ((401, {"error_code": "401"}), EffectOutcome.UNCLEAR),
    ],
)
async def test_a_cancellation_is_refused_by_the_documented_codes_alone(
    platform: OpenPlatform, api: Alibaba1688Client, answer: Any, outcome: EffectOutcome
) -> None:
    platform.answers[CANCEL] = answer
    assert (await api.cancel(ON_1688, ORDER_ID, "not wanted")).outcome is outcome
    (form,) = platform.calls(CANCEL)
    assert (form["webSite"], form["tradeID"], form["cancelReason"]) == ("1688", ORDER_ID, "buyerCancel")
    assert form["remark"] == "not wanted"


@pytest.mark.parametrize("answer", [{"success": False, "errorCode": "CLOSE_ORDER_TOO_FAST"}, THROTTLED])
async def test_a_cancellation_that_came_too_early_may_be_tried_later(
    platform: OpenPlatform, api: Alibaba1688Client, answer: Any
) -> None:
    platform.answers[CANCEL] = answer
    with pytest.raises(NotSentError, match="not now"):
        await api.cancel(ON_1688, ORDER_ID, "not wanted")
    assert len(platform.calls(CANCEL)) == 1


async def test_what_the_open_platform_has_not_is_not_sent(platform: OpenPlatform, api: Alibaba1688Client) -> None:
    assert {one for one in Ability if api.can(ON_1688, one)} == {Ability.PAY, Ability.CONFIRM_RECEIPT, Ability.CANCEL}
    assert not any(api.can(Platform.TAOBAO, one) for one in Ability)
    assert api.pay_batch_size == 1
    question = FreightQuestion(ON_1688, ORDER_ID, Receiver("x", "US", "y"), FreightService("1", "a", "b"), ())
    refused = (
        api.pay_many(ON_1688, [ORDER_ID]),
        api.pay(Platform.TAOBAO, ORDER_ID, 1),
        api.cancel(Platform.TAOBAO, ORDER_ID, "x"),
        api.confirm_receipt(Platform.TAOBAO, ORDER_ID, ["1"]),
        api.update_domestic_logistics(ON_1688, ORDER_ID, [], []),
        api.book_international(question, "FF1"),
    )
    for effect in refused:
        with pytest.raises(NotSentError):
            await effect
    with pytest.raises(UnsupportedError):
        await api.preview_freight(question)
    assert platform.asked == []
