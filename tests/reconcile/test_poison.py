"""What cannot be stored is set aside, alone; a worker that fails on everything stops instead of setting all aside."""

from typing import Any

import msgspec
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.domain.examples import NOON, SKEW, at, price, read, status
from tests.reconcile.stage import (
    PAYING,
    FixedClock,
    StoredRecord,
    Topic,
    expected,
    folded,
    make_reconciler,
    of,
    order,
    stored,
)
from tests.storage.database import rows, value
from worker.broker.consumer import StopConsumingError
from worker.broker.envelope import Unrecognised, fact_event, unrecognised_event
from worker.domain.facts import Amounts, Fact, Lifecycle, Line, Snapshot, Source
from worker.domain.policy import Policy
from worker.reconcile.reconciler import Reconciler

FACT = [("ce_type", b"ordersync.fact.status.v1")]


def snapshot(number: int, **aspects: Any) -> Fact:
    return Fact(order(number), Source.RESPONSE, Snapshot(**aspects), observed_at=at(60))


def good(number: int) -> Fact:
    return of(order(number), read("waitbuyerpay", 20, modified=1))[0]


def header(name: str, value: bytes | None) -> list[tuple[str, Any]]:
    return [(name, value)]


async def letters(engine: AsyncEngine) -> list[dict[str, Any]]:
    return await rows(engine, "SELECT * FROM dead_letters ORDER BY id")


UNREADABLE = {
    "no headers": StoredRecord(b"{}", []),
    "no value": StoredRecord(None, FACT),
    "an empty value": StoredRecord(b"", FACT),
    "half of JSON": StoredRecord(b'{"key": {', FACT),
    "JSON of another shape": StoredRecord(b'{"key": 1}', FACT),
    "no text at all": StoredRecord(b"\xff\xfe\x00", FACT),
    "a foreign type": StoredRecord(b"{}", header("ce_type", b"com.example.thing")),
    "a header that is no UTF-8": StoredRecord(b"{}", [*header("ce_type", b"\xff\xfe"), *FACT]),
    "a header without a value": StoredRecord(b"{}", [*header("traceparent", None), *FACT]),
    "NUL in a header": StoredRecord(b"{}", [*header("note", b"a\x00b"), *FACT]),
    "a key that is no text": StoredRecord(b"{}", FACT, key=b"\xff\x00"),
    "JSON without end": StoredRecord(b"[" * 100_000, FACT),
    "an unknown platform": StoredRecord(
        fact_event(good(1)).value.replace(b'"1688"', b'"ebay"'), header("ce_type", b"ordersync.fact.snapshot.v1")
    ),
}


@pytest.mark.parametrize("name", UNREADABLE)
async def test_a_record_that_nobody_can_read_is_set_aside_and_its_neighbours_land(
    engine: AsyncEngine, name: str
) -> None:
    topic = Topic()
    before, after = topic.take(good(1)), topic.take(good(2))
    broken = UNREADABLE[name]
    broken.offset = 17
    await make_reconciler(engine).handle([*before, broken, *after])
    (letter,) = await letters(engine)
    assert (letter["topic"], letter["partition"], letter["offset"]) == ("orders.status.v1", 0, 17)
    assert letter["value"] == (broken.value or b"")
    assert letter["reason"] == "envelope"
    assert letter["detail"]
    assert await value(engine, "SELECT count(*) FROM facts") == 2
    assert await rows(engine, "SELECT kind, severity FROM alerts") == [{"kind": "dead_letters", "severity": "warning"}]


async def test_a_dead_letter_keeps_headers_and_key_for_the_one_who_looks(engine: AsyncEngine) -> None:
    record = StoredRecord(
        b"not json", [("ce_type", b"ordersync.fact.status.v1"), ("note", b"\xffx")], key=b"main/1688/1"
    )
    await make_reconciler(engine).handle([record])
    (letter,) = await letters(engine)
    assert letter["headers"] == {"ce_type": "ordersync.fact.status.v1", "note": "\ufffdx"}
    assert letter["key"] == "main/1688/1"


async def test_a_message_that_intake_did_not_understand_is_kept_whole(engine: AsyncEngine) -> None:
    body = b'{"messageType": "ORDER_NEW_THING"}'
    event = unrecognised_event(Unrecognised("main", "unknown type ORDER_NEW_THING", body, NOON), "id1")
    await make_reconciler(engine, limit=1).handle([Topic().put(event) for _ in range(5)][:1])
    (letter,) = await letters(engine)
    assert letter["reason"] == "not understood: unknown type ORDER_NEW_THING"
    assert msgspec.json.decode(letter["value"], type=Unrecognised).body == body


POISON = {
    "an amount that no column holds": snapshot(9, amounts=Amounts(2**63)),
    "a line's amount that no column holds": snapshot(9, lines=(Line("l1", amount=-(2**63) - 1),)),
    "a small number that is none": snapshot(9, lines=(Line("l1", logistics_status=2**31),)),
    "an order id with NUL": msgspec.structs.replace(good(9), key=order("9\x00")),
    "our own time out of the calendar": msgspec.structs.replace(
        status("waitbuyerpay", 0), key=order(9), observed_at=2**62
    ),
}


@pytest.mark.parametrize("name", POISON)
async def test_a_fact_that_cannot_be_stored_is_set_aside_and_the_rest_of_its_batch_lands(
    engine: AsyncEngine, name: str
) -> None:
    records = Topic().take(good(1), POISON[name], good(2), *of(order(9), status("waitbuyerpay", 1)))
    await make_reconciler(engine).handle(records)
    (letter,) = await letters(engine)
    assert letter["offset"] == 1
    assert letter["reason"].startswith(("apply: ", "storage: "))
    assert [row["offset"] for row in await rows(engine, 'SELECT "offset" FROM facts ORDER BY id')] == [0, 2, 3]
    assert await stored(engine, order(1)) == expected(folded(order(1), [good(1)]))
    assert await value(engine, "SELECT count(*) FROM alerts WHERE kind = 'dead_letters'") == 1


@pytest.mark.parametrize("absurd", [2**62, -(2**62), 10**30])
async def test_an_instant_that_no_calendar_has_is_not_shown_and_spoils_nothing(
    engine: AsyncEngine, absurd: int
) -> None:
    life = Lifecycle("waitbuyerpay", created_at=absurd, modified_at=absurd)
    records = Topic().take(
        snapshot(1, lifecycle=life, amounts=Amounts(10_000)),
        msgspec.structs.replace(price(9_000, 1), key=order(1), provider_time=absurd, observed_at=at(99)),
    )
    await make_reconciler(engine).handle(records)
    assert await letters(engine) == []
    (row,) = await rows(engine, "SELECT status, created_at, modified_at, total_minor FROM orders")
    assert row == {"status": "awaiting_payment", "created_at": None, "modified_at": None, "total_minor": 9_000}
    assert [row["provider_time"] for row in await rows(engine, "SELECT provider_time FROM facts ORDER BY id")] == [
        None,
        None,
    ]


async def test_amounts_that_are_known_are_not_touched_by_a_dead_letter(engine: AsyncEngine) -> None:
    topic, reconciler, key = Topic(), make_reconciler(engine), order(9)
    await reconciler.handle(topic.take(good(9)))
    before = await stored(engine, key)
    event = fact_event(good(9))
    spoilt = msgspec.structs.replace(event, value=event.value.replace(b'"total":10000', b'"total":"a lot"'))
    assert spoilt.value != event.value
    await reconciler.handle([*topic.take(POISON["an amount that no column holds"]), topic.put(spoilt)])
    assert len(await letters(engine)) == 2
    assert await stored(engine, key) == before
    assert await value(engine, "SELECT count(*) FROM outbox WHERE sequence > 3") == 0


async def test_hard_texts_of_a_marketplace_are_stored_and_not_set_aside(engine: AsyncEngine) -> None:
    names = (
        "\x00",
        "\\u0000",
        'back\\slash"',
        "新款",
        "\ud83e\udde6".encode("utf-16", "surrogatepass").decode("utf-16"),
    )
    items = tuple(Line(f"l{n}", name=name) for n, name in enumerate(names))
    topic, reconciler = Topic(), make_reconciler(engine)
    await reconciler.handle(topic.take(snapshot(1, lifecycle=Lifecycle("waitbuyerpay"), lines=items)))
    await reconciler.handle(topic.take(*of(order(1), status("waitsellersend", 60))))
    assert await letters(engine) == []
    found = [row["name"] for row in await rows(engine, "SELECT name FROM order_lines ORDER BY position")]
    assert found == [name.replace("\x00", "") for name in names]


async def test_a_redelivered_dead_letter_is_kept_once(engine: AsyncEngine) -> None:
    records = [Topic().raw(b"{", FACT)]
    reconciler = make_reconciler(engine)
    for _ in range(3):
        await reconciler.handle(records)
    assert len(await letters(engine)) == 1
    assert await value(engine, "SELECT count(*) FROM alert_notices") == 1


async def test_dead_letters_of_one_cause_are_one_alert_that_counts(engine: AsyncEngine) -> None:
    topic = Topic()
    await make_reconciler(engine).handle([topic.raw(b"{", FACT) for _ in range(7)])
    assert await rows(engine, "SELECT occurrences FROM alerts") == [{"occurrences": 7}]


async def test_too_many_failures_stop_consumption_and_nothing_is_stored(engine: AsyncEngine) -> None:
    topic = Topic()
    records = [*topic.take(good(1)), *(topic.raw(b"{", FACT) for _ in range(4))]
    with pytest.raises(StopConsumingError, match="4 records in a row failed: envelope"):
        await make_reconciler(engine, limit=3).handle(records)
    for table in ("facts", "orders", "dead_letters", "outbox", "follow_ups"):
        assert await value(engine, f"SELECT count(*) FROM {table}") == 0, table  # noqa: S608 - our own names
    assert await rows(engine, "SELECT cause, severity FROM alerts") == [
        {"cause": "consumption_stopped", "severity": "critical"}
    ]


async def test_the_limit_counts_across_batches_and_a_success_begins_anew(engine: AsyncEngine) -> None:
    topic, reconciler = Topic(), make_reconciler(engine, limit=3)
    await reconciler.handle([topic.raw(b"{", FACT) for _ in range(3)])
    await reconciler.handle(topic.take(good(1)))
    await reconciler.handle([topic.raw(b"{", FACT) for _ in range(3)])
    with pytest.raises(StopConsumingError):
        await reconciler.handle([topic.raw(b"{", FACT)])


async def test_what_a_sender_got_wrong_never_stops_consumption(engine: AsyncEngine) -> None:
    topic = Topic()
    events = [unrecognised_event(Unrecognised("main", "unknown", b"{}", NOON), f"id{n}") for n in range(20)]
    await make_reconciler(engine, limit=3).handle([topic.put(event) for event in events])
    assert len(await letters(engine)) == 20


async def test_a_bug_in_our_own_code_is_a_dead_letter_and_not_a_batch_that_comes_for_ever(engine: AsyncEngine) -> None:
    """A policy that cannot be had breaks the writing of one order, after its facts were applied."""

    def policy_of(_account: str) -> Policy:
        raise LookupError("no policy")

    reconciler = Reconciler(engine, policy_of, FixedClock(0), skew=SKEW, dead_letter_limit=1)
    records = Topic().take(good(1))
    await reconciler.handle(records)
    (letter,) = await letters(engine)
    assert "LookupError" in letter["reason"]
    with pytest.raises(StopConsumingError):
        await reconciler.handle(Topic().take(good(2)))
    assert PAYING.auto_pay


async def test_a_database_that_is_away_sets_nothing_aside(engine: AsyncEngine, database: str) -> None:
    """The batch comes again: the failure is not about its data."""
    from tests.storage.database import connected
    from worker.storage.engine import async_url

    gone = async_url(database).set(database="no_such_database").render_as_string(hide_password=False)
    async with connected(gone.replace("+asyncpg", "")) as nowhere:
        with pytest.raises(Exception, match="no_such_database"):
            await make_reconciler(nowhere).handle(Topic().take(good(1)))
    assert await letters(engine) == []
