"""On the command line the same people decide by the same rules, and every refusal says what to do."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.ledger.conftest import By
from tests.ledger.stage import add_attempt, add_follow_up, deeds
from tests.storage.database import connected, execute, rows
from worker.operators import Operator, Operators


def do(dsn: str, work: Callable[[AsyncEngine], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with connected(dsn) as engine:
            return await work(engine)

    return asyncio.run(run())


def waiting(dsn: str, **columns: Any) -> str:
    """A payment of 100.00 that awaits approval, unless the columns say otherwise; its number."""
    return str(do(dsn, lambda engine: add_follow_up(engine, **columns)))


DECISIONS = [
    ("follow-ups", "approve", "1", "--amount", "1.00", "--reason", "x"),
    ("follow-ups", "reject", "1", "--reason", "x"),
    ("follow-ups", "retry", "1", "--reason", "x"),
    ("follow-ups", "resolve", "1", "done", "--reason", "x"),
    ("plans", "put", "main/1688/1", "plan.json", "--reason", "x"),
    ("pause", "--reason", "x"),
    ("resume", "--reason", "x"),
]


@pytest.mark.parametrize("words", DECISIONS)
def test_nobody_decides_without_a_token(by: By, words: tuple[str, ...]) -> None:
    said = by(None, *words)
    assert (said.status, "ORDERSYNC_OPERATOR_TOKEN: is not set" in said.err) == (2, True)
    said = by("mallory", *words)
    assert (said.status, "ORDERSYNC_OPERATOR_TOKEN: is nobody's token" in said.err) == (2, True)


def test_a_viewer_decides_nothing(by: By, database: str) -> None:
    number = waiting(database)
    Path("plan.json").write_text("{}")
    for words in DECISIONS[:-1]:
        said = by("vera", *(number if word == "1" else word for word in words))
        assert said.status == 2, said.all
        assert "vera may not" in said.out
    assert do(database, deeds) == []


def test_what_is_not_there_is_said(by: By) -> None:
    assert by(None, "follow-ups", "show", "7").status == 1
    said = by("ole", "follow-ups", "reject", "7", "--reason", "x")
    assert (said.status, "there is no follow-up 7" in said.out) == (2, True)
    assert by(None, "plans", "show", "main/1688/1").status == 1
    said = by("ole", "resume", "--reason", "x")
    assert (said.status, "not paused with these very options; paused are: nothing" in said.out) == (2, True)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("follow-ups", "approve", "1", "--reason", "x"), "send the amount that you saw"),
        (("follow-ups", "approve", "1", "--amount", "99.99", "--reason", "x"), "100.00 CNY now, and you saw 99.99"),
        (("follow-ups", "approve", "1", "--amount", "a lot", "--reason", "x"), "expected yuan, such as 123.45"),
        (("follow-ups", "approve", "1", "--amount", "100.00", "--reason", " "), "reason: is missing"),
        (("follow-ups", "list", "--order", "main/1688"), "expected ACCOUNT/PLATFORM/ORDER_ID"),
        (("follow-ups", "list", "--effect", "payy"), "effect: expected one of refresh, find_substitutes, pay"),
        (("pause", "--effect", "refresh", "--reason", "x"), "expected one of pay,"),
        (("pause", "--account", "mian", "--reason", "x"), "no account 'mian' here; expected one of main"),
    ],
)
def test_what_is_wrong_is_said_with_what_is_right(by: By, database: str, words: tuple[str, ...], why: str) -> None:
    number = waiting(database)
    said = by("ann", *(number if word == "1" else word for word in words))
    assert said.status == 2, said.all
    assert why in said.out
    assert do(database, deeds) == []


def test_a_database_that_is_away_is_said(by: By, place: pytest.MonkeyPatch) -> None:
    place.setenv("ORDERSYNC_DATABASE_URL", "postgresql://nobody:hidden@127.0.0.1:1/nothing")
    for words in (("follow-ups", "list"), ("audit-log",), ("pauses",), ("pause", "--reason", "x")):
        said = by("ole", *words)
        assert (said.status, "ordersync doctor" in said.out, "hidden" in said.all) == (1, True, False), said.all


def test_two_people_approve_what_is_dear(by: By, database: str) -> None:
    number = waiting(database, reason="the total rose")
    assert f"{number}" in by(None, "follow-ups", "list", "--waiting").out
    assert "0 follow-ups" in by(None, "follow-ups", "list", "--state", "unknown").out
    asked = ("follow-ups", "approve", number, "--amount", "100.00", "--reason", "agreed by phone")
    said = by("ann", *asked)
    assert (said.status, "1 more must approve" in said.out) == (0, True)
    assert "as before" in by("ann", *asked).out
    shown = by(None, "follow-ups", "show", number).out
    for part in ("pay (full) of order main/1688/1", "waits: 1 approval(s) missing", "waits: the total rose", "ann"):
        assert part in shown
    said = by("bob", *asked)
    assert (said.status, "is planned" in said.out, "approved up to 100.00 CNY" in said.out) == (0, True, True)
    whole = json.loads(by(None, "follow-ups", "show", number, "--json").out)
    assert (whole["state"], whole["approved_minor"], len(whole["approvals"])) == ("planned", 10_000, 2)
    log = by(None, "audit-log", "--actor", "bob").out
    assert "agreed by phone" in log
    assert "1 entries" in log
    assert [one["actor"] for one in json.loads(by(None, "audit-log", "--json").out)] == ["bob", "ann"]


def test_reject_retry_and_resolve(by: By, database: str) -> None:
    number = waiting(database)
    assert by("ole", "follow-ups", "reject", number, "--reason", "bought elsewhere").status == 0
    assert by("ole", "follow-ups", "retry", number, "--reason", "no, not bought").status == 0

    async def unknown(engine: AsyncEngine) -> None:
        await execute(engine, "UPDATE follow_ups SET state = 'sending'")
        await execute(engine, "UPDATE follow_ups SET state = 'unknown', attempts = 1")
        await add_attempt(engine, int(number), sent="now() - interval '1 minute'", spent=10_000)
        await execute(engine, "UPDATE orders SET asked_at = now()")

    do(database, unknown)
    refused = by("ole", "follow-ups", "resolve", number, "not-done", "--reason", "not there")
    assert (refused.status, "needs the role approver" in refused.out) == (2, True)
    assert "is rejected" in by("ann", "follow-ups", "resolve", number, "not-done", "--reason", "not there").out
    said = by("ole", "follow-ups", "retry", number, "--reason", "once more", "--checked", "today's payments")
    assert "is planned" in said.out
    shown = by(None, "follow-ups", "show", number).out
    assert "another attempt was allowed" in shown
    assert "unclear" in shown


def test_the_kill_switch(by: By) -> None:
    said = by("ann", "pause", "--account", "main", "--effect", "pay", "--reason", "strange prices")
    assert (said.status, "paused: pay of main" in said.out) == (0, True)
    assert "paused already" in by("ole", "pause", "--account", "main", "--effect", "pay", "--reason", "me too").out
    assert by("ole", "pause", "--reason", "everything").status == 0
    listed = by(None, "pauses").out
    assert "strange prices" in listed
    assert "2 paused" in listed
    assert "needs the role operator" in by("ann", "resume", "--reason", "over").out
    said = by("ole", "resume", "--reason", "over")
    assert (said.status, "still paused: pay of main" in said.out) == (0, True)
    said = by("ole", "resume", "--account", "main", "--reason", "over")
    assert (said.status, "paused are: pay of main" in said.out) == (2, True)
    assert by("ole", "resume", "--account", "main", "--effect", "pay", "--reason", "over").status == 0
    assert "0 paused" in by(None, "pauses").out
    assert len(json.loads(by(None, "pauses", "--all", "--json").out)) == 2


def test_a_plan_comes_from_a_file_and_its_receiver_is_shown_to_few(by: By, database: str) -> None:
    put = ("plans", "put", "main/1688/1", "plan.json", "--reason", "ordered")
    assert "plan.json: cannot be read" in by("ole", *put).out
    for wrong, why in (("{", "is not JSON"), ('{"planned_total": 1}', "planned_total: expected an amount as text")):
        Path("plan.json").write_text(wrong)
        said = by("ole", *put)
        assert (said.status, why in said.out) == (2, True), said.all
    Path("plan.json").write_text(
        json.dumps({"planned_total": "1.00", "receiver": {"name": "Jo Doe", "country": "US", "address": "1 Main St"}})
    )
    assert "no account 'mian'" in by("ole", "plans", "put", "mian/1688/1", "plan.json", "--reason", "x").out
    said = by("ole", *put)
    assert (said.status, "version 1" in said.out, "was not seen yet" in said.out) == (0, True, True)
    assert "it says what was planned" in by("ole", *put).out
    for name in (None, "vera"):
        said = by(name, "plans", "show", "main/1688/1")
        assert (said.status, "1.00" in said.out, "Jo Doe" in said.all) == (0, True, False)
    assert "Jo Doe" in by("ann", "plans", "show", "main/1688/1").out
    assert json.loads(by("ole", "plans", "show", "main/1688/1", "--json").out)["plan"]["receiver"]["name"] == "Jo Doe"
    assert "Jo Doe" not in by(None, "audit-log").all
    assert [row["version"] for row in do(database, lambda e: rows(e, "SELECT version FROM plans"))] == [1]


def test_what_stands_in_the_ledger_cannot_take_over_the_terminal(by: By, database: str) -> None:
    number = waiting(database, reason="\x1b]0;owned\x07 [bold]dear[/bold]")
    for words in (("list",), ("show", number)):
        said = by(None, "follow-ups", *words).out
        assert "\x1b" not in said
        assert "\\x1b]0;owned\\x07 [bold]dear[/bold]" in said


def test_a_token_is_made_with_its_digest(by: By) -> None:
    said = by(None, "operators", "token")
    token, digest = (line.split()[1] for line in said.out.splitlines()[:2])
    person = Operator.model_validate({"name": "new", "roles": ["viewer"], "token_sha256_env": "D"})
    assert list(person.resolve_digest({"D": digest})) == []
    assert Operators([person]).authenticate(token.encode()) is not None
