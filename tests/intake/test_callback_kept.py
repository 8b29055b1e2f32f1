"""What is accepted but not understood is kept whole; what is understood is kept exactly."""

from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from tests.intake.stage import NOT_DURABLE, NOW, ORDER_ID, PAID, TOKEN, Kept, call, counted, make_app
from tests.marketplaces.examples import CALLBACKS, callback, dump
from worker.broker.envelope import MAX_KEPT_BYTES, UNRECOGNISED_TYPE, Event, Unrecognised, read_fact, unrecognised_event
from worker.broker.topics import MAX_MESSAGE_BYTES, STATUS

GOOD = f"/callbacks/main/{TOKEN}"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{}", "messageType is missing"),
        (b"[]", "not a JSON object"),
        (b"5", "not a JSON object"),
        (b"null", "not a JSON object"),
        (PAID.replace(b"ORDER_PAY", b"NEW_TOPIC"), "unknown messageType 'NEW_TOPIC'"),
        (PAID.replace(b'"orderId":3300000000000000001,', b""), "no order id"),
        (PAID.replace(b'"messagePlatform":1', b'"messagePlatform":0'), "messageType says 1688"),
        (
            b'{"messageType":"ORDER_PRICE_MODIFY","messagePlatform":1,"messageBody":{"orderId":"1","totalAmount":"abc"}}',
            "totalAmount: 'abc' is not an amount",
        ),
        (
            b'{"messageType":"ORDER_CREATE","messagePlatform":1,"messageBody":{"orderId":"1","totalAmount":"abc"}}',
            "totalAmount: 'abc' is not an amount",
        ),
    ],
)
async def test_json_that_nobody_understands_is_200_and_one_dead_letter_and_no_fact(body: bytes, reason: str) -> None:
    kept = Kept()
    before = counted("main", "not_understood")
    assert (await call(make_app(kept), GOOD, body)).status == 200
    (letter,) = kept.unrecognised
    assert kept.facts == []
    assert (letter.account, letter.body, letter.received_at) == ("main", body, NOW)
    assert reason in letter.reason
    assert counted("main", "not_understood") == before + 1


async def test_a_dead_letter_that_comes_again_is_the_same_one() -> None:
    kept = Kept()
    app = make_app(kept)
    for body in (b"{}", b"{}", b"{ }"):
        await call(app, GOOD, body)
    ids = [event.headers["ce_id"] for event in kept.events]
    assert ids[0] == ids[1] != ids[2]
    assert {event.headers["ce_type"] for event in kept.events} == {UNRECOGNISED_TYPE}
    assert {event.topic for event in kept.events} == {STATUS}


async def test_a_bug_of_ours_does_not_lose_what_the_sender_sends_only_five_times() -> None:
    def broken(account: str, body: bytes, received_at: int) -> list[Any]:
        raise KeyError(body)

    kept = Kept()
    with capture_logs() as lines:
        assert (await call(make_app(kept, parser=broken))).status == 200
    (letter,) = kept.unrecognised
    assert letter.body == PAID
    assert letter.reason == "KeyError in the parser"
    assert "KeyError" in str(lines)
    assert ORDER_ID not in str(lines)


@pytest.mark.parametrize("order_id", [b"9007199254740993", b"18446744073709551617", b'"9007199254740993"'])
async def test_an_id_above_the_doubles_is_kept_digit_by_digit(order_id: bytes) -> None:
    kept = Kept()
    assert (await call(make_app(kept), GOOD, PAID.replace(b"3300000000000000001", order_id))).status == 200
    (fact,) = kept.facts
    assert fact.key.order_id == order_id.decode().strip('"')
    (event,) = kept.events
    assert event.key == f"main/1688/{fact.key.order_id}"
    assert msgspec.json.decode(event.value)["key"]["order_id"] == fact.key.order_id


@pytest.mark.parametrize("name", CALLBACKS)
async def test_every_golden_message_is_accepted_and_a_redelivery_has_the_same_ids(name: str) -> None:
    first, again = Kept(), Kept()
    assert (await call(make_app(first), GOOD, callback(name))).status == 200
    assert (await call(make_app(again), GOOD, callback(name))).status == 200
    assert first.facts
    assert first.unrecognised == []
    assert [event.headers["ce_id"] for event in first.events] == [event.headers["ce_id"] for event in again.events]


async def test_of_a_message_about_many_orders_all_are_kept_or_the_sender_comes_again() -> None:
    rows = [{"orderId": str(number)} for number in range(1, 101)]
    body = dump({"messageType": "ORDER_BATCH_PAY", "messagePlatform": 1, "messageBody": {"batchPay": rows}})
    kept = Kept()
    assert (await call(make_app(kept), GOOD, body)).status == 200
    assert len(kept.facts) == 100

    class LosesOne(Kept):
        async def publish(self, event: Event) -> None:
            if event.key.endswith("/50"):
                raise NOT_DURABLE
            await super().publish(event)

    assert (await call(make_app(LosesOne()), GOOD, body)).status == 503


def test_the_largest_dead_letter_still_fits_into_one_record() -> None:
    for size in (MAX_KEPT_BYTES, MAX_KEPT_BYTES + 1, 8_000_000):
        event = unrecognised_event(Unrecognised("main", "list row: broken", b"\xff" * size, NOW), "id")
        assert len(event.value) < MAX_MESSAGE_BYTES - 8_192
        letter = read_fact(event.headers, event.value)
        assert isinstance(letter, Unrecognised)
        assert len(letter.body) == min(size, MAX_KEPT_BYTES)
        assert letter.detail == ("" if size <= MAX_KEPT_BYTES else f"the first {MAX_KEPT_BYTES} of {size} bytes")
