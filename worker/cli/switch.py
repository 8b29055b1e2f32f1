"""`ordersync pause`, `resume`, `pauses` and `audit-log`."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncEngine

from worker.cli.identity import who
from worker.cli.output import SafeConsole
from worker.cli.session import OK, print_json, with_database
from worker.domain.operators import RefusalKind, RefusedError
from worker.settings import load_configuration, load_settings
from worker.storage import audit_store, pause_store
from worker.storage.pause_store import Scope, known_account
from worker.storage.read_store import reading

MAX_LIMIT = 1_000


def pause(account: str | None, effect: str | None, reason: str) -> int:
    """Stop effects; return the exit status."""
    scope = Scope(account, effect)
    settings = load_settings()
    actor = who(settings)

    async def run(engine: AsyncEngine, console: SafeConsole) -> int:
        if account is not None:
            known_account(scope, _accounts())
        done = await pause_store.pause(engine, actor, scope, reason=reason)
        console.say(f"paused: {scope} (pause {done.id})" if done.changed else f"{scope}: paused already ({done.id})")
        return OK

    return with_database(settings, run, what="pauses")


def resume(account: str | None, effect: str | None, reason: str) -> int:
    """Let effects go on; return the exit status."""
    scope = Scope(account, effect)
    settings = load_settings()
    actor = who(settings)

    async def run(engine: AsyncEngine, console: SafeConsole) -> int:
        async with reading(engine) as connection:
            found = await pause_store.find_open(connection, scope)
            still = await pause_store.list_pauses(connection, is_open=True, limit=MAX_LIMIT)
        if found is None:
            paused = "; ".join(str(_scope(row)) for row in still) or "nothing"
            raise RefusedError(
                RefusalKind.NOT_FOUND, f"{scope}: not paused with these very options; paused are: {paused}"
            )
        await pause_store.resume(engine, actor, found, reason=reason)
        console.say(f"resumed: {scope}")
        for row in still:
            if row["id"] != found:
                console.say(f"still paused: {_scope(row)}")
        return OK

    return with_database(settings, run, what="pauses")


def show_pauses(*, everything: bool, limit: int, as_json: bool) -> int:
    """Print pauses, newest first; return the exit status."""

    async def run(engine: AsyncEngine, console: SafeConsole) -> int:
        async with reading(engine) as connection:
            rows = await pause_store.list_pauses(
                connection, is_open=None if everything else True, limit=max(1, min(limit, MAX_LIMIT))
            )
        if as_json:
            print_json([dict(row) for row in rows])
            return OK
        _say_pauses(console, rows)
        return OK

    return with_database(load_settings(), run, what="pauses")


def show_audit_log(subject: str | None, actor: str | None, *, before: int | None, limit: int, as_json: bool) -> int:
    """Print entries of the audit log, newest first; return the exit status."""

    async def run(engine: AsyncEngine, console: SafeConsole) -> int:
        most = max(1, min(limit, MAX_LIMIT))
        async with reading(engine) as connection:
            rows = await audit_store.entries(connection, subject=subject, actor=actor, before=before, limit=most)
        if as_json:
            print_json([dict(row) for row in rows])
            return OK
        console.table(
            ("id", "when", "who", "did", "to", "why", "details"),
            [
                (row["id"], row["at"].isoformat(sep=" ", timespec="seconds"), row["actor"], row["action"],
                 row["subject"], row["reason"], msgspec.json.encode(row["details"]).decode())
                for row in rows
            ],
        )  # fmt: skip
        more = f"; older ones: --before {rows[-1]['id']}" if len(rows) == most else ""
        console.say(f"{len(rows)} entries{more}")
        return OK

    return with_database(load_settings(), run, what="the audit log")


def _say_pauses(console: SafeConsole, rows: Sequence[RowMapping]) -> None:
    console.table(
        ("id", "what", "since", "by", "why", "resumed"),
        [
            (row["id"], _scope(row), row["created_at"].isoformat(sep=" ", timespec="seconds"), row["actor"],
             row["reason"], row["lifted_by"])
            for row in rows
        ],
    )  # fmt: skip
    console.say(f"{sum(row['lifted_at'] is None for row in rows)} paused")


def _scope(row: RowMapping) -> Scope:
    return Scope(row["account"], row["effect"])


def _accounts() -> list[str]:
    return [account.name for account in load_configuration()[1]]
