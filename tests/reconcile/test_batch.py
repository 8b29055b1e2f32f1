"""One batch of facts becomes exactly the right rows, and the same batch again changes nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.domain.examples import NOON, listed, price, read, refund, status
from tests.reconcile.stage import PAYING, Topic, expected, folded, make_reconciler, of, order, stored
from tests.storage.database import execute, rows, value
from worker.domain.clock import to_datetime
from worker.domain.facts import Fact, Line, Parcel, RefundSeen
from worker.domain.identity import OrderKey
from worker.domain.policy import Policy
from worker.reconcile.reconciler import MAX_STATEMENTS

TABLES = ("orders", "order_lines", "parcels", "refunds", "facts", "outbox", "follow_ups", "alerts", "alert_notices")
TWO_LINES = (Line("l1", name="socks", amount=6_000, quantity="2"), Line("l2", name="bag", amount=4_000))


def unpaid(key: OrderKey, *, total: int = 10_000) -> list[Fact]:
    return of(key, status("waitbuyerpay", 0), read("waitbuyerpay", 20, modified=1, total=total, items=TWO_LINES))


def shipped(key: OrderKey) -> list[Fact]:
    parcel = Parcel("p1", waybill="SF1", carrier="SF", line_ids=("l1", "l2"))
    money_back = RefundSeen("TQ1", "waitselleragree", amount=4_000, line_ids=("l2",))
    whole = read(
        "waitbuyerreceive", 80, modified=60, items=TWO_LINES, parcels=(parcel,), refunds=(money_back,), paid=True
    )
    return of(key, whole)


async def whole_state(engine: AsyncEngine, *but: str) -> dict[str, list[dict[str, Any]]]:
    state = {table: await rows(engine, f"SELECT * FROM {table} ORDER BY 1, 2") for table in TABLES}  # noqa: S608 - our own names
    return {table: [{k: v for k, v in row.items() if k not in but} for row in found] for table, found in state.items()}


async def test_a_batch_becomes_orders_with_their_lines_parcels_and_refunds(engine: AsyncEngine) -> None:
    first, second = order(1), order(2)
    batch = [*unpaid(first), *unpaid(second), *shipped(second)]
    await make_reconciler(engine).handle(Topic().take(*batch))
    assert await stored(engine, first) == expected(folded(first, unpaid(first)))
    assert await stored(engine, second) == expected(folded(second, [*unpaid(second), *shipped(second)]))
    found = await rows(engine, "SELECT order_id, status, total_minor, paid, unconfirmed FROM orders ORDER BY order_id")
    assert found == [
        {"order_id": "1", "status": "awaiting_payment", "total_minor": 10_000, "paid": False, "unconfirmed": False},
        {"order_id": "2", "status": "shipped", "total_minor": 10_000, "paid": True, "unconfirmed": False},
    ]
    lines = await rows(engine, "SELECT line_id, amount_minor FROM order_lines ORDER BY order_ref, position")
    assert lines == [{"line_id": "l1", "amount_minor": 6_000}, {"line_id": "l2", "amount_minor": 4_000}] * 2
    assert await rows(engine, "SELECT waybill, line_ids FROM parcels") == [{"waybill": "SF1", "line_ids": ["l1", "l2"]}]
    assert await rows(engine, "SELECT refund_id, status, amount_minor, confirmed FROM refunds") == [
        {"refund_id": "TQ1", "status": "awaiting_seller", "amount_minor": 4_000, "confirmed": True}
    ]


async def test_every_fact_is_in_the_timeline_with_its_outcome_and_provenance(engine: AsyncEngine) -> None:
    key = order(1)
    facts = of(
        key,
        status("waitbuyerpay", 0),
        read("waitbuyerpay", 20, modified=1),
        status("waitbuyerpay", 2),
        status("waitsellersend", 30),
        status("no such word", 31),
        read("waitbuyerpay", 60, modified=40),
    )
    await make_reconciler(engine).handle(Topic("orders.status.v1", 3).take(*facts))
    found = await rows(engine, "SELECT * FROM facts ORDER BY id")
    assert [row["outcome"] for row in found] == ["applied", "applied", "stale", "applied", "conflict", "corrected"]
    assert [row["fact_id"] for row in found] == [fact.derive_id() for fact in facts]
    assert [row["kind"] for row in found] == ["status", "snapshot", "status", "status", "status", "snapshot"]
    assert [(row["topic"], row["partition"], row["offset"]) for row in found] == [
        ("orders.status.v1", 3, offset) for offset in range(6)
    ]
    assert found[0]["provider_time"] == to_datetime(NOON)
    assert found[0]["content"] == {"type": "status", "word": "waitbuyerpay", "event": None}
    assert {row["deliveries"] for row in found} == {1}


async def test_each_change_gets_the_next_number_of_its_order(engine: AsyncEngine) -> None:
    first, second = order(1), order(2)
    topic = Topic()
    reconciler = make_reconciler(engine)
    await reconciler.handle(topic.take(*unpaid(first), *unpaid(second)))
    await reconciler.handle(topic.take(*shipped(second)))
    for key in (first, second):
        found = await rows(
            engine, "SELECT sequence, type, payload FROM outbox WHERE key = :key ORDER BY id", key=str(key)
        )
        assert [row["sequence"] for row in found] == list(range(1, len(found) + 1))
        assert [row["payload"]["sequence"] for row in found] == [row["sequence"] for row in found]
        last = await value(engine, "SELECT sequence FROM orders WHERE order_id = :id", id=key.order_id)
        assert last == len(found)
    types = [
        row["type"]
        for row in await rows(engine, "SELECT type FROM outbox WHERE key = :key ORDER BY id", key=str(second))
    ]
    assert types == [
        "status_changed", "amounts_changed", "lines_changed", "confirmation_changed",
        "status_changed", "parcels_changed", "refund_changed",
    ]  # fmt: skip


async def test_a_confirmed_unpaid_order_wants_its_payment_and_nothing_else(engine: AsyncEngine) -> None:
    await make_reconciler(engine).handle(Topic().take(*unpaid(order(1))))
    found = await rows(engine, "SELECT effect, purpose, state, amount_minor, account FROM follow_ups")
    assert found == [
        {"effect": "pay", "purpose": "full", "state": "planned", "amount_minor": 10_000, "account": "main"}
    ]


async def test_an_unconfirmed_order_wants_a_read_and_no_payment(engine: AsyncEngine) -> None:
    facts = [*unpaid(order(1)), *of(order(1), price(9_000, 30))]
    await make_reconciler(engine).handle(Topic().take(*facts))
    found = await rows(engine, "SELECT effect, state, wanted_after FROM follow_ups")
    assert found == [{"effect": "refresh", "state": "planned", "wanted_after": to_datetime(NOON + 35_000)}]


async def test_a_refund_and_a_dear_order_open_an_alert_each(engine: AsyncEngine) -> None:
    facts = [*unpaid(order(1), total=50_001), *shipped(order(2))]
    await make_reconciler(engine).handle(Topic().take(*facts))
    found = await rows(engine, "SELECT cause, kind, order_key, resolved_at FROM alerts ORDER BY cause")
    assert found == [
        {
            "cause": f"price_beyond_tolerance:{order(1)}",
            "kind": "price_beyond_tolerance",
            "order_key": str(order(1)),
            "resolved_at": None,
        },
        {
            "cause": f"refund_opened:{order(2)}:TQ1",
            "kind": "refund_opened",
            "order_key": str(order(2)),
            "resolved_at": None,
        },
    ]
    assert await value(engine, "SELECT state FROM follow_ups WHERE effect = 'pay'") == "awaiting_approval"


async def test_a_price_that_falls_again_releases_the_payment_and_resolves_the_alert(engine: AsyncEngine) -> None:
    topic, reconciler, key = Topic(), make_reconciler(engine), order(1)
    await reconciler.handle(topic.take(*unpaid(key)))
    await reconciler.handle(topic.take(*of(key, read("waitbuyerpay", 40, modified=30, total=10_201))))
    assert await value(engine, "SELECT state FROM follow_ups") == "awaiting_approval"
    assert await value(engine, "SELECT count(*) FROM alerts WHERE resolved_at IS NULL") == 1
    await reconciler.handle(topic.take(*of(key, read("waitbuyerpay", 60, modified=50, total=10_200))))
    found = await rows(engine, "SELECT state, amount_minor, reason FROM follow_ups")
    assert found == [{"state": "planned", "amount_minor": 10_200, "reason": None}]
    assert await value(engine, "SELECT count(*) FROM alerts WHERE resolved_at IS NULL") == 0
    assert await rows(engine, "SELECT action FROM alert_notices ORDER BY id") == [
        {"action": "opened"},
        {"action": "resolved"},
    ]


async def test_a_payment_that_was_called_off_is_wanted_again_where_it_takes_an_approval(engine: AsyncEngine) -> None:
    """A plan said to cancel the order, the next one no longer does: no fact may be set aside for that."""
    topic, reconciler, key = Topic(), make_reconciler(engine), order(1)
    await reconciler.handle(topic.take(*unpaid(key, total=50_001)))
    await execute(engine, "UPDATE follow_ups SET state = 'cancelled' WHERE effect = 'pay'")
    await reconciler.handle(topic.take(*of(key, read("waitbuyerpay", 60, modified=50, total=50_001))))
    assert await value(engine, "SELECT state FROM follow_ups WHERE effect = 'pay'") == "awaiting_approval"
    assert await value(engine, "SELECT count(*) FROM dead_letters") == 0


async def test_an_alert_that_goes_on_is_not_opened_twice(engine: AsyncEngine) -> None:
    topic, reconciler, key = Topic(), make_reconciler(engine), order(2)
    await reconciler.handle(topic.take(*shipped(key)))
    await reconciler.handle(topic.take(*of(key, refund("TQ1", "waitbuyersend", 200))))
    assert await rows(engine, "SELECT occurrences, resolved_at FROM alerts") == [
        {"occurrences": 2, "resolved_at": None}
    ]
    assert await value(engine, "SELECT count(*) FROM alert_notices") == 1


async def test_the_same_batch_again_changes_nothing_but_the_count_of_deliveries(engine: AsyncEngine) -> None:
    records = Topic().take(*unpaid(order(1)), *unpaid(order(2)), *shipped(order(2)), *unpaid(order(3), total=99_999))
    reconciler = make_reconciler(engine)
    await reconciler.handle(records)
    before = await whole_state(engine, "deliveries")
    await reconciler.handle(records)
    await reconciler.handle(records[1:3])
    assert await whole_state(engine, "deliveries") == before
    assert [row["deliveries"] for row in await rows(engine, "SELECT deliveries FROM facts ORDER BY id")] == [
        2, 3, 3, 2, 2, 2, 2,
    ]  # fmt: skip


async def test_a_fact_delivered_twice_in_one_batch_is_one_fact(engine: AsyncEngine) -> None:
    topic = Topic()
    facts = unpaid(order(1))
    await make_reconciler(engine).handle([*topic.take(*facts), *topic.take(facts[0], facts[0])])
    assert await rows(engine, "SELECT deliveries FROM facts ORDER BY id") == [{"deliveries": 3}, {"deliveries": 1}]


async def test_rows_of_a_list_are_hints_that_ask_for_a_read(engine: AsyncEngine) -> None:
    await make_reconciler(engine).handle(Topic().take(*of(order(1), listed("waitbuyerpay", 5))))
    assert await rows(engine, "SELECT status, unconfirmed FROM orders") == [
        {"status": "awaiting_payment", "unconfirmed": True}
    ]
    assert await value(engine, "SELECT effect FROM follow_ups") == "refresh"


async def test_an_account_that_is_no_longer_configured_pays_nothing(engine: AsyncEngine) -> None:
    await make_reconciler(engine, policy=Policy()).handle(Topic().take(*unpaid(order(1))))
    assert await value(engine, "SELECT count(*) FROM follow_ups WHERE effect = 'pay'") == 0
    assert PAYING.auto_pay


@contextmanager
def statements(engine: AsyncEngine) -> Iterator[list[str]]:
    """The statements that are sent during the block."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    event.listen(engine.sync_engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(engine.sync_engine, "before_cursor_execute", note)


def eventful(key: OrderKey) -> list[Fact]:
    """Facts that touch every table there is."""
    return [*unpaid(key, total=60_000), *shipped(key), *of(key, refund("TQ2", "waitselleragree", 99), price(None, 99))]


async def test_the_number_of_statements_does_not_grow_with_the_batch(engine: AsyncEngine) -> None:
    counted: list[int] = []
    reconciler = make_reconciler(engine)
    await reconciler.handle([])  # its very first batch also looks for an alert to end
    for size in (10, 500):
        facts = [fact for n in range(size // 5) for fact in eventful(order(f"{size}{n}"))]
        records = [*Topic(partition=size).take(*facts), Topic("broken", size).raw(b"{")]
        for _ in ("new", "known"):
            with statements(engine) as sent:
                await reconciler.handle(records)
            counted.append(len(sent))
    assert counted[:2] == counted[2:]
    assert max(counted) <= MAX_STATEMENTS
