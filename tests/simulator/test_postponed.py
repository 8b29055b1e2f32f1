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
from worker.simulator.postponed import Postponed
from worker.simulator.server import Database
from worker.storage.engine import create_engine, transaction

DESCRIBED = message(b"1", b"") + message(b"t", b"\0\0") + message(b"n", b"")


def asks(name: bytes, sql: bytes) -> bytes:
    parse = message(b"P", name + b"\0" + sql + b"\0\0\0")
    return parse + message(b"D", b"S" + name + b"\0") + message(b"H", b"")


def kinds(answer: bytes | None) -> bytes:
    assert answer is not None
    return b"".join(kind for kind, _ in split(answer))


def test_a_transaction_without_a_statement_never_reaches_the_server() -> None:
    postponed = Postponed({})
    assert kinds(postponed.answer(query("BEGIN;"), b"I")) == b"CZ"
    assert postponed.is_begun
    assert kinds(postponed.answer(query("COMMIT;"), b"T")) == b"CZ"
    assert postponed.take("") == (b"", 0)


def test_a_begin_goes_in_front_of_the_first_statement_and_then_no_more() -> None:
    postponed = Postponed({})
    postponed.answer(query("BEGIN;"), b"I")
    assert postponed.take("SET a = 1") == (query("BEGIN;SET a = 1"), 0)
    assert postponed.take("SET a = 2") == (query("SET a = 2"), 0)
    assert postponed.answer(query("COMMIT;"), b"T") is None, "the server has begun: it has to end"


def test_a_begin_inside_a_transaction_is_the_servers_to_answer() -> None:
    assert Postponed({}).answer(query("BEGIN;"), b"T") is None


def test_what_one_session_learnt_another_is_told_and_the_server_parses_when_it_matters() -> None:
    known: dict[bytes, bytes] = {}
    first, second = Postponed(known), Postponed(known)
    question = asks(b"one", b"SELECT 1")
    assert first.answer(question, b"I") is None
    asked = first.describe(question)
    assert kinds(asked) == b"PDS", "a turn of its own: the server is not left in the middle of one"
    assert first.learn(question, DESCRIBED + message(b"Z", b"I")) == DESCRIBED
    assert second.answer(asks(b"two", b"SELECT 1"), b"T") == DESCRIBED
    front, parses = second.take("")
    assert (front, parses) == (message(b"P", b"two\0SELECT 1\0\0\0"), 1)
    assert first.take("") == (b"", 0), "the first one's was parsed when it was described"


def test_a_statement_that_cannot_be_parsed_is_not_remembered() -> None:
    known: dict[bytes, bytes] = {}
    error = message(b"E", b"C42601\0\0")
    assert Postponed(known).learn(asks(b"one", b"SELEC"), error + message(b"Z", b"I")) == error
    assert known == {}


def test_in_a_failed_transaction_the_server_answers_itself() -> None:
    known = {b"SELECT 1\0\0\0DH": DESCRIBED}
    assert Postponed(known).answer(asks(b"one", b"SELECT 1"), b"T") == DESCRIBED
    assert Postponed(known).answer(asks(b"one", b"SELECT 1"), b"E") is None


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
