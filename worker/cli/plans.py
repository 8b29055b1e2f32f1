"""`ordersync plans`: a plan comes from a file, since what stands on a command line is seen by everybody here."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from worker.accounts import Account
from worker.cli.identity import who, who_if_any
from worker.cli.keys import order_key
from worker.cli.output import SafeConsole
from worker.cli.session import FAILED, OK, print_json, with_database
from worker.domain.identity import OrderKey
from worker.domain.operators import RefusalKind, RefusedError, Role, require, stated
from worker.domain.plans import Plan, PlanError, read_plan
from worker.settings import load_configuration, load_settings
from worker.storage import plan_store
from worker.storage.engine import transaction
from worker.storage.read_store import reading

MAX_FILE_BYTES = 65_536
STANDARD_INPUT = Path("-")
WHAT = "plans"


def show(order: str, *, as_json: bool) -> int:
    """Print a plan; return the exit status."""
    settings = load_settings()
    actor = who_if_any(settings)

    async def run(engine: AsyncEngine, console: SafeConsole) -> int:
        key = order_key(order)
        async with reading(engine, one_snapshot=True) as connection:
            found = await plan_store.get(connection, key)
        if found is None:
            console.say(f"there is no plan for {key}")
            return FAILED
        document = {name: held for name, held in found.content.items() if held is not None}
        if not actor.has_any(Role.OPERATOR, Role.APPROVER) and "receiver" in document:
            document["receiver"] = "(shown to operators and approvers)"
        if as_json:
            print_json({"version": found.version, "requested_by": found.requested_by, "plan": document})
            return OK
        console.say(f"plan of {key}, version {found.version}, by {found.requested_by}", style="bold")
        console.table(("field", "planned"), [(name, _text(held)) for name, held in document.items()])
        console.table(
            ("version", "by", "when"),
            [(row["version"], row["requested_by"], row["created_at"].isoformat(sep=" ", timespec="seconds"))
             for row in found.history],
        )  # fmt: skip
        return OK

    return with_database(settings, run, what=WHAT)


def put(order: str, file: Path, reason: str) -> int:
    """Plan an order; return the exit status."""
    settings, accounts = load_configuration()
    actor = who(settings)

    async def run(engine: AsyncEngine, console: SafeConsole) -> int:
        require(actor, "plan orders", Role.OPERATOR)
        key = _known(order_key(order), accounts)
        why = stated(reason)
        plan = _read(file)
        async with transaction(engine) as connection:
            done = await plan_store.put(connection, key, plan, requested_by=actor.name, reason=why)
        console.say(f"plan of {key}, version {done.version}" + ("" if done.changed else ": it says what was planned"))
        if done.changed:
            console.say("the order is read afresh and judged by it" if done.known else "the order was not seen yet")
        return OK

    return with_database(settings, run, what=WHAT)


def _known(key: OrderKey, accounts: tuple[Account, ...]) -> OrderKey:
    names = sorted(account.name for account in accounts)
    if key.account not in names:
        raise RefusedError(
            RefusalKind.NOT_FOUND, f"there is no account {key.account!r}; expected one of {', '.join(names)}"
        )
    return key


def _read(file: Path) -> Plan:
    """Return the plan of a file. Raises RefusedError that repeats nothing of it."""
    try:
        if file == STANDARD_INPUT:
            raw = sys.stdin.buffer.read(MAX_FILE_BYTES + 1)
        else:
            with file.open("rb") as opened:
                raw = opened.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise RefusedError(RefusalKind.INVALID, f"{file}: cannot be read ({error.strerror})") from error
    if len(raw) > MAX_FILE_BYTES:
        raise RefusedError(RefusalKind.INVALID, f"{file}: larger than {MAX_FILE_BYTES} bytes; expected one plan")
    try:
        return read_plan(msgspec.json.decode(raw))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise RefusedError(RefusalKind.INVALID, f"{file}: is not JSON") from None
    except PlanError as error:
        raise RefusedError(RefusalKind.INVALID, str(error)) from error


def _text(held: Any) -> str:
    return held if isinstance(held, str) else msgspec.json.format(msgspec.json.encode(held), indent=1).decode()
