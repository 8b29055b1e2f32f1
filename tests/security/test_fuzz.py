"""Whatever is sent, to the callbacks, the parsers and the API: an answer that was meant, and never an exception."""

import contextlib
import json
import string
from collections.abc import AsyncIterator, Callable
from typing import Any, cast
from urllib.parse import parse_qsl, quote, urlencode

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.config.people import person
from tests.intake.stage import ACCESS_KEY, DOORS, NOW, PAID, SECRET, TOKEN, Clock, Kept, call
from tests.marketplaces.examples import CALLBACKS, callback
from tests.marketplaces.mutations import changed, places, strange
from tests.operations.api_stage import served
from tools.check_openapi import rendered
from worker.broker.durable import DurablePublisher
from worker.broker.envelope import EnvelopeError, read_fact, read_headers, read_ticket
from worker.catalogue.operation import Dialect
from worker.domain.facts import Fact
from worker.intake.callbacks import CallbackApp, Limits
from worker.intake.doors import Door, DoorKind
from worker.marketplaces.alibaba1688.callbacks import parse as parse_push
from worker.marketplaces.alibaba1688.callbacks import verify
from worker.marketplaces.alibaba1688.signing import push_signature
from worker.marketplaces.events import MalformedError, NotUnderstoodError
from worker.marketplaces.pandapon.callbacks import parse
from worker.marketplaces.pandapon.signing import TIMESTAMP_WINDOW_MS, signature

Parser = Callable[[str, bytes, int], tuple[Fact, ...]]
DOORS_HERE = DOORS | {
    "pushed": Door("pushed", DoorKind.TOKEN, token=TOKEN, access_secret=SECRET, dialect=Dialect.ALIBABA1688)
}
STATUSES = {200, 400, 401, 403, 404, 405, 413}
_TEXTS = st.text(max_size=60) | st.sampled_from(
    ["'; DROP TABLE orders; --", "\x1b[2J", "\x00", "../../etc/passwd", "%00", "${jndi:ldap://x}", "=cmd|' /C calc'!A0",
     "\u202egnp", "{{7*7}}", "0", "-1", "9" * 40, "null", "1e999", "\uff12\uff10"]
)  # fmt: skip


def push(message: str, **more: str) -> bytes:
    """A form as the open platform pushes it, signed."""
    fields = [("message", message), *more.items()]
    return urlencode([*fields, ("_aop_signature", push_signature(fields, SECRET))]).encode()


def understood(parser: Parser, body: bytes) -> None:
    try:
        facts = parser("main", body, NOW)
    except (MalformedError, NotUnderstoodError):
        return
    assert facts
    for fact in facts:
        assert len(fact.derive_id()) == 32
        assert str(fact.key).isprintable()
        assert "/" not in fact.key.order_id


@given(raw=st.binary(max_size=400))
def test_any_bytes_are_facts_or_a_refusal_that_was_meant(raw: bytes) -> None:
    understood(parse, raw)
    understood(parse_push, raw)
    understood(parse_push, b"message=" + raw)
    understood(parse_push, urlencode({"message": raw}).encode())


@settings(deadline=None)
@given(data=st.data(), name=st.sampled_from(sorted(CALLBACKS)))
def test_any_change_of_a_known_message_is_facts_or_a_refusal_that_was_meant(data: st.DataObject, name: str) -> None:
    message: Any = json.loads(callback(name))
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(places(message)))
        value = data.draw(strange | _TEXTS)
        message = changed(message, path, lambda _, value=value: value, remove=data.draw(st.booleans()))  # type: ignore[misc]  # mypy sees no default
        if not isinstance(message, dict | list):
            break
    text = json.dumps(message)
    understood(parse, text.encode("utf-8", "surrogatepass"))
    understood(parse_push, urlencode({"message": text.encode("utf-8", "surrogatepass")}).encode())


@given(
    headers=st.lists(st.tuples(st.text(max_size=20), st.none() | st.binary(max_size=60)), max_size=6),
    kind=st.sampled_from(["ordersync.fact.status.v1", "ordersync.fact.unrecognised.v1", "ordersync.fact.", "x"]),
    value=st.none() | st.binary(max_size=300) | st.recursive(
        strange, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=4)
    ).map(lambda found: json.dumps(found).encode("utf-8", "surrogatepass")),
)  # fmt: skip
def test_any_record_is_a_fact_a_letter_or_an_envelope_error(
    headers: list[tuple[str, bytes | None]], kind: str, value: bytes | None
) -> None:
    found = read_headers([*headers, ("ce_type", kind.encode())])
    read_ticket(found)
    with contextlib.suppress(EnvelopeError):
        read_fact(found, value)


def app_of(kept: Kept) -> CallbackApp:
    limits = Limits(max_bytes=600, body_timeout_s=5.0)
    parsers: dict[str, Any] = {name: parse_push if name == "pushed" else parse for name in DOORS_HERE}
    given_publisher = cast("DurablePublisher", kept)
    return CallbackApp(DOORS_HERE, given_publisher, Clock(), limits, monotonic=lambda: 0.0, parsers=parsers)


@settings(deadline=None, max_examples=200)
@given(
    account=st.sampled_from([*DOORS_HERE, "nobody", ""]) | st.text(max_size=9),
    token=st.sampled_from(["", TOKEN, TOKEN + "x"]) | st.text(max_size=9),
    method=st.sampled_from(["POST", "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", ""]),
    headers=st.dictionaries(
        st.sampled_from(["content-length", "timestamp", "signature", "access-key", "nonce-str", "x-forwarded-for"]),
        st.text(st.characters(max_codepoint=255), max_size=20),
        max_size=4,
    ),
    body=st.sampled_from([PAID, PAID[:-1], b"", b"{}", push("{}"), b"x" * 601]) | st.binary(max_size=700),
)
async def test_any_request_gets_an_answer_that_was_meant_and_200_means_kept(
    account: str, token: str, method: str, headers: dict[str, str], body: bytes
) -> None:
    kept = Kept()
    path = f"/callbacks/{account}/{token}" if token else f"/callbacks/{account}"
    reply = await call(app_of(kept), path, body, method=method, headers=headers)
    assert reply.status in STATUSES
    if reply.status != 200 or method in {"GET", "HEAD"} or not body:
        assert kept.events == []
    else:
        assert kept.events
        assert account in DOORS_HERE


@given(place=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_a_signed_push_that_was_tampered_with_is_refused(place: int, byte: int) -> None:
    """Any change of what it says; the case of the signature's own digits is no change."""
    original = push('{"type":"ORDER_BUYER_VIEW_ORDER_PAY","data":{"orderId":1}}', userInfo="x")
    assert verify(original, SECRET)
    tampered = bytearray(original)
    tampered[place % len(original)] = byte
    if bytes(tampered).upper() != original.upper():
        says_the_same = _pairs(bytes(tampered)) == parse_qsl(original.decode())
        assert verify(bytes(tampered), SECRET) == says_the_same


def _pairs(body: bytes) -> list[tuple[str, str]] | None:
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True)
    except ValueError:
        return None


@pytest.mark.parametrize("more", [b"&message=%7B%7D", b"&_aop_signature=x", b"&userInfo=y", b"&new=1"])
def test_a_field_that_was_added_to_a_signed_push_is_refused(more: bytes) -> None:
    assert not verify(push("{}", userInfo="x") + more, SECRET)


@given(
    changes=st.dictionaries(
        st.sampled_from(["access-key", "timestamp", "nonce-str", "signature"]),
        st.text(string.ascii_letters + string.digits, max_size=40),
        min_size=1,
    )
)
def test_signed_headers_that_were_tampered_with_are_refused(changes: dict[str, str]) -> None:
    nonce = "n" * 32
    right = {
        "access-key": ACCESS_KEY,
        "timestamp": str(NOW),
        "nonce-str": nonce,
        "signature": signature(ACCESS_KEY, str(NOW), nonce, SECRET),
    }
    forged = right | changes
    same = forged | {"signature": forged["signature"].upper()} == right
    headers = {name.encode(): held.encode() for name, held in forged.items()}
    assert (DOORS["signed"].check_signature(headers, PAID, NOW) is None) == same


async def test_a_callback_that_is_replayed_is_the_same_fact_and_an_old_signature_is_none() -> None:
    """Within the window a replay brings the id that is known already, so nothing changes; after it, it is refused."""
    kept, clock, nonce = Kept(), Clock(), "n" * 32
    limits = Limits(max_bytes=4_096, body_timeout_s=5.0)
    app = CallbackApp(DOORS_HERE, cast("DurablePublisher", kept), clock, limits, monotonic=lambda: 0.0)
    stamp = str(NOW)
    signed = {"access-key": ACCESS_KEY, "timestamp": stamp, "nonce-str": nonce,
              "signature": signature(ACCESS_KEY, stamp, nonce, SECRET)}  # fmt: skip
    for _ in range(3):
        assert (await call(app, "/callbacks/signed", PAID, headers=signed)).status == 200
        clock.now += 1_000
    assert len({event.headers["ce_id"] for event in kept.events}) == 1
    clock.now = NOW + TIMESTAMP_WINDOW_MS + 1
    assert (await call(app, "/callbacks/signed", PAID, headers=signed)).status == 401


def _value(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Nasty values for a parameter or a body; of its own kind now and then."""
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "integer": st.integers() | st.sampled_from([0, 1, 200, 2**63]),
        "boolean": st.booleans(),
        "object": st.dictionaries(st.text(max_size=9), _TEXTS, max_size=3),
        "array": st.lists(_TEXTS, max_size=3),
    }
    return kinds.get(schema.get("type", "string"), _TEXTS) | _TEXTS


@pytest.fixture
async def client(database: str) -> AsyncIterator[httpx2.AsyncClient]:
    """The API, asked by somebody who may do everything."""
    async with served(database, people=[person("ann", "operator", "anns-token", "approver")]) as client:
        client.headers["authorization"] = "Bearer anns-token"
        yield client


DOCUMENT = json.loads(rendered())


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_the_api_answers_anything_as_its_document_says(client: httpx2.AsyncClient, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(sorted(DOCUMENT["paths"])))
    method = data.draw(st.sampled_from(sorted(DOCUMENT["paths"][path])))
    operation = DOCUMENT["paths"][path][method]
    query, url = {}, path
    for parameter in operation.get("parameters", []):
        value = str(data.draw(_value(parameter.get("schema", {})))).encode("utf-8", "replace")
        if parameter["in"] == "path":
            url = url.replace(f"{{{parameter['name']}}}", quote(value, safe="") or "x")
        elif data.draw(st.booleans()):
            query[parameter["name"]] = value.decode()
    body = None
    if "requestBody" in operation:
        reference = operation["requestBody"]["content"]["application/json"]["schema"].get("$ref", "")
        fields = DOCUMENT["components"]["schemas"].get(reference.rpartition("/")[2], {}).get("properties", {})
        body = {name: data.draw(_value(schema)) for name, schema in fields.items() if data.draw(st.booleans())}
    answer = await _ask(client, method, url, query, body)
    assert answer.status_code < 500 or path in {"/livez", "/readyz"}, (method, url, query, body, answer.text)
    assert str(answer.status_code) in {*operation["responses"], "404", "405"}, (method, url, answer.text)
    assert "Traceback" not in answer.text


async def _ask(client: httpx2.AsyncClient, method: str, url: str, query: dict[str, str], body: Any) -> httpx2.Response:
    content = None if body is None else json.dumps(body).encode("utf-8", "replace")
    return await client.request(
        method.upper(), url, params=query, content=content, headers={"content-type": "application/json"}
    )
