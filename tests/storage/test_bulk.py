"""Rows survive the way through arrays: JSON, nulls, and the one character that Postgres cannot store."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.storage.database import add_order, rows
from worker.storage import batch_store
from worker.storage.batch_store import ChildRows
from worker.storage.bulk import as_params
from worker.storage.engine import transaction
from worker.storage.order_rows import LINE_COLUMNS, json_text, plain

HARD_TEXTS = (
    "",
    " ",
    "O'Brien",
    '"quoted"',
    "{a,b}",
    "NULL",
    "back\\slash",
    "\\u0000",
    "\\\\u0000",
    "新款 🧦",
    "a\nb\t",
)
texts = st.text(st.characters(exclude_categories=["Cs"]))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
)


def without_nul(found: Any) -> Any:
    if isinstance(found, str):
        return found.replace("\x00", "")
    if isinstance(found, list):
        return [without_nul(one) for one in found]
    if isinstance(found, dict):
        return {without_nul(name): without_nul(one) for name, one in found.items()}
    return found


def a_line(ref: int, line_id: str, **columns: Any) -> tuple[Any, ...]:
    line = dict.fromkeys(LINE_COLUMNS) | {"order_ref": ref, "line_id": line_id, "position": 0} | columns
    return tuple(line.values())


async def lines(engine: AsyncEngine) -> list[dict[str, Any]]:
    return await rows(engine, "SELECT * FROM order_lines ORDER BY order_ref, position")


@given(json_values)
@example("\x00")
@example("\\u0000")
@example("\\\x00u0000")
@example(["\\\\\x00\x00", {"\\u0000": "\\"}])
def test_json_text_drops_the_character_that_postgres_cannot_store_and_nothing_else(found: Any) -> None:
    written = json_text(found)
    assert json.loads(written) == json.loads(json.dumps(without_nul(found)))
    assert "\x00" not in json.dumps(json.loads(written), ensure_ascii=False)


def test_plain_text_keeps_everything_but_nul() -> None:
    assert [plain(text) for text in HARD_TEXTS] == list(HARD_TEXTS)
    assert plain("a\x00b") == "ab"
    assert plain(None) is None


async def test_texts_and_nulls_come_back_as_they_went_in(engine: AsyncEngine) -> None:
    ref = await add_order(engine, "1")
    written = ChildRows([ref], [a_line(ref, f"l{n}", position=n, name=text) for n, text in enumerate(HARD_TEXTS)])
    async with transaction(engine) as connection:
        await batch_store.replace_lines(connection, written)
    found = await lines(engine)
    assert [line["name"] for line in found] == list(HARD_TEXTS)
    assert {line["price_minor"] for line in found} == {None}


async def test_json_columns_take_hard_texts(engine: AsyncEngine) -> None:
    ref = await add_order(engine, "1")
    held = [*HARD_TEXTS, "nul\x00"]
    at = datetime(2026, 1, 1, tzinfo=UTC)
    parcel = (ref, "p1", None, None, None, json_text(held), None, None, None, False)
    fact = ("f1", ref, "status", "callback", None, at, "applied", json_text({"word": held}), "t", 0, 0)
    async with transaction(engine) as connection:
        await batch_store.replace_parcels(connection, ChildRows([ref], [parcel]))
        await batch_store.insert_facts(connection, [fact])
    expected = [*HARD_TEXTS, "nul"]
    assert (await rows(engine, "SELECT line_ids FROM parcels"))[0]["line_ids"] == expected
    assert (await rows(engine, "SELECT content FROM facts"))[0]["content"] == {"word": expected}


async def test_children_become_exactly_the_given_ones(engine: AsyncEngine) -> None:
    first, second, other = [await add_order(engine, str(n)) for n in range(3)]
    begun = [a_line(ref, line_id) for ref in (first, second, other) for line_id in ("a", "b")]
    async with transaction(engine) as connection:
        await batch_store.replace_lines(connection, ChildRows([first, second, other], begun))
        now = [a_line(first, "b", name="new name"), a_line(first, "c")]
        await batch_store.replace_lines(connection, ChildRows([first, second], now))
    found = [(line["order_ref"], line["line_id"], line["name"]) for line in await lines(engine)]
    assert sorted(found) == [
        (first, "b", "new name"),
        (first, "c", None),
        (other, "a", None),
        (other, "b", None),
    ]


async def test_nothing_to_write_sends_nothing(engine: AsyncEngine) -> None:
    async with transaction(engine) as connection:
        await batch_store.replace_lines(connection, ChildRows())
        await batch_store.insert_facts(connection, [])
        await batch_store.count_duplicates(connection, {})
        await batch_store.update_orders(connection, [])
        await batch_store.insert_dead_letters(connection, [])
    assert as_params(("a", "b"), []) == {"a": [], "b": []}


async def test_a_number_that_no_column_holds_is_an_error_and_not_a_wrong_amount(engine: AsyncEngine) -> None:
    ref = await add_order(engine, "1")
    with pytest.raises(DBAPIError):
        async with transaction(engine) as connection:
            await batch_store.replace_lines(connection, ChildRows([ref], [a_line(ref, "a", amount_minor=2**63)]))
    assert await lines(engine) == []


def test_json_text_is_what_the_domain_reads_back() -> None:
    assert msgspec.json.decode(json_text({"a": (1, None, "x")})) == {"a": [1, None, "x"]}
