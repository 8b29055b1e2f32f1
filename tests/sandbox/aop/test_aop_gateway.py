"""Who gets in at the open platform, in which order that is checked, and what a refusal looks like."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from tests.sandbox.aop.caller import OpenStage
from tests.sandbox.stage import always, exact
from worker.catalogue.operation import Dialect, Form
from worker.catalogue.tables import operations_of
from worker.sandbox.aop.actions import ACTIONS
from worker.sandbox.aop.shapes import SHAPES
from worker.sandbox.aop.signature import SIGNATURE, signed
from worker.sandbox.faults import CallFaults, Fault

OPERATIONS = operations_of(Dialect.ALIBABA1688)
DETAIL = "1688.order.detail"
EXAMPLES: dict[str, Any] = {
    "webSite": "1688",
    "addressParam": {"fullName": "甲"},
    "cargoParamList": [{"offerId": 1}],
    "tradeWithholdPreparePayParam": {"orderId": 1},
    "input": {"orderId": 1},
    "offerQueryParam": {"imageId": "1"},
    "uploadImageParam": {"imageBase64": "AA=="},
}


@pytest.fixture
def stage() -> OpenStage:
    stage = OpenStage(orders=5)
    stage.begin()
    return stage


def required(operation: Any) -> list[str]:
    """Required parameters of the call itself."""
    return [field.path for field in operation.request if field.required and "." not in field.path]


def test_every_operation_has_an_action_and_a_shape() -> None:
    names = {operation.name for operation in OPERATIONS}
    assert len(names) == 38
    assert names == set(ACTIONS) == set(SHAPES)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
async def test_each_required_parameter_that_is_missing_is_named(stage: OpenStage, operation: Any) -> None:
    wanted = required(operation)
    for missing in wanted:
        given = {name: EXAMPLES.get(name, "1") for name in wanted if name != missing}
        answer = await stage.send(operation.name, **given)
        assert answer.status_code == 400
        envelope = answer.json()
        assert envelope["error_code"] == "gw.ParamMissing"
        assert envelope["error_message"].endswith(f": {missing}")


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
async def test_every_operation_says_no_without_falling_over(stage: OpenStage, operation: Any) -> None:
    for word in ("1", "[]", "{}", "-1", "纸", "null", "[{}]", '{"orderId": true}'):
        given: dict[str, Any] = dict.fromkeys(required(operation), word)
        answer = await stage.send(operation.name, **given)
        assert answer.status_code in (200, 400, 401)
        assert answer.json() is not None


def test_the_signature_is_the_manuals_own() -> None:
    path = "param2/1/system/currentTime/1000000"
    assert signed({"a": "1", "b": "2"}, "test123", path) == "33E54F4F7B989E3E0E912D3FBD2F1A03CA7CCE88"
    assert signed({"message": '{"a":1}'}, "test123") == "FC52FBC8B0E9CEE4D4B0111BE3FBC445F5D4E912"


def test_the_joined_pairs_are_sorted_not_the_keys() -> None:
    assert signed({"a": "z", "a0": "1"}, "s") == signed({"a0": "1", "a": "z"}, "s")
    by_keys = signed({"both": "aza01"}, "s")
    assert signed({"a": "z", "a0": "1"}, "s") != by_keys


async def test_the_checks_come_in_the_order_of_the_live_gateway(stage: OpenStage) -> None:
    """Each of these calls is wrong in everything that comes after the check that stops it, too."""
    await stage.steer("permissions", {"denied": [DETAIL]})
    key = stage.sandbox.config.access_key
    nowhere = await stage.client.post(f"/openapi/param2/1/com.alibaba.trade/no.such.api/{key}")
    assert (nowhere.status_code, nowhere.json()["error_code"]) == (400, "gw.APIUnsupported")
    assert await stage.refused(DETAIL, token="wrong", changes={SIGNATURE: "0" * 40}) == (400, "gw.SignatureInvalid")
    assert await stage.refused(DETAIL, token="wrong") == (401, "401")
    assert await stage.refused(DETAIL, token=None) == (401, "401")
    assert await stage.refused(DETAIL) == (400, "gw.APIACLDecline")
    await stage.steer("permissions", {"denied": []})
    assert await stage.refused(DETAIL) == (400, "gw.ParamMissing")


async def test_an_unknown_app_and_a_missing_signature_are_refused(stage: OpenStage) -> None:
    answer = await stage.client.post("/openapi/param2/1/system/currentTime/77")
    assert answer.json()["error_message"] == "Invalid appKey, unsport appKey: 77"
    assert await stage.refused("system.time", changes={SIGNATURE: ""}) == (400, "gw.SignatureInvalid")


async def test_every_parameter_is_signed_and_the_case_of_the_digits_does_not_count(stage: OpenStage) -> None:
    given = {"webSite": "1688", "orderId": stage.orders[0].order_id}
    assert await stage.refused(DETAIL, **given, changes={"orderId": "1"}) == (400, "gw.SignatureInvalid")
    assert await stage.refused(DETAIL, **given, changes={"more": "1"}) == (400, "gw.SignatureInvalid")
    path = f"/openapi/param2/1/system/currentTime/{stage.sandbox.config.access_key}"
    signature = signed({}, stage.sandbox.config.access_secret, path.removeprefix("/openapi/"))
    answer = await stage.client.get(path, params={SIGNATURE: signature.lower()})
    assert answer.json() == stage.clock.ms, "a read works with GET, too"


@pytest.mark.parametrize(("off_ms", "passes"), [(0, True), (900_000, True), (-900_001, False), (900_001, False)])
async def test_a_timestamp_counts_only_where_it_was_sent(stage: OpenStage, off_ms: int, passes: bool) -> None:  # noqa: FBT001
    answer = await stage.send("system.time", _aop_timestamp=str(stage.clock.ms + off_ms))
    assert (answer.status_code == 200) is passes
    assert passes or answer.json()["error_message"] == "Request is expired."
    assert (await stage.send("system.time")).status_code == 200


async def test_an_unconfirmed_operation_can_be_switched_off() -> None:
    stage = OpenStage(orders=0, aop={"unconfirmed_apis": False})
    assert await stage.refused("1688.goods.image_search_direct") == (400, "gw.APIUnsupported")


async def test_what_comes_too_fast_is_refused_with_http_400_and_logged() -> None:
    stage = OpenStage(orders=0, rate_per_s=1.0, burst=3)
    answers = [(await stage.send("system.time")).status_code for _ in range(5)]
    assert answers == [200, 200, 200, 400, 400]
    assert await stage.refused("system.time") == (400, "gw.QosAppFrequencyLimit")
    stage.advance(2)
    assert (await stage.send("system.time")).status_code == 200
    log = (await stage.client.get("/_sandbox/calls")).json()["calls"]
    assert [row["outcome"] for row in log] == ["ok"] * 3 + ["throttled"] * 3 + ["ok"]


async def test_a_permission_for_what_does_not_exist_is_a_mistake(stage: OpenStage) -> None:
    answer = await stage.client.post("/_sandbox/aop/permissions", json={"denied": ["1688.order.eat"]})
    assert (answer.status_code, "1688.order.eat" in answer.json()["error"]) == (400, True)


FAULTS = [(Fault.ERROR, 502), (Fault.THROTTLED, 400), (Fault.THROTTLED_429, 429), (Fault.LATE_ERROR, 504)]


@pytest.mark.parametrize(("fault", "status"), FAULTS)
async def test_faults_are_told_in_this_gateways_words(stage: OpenStage, fault: Fault, status: int) -> None:
    stage.sandbox.faults = CallFaults(1, always(fault))
    answer = await stage.send(DETAIL, webSite="1688", orderId=stage.orders[0].order_id)
    assert answer.status_code == status
    if fault is Fault.THROTTLED:
        assert answer.json()["error_code"] == "gw.QosAppFrequencyLimit"


async def test_a_file_part_is_left_out_of_the_signature(stage: OpenStage) -> None:
    files = [one for one in OPERATIONS if one.form is Form.MULTIPART]
    assert len(files) == 2
    for operation in files:
        (name,) = required(operation)
        path = f"{operation.paths['aop']}/{stage.sandbox.config.access_key}"
        form = {"access_token": stage.sandbox.config.aop.access_token}
        form[SIGNATURE] = signed(form, stage.sandbox.config.access_secret, path.removeprefix("/openapi/"))
        answer = await stage.client.post(path, data=form, files={name: ("a.jpg", b"\xff\xd8\xff\xd9")})
        assert answer.status_code == 200, answer.text
        assert exact.decode(answer.content)["result"]


async def test_a_body_that_is_no_form_or_too_large_is_refused(stage: OpenStage) -> None:
    path = f"/openapi/param2/1/system/currentTime/{stage.sandbox.config.access_key}"
    for body in (b"\xff\xfe", b"a=" + b"x" * 5_000_000):
        answer = await stage.client.post(path, content=body)
        assert (answer.status_code, answer.json()["error_code"]) == (400, "gw.RequestInvalid")


async def test_the_control_pages_answer_this_machine_alone(stage: OpenStage) -> None:
    from worker.sandbox import create_app

    transport = httpx2.ASGITransport(create_app(stage.sandbox), client=("10.1.2.3", 1))
    async with httpx2.AsyncClient(transport=transport, base_url="http://sandbox.invalid") as client:
        assert (await client.get("/_sandbox/aop")).status_code == 403
