"""What a simulated connection keeps from the server for a while; and that nothing of it shows."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.simulator.stage import Small
from worker.simulator.messages import message, query, split
from worker.simulator.postponed import Descriptions, Postponed
from worker.simulator.server import Database
from worker.storage.engine import create_engine, transaction

DESCRIBED = message(b"1", b"") + message(b"t", b"\0\0") + message(b"n", b"")
NOW, BEGAN = "2026-01-01 00:00:02", "2026-01-01 00:00:01"


def asks(name: bytes, sql: bytes) -> bytes:
    parse = message(b"P", name + b"\0" + sql + b"\0\0\0")
    return parse + message(b"D", b"S" + name + b"\0") + message(b"H", b"")


def runs(name: bytes) -> bytes:
    return message(b"B", b"\0" + name + b"\0\0\0\0\0\0\0") + message(b"E", b"\0\0\0\0\0") + message(b"S", b"")


def kinds(answer: bytes | None) -> bytes:
    assert answer is not None
    return b"".join(kind for kind, _ in split(answer))


def sent(postponed: Postponed, packet: bytes, *, failed: bool = False) -> tuple[list[bytes], int]:
    """Return what the server gets: of each message its kind, and the statement it names."""
    request, ahead = postponed.request(packet, NOW, BEGAN, failed=failed)
    names = {b"B": 1, b"P": 0}
    return [
        kind + b" " + body.split(b"\0")[names[kind]] if kind in names else kind for kind, body in split(request)
    ], ahead


CLOCK = [b"B clock", b"E"]
BEGIN = [b"B begin", b"E"]


def knowing(*names: bytes, known: Descriptions | None = None, prepared: set[bytes] | None = None) -> Postponed:
    """Return a session that was told about a statement under these names."""
    known = {} if known is None else known
    made = Postponed(known, set() if prepared is None else prepared)
    for name in names:
        question = asks(name, b"SELECT 1")
        if made.answer(question, b"I") is None:
            made.learn(question, DESCRIBED + message(b"Z", b"I"))
    return made


def test_a_transaction_without_a_statement_never_reaches_the_server() -> None:
    postponed = knowing(b"one")
    assert kinds(postponed.answer(query("BEGIN;"), b"I")) == b"CZ"
    assert kinds(postponed.answer(query("COMMIT;"), b"T")) == b"CZ"
    assert sent(postponed, runs(b"one")) == ([*CLOCK, b"B s0", b"E", b"S"], 3), "nothing has begun"


def test_a_begin_goes_in_front_of_the_first_statement_and_then_no_more() -> None:
    postponed = knowing(b"one")
    postponed.answer(query("BEGIN;"), b"I")
    assert sent(postponed, runs(b"one")) == ([*BEGIN, *CLOCK, b"B s0", b"E", b"S"], 5)
    assert sent(postponed, runs(b"one")) == ([*CLOCK, b"B s0", b"E", b"S"], 3)
    assert postponed.answer(query("COMMIT;"), b"T") is None, "the server has begun: it has to end"
    assert sent(postponed, query("COMMIT;")) == ([b"Q"], 0), "nothing goes in front of the end"


def test_the_clock_is_set_to_the_present_and_to_the_transactions_begin() -> None:
    request, _ = knowing(b"one").request(runs(b"one"), NOW, BEGAN, failed=False)
    assert request.index(NOW.encode()) < request.index(BEGAN.encode())


def test_a_begin_inside_a_transaction_is_the_servers_to_answer() -> None:
    assert knowing().answer(query("BEGIN;"), b"T") is None


def test_what_one_session_learnt_another_is_told_and_its_server_parses_when_it_matters() -> None:
    known: Descriptions = {}
    first = Postponed(known, set())
    question = asks(b"one", b"SELECT 1")
    assert first.answer(question, b"I") is None
    asked = first.describe(question)
    assert kinds(asked) == b"PDS", "a turn of its own: the server is not left in the middle of one"
    assert first.learn(question, DESCRIBED + message(b"Z", b"I")) == DESCRIBED
    assert sent(first, runs(b"one"))[0] == [*CLOCK, b"B s0", b"E", b"S"], "it was parsed when it was described"
    second = Postponed(known, set())
    assert second.answer(asks(b"two", b"SELECT 1"), b"T") == DESCRIBED
    assert sent(second, runs(b"two")) == ([*CLOCK, b"P s0", b"B s0", b"E", b"S"], 4)
    assert sent(second, runs(b"two"))[0].count(b"P s0") == 1, "nobody said that it was parsed"
    second.parsed()
    assert sent(second, runs(b"two")) == ([*CLOCK, b"B s0", b"E", b"S"], 3)


def test_a_session_that_follows_on_the_same_backend_need_not_parse_again() -> None:
    known: Descriptions = {}
    prepared: set[bytes] = set()
    knowing(b"one", known=known, prepared=prepared)
    assert sent(knowing(b"two", known=known, prepared=prepared), runs(b"two"))[0] == [*CLOCK, b"B s0", b"E", b"S"]


def test_a_statement_that_the_driver_closes_stays_with_the_server_under_our_name() -> None:
    postponed = knowing(b"one")
    closes = message(b"C", b"Sone\0") + message(b"S", b"")
    assert postponed.answer(closes, b"T") == message(b"3", b"") + message(b"Z", b"T")
    assert sent(postponed, runs(b"one"))[0] == [*CLOCK, b"B one", b"E", b"S"], "the server says that it knows none"


def test_a_statement_that_cannot_be_parsed_is_not_remembered() -> None:
    known: Descriptions = {}
    error = message(b"E", b"C42601\0\0")
    assert Postponed(known, set()).learn(asks(b"one", b"SELEC"), error + message(b"Z", b"I")) == error
    assert known == {}


def test_in_a_failed_transaction_the_server_answers_itself_and_gets_nothing_of_ours() -> None:
    known: Descriptions = {}
    knowing(b"one", known=known)
    postponed = Postponed(known, set())
    assert postponed.answer(asks(b"two", b"SELECT 1"), b"T") == DESCRIBED
    assert postponed.answer(asks(b"two", b"SELECT 1"), b"E") is None
    assert sent(postponed, query("SELECT 1"), failed=True) == ([b"Q"], 0)


PUT = text("INSERT INTO orders (account, platform, order_id) VALUES ('a', '1688', :id)")


async def put_and_fail(made: AsyncEngine) -> None:
    async with transaction(made) as connection:
        await connection.execute(PUT, {"id": "gone"})
        await connection.execute(text("SELECT 1 / :zero"), {"zero": 0})


async def ask_for(made: AsyncEngine, sql: str) -> None:
    async with transaction(made) as connection:
        await connection.execute(text(sql))


def test_through_the_real_driver_a_failure_undoes_its_transaction_and_the_connection_lives_on(
    database: Database,
) -> None:
    small = Small()

    async def main() -> tuple[list[Any], Any]:
        made = create_engine(database.address.dsn + "?sslmode=disable", application="test", pool_size=1)
        for _ in range(2):  # the second time everything is known
            with pytest.raises(DBAPIError):
                await put_and_fail(made)
        async with transaction(made) as connection:
            await connection.execute(PUT, {"id": "kept"})
        async with transaction(made):
            pass
        with pytest.raises(DBAPIError):
            await ask_for(made, "SELECT nothing_like_it FROM orders")
        async with transaction(made) as connection:
            found = [row[0] for row in await connection.execute(text("SELECT order_id FROM orders"))]
            arrays = (await connection.execute(text("SELECT ARRAY[1, 2]::bigint[], ARRAY['a']"))).one()
        await made.dispose()
        return found, tuple(arrays)

    postgres = small.postgres(database)
    try:
        found, arrays = small.run(asyncio.wait_for(main(), 60))
    finally:
        postgres.close()
    assert found == ["kept"]
    assert arrays == ([1, 2], ["a"])
