"""Every message of the catalogue has a golden file, becomes what the catalogue says, and survives every mutation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.marketplaces.examples import (
    CALLBACKS,
    GOLDEN,
    ORDER_ID,
    OTHER_ORDER_ID,
    PUSHED_AT,
    RECEIVED_AT,
    body_object,
    callback_object,
    dump,
)
from tests.marketplaces.mutations import changed, places
from worker.broker.envelope import fact_event
from worker.catalogue.messages import MESSAGES, PREFIX_1688, messages_of
from worker.catalogue.operation import Dialect, Message
from worker.conformance.findings import FieldState
from worker.conformance.shapes import compare
from worker.domain.facts import Fact, LogisticsSeen, PriceSeen, RefundSeen, StatusSeen
from worker.marketplaces.alibaba1688.callbacks import parse as parse_push
from worker.marketplaces.events import MalformedError, NotUnderstoodError
from worker.marketplaces.pandapon.callbacks import parse as parse_callback
from worker.marketplaces.values import decode_json

PUSHES = sorted((GOLDEN / "pushes").glob("*.json"))
KINDS: dict[str, type[object]] = {
    "status": StatusSeen,
    "price": PriceSeen,
    "refund": RefundSeen,
    "logistics": LogisticsSeen,
}
HUGE = "9" * 400
STRANGE: tuple[Any, ...] = (
    None, "", "0", 0, -1, 1.5, True, [], {}, [[]], "订单🧧\u202e\u0000", "x" * 5_000, HUGE, int(HUGE), "1e999", '{"a":',
)  # fmt: skip
"""null, wrong types, huge, unicode; beside them every value is also left out, given as text, and wrapped in a list."""


def push(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = decode_json(file.read_bytes())
    return found


def form(message: Any) -> bytes:
    return urlencode({"message": dump(message).decode(), "_aop_signature": "X"}).encode()


def golden_of(message: Message) -> list[dict[str, Any]]:
    """The golden messages of one row: the type is what counts, with or without the prefix."""
    if message.dialect is Dialect.ALIBABA1688:
        return [one for one in map(push, PUSHES) if one["type"] == message.type]
    prefix = "xport" if message.dialect is Dialect.XPORT else "taobao" if message.platform == "taobao" else "1688"
    named = [callback_object(name) for name in CALLBACKS if name.startswith(prefix)]
    return [
        one for one in named if one["messageType"].removeprefix(PREFIX_1688) == message.type.removeprefix(PREFIX_1688)
    ]


def facts_of(message: Message, golden: dict[str, Any]) -> tuple[Fact, ...]:
    if message.dialect is Dialect.ALIBABA1688:
        return parse_push("main", form(golden), RECEIVED_AT)
    return parse_callback("main", dump(golden), RECEIVED_AT)


def is_kept_for_a_person(message: Message, golden: dict[str, Any]) -> bool:
    try:
        facts_of(message, golden)
    except NotUnderstoodError:
        return True
    return False


def body_of(golden: dict[str, Any]) -> Any:
    body = golden.get("messageBody", golden.get("data"))
    return decode_json(body) if isinstance(body, str) else body


def label(message: Message) -> str:
    return f"{message.dialect.value}:{message.type}"


@pytest.mark.parametrize("message", MESSAGES, ids=label)
def test_every_message_has_a_golden_file_and_becomes_what_the_catalogue_says(message: Message) -> None:
    goldens = golden_of(message)
    assert goldens, f"no golden file for {message.type}"
    if message.tells == "none":
        assert all(is_kept_for_a_person(message, golden) for golden in goldens)
        return
    for golden in goldens:
        facts = facts_of(message, golden)
        assert isinstance(facts[0].content, KINDS[message.tells])
        assert {fact.key.platform.value for fact in facts} == {message.platform}
        assert {fact.provider_time for fact in facts} == {PUSHED_AT}


@pytest.mark.parametrize("message", MESSAGES, ids=label)
def test_a_golden_body_has_the_fields_of_the_catalogue(message: Message) -> None:
    best: dict[str, FieldState] = {}
    for golden in golden_of(message):
        for seen in compare(message.body, body_of(golden), message.mark):
            assert seen.state in (FieldState.FOUND, FieldState.EMPTY, FieldState.MISSING), seen
            if best.get(seen.path) is not FieldState.FOUND:
                best[seen.path] = seen.state
    short = {path for path, state in best.items() if state is FieldState.MISSING}
    assert not short, "the golden file lacks what the catalogue describes"


def test_every_golden_file_is_of_a_message_of_the_catalogue() -> None:
    types = {message.type for message in messages_of(Dialect.ALIBABA1688)}
    assert {push(file)["type"] for file in PUSHES} == types
    known = {message.type.removeprefix(PREFIX_1688) for message in MESSAGES}
    assert not {callback_object(name)["messageType"].removeprefix(PREFIX_1688) for name in CALLBACKS} - known


def test_a_type_is_in_the_table_once() -> None:
    assert len({(message.dialect, message.type) for message in MESSAGES}) == len(MESSAGES)


def test_a_parcel_and_a_batch_of_the_open_platform_are_told_to_each_order() -> None:
    for name in ("logistics_buyer_view_trace", "order_batch_pay"):
        facts = parse_push("main", form(push(GOLDEN / "pushes" / f"{name}.json")), RECEIVED_AT)
        assert [fact.key.order_id for fact in facts] == [ORDER_ID, OTHER_ORDER_ID]


def mutants(whole: dict[str, Any]) -> Iterator[Any]:
    """The message with every place in it left out, and changed to every strange value, one at a time."""
    for path in places(whole):
        if not path:
            continue
        yield changed(whole, path, lambda old: old, remove=True)
        yield changed(whole, path, str, remove=False)
        yield changed(whole, path, lambda old: [old], remove=False)
        for value in STRANGE:
            yield changed(whole, path, lambda _old, value=value: value, remove=False)  # type: ignore[misc]


def kept(facts: tuple[Fact, ...]) -> None:
    """Facts that can be published: a message that was taken must not be lost on its way to Kafka."""
    assert facts
    for fact in facts:
        assert fact_event(fact).headers["ce_id"] == fact.derive_id()


@pytest.mark.parametrize("file", PUSHES, ids=lambda file: str(file.stem))
def test_no_mutation_of_a_push_is_an_error_or_lost(file: Path) -> None:
    """Facts, or a message that is kept for a person; never called malformed, which would be refused."""
    message = push(file)
    unfolded = message | {"data": body_of(message)}
    for mutant in mutants(unfolded):
        for body in (mutant, mutant | {"data": dump(mutant.get("data")).decode()}):
            try:
                facts = parse_push("main", form(body), RECEIVED_AT)
            except NotUnderstoodError:
                continue
            kept(facts)


@pytest.mark.parametrize("name", CALLBACKS)
def test_no_mutation_of_a_callback_is_an_error_or_lost(name: str) -> None:
    unfolded = callback_object(name) | {"messageBody": body_object(name)}
    for mutant in mutants(unfolded):
        for body in (mutant, mutant | {"messageBody": dump(mutant.get("messageBody")).decode()}):
            try:
                facts = parse_callback("main", dump(body), RECEIVED_AT)
            except NotUnderstoodError:
                continue
            kept(facts)


def test_what_is_called_malformed_is_no_json() -> None:
    with pytest.raises(MalformedError):
        parse_push("main", b"message=%7B&_aop_signature=X", RECEIVED_AT)
    with pytest.raises(MalformedError):
        parse_callback("main", b"{", RECEIVED_AT)
