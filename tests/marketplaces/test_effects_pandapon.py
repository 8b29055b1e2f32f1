"""Effects through PandaPon and Xport: what leaves, how often, and which answers are definite."""

from typing import Any

import msgspec
import pytest

from tests.marketplaces.examples import ORDER_ID, OTHER_ORDER_ID, TAOBAO_ORDER_ID
from tests.marketplaces.servers import PAY_HOSTS, Answer, Scripted, at, envelope
from worker.catalogue.operation import Dialect
from worker.domain.identity import Platform
from worker.marketplaces.pandapon.client import PandaPonClient
from worker.marketplaces.port import Ability, EffectAnswer, EffectOutcome, NotSentError

ON_1688, ON_TAOBAO = Platform.ALIBABA_1688, Platform.TAOBAO
DONE, UNCLEAR, REJECTED = EffectOutcome.DONE, EffectOutcome.UNCLEAR, EffectOutcome.REJECTED
LINK = f"https://{PAY_HOSTS[0]}/cashier?id=1"
LINE_ID = "3300000000000000011"
TAOBAO = {
    "taobao.order.detail": "/open/order/detail",
    "taobao.order.pay": "/open/order/pay",
    "taobao.order.cancel": "/open/order/cancel",
}
NO_ANSWERS = [
    Answer(502, b"{}"),
    Answer(200, b"<html>"),
    Answer(429, b"{}"),
    Answer(302, b""),
    Answer(200, b'{"code":50010,"msg":"failed"}'),
    Answer(200, b'{"code":40400,"msg":"no such order"}'),
    Answer(200, b'{"code":40100}'),
    Answer(200, b"{}"),
]
"""Whatever they say: none of them proves that money did not move."""


def sent(scripted: Scripted) -> dict[str, Any]:
    (asked,) = scripted.asked
    found: dict[str, Any] = msgspec.json.decode(asked.body)
    return found


async def confirm(api: PandaPonClient) -> EffectAnswer:
    return await api.confirm_receipt(ON_1688, ORDER_ID, [LINE_ID])


# Receipts


@pytest.mark.parametrize("answer", [*NO_ANSWERS, envelope({"success": False, "errorCode": "4003"}), envelope(None)])
async def test_a_receipt_that_is_not_plainly_confirmed_is_unclear(scripted: Scripted, answer: Answer) -> None:
    scripted.says(answer)
    async with at(scripted) as api:
        assert (await confirm(api)).outcome is UNCLEAR
    assert len(scripted.asked) == 1


@pytest.mark.parametrize("said", ["true", 1, "SUCCESS"])
async def test_a_success_in_another_form_is_none(scripted: Scripted, said: Any) -> None:
    scripted.says(envelope({"success": said}))
    async with at(scripted) as api:
        assert (await confirm(api)).outcome is UNCLEAR


@pytest.mark.parametrize("lines", [[], ["x"], [LINE_ID, "12a"]])
async def test_receipt_is_only_confirmed_of_lines_that_can_be_named(scripted: Scripted, lines: list[str]) -> None:
    async with at(scripted) as api:
        with pytest.raises(NotSentError):
            await api.confirm_receipt(ON_1688, ORDER_ID, lines)
        with pytest.raises(NotSentError, match="taobao"):
            await api.confirm_receipt(ON_TAOBAO, ORDER_ID, [LINE_ID])
    assert scripted.asked == []


async def test_receipt_is_confirmed_by_line_with_exact_ids(scripted: Scripted) -> None:
    scripted.says(envelope({"success": True, "errorInfo": None, "errorCode": None}))
    async with at(scripted) as api:
        assert (await confirm(api)).outcome is DONE
    assert scripted.asked[0].path == "/alibaba/order/receivegoods"
    assert sent(scripted) == {"orderId": int(ORDER_ID), "orderEntryIds": [int(LINE_ID)]}


# Cancelling


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (envelope(True), DONE),
        (envelope(False), UNCLEAR),
        (envelope({"success": True}), UNCLEAR),
        (envelope(None, code=40900), REJECTED),
        (envelope(None, code=40400), REJECTED),
        (envelope(None, code=50000), UNCLEAR),
        (envelope(None, code=40100), UNCLEAR),
        (envelope(None, code=42900), UNCLEAR),
        (Answer(502, b"{}"), UNCLEAR),
    ],
)
async def test_what_an_answer_to_a_cancellation_means(
    scripted: Scripted, answer: Answer, outcome: EffectOutcome
) -> None:
    scripted.says(answer)
    async with at(scripted) as api:
        assert (await api.cancel(ON_1688, ORDER_ID, "not wanted any more")).outcome is outcome
    assert sent(scripted) == {
        "webSite": "1688",
        "orderId": int(ORDER_ID),
        "cancelReason": "buyerCancel",
        "remark": "not wanted any more",
    }


async def test_refusals_are_no_longer_definite_where_the_account_says_so(scripted: Scripted) -> None:
    scripted.says(envelope(None, code=40900))
    async with at(scripted, definite_refusals=False) as api:
        assert (await api.cancel(ON_1688, ORDER_ID, "x")).outcome is UNCLEAR


# Payments of several orders

YES: dict[str, Any] = {"protocolPaySuccess": True, "payUrl": None, "cantPayOrderList": []}
ROWS = [YES | {"orderId": ORDER_ID}, {"orderId": OTHER_ORDER_ID, "protocolPaySuccess": False, "payUrl": LINK}]


async def test_each_order_of_a_submission_has_an_answer_of_its_own(scripted: Scripted) -> None:
    scripted.says(envelope([*ROWS, YES | {"orderId": "5"}]))
    async with at(scripted, pay_batch_size=4) as api:
        assert api.pay_batch_size == 4
        answers = await api.pay_many(ON_1688, [ORDER_ID, OTHER_ORDER_ID, "7"])
    outcomes = [answers[order_id].outcome for order_id in (ORDER_ID, OTHER_ORDER_ID, "7")]
    assert outcomes == [DONE, EffectOutcome.NEEDS_PERSON, UNCLEAR]
    assert answers[OTHER_ORDER_ID].pay_url == LINK
    assert "5" not in answers
    assert sent(scripted) == {"orderIds": [ORDER_ID, OTHER_ORDER_ID, "7"]}


@pytest.mark.parametrize(
    "data", [None, True, [], {}, YES, [YES], [YES | {"orderId": ORDER_ID}] * 2, "ok", {"orderId": ORDER_ID}]
)
async def test_a_submission_whose_answer_does_not_name_the_order_once_is_unclear(scripted: Scripted, data: Any) -> None:
    scripted.says(envelope(data))
    async with at(scripted, pay_batch_size=4) as api:
        answers = await api.pay_many(ON_1688, [ORDER_ID, OTHER_ORDER_ID])
    assert {answer.outcome for answer in answers.values()} == {UNCLEAR}


@pytest.mark.parametrize("answer", NO_ANSWERS)
async def test_a_submission_that_fails_leaves_every_order_in_doubt(scripted: Scripted, answer: Answer) -> None:
    scripted.says(answer)
    async with at(scripted, pay_batch_size=4) as api:
        answers = await api.pay_many(ON_1688, [ORDER_ID, OTHER_ORDER_ID])
    assert [(order_id, answer.outcome) for order_id, answer in answers.items()] == [
        (ORDER_ID, UNCLEAR),
        (OTHER_ORDER_ID, UNCLEAR),
    ]
    assert len(scripted.asked) == 1


@pytest.mark.parametrize(
    ("platform", "orders"),
    [(ON_1688, []), (ON_1688, ["1", "2", "3"]), (ON_1688, ["1", "1"]), (ON_TAOBAO, ["1"])],
)
async def test_what_cannot_be_submitted_does_not_leave(
    scripted: Scripted, platform: Platform, orders: list[str]
) -> None:
    async with at(scripted, pay_batch_size=2) as api:
        with pytest.raises(NotSentError):
            await api.pay_many(platform, orders)
    assert scripted.asked == []


async def test_submissions_are_off_unless_the_account_says_how_many(scripted: Scripted) -> None:
    async with at(scripted) as api, at(scripted, Dialect.XPORT, pay_batch_size=5) as xport:
        assert (api.pay_batch_size, xport.pay_batch_size) == (1, 1)


# Taobao

OWN = {"purchaseId": int(TAOBAO_ORDER_ID), "salesOrderId": "77", "status": "WAIT_BUYER_P"}


async def test_without_a_path_nothing_is_paid_or_cancelled_on_taobao(scripted: Scripted) -> None:
    async with at(scripted) as api:
        for effect in (api.pay(ON_TAOBAO, TAOBAO_ORDER_ID, 1), api.cancel(ON_TAOBAO, TAOBAO_ORDER_ID, "x")):
            with pytest.raises(NotSentError, match="nobody knows the path"):
                await effect
        assert not api.can(ON_TAOBAO, Ability.PAY)
    assert scripted.asked == []


@pytest.mark.parametrize(
    "order", [OWN | {"purchaseId": 9}, {"salesOrderId": TAOBAO_ORDER_ID}, {"id": TAOBAO_ORDER_ID}, None, []]
)
async def test_an_order_moves_no_money_under_its_other_name(scripted: Scripted, order: Any) -> None:
    """Pushes and lists may name one order by two ids: it could be paid under each."""
    scripted.says(envelope(order))
    async with at(scripted, paths=TAOBAO) as api:
        with pytest.raises(NotSentError, match="own id"):
            await api.pay(ON_TAOBAO, TAOBAO_ORDER_ID, 1)
        with pytest.raises(NotSentError, match="own id"):
            await api.cancel(ON_TAOBAO, TAOBAO_ORDER_ID, "x")
    assert {asked.path for asked in scripted.asked} == {"/open/order/detail"}


async def test_a_read_that_fails_before_the_payment_stops_it(scripted: Scripted) -> None:
    scripted.says(envelope(None, code=40400))
    async with at(scripted, paths=TAOBAO) as api:
        with pytest.raises(NotSentError, match="read that tells"):
            await api.pay(ON_TAOBAO, TAOBAO_ORDER_ID, 1)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"willPayPurchaseOrderIds": [int(TAOBAO_ORDER_ID)], "payFailurePurchaseOrderIds": []}, "accepted"),
        ({"will_pay_purchase_order_ids": [TAOBAO_ORDER_ID]}, "accepted"),
        ({"payFailurePurchaseOrderIds": [TAOBAO_ORDER_ID]}, "failed"),
        ({"willPayPurchaseOrderIds": [TAOBAO_ORDER_ID], "payFailurePurchaseOrderIds": [TAOBAO_ORDER_ID]}, "failed"),
        (None, "not named"),
    ],
)
async def test_a_taobao_payment_is_settled_by_reads_alone(scripted: Scripted, data: Any, said: str) -> None:
    scripted.says(envelope(OWN), envelope(data))
    async with at(scripted, paths=TAOBAO) as api:
        assert api.can(ON_TAOBAO, Ability.PAY)
        answer = await api.pay(ON_TAOBAO, TAOBAO_ORDER_ID, 6_590)
    assert answer.outcome is UNCLEAR
    assert said in answer.reason
    assert msgspec.json.decode(scripted.asked[1].body) == {"purchaseOrderIdList": [TAOBAO_ORDER_ID]}
    assert len(scripted.asked) == 2


@pytest.mark.parametrize(("data", "accepted"), [(True, True), ({"success": True}, True), (False, False), (None, False)])
async def test_a_taobao_cancellation_is_only_accepted(scripted: Scripted, data: Any, *, accepted: bool) -> None:
    scripted.says(envelope(OWN), envelope(data))
    async with at(scripted, paths=TAOBAO) as api:
        answer = await api.cancel(ON_TAOBAO, TAOBAO_ORDER_ID, "too late")
    assert (answer.outcome, answer.detail) == (UNCLEAR, {"accepted": accepted})
    wanted = {"purchaseId": TAOBAO_ORDER_ID, "cancelReason": "buyerCancel", "cancelRemark": "too late"}
    assert msgspec.json.decode(scripted.asked[1].body) == wanted


async def test_an_account_says_which_effects_it_has(scripted: Scripted) -> None:
    async with at(scripted, paths=TAOBAO) as api, at(scripted, Dialect.XPORT) as xport:
        assert {one for one in Ability if api.can(ON_1688, one)} == set(Ability)
        assert {one for one in Ability if api.can(ON_TAOBAO, one)} == set(Ability) - {Ability.CONFIRM_RECEIPT}
        assert {one for one in Ability if xport.can(ON_1688, one)} == {Ability.PAY}
        with pytest.raises(NotSentError, match="no operation"):
            await confirm(xport)
    assert scripted.asked == []
