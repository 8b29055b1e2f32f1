"""`ordersync doctor`: is everything there that the worker needs, and what is to be done if not?"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence

import msgspec
from aiokafka.errors import KafkaError
from rich.console import Console
from rich.text import Text
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from worker.accounts import Account, ConfigurationError
from worker.cli.maintain import look_at_topics
from worker.cli.output import safe
from worker.composition.recorders import build_recorder
from worker.domain.approvals import NEEDED_ABOVE
from worker.domain.clock import MINUTE, SystemClock
from worker.domain.operators import Role
from worker.logs import configure_logging
from worker.marketplaces.build import Network, build_marketplace
from worker.marketplaces.limits import NoLimit
from worker.marketplaces.port import MarketplaceError, Stream, UnauthorisedError
from worker.settings import Settings, load_configuration, operators_of
from worker.storage.engine import create_engine
from worker.storage.schema import SchemaMismatchError, require_schema

CHECK_TIMEOUT_S = 15.0
WIDTH = 24


class Finding(msgspec.Struct, frozen=True):
    """One check: what was looked at, whether it is right, and what to do if not."""

    what: str
    right: bool
    detail: str


def doctor() -> int:
    """Print all findings; return 0 if everything is right."""
    configure_logging("error")
    console = Console(soft_wrap=True, highlight=False)
    try:
        settings, accounts = load_configuration()
    except ConfigurationError as error:
        findings = [Finding("settings", False, mistake) for mistake in error.mistakes]
    else:
        findings = asyncio.run(_collect(settings, accounts))
    for finding in findings:  # a line each, never broken: what is to be done is there to be copied
        verdict = ("ok   ", "green") if finding.right else ("wrong", "red")
        console.print(Text.assemble(verdict, f" {finding.what:<{WIDTH}} {safe(finding.detail)}"))
    return 0 if all(finding.right for finding in findings) else 1


async def _collect(settings: Settings, accounts: Sequence[Account]) -> list[Finding]:
    return [finding async for finding in examine(settings, accounts)]


async def examine(settings: Settings, accounts: Sequence[Account]) -> AsyncIterator[Finding]:
    """Yield the findings, outermost first."""
    yield Finding("settings", True, f"{len(accounts)} account(s)")
    for finding in _operators(settings, accounts):
        yield finding
    async for finding in _database(settings):
        yield finding
    async for finding in _kafka(settings):
        yield finding
    for account in accounts:
        yield await _account(account, settings)


def _operators(settings: Settings, accounts: Sequence[Account]) -> Iterator[Finding]:
    """Yield whether there is somebody to decide about what waits for people."""
    try:
        people = operators_of(settings).people
    except ConfigurationError as error:
        yield from (Finding("operators", False, mistake) for mistake in error.mistakes)
        return
    approvers = sum(Role.APPROVER in person.roles for person in people)
    operators = sum(Role.OPERATOR in person.roles for person in people)
    lacking = [one.name for one in accounts if one.policy.four_eyes_above is not None and approvers < NEEDED_ABOVE]
    if lacking:
        detail = (
            f"four_eyes_above of {', '.join(lacking)} needs {NEEDED_ABOVE} approvers; {approvers} in the operators file"
        )
        yield Finding("operators", False, detail)
    elif people:
        yield Finding("operators", True, f"{operators} operator(s), {approvers} approver(s)")
    else:
        yield Finding("operators", True, "nobody may decide; set ORDERSYNC_OPERATORS_FILE if somebody is to")


async def _database(settings: Settings) -> AsyncIterator[Finding]:
    engine = create_engine(settings.dsn, application="doctor", pool_size=1)
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S), engine.connect() as connection:
            server = (await connection.execute(text("SHOW server_version"))).scalar_one()
        yield Finding("database", True, f"Postgres {server}")
    except (DBAPIError, OSError, TimeoutError) as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        yield Finding("database", False, f"{reason}. Is ORDERSYNC_DATABASE_URL right and the server up?")
        return
    else:
        try:
            await require_schema(engine)
            yield Finding("schema", True, "is this version's")
        except SchemaMismatchError as error:
            yield Finding("schema", False, str(error))
    finally:
        await engine.dispose()


async def _kafka(settings: Settings) -> AsyncIterator[Finding]:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            reports = await look_at_topics(settings, create=False)
    except (KafkaError, OSError, TimeoutError, RuntimeError) as error:
        where = settings.kafka_bootstrap_servers
        advice = f"no broker answers at {where} ({type(error).__name__}). Is ORDERSYNC_KAFKA_BOOTSTRAP_SERVERS right?"
        yield Finding("kafka", False, advice)
        return
    yield Finding("kafka", True, settings.kafka_bootstrap_servers)
    for report in reports:
        todo = {"missing": "Run: ordersync topics", "differs": f"{report.detail}; set ORDERSYNC_TOPIC_PARTITIONS"}
        yield Finding(f"topic {report.name}", report.state == "present", todo.get(report.state, report.detail))


async def _account(account: Account, settings: Settings) -> Finding:
    what = f"account {account.name}"
    clock = SystemClock()
    marketplace = build_marketplace(
        account,
        clock,
        settings.call_timeout_s,
        NoLimit(),
        Network(recorder=build_recorder(account, settings, clock)),
    )
    now = clock.now_ms()
    try:
        lists = sorted(stream for stream in marketplace.streams if stream is not Stream.FAILED_MESSAGES)
        if not lists:
            known = "its callbacks are recorded; no list has a known path: see paths in docs/operations-of-the-apis.md"
            return Finding(what, True, known)
        await marketplace.list_modified(lists[0], now - MINUTE, now, 1)
    except UnauthorisedError as error:
        advice = f"{error}. Check access_key, the secret, user_id and this machine's clock"
        return Finding(what, False, advice)
    except MarketplaceError as error:
        return Finding(what, False, f"{type(error).__name__}: {error}. Is base_url right and reachable?")
    finally:
        await marketplace.close()
    return Finding(what, True, "a signed read was answered")
