"""Whatever a payload looks like: planted secrets and personal data never reach a recording, ids and money always do."""

import json
import unicodedata
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from urllib.parse import quote, unquote_plus, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.marketplaces.examples import CALLBACKS, body_object, dump, order_1688
from tests.marketplaces.mutations import broken, changed, places
from tests.marketplaces.recordings import leaves
from worker.catalogue.operation import Dialect, Operation
from worker.catalogue.tables import OPERATIONS, find
from worker.marketplaces.recording import Exchange, line_of
from worker.marketplaces.redaction import LEFT_OUT, MAX_DEPTH, Redactor

SECRETS = ("sandbox-secret-of-this-account", "5a4db0c0ffee4000a000000000000001", "tok-1234567890-abcdef")
NONCE = "nOnce0123456789nOnce0123456789xy"
PAYLOADS: list[Any] = [order_1688(), *(body_object(name) for name in CALLBACKS)]
PERSONAL_NAMES = [
    "receiver", "receiverInfo", "receiver_address", "toFullName", "toMobile", "mobile_phone", "contactPerson", "phone",
    "detailAddress", "address", "province", "districtCode", "zip", "email", "buyerLoginId", "sellerContact", "taxId",
    "buyerFeedback", "companyContact", "MOBILE", "Mobile-Phone", "warehouseAddress", "imInPlatform",
]  # fmt: skip
PLACE = "place of plant "
SECRET_NAMES = ["signature", "_aop_signature", "access_token", "refreshToken", "client_secret", "nonce-str", "sign"]


def exchange(operation: Operation | None, **changes: Any) -> Exchange:
    given: dict[str, Any] = {
        "operation": operation,
        "effect": False,
        "method": "POST",
        "path": "/alibaba/order/detail",
        "headers": {"nonce-str": NONCE, "access-key": SECRETS[1], "Content-Type": "application/json"},
        "params": {},
        "content": b"{}",
        "asked_at": 1,
        "took_ms": 1,
        "status": 200,
        "answer": b"{}",
    }
    return Exchange(**(given | changes))


def recorded(one: Exchange) -> str:
    return line_of("main", one, SECRETS, 1_000_000).decode()


@st.composite
def phones(draw: st.DrawFn) -> tuple[str, Any]:
    """A phone number's digits, and how somebody wrote it."""
    digits = "1" + draw(st.sampled_from("3456789")) + draw(st.text("0123456789", min_size=9, max_size=9))
    ways = [
        digits,
        f"+86 {digits}",
        f"86{digits}",
        f"{digits[:3]}-{digits[3:7]}-{digits[7:]}",
        f"{digits[:3]} {digits[3:7]} {digits[7:]}",
        f"电话:{digits},谢谢",
        "".join(chr(ord(digit) + 0xFEE0) for digit in digits),
        int(digits),
    ]
    return digits, draw(st.sampled_from(ways))


def wrapped(draw: st.DrawFn, value: Any) -> Any:
    """The value inside up to three layers of text: JSON, percent signs, JSON that was cut off."""
    for _ in range(draw(st.integers(0, 3))):
        match draw(st.sampled_from(["json", "list", "percent", "cut"])):
            case "json":
                value = json.dumps({"inner": value}, ensure_ascii=draw(st.booleans()))
            case "list":
                value = json.dumps([value])
            case "percent":
                value = quote(value if isinstance(value, str) else json.dumps(value))
            case _:
                value = json.dumps({"a": value, "b": [1]})[:-2]
    return value


@st.composite
def planted(draw: st.DrawFn) -> tuple[str, Any]:
    """What must not be found, and a piece of JSON that holds it."""
    word = draw(st.text("东西南北路街巷号楼abcdef", min_size=6, max_size=12)) + draw(st.text("0123456789", min_size=4))
    match draw(st.sampled_from(["secret", "named secret", "phone", "personal", "key and value", "email"])):
        case "secret":
            secret = draw(st.sampled_from([*SECRETS, NONCE]))
            return secret, wrapped(draw, draw(st.sampled_from([secret, f"wrong: {secret}!", {secret: 1}])))
        case "named secret":
            return word, {draw(st.sampled_from(SECRET_NAMES)): draw(st.sampled_from([word, [word], {"a": word}]))}
        case "phone":
            digits, written = draw(phones())
            return digits, wrapped(draw, written)
        case "email":
            return f"{word[-4:]}x@example.org", wrapped(draw, f"write to {word[-4:]}x@example.org")
        case "key and value":
            return word, {"key": draw(st.sampled_from(PERSONAL_NAMES)), "value": word}
        case _:
            held = draw(st.sampled_from([word, [word], {"x": {"y": word}}, json.dumps({"x": word})]))
            inside = {draw(st.sampled_from(PERSONAL_NAMES)): held}
            return word, draw(st.sampled_from([inside, json.dumps(inside), json.dumps(inside, ensure_ascii=False)]))


@st.composite
def payloads(draw: st.DrawFn) -> tuple[list[str], Any]:
    """A mutated golden payload with one to three plants somewhere in it, and what they hide."""
    payload = draw(broken(draw(st.sampled_from(PAYLOADS))) if draw(st.booleans()) else st.sampled_from(PAYLOADS))
    plants = draw(st.lists(planted(), min_size=1, max_size=3))
    for number in range(len(plants)):  # first the places: a plant must not be taken apart by the next one
        path = draw(st.sampled_from(places(payload)))
        payload = changed(payload, path, beside(f"{PLACE}{number}"), remove=False)
    return [hidden for hidden, _ in plants], settled(payload, [plant for _, plant in plants])


def beside(new: Any) -> Callable[[Any], Any]:
    return lambda old: {"was": old, "new": new}


def settled(value: Any, plants: list[Any]) -> Any:
    """The payload with the plants in their places."""
    if isinstance(value, dict):
        return {key: settled(held, plants) for key, held in value.items()}
    if isinstance(value, list):
        return [settled(held, plants) for held in value]
    if isinstance(value, str) and value.startswith(PLACE):
        return plants[int(value.removeprefix(PLACE))]
    return value


def spelled(text: str) -> str:
    """A text without whatever could hide another one in it."""
    for _ in range(4):
        text = unquote_plus(unicodedata.normalize("NFKC", text))
    return text.replace(" ", "").replace("-", "")


def assert_hidden(hidden: list[str], line: str) -> None:
    everything = [str(leaf) for leaf in leaves(json.loads(line))]
    for text in hidden:
        assert text not in line, text
        found = [leaf[:200] for leaf in everything if spelled(text) in spelled(leaf)]
        assert not found, text


SOME_OPERATIONS = st.one_of(st.none(), st.sampled_from(OPERATIONS))
SLOW = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@SLOW
@given(SOME_OPERATIONS, payloads())
def test_nothing_planted_in_an_answer_is_recorded(operation: Operation | None, case: tuple[list[str], Any]) -> None:
    hidden, payload = case
    assert_hidden(hidden, recorded(exchange(operation, answer=dump({"code": 200, "data": payload}))))


@SLOW
@given(SOME_OPERATIONS, payloads(), st.sampled_from(["json", "form", "params", "text"]))
def test_nothing_planted_in_a_request_is_recorded(
    operation: Operation | None, case: tuple[list[str], Any], way: str
) -> None:
    hidden, payload = case
    text = dump(payload).decode()
    match way:
        case "json":
            asked = exchange(operation, content=dump(payload))
        case "text":
            asked = exchange(operation, content=dump({"param": text}))
        case "params":
            asked = exchange(operation, params={"param": text})
        case _:
            form = urlencode({"param": text, "access_token": SECRETS[2], "_aop_signature": "AB" * 20}).encode()
            headers = {"nonce-str": NONCE, "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}
            asked = exchange(operation, content=form, headers=headers)
            hidden = [*hidden, SECRETS[2], "AB" * 20]
    assert_hidden(hidden, recorded(asked))


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if any(field.personal for field in one.request)])
def test_what_the_catalogue_calls_personal_is_left_out_of_a_request(operation: Operation) -> None:
    for field in operation.request:
        if not field.personal:
            continue
        value: Any = "张三 somebody"
        for part in reversed(field.path.split(".")):
            value = {part.removesuffix("[]"): [value] if part.endswith("[]") else value}
        for body in (value, {key: json.dumps(held) for key, held in value.items()}):
            line = recorded(exchange(operation, content=dump(body)))
            assert "somebody" not in line, field.path
            assert field.path.split(".")[0].removesuffix("[]") in line, "the name itself is no secret"


def test_an_exchanged_code_is_a_secret_and_an_answers_code_is_none() -> None:
    operation = find(Dialect.ALIBABA1688, "auth.token.exchange")
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    line = recorded(exchange(operation, headers=headers, content=b"code=abc-123&grant_type=authorization_code"))
    assert "abc-123" not in line
    assert "authorization_code" in line
    assert '"code":40400' in recorded(exchange(None, answer=b'{"code":40400,"msg":"order not found"}'))


IDS = st.integers(10**15, 10**19).map(str).filter(lambda text: not text.startswith("86"))
MONEY = st.decimals(min_value=-(10**8), max_value=10**8, places=2, allow_nan=False)


@given(IDS, MONEY, st.integers(-(10**9), 10**9), st.booleans())
def test_ids_and_money_come_through_to_the_last_digit(order_id: str, yuan: Decimal, fen: int, as_text: bool) -> None:  # noqa: FBT001 - drawn
    data = (
        f'{{"idOfStr":"{order_id}","id":{order_id},"totalAmount":{yuan:f},"price":"{yuan:f}","sumPayment":{fen},'
        f'"refundId":"TQ{order_id}","modifyTime":"20180614101942000+0800","huge":{order_id * 3}}}'
    )
    whole = json.dumps({"data": data}) if as_text else f'{{"data":{data}}}'
    line = recorded(exchange(None, answer=whole.encode()))
    assert f'"json":{{"data":{json.dumps(data) if as_text else data}}}' in line


def test_a_golden_order_keeps_everything_but_its_people() -> None:
    order = order_1688()
    cleaned = Redactor(SECRETS, find(Dialect.PANDAPON, "1688.order.detail").answer).value(order)
    lost = {str(path[-1]) for path in places(order) if _at(cleaned, path) != _at(order, path) and _is_leaf(order, path)}
    assert lost == {"toFullName", "toMobile", "toArea", "contactPerson", "mobile", "address", "province", "city", "zip"}


def test_parcels_stay_with_their_numbers_and_lines() -> None:
    parcel = {"id": 58_218_860_983_545, "logisticsBillNo": "SF1000000000001", "subItemIds": "3300000000000000011"}
    logistics = {"contactPerson": "王五", "mobile": "13800000000", "logisticsItems": [parcel]}
    cleaned = Redactor((), find(Dialect.PANDAPON, "1688.order.detail").answer).value({"nativeLogistics": logistics})
    assert cleaned["nativeLogistics"]["logisticsItems"] == [parcel]
    assert cleaned["nativeLogistics"]["contactPerson"] == cleaned["nativeLogistics"]["mobile"] == LEFT_OUT


def test_a_picture_is_told_by_its_length_alone() -> None:
    operation = find(Dialect.PANDAPON, "1688.goods.image_search")
    line = recorded(exchange(operation, content=dump({"imageBase64": "QUJD" * 50_000, "beginPage": 1})))
    assert "QUJD" not in line
    assert "200000 characters" in line


@pytest.mark.parametrize("depth", [MAX_DEPTH + 5, 400, 5_000])
def test_depth_is_cut_and_never_an_error(depth: int) -> None:
    deep = b'{"a":' * depth + b'"sandbox-secret-of-this-account"' + b"}" * depth
    assert "sandbox-secret" not in recorded(exchange(None, answer=deep))
    text: Any = "sandbox-secret-of-this-account"
    for _ in range(12):
        text = json.dumps({"a": text})
    assert "sandbox-secret" not in recorded(exchange(None, answer=dump({"x": text})))


@given(st.binary(max_size=300))
def test_no_answer_at_all_is_an_error(body: bytes) -> None:
    line = json.loads(recorded(exchange(None, answer=body)))
    assert line["answer"]["status"] == 200


def test_a_short_key_is_no_reason_to_spoil_an_id() -> None:
    redactor = Redactor(["1234567"])
    assert redactor.value({"orderId": 3301234567000000001}) == {"orderId": 3301234567000000001}
    assert redactor.value("app 1234567 is unknown") == f"app {LEFT_OUT} is unknown"


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        if not isinstance(value, dict | list):
            return None
        value = value[key]
    return value


def _is_leaf(value: Any, path: tuple[Any, ...]) -> bool:
    return not isinstance(_at(value, path), dict | list)
