"""The suite against APIs that are not what the catalogue says: each lie is found, and none is invented."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from tests.conformance.stage import account, asked, finding
from tests.marketplaces.examples import ORDER_ID, dump, order_1688
from worker.catalogue.operation import Dialect, EffectClass
from worker.catalogue.tables import operations_of
from worker.conformance.findings import FieldState, Report, State
from worker.conformance.suite import NOT_THERE
from worker.conformance.table import markdown
from worker.sandbox import sign
from worker.sandbox.port import Port

Answer = tuple[int, Any]
DETAIL, LIST = "/alibaba/order/detail", "/v2/alibaba/order/page"
EFFECTS = {one.name for one in operations_of(Dialect.PANDAPON) if one.effect is not EffectClass.SAFE_READ}


class Api:
    """A PandaPon of a test's own: strict about signatures unless told otherwise, with a list and a detail."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[str] = []
        self.checks_signatures = True
        self.answers: dict[str, Callable[[], Answer]] = {
            DETAIL: lambda: (200, success(order_1688())),
            LIST: lambda: (
                200,
                success({"totalRecords": 1, "totalPage": 1, "pageSize": 20, "currentPage": 1, "data": [order_1688()]}),
            ),
        }

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        while (await receive()).get("more_body", False):
            pass
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.asked.append(scope["path"])
        signed = sign(
            headers.get("access-key", ""), headers.get("timestamp", ""), headers.get("nonce-str", ""), "sandbox-secret"
        )
        status, answer = self._answer(scope["path"], trusted=headers.get("signature") == signed)
        body = answer if isinstance(answer, bytes) else dump(answer)
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": body})

    def _answer(self, path: str, *, trusted: bool) -> Answer:
        if path not in self.answers:
            return 404, b"Not Found"
        if self.checks_signatures and not trusted:
            return 200, {"requestId": "r", "code": 40102, "developId": "1", "msg": "signature", "data": None}
        return self.answers[path]()


def success(data: Any) -> dict[str, Any]:
    return {"requestId": "r", "code": 200, "developId": "1", "msg": "成功", "data": data}


@asynccontextmanager
async def api() -> AsyncIterator[Api]:
    made = Api()
    port = Port(made)
    serving = await port.open()
    made.url = port.url
    yield made
    port.close()
    await serving


async def ask(made: Api, **plan: Any) -> Report:
    return await asked(account(Dialect.PANDAPON, made.url), **plan)


async def test_what_is_as_the_catalogue_says_is_confirmed_and_what_was_seen_is_told() -> None:
    async with api() as made:
        report = await ask(made)
    listed, detail = finding(report, "1688.order.list"), finding(report, "1688.order.detail")
    assert (listed.state, listed.wrong_signature_refused, listed.signature_accepted) == (State.CONFIRMED, True, True)
    assert listed.envelope == "requestId/code/developId/msg/data, HTTP 200"
    assert detail.reached
    assert detail.contradictions == []
    assert "baseInfo.businessType" in detail.others
    assert report.unknown_path_refused is True
    table = markdown(report)
    assert "| `1688.order.list` | documented | confirmed | yes | yes | yes |" in table
    assert {line.count(" | ") for line in table.splitlines() if line.startswith(("| `", "| op"))} == {7}


async def test_no_value_of_an_answer_is_in_the_table() -> None:
    async with api() as made:
        table = markdown(await ask(made))
    assert not [text for text in (ORDER_ID, "13800000000", "someone") if text in table]


async def test_a_documented_path_that_is_not_there_is_a_contradiction_and_an_inferred_one_is_not() -> None:
    async with api() as made:
        report = await ask(made)
    assert finding(report, "taobao.refund.list").contradictions == ["its path is documented, and nothing answers there"]
    assert finding(report, "1688.goods.keyword_search").state is State.NOT_THERE
    assert finding(report, "1688.goods.keyword_search").contradictions == []
    assert "taobao.refund.list: its path is documented, and nothing answers there" in report.contradicted


async def test_a_wrong_signature_that_is_accepted_is_a_contradiction() -> None:
    async with api() as made:
        made.checks_signatures = False
        report = await ask(made)
    listed = finding(report, "1688.order.list")
    assert (listed.state, listed.wrong_signature_refused) == (State.CONTRADICTED, False)
    assert listed.contradictions == ["a wrong signature was accepted"]


async def test_an_api_that_answers_anywhere_proves_nothing_by_answering() -> None:
    first = next(one for one in operations_of(Dialect.PANDAPON) if one.paths and one.effect is EffectClass.SAFE_READ)
    async with api() as made:
        made.answers[f"{next(iter(first.paths.values()))}{NOT_THERE}"] = made.answers[LIST]
        report = await ask(made)
    assert report.unknown_path_refused is False
    assert "proves nothing" in report.contradictions[0]
    assert "**is answered**" in markdown(report)


def changed(change: Callable[[dict[str, Any]], None]) -> Callable[[], Answer]:
    trade = order_1688()
    change(trade)
    return lambda: (200, success(trade))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            lambda trade: trade["baseInfo"].update(totalAmount="free"),
            "baseInfo.totalAmount is text, documented as yuan",
        ),
        (
            lambda trade: trade["baseInfo"].update(discount="1.5"),
            "baseInfo.discount is a decimal number as text, documented as fen",
        ),
        (
            lambda trade: trade["baseInfo"].update(totalAmount=12300),
            "totalAmount is not the sum of itemAmount and shippingFee",
        ),
        (lambda trade: trade.update(productItems={}), "productItems is an object, documented as list"),
        (lambda trade: (trade.clear(), trade.update(order="x")), "none of the documented fields is in the answer"),
    ],
)
async def test_a_documented_field_of_another_kind_or_unit_is_a_contradiction(change: Any, text: str) -> None:
    async with api() as made:
        made.answers[DETAIL] = changed(change)
        detail = finding(await ask(made), "1688.order.detail")
    assert detail.state is State.CONTRADICTED
    assert any(text in one for one in detail.contradictions), detail.contradictions


async def test_a_field_that_is_not_in_this_answer_is_no_contradiction() -> None:
    async with api() as made:
        made.answers[DETAIL] = changed(lambda trade: trade["baseInfo"].pop("payTime"))
        detail = finding(await ask(made), "1688.order.detail")
    assert detail.contradictions == []
    assert "baseInfo.payTime" in [field.path for field in detail.fields if field.state is FieldState.MISSING]
    assert detail.state is State.PARTLY


async def test_an_envelope_that_lacks_a_documented_field_is_a_contradiction() -> None:
    async with api() as made:
        made.answers[DETAIL] = lambda: (200, {"code": 200, "data": order_1688()})
        detail = finding(await ask(made), "1688.order.detail")
    assert detail.contradictions == ["the envelope has no requestId, msg"]


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        ((502, b"<html>bad gateway</html>"), State.UNREACHABLE),
        ((200, b"<html>welcome</html>"), State.UNREACHABLE),
        ((200, {"requestId": "r", "code": 50010, "developId": "1", "msg": "later", "data": None}), State.UNREACHABLE),
        (
            (200, {"requestId": "r", "code": 40400, "developId": "1", "msg": "no such order", "data": None}),
            State.REFUSED,
        ),
        ((200, {"requestId": "r", "code": 40102, "developId": "1", "msg": "signature", "data": None}), State.REFUSED),
    ],
)
async def test_a_refusal_or_a_gateways_page_contradicts_nothing(answer: Answer, state: State) -> None:
    async with api() as made:
        made.answers[DETAIL] = lambda: answer
        detail = finding(await ask(made), "1688.order.detail")
    assert (detail.state, detail.contradictions) == (state, [])


async def test_a_throttled_call_is_asked_again_a_few_times() -> None:
    async with api() as made:
        throttled = {"requestId": "r", "code": 42900, "developId": "1", "msg": "slow down", "data": None}
        ends = iter([(200, throttled), (200, throttled)])
        listed = made.answers[LIST]
        made.answers[LIST] = lambda: next(ends, None) or listed()
        assert finding(await ask(made), "1688.order.list").state is State.CONFIRMED
        made.answers[LIST] = lambda: (200, throttled)
        made.asked.clear()
        report = await ask(made)
    assert finding(report, "1688.order.list").state is State.UNREACHABLE
    assert made.asked.count(LIST) <= 9


async def test_without_effects_nothing_is_sent_that_has_one() -> None:
    async with api() as made:
        report = await ask(made)
    paths = {path for one in operations_of(Dialect.PANDAPON) if one.name in EFFECTS for path in one.paths.values()}
    assert not paths & set(made.asked)
    for name in EFFECTS:
        assert finding(report, name).state is State.NOT_ASKED
        assert finding(report, name).reason in ("has an effect", "nobody knows its path")


async def test_what_the_caller_gives_is_what_is_asked_about() -> None:
    async with api() as made:
        made.answers[LIST] = lambda: (200, success({"totalRecords": 0, "totalPage": 0, "data": []}))
        assert finding(await ask(made), "1688.order.detail").reason == "nothing is known to ask with: orderId"
        assert finding(await ask(made, hints={"orderId": ORDER_ID}), "1688.order.detail").reached


async def test_a_report_is_json_as_well() -> None:
    async with api() as made:
        report = await ask(made)
    whole = msgspec.json.decode(msgspec.json.encode(report))
    assert len(whole["findings"]) == len(operations_of(Dialect.PANDAPON))
    assert whole["findings"][0].keys() >= {"operation", "mark", "state", "contradictions", "fields"}
