"""`ordersync audit`: the model against the marketplace, field by field."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy.exc import DBAPIError

from worker.accounts import Account, ConfigurationError
from worker.broker.durable import NotDurableError
from worker.broker.envelope import fact_event
from worker.cli.output import SafeConsole
from worker.composition import Worker
from worker.domain.difference import differences, view_of
from worker.domain.facts import Source
from worker.domain.identity import OrderKey
from worker.domain.reducer import Order
from worker.logs import configure_logging
from worker.marketplaces.port import MarketplaceError
from worker.settings import load_configuration
from worker.storage import sample_store
from worker.storage.schema import SchemaMismatchError, require_schema

AT_ONCE = 4
MAX_SHOWN = 100
CLEAN, DRIFTED, FAILED = 0, 1, 2


class Report(msgspec.Struct):
    """What the audit found. `drift`: orders per field; `orders`: field → [known, fresh] per order that differs."""

    read: int = 0
    failed: dict[str, str] = {}
    drift: Counter[str] = msgspec.field(default_factory=Counter)
    orders: dict[str, dict[str, Any]] = {}

    @property
    def status(self) -> int:
        """Return the exit status."""
        if self.failed:
            return FAILED
        return DRIFTED if self.orders else CLEAN


def audit(account: str | None, *, sample: int, seed: int, repair: bool, as_json: bool) -> int:
    """Audit; return 0 without drift, 1 with drift, 2 if something could not be read."""
    settings, accounts = load_configuration()
    configure_logging("error")
    console = SafeConsole()
    chosen = choose(accounts, account)

    async def run() -> Report:
        worker = Worker(settings, chosen, ())
        try:
            await require_schema(worker.engine)
            worker.kafka.start()
            return await compare(worker, chosen, sample=sample, seed=seed, repair=repair)
        finally:
            await worker.stop()

    try:
        report = asyncio.run(run())
    except (DBAPIError, OSError, SchemaMismatchError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        console.say(f"the model cannot be read: {reason}. Run: ordersync doctor")
        return FAILED
    show(report, console, as_json=as_json)
    return report.status


def choose(accounts: Sequence[Account], name: str | None) -> list[Account]:
    """Return the account of that name, or all. Raises ConfigurationError if there is none."""
    chosen = [account for account in accounts if name in (None, account.name)]
    if not chosen:
        known = ", ".join(account.name for account in accounts)
        raise ConfigurationError([f"--account {name}: there is no such account; expected one of {known}"])
    return chosen


async def compare(worker: Worker, accounts: Sequence[Account], *, sample: int, seed: int, repair: bool) -> Report:
    """Read each order of the sample afresh and hold it against the model."""
    report = Report()
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(key: OrderKey) -> None:
        async with slots:
            async with worker.engine.connect() as connection:
                evidence = await sample_store.evidence_of(connection, key)
            try:
                marketplace = worker.marketplaces[key.account]
                fact = await marketplace.read_order(key.platform, key.order_id, Source.SWEEP)
                if repair:
                    await worker.publisher.publish(fact_event(fact))
            except (MarketplaceError, NotDurableError) as error:
                report.failed[str(key)] = f"{type(error).__name__}: {error}"[:300]
                return
        report.read += 1
        found = differences(Order.of(key, evidence, worker.skew_ms).view, view_of(fact))
        if found:
            report.orders[str(key)] = {name: list(pair) for name, pair in found.items()}
            report.drift.update(found.keys())  # a mapping would add its values

    for account in accounts:
        platforms = sorted(platform.value for platform in worker.marketplaces[account.name].platforms)
        async with worker.engine.connect() as connection:
            keys = await sample_store.sample(
                connection, account.name, platforms, seed=seed, limit=sample if sample > 0 else None
            )
        await asyncio.gather(*(one(key) for key in keys))
    return report


def show(report: Report, console: SafeConsole, *, as_json: bool) -> None:
    """Print what was found."""
    if as_json:
        print(msgspec.json.encode(report).decode())  # noqa: T201 - the command's output
        return
    for key, fields in list(report.orders.items())[:MAX_SHOWN]:
        for name, (known, fresh) in fields.items():
            console.say(f"{key} {name}: known {known!r}, the marketplace says {fresh!r}")
    for key, reason in list(report.failed.items())[:MAX_SHOWN]:
        console.say(f"{key} could not be read: {reason}")
    drift = ", ".join(f"{name} {count}" for name, count in sorted(report.drift.items())) or "none"
    console.say(f"{report.read} orders compared, {len(report.orders)} differ, {len(report.failed)} not read")
    console.say(f"drift: {drift}")
