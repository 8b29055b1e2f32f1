"""`ordersync follow-ups`: the ledger for people, and their decisions. The rules are those of the API."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncEngine

from worker.cli.identity import who
from worker.cli.keys import amount_of, order_key
from worker.cli.output import SafeConsole
from worker.cli.session import FAILED, OK, print_json, with_database
from worker.domain.effects import EffectState
from worker.domain.money import yuan_text
from worker.domain.operators import Actor, RefusalKind, RefusedError
from worker.domain.policy import Effect
from worker.settings import Settings, load_configuration, load_settings
from worker.storage import decision_store
from worker.storage.decision_rows import PolicyOf, policies_of
from worker.storage.decision_store import Decided
from worker.storage.ledger_view import WAITING_FOR_PEOPLE, FollowUpDetail, LedgerFilter, list_follow_ups, show
from worker.storage.read_store import reading

WAITING = tuple(state.value for state in WAITING_FOR_PEOPLE)
MAX_LIMIT = 1_000
WHAT = "the ledger"


def show_list(
    states: Sequence[str],
    effects: Sequence[str],
    account: str | None,
    order: str | None,
    *,
    before: int | None,
    limit: int,
    as_json: bool,
) -> int:
    """Print follow-ups, newest first; return the exit status."""

    async def run(engine: AsyncEngine, console: SafeConsole) -> int:
        wanted = LedgerFilter(
            account, None, None, tuple(EffectState(state) for state in states), tuple(_effect(name) for name in effects)
        )
        if order is not None:
            key = order_key(order)
            wanted = msgspec.structs.replace(wanted, account=key.account, platform=key.platform, order_id=key.order_id)
        most = max(1, min(limit, MAX_LIMIT))
        async with reading(engine) as connection:
            rows = await list_follow_ups(connection, wanted, before=before, limit=most)
        if as_json:
            print_json([_shown(row) for row in rows])
            return OK
        console.table(
            ("id", "order", "effect", "state", "amount", "since", "why"),
            [
                (row["id"], _key(row), row["effect"], row["state"], _yuan(row["amount_minor"]),
                 _time(row["updated_at"]), row["reason"])
                for row in rows
            ],
        )  # fmt: skip
        more = f"; older ones: --before {rows[-1]['id']}" if len(rows) == most else ""
        console.say(f"{len(rows)} follow-ups{more}")
        return OK

    return with_database(load_settings(), run, what=WHAT)


def show_one(follow_up: int, *, as_json: bool) -> int:
    """Print one follow-up with all that led to where it stands; return the exit status."""
    settings, policy_of = _configured()

    async def run(engine: AsyncEngine, console: SafeConsole) -> int:
        async with reading(engine, one_snapshot=True) as connection:
            found = await show(connection, follow_up, policy_of)
        if found is None:
            console.say(f"there is no follow-up {follow_up}; list them: ordersync follow-ups list")
            return FAILED
        if as_json:
            print_json(_whole(found))
        else:
            _say_one(console, found)
        return OK

    return with_database(settings, run, what=WHAT)


def approve(follow_up: int, amount: str | None, reason: str) -> int:
    """Approve up to the amount that was seen; return the exit status."""
    settings, policy_of = _configured()
    actor = who(settings)

    async def decide(engine: AsyncEngine) -> Decided:
        seen = None if amount is None else amount_of(amount)
        return await decision_store.approve(engine, follow_up, actor, seen=seen, reason=reason, policy_of=policy_of)

    return _decided(decide)


def reject(follow_up: int, reason: str) -> int:
    """End what was not sent; return the exit status."""
    actor = _actor()
    return _decided(lambda engine: decision_store.reject(engine, follow_up, actor, reason=reason))


def retry(follow_up: int, reason: str, checked: str | None) -> int:
    """Have it tried again; return the exit status."""
    actor = _actor()
    return _decided(lambda engine: decision_store.retry(engine, follow_up, actor, reason=reason, checked=checked))


def resolve(follow_up: int, reason: str, *, done: bool) -> int:
    """End it by what a person saw; return the exit status."""
    actor = _actor()
    return _decided(lambda engine: decision_store.resolve(engine, follow_up, actor, done=done, reason=reason))


def _effect(name: str) -> Effect:
    try:
        return Effect(name)
    except ValueError:
        raise RefusedError(RefusalKind.INVALID, f"effect: expected one of {', '.join(Effect)}") from None


def _actor() -> Actor:
    return who(load_settings())


def _configured() -> tuple[Settings, PolicyOf]:
    settings, accounts = load_configuration()
    return settings, policies_of({one.name: one.policy.to_policy(frozenset()) for one in accounts})


def _decided(decide: Callable[[AsyncEngine], Awaitable[Decided]]) -> int:
    async def run(engine: AsyncEngine, console: SafeConsole) -> int:
        decided = await decide(engine)
        console.say(f"follow-up {decided.id} is {decided.state.value}" + ("" if decided.changed else ", as before"))
        if decided.missing:
            console.say(
                f"{decided.missing} more must approve; whoever does sends the same command with their own token"
            )
        elif decided.approved_minor:
            console.say(f"approved up to {yuan_text(decided.approved_minor)} CNY")
        return OK

    return with_database(load_settings(), run, what=WHAT)


def _say_one(console: SafeConsole, found: FollowUpDetail) -> None:
    row = found.row
    console.say(f"follow-up {row['id']}: {row['effect']} ({row['purpose']}) of order {found.key}", style="bold")
    approved = "" if row["approved_minor"] is None else f", approved up to {_yuan(row['approved_minor'])}"
    console.say(f"{row['state']}, {_yuan(row['amount_minor']) or 'no amount'}{approved}")
    doubt = ", in doubt until its next read" if row["order_unconfirmed"] else ""
    paid = "paid" if row["order_paid"] else "not paid"
    console.say(f"the order: {row['order_status']}, {paid}, last read {_time(row['order_asked_at']) or 'never'}{doubt}")
    for why in found.waits:
        console.say(f"waits: {why}", style="yellow")
    if row["pay_url"]:
        console.say(f"to be paid at: {row['pay_url']}")
    if row["cleared"]:
        console.say(f"another attempt was allowed: {_json(row['cleared'])}")
    _say_tables(console, found)


def _say_tables(console: SafeConsole, found: FollowUpDetail) -> None:
    if found.attempts:
        console.table(
            ("sent", "operation", "amount", "outcome", "evidence", "answer"),
            [
                (_time(one["sent_at"]), one["operation"], _yuan(one["amount_minor"]), one["outcome"] or "under way",
                 _json(one["evidence"]), _json(one["answer"]))
                for one in found.attempts
            ],
        )  # fmt: skip
    if found.approvals:
        console.table(
            ("when", "decision", "amount", "who", "why"),
            [
                (_time(one["created_at"]), one["decision"], _yuan(one["amount_minor"]), one["actor"], one["reason"])
                for one in found.approvals
            ],
        )
    if found.entries:
        console.table(
            ("when", "who", "did", "why"),
            [(_time(one["at"]), one["actor"], one["action"], one["reason"]) for one in found.entries],
        )


def _whole(found: FollowUpDetail) -> dict[str, Any]:
    return _shown(found.row) | {
        "waits": found.waits,
        "missing_approvals": found.missing,
        "attempt_log": [{**row, "claim_token": None} for row in found.attempts],
        "approvals": [dict(row) for row in found.approvals],
        "audit_log": [dict(row) for row in found.entries],
    }


def _shown(row: RowMapping) -> dict[str, Any]:
    return {name: held for name, held in row.items() if name != "order_ref"}


def _key(row: RowMapping) -> str:
    return f"{row['account']}/{row['platform']}/{row['order_id']}"


def _yuan(minor: int | None) -> str | None:
    return None if minor is None else yuan_text(minor)


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(sep=" ", timespec="seconds")


def _json(value: Any) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()
