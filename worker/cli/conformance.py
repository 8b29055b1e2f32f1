"""`ordersync conformance`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from urllib.parse import urlsplit

import httpx2 as httpx
import msgspec

from worker.accounts import LOOPBACK_NAMES, Account
from worker.catalogue.operation import Dialect
from worker.cli.audit import choose
from worker.composition.recorders import secrets_of
from worker.conformance.findings import Report
from worker.conformance.suite import Plan, Suite
from worker.conformance.table import markdown
from worker.domain.clock import SystemClock
from worker.logs import configure_logging
from worker.marketplaces.build import build_wire
from worker.marketplaces.caller import Routes
from worker.marketplaces.http import HttpCore
from worker.marketplaces.recording import FileRecorder, Limits
from worker.settings import load_accounts_alone

CONFIRMED, CONTRADICTED, NOT_RUN = 0, 1, 2
PAUSE_S = 1.0
"""Between two calls of an account that is not on this machine: no official rate is known."""
TIMEOUT_S = 20.0
WRONG_SECRET_SUFFIX = "-wrong"  # noqa: S105 - makes a wrong secret of a right one
_NO_SANDBOX = "what answers there is no sandbox"


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What the command was asked for. `ask`: `name=value` pairs."""

    read_only: bool = False
    effects: bool = False
    sandbox: bool = False
    ask: tuple[str, ...] = ()
    record: Path | None = None
    as_json: bool = False


def conformance(name: str, wanted: Wanted) -> int:
    """Run the suite; return 0 if nothing documented was contradicted, 1 if something was, 2 if it could not run."""
    configure_logging("error")
    (account,) = choose(load_accounts_alone(), name)
    local = urlsplit(account.base_url).hostname in LOOPBACK_NAMES
    if wanted.read_only and wanted.effects:
        return _refused("--read-only and --effects exclude each other")
    if (wanted.effects or wanted.sandbox) and not local:
        option = "--effects" if wanted.effects else "--sandbox"
        return _refused(
            f"{option} is for a sandbox on this machine; {account.base_url} is not. Nothing was sent. "
            "Against a real account only reads are asked: leave the option out"
        )
    plan = Plan(
        effects=wanted.effects,
        invent=wanted.effects or wanted.sandbox,
        pause_s=0.0 if local else PAUSE_S,
        throttle_pause_s=0.2 if local else 10.0,
        hints=dict(pair.partition("=")[::2] for pair in wanted.ask),
    )
    report = asyncio.run(run(account, plan, wanted))
    if isinstance(report, str):
        return _refused(report)
    print(msgspec.json.encode(report).decode() if wanted.as_json else markdown(report), end="")  # noqa: T201 - the output
    if not report.reached:
        return _refused("no operation could be reached: look at the account's base_url and keys")
    return CONTRADICTED if report.contradicted else CONFIRMED


async def run(account: Account, plan: Plan, wanted: Wanted) -> Report | str:
    """Ask; a text says why nothing was asked."""
    paths = dict(account.paths)
    if wanted.sandbox or wanted.effects:
        found = await _sandbox_paths(account)
        if isinstance(found, str):
            return found
        paths = found | paths
    clock = SystemClock()
    recorder = (
        FileRecorder(account.name, wanted.record, clock, secrets_of(account), Limits()) if wanted.record else None
    )
    http = HttpCore(account.base_url, timeout_s=TIMEOUT_S, recorder=recorder)
    suite = Suite(
        account,
        Routes(Dialect(account.dialect), account.api_version, paths),
        http,
        build_wire(account, http, clock),
        build_wire(account, http, clock, secret=account.access_secret + WRONG_SECRET_SUFFIX),
        plan=plan,
        clock=clock,
        sleep=asyncio.sleep,
    )
    try:
        return await suite.run()
    finally:
        await http.close()


async def _sandbox_paths(account: Account) -> dict[str, str] | str:
    """Return the paths that a sandbox made up. A text: why this is none, so that no effect goes to anything else.

    An address of this machine may lead elsewhere (a tunnel, a proxy): only what has a sandbox's control pages is one.
    """
    async with httpx.AsyncClient(base_url=account.base_url, timeout=TIMEOUT_S, trust_env=False) as client:
        try:
            response = await client.get("/_sandbox/paths")
            paths = msgspec.json.decode(response.content, type=dict[str, dict[str, str]])
        except (httpx.HTTPError, msgspec.MsgspecError) as error:
            return f"{account.base_url}: {_NO_SANDBOX} ({type(error).__name__})"
    if response.status_code != httpx.codes.OK:
        return f"{account.base_url}: {_NO_SANDBOX} (HTTP {response.status_code})"
    return paths.get(account.dialect, {})


def _refused(why: str) -> int:
    print(f"conformance: {why}", file=sys.stderr)  # noqa: T201 - a person reads it
    return NOT_RUN
