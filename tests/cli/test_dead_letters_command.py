"""`ordersync dead-letters`: a person sees what waits, replays and discards it, and is always told what came of it."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.cli.conftest import Command, Said
from tests.dead_letters.stage import NONCE, all_of, good, poisoned, reconciler, strange
from tests.reconcile.stage import Topic
from tests.storage.database import connected, execute, rows

EVIL = "\x1b]0;owned\x07\x1b[2Jnot understood: \u202egnp.exe [bold]x[/bold]"
BODY = b'{"messageType": "ORDER_NEW_THING", "messageBody": {"orderId": "77", "fullName": "Zhang San"}}'
OPERATORS = '[[operators]]\nname = "ann"\nroles = ["operator"]\ntoken_sha256_env = "ANN_DIGEST"\n'
Ask = Callable[..., Said]


def do(dsn: str, work: Callable[[AsyncEngine], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with connected(dsn) as engine:
            return await work(engine)

    return asyncio.run(run())


@pytest.fixture
def letters(database: str, place: pytest.MonkeyPatch, ordersync: Command) -> Ask:
    """The command, with two unreadable records and a message that nobody understood set aside."""
    place.setenv("ORDERSYNC_DATABASE_URL", database)
    Path("operators.toml").write_text(OPERATORS)
    place.setenv("ORDERSYNC_OPERATORS_FILE", "operators.toml")
    place.setenv("ANN_DIGEST", hashlib.sha256(b"anns-token").hexdigest())
    place.setenv("ORDERSYNC_OPERATOR_TOKEN", "anns-token")
    events = [*poisoned(good(1), good(2)), strange(1, BODY)]
    do(database, lambda engine: reconciler(engine).handle(all_of(Topic(), events)))

    def ask(*words: str) -> Said:
        return ordersync("dead-letters", *words)

    return ask


def numbers(dsn: str) -> list[str]:
    return [str(row["id"]) for row in do(dsn, lambda engine: rows(engine, "SELECT id FROM dead_letters ORDER BY id"))]


def test_causes_and_letters_are_listed(letters: Ask) -> None:
    said = letters("list")
    assert said.status == 0
    assert "2 causes, 3 letters" in said.out
    assert "2 letters, " in said.out
    assert "not understood: unknown messageType" in said.out
    assert "2 letters" in letters("list", "--matching", "envelope").out
    (first, _) = json.loads(letters("list", "--json").out)
    assert first["letters"] == 1
    assert "0 causes" in letters("list", "--state", "discarded").out


def test_one_letter_is_shown_with_everything_but_persons(letters: Ask, database: str) -> None:
    number = numbers(database)[2]
    said = letters("show", number)
    assert said.status == 0
    assert '"orderId": "77"' in said.out
    assert "Zhang" not in said.out
    assert "ordersync.fact.unrecognised.v1" in said.out
    assert json.loads(letters("show", number, "--json").out)["state"] == "open"
    assert "envelope" in letters("show", numbers(database)[0]).out
    assert (letters("show", "999999").status, letters("show", "999999").out) == (1, "there is no dead letter 999999\n")


def test_a_dry_run_says_what_would_be_done(letters: Ask) -> None:
    said = letters("replay", "--matching", "envelope", "--dry-run")
    assert (said.status, said.out) == (0, "2 would be replayed\n")
    assert letters("discard", "--matching", "envelope", "--dry-run").out == "2 would be discarded (kept)\n"
    assert "3 letters" in letters("list").out


def test_a_replay_without_a_running_worker_says_that_nothing_was_sent_yet(letters: Ask) -> None:
    ask = ["replay", "--matching", "envelope", "--reason", "mended", "--nonce", NONCE, "--wait", "0"]
    said = letters(*ask)
    assert said.status == 1
    assert "2 taken" in said.out
    assert "2 not sent yet, 0 on their way: a running worker sends and records them" in said.out
    again = letters(*ask)
    assert "nothing is replayed a second time" in again.out
    other = letters("replay", "--matching", "envelope", "--reason", "mended", "--wait", "0")
    assert other.status == 1
    assert "0 taken\n2 skipped: being replayed just now\n" in other.out
    assert "nothing was replayed: no letter of these waits" in other.out


@pytest.mark.parametrize(("outcome", "status"), [("replayed", 0), ("failed_again", 1)])
def test_the_outcome_of_every_letter_is_told(letters: Ask, database: str, outcome: str, status: int) -> None:
    ask = ["replay", *numbers(database), "--reason", "mended", "--nonce", NONCE, "--wait"]
    letters(*ask, "0")
    settle = "UPDATE dead_letter_replay_items SET sent_at = now(), outcome = :outcome, reason = 'because'"
    do(database, lambda engine: execute(engine, settle, outcome=outcome))
    said = letters(*ask, "30")
    assert said.status == status
    assert ("3 replayed, 0 failed again" if status == 0 else "0 replayed, 3 failed again") in said.out
    assert ("3: because" in said.out) == (status == 1)


def test_a_discard_is_audited_under_the_name_of_who_said_so(letters: Ask, database: str) -> None:
    said = letters("discard", numbers(database)[0], "--reason", "a test")
    assert (said.status, said.out) == (0, "1 discarded (kept and marked)\n")
    assert letters("discard", numbers(database)[0], "--reason", "a test").out.endswith("1 skipped: discarded before\n")
    found = do(database, lambda engine: rows(engine, "SELECT actor, reason FROM audit_log ORDER BY id"))
    assert found == [{"actor": "ann", "reason": "a test"}] * 2


@pytest.mark.parametrize(("token", "advice"), [(None, "is not set"), ("wrong", "is nobody's token")])
def test_without_a_token_of_an_operator_nothing_is_changed(
    letters: Ask, database: str, place: pytest.MonkeyPatch, token: str | None, advice: str
) -> None:
    place.delenv("ORDERSYNC_OPERATOR_TOKEN") if token is None else place.setenv("ORDERSYNC_OPERATOR_TOKEN", token)
    said = letters("discard", *numbers(database), "--reason", "x")
    assert said.status == 2
    assert f"ORDERSYNC_OPERATOR_TOKEN: {advice}" in said.err
    assert "3 letters" in letters("list").out, "to look needs no token but the database's"


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        (["replay", "--reason", "x"], "say which letters"),
        (["replay", "--matching", "x"], "reason: is missing"),
        (["replay", "--matching", "x", "--reason", "x", "--nonce", "short"], "nonce"),
        (["discard", "--matching", "x"], "reason: is missing"),
        (["discard", "--reason", "x"], "say which letters"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(letters: Ask, words: list[str], advice: str) -> None:
    said = letters(*words)
    assert said.status == 2
    assert advice in said.out


def test_text_of_a_marketplace_is_shown_and_not_obeyed(letters: Ask, database: str) -> None:
    do(database, lambda engine: execute(engine, "UPDATE dead_letters SET reason = :r, detail = :r, key = :r", r=EVIL))
    for words in (["list"], ["list", "--letters"], ["show", numbers(database)[0]]):
        raw = letters(*words)
        assert raw.status == 0
        for forbidden in "\x1b\x07\u202e":
            assert forbidden not in raw.out, words
        assert "[bold]" in raw.out


def test_a_database_that_is_away_is_said_with_what_to_do(place: pytest.MonkeyPatch, ordersync: Command) -> None:
    place.setenv("ORDERSYNC_DATABASE_URL", "postgresql://nobody:hidden@127.0.0.1:1/none")
    said = ordersync("dead-letters", "list")
    assert said.status == 1
    assert "ordersync doctor" in said.out
    assert "hidden" not in said.all
