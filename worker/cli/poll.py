"""`ordersync poll --once`: every list of every account, once."""

from __future__ import annotations

import asyncio
import sys

from rich.table import Table
from rich.text import Text
from sqlalchemy.exc import DBAPIError

from worker.broker.durable import NotDurableError
from worker.cli.audit import choose
from worker.cli.output import SafeConsole, safe
from worker.composition import Worker
from worker.logs import configure_logging
from worker.marketplaces.port import MarketplaceError
from worker.settings import load_configuration
from worker.storage.schema import SchemaMismatchError, require_schema


def poll(account: str | None, *, once: bool) -> int:
    """Poll once; return 1 if a list could not be read."""
    if not once:
        print("say --once; polling for ever is what `ordersync run --role intake` does", file=sys.stderr)  # noqa: T201
        return 2
    settings, accounts = load_configuration()
    configure_logging("error")
    chosen = choose(accounts, account)
    console = SafeConsole()

    async def run() -> list[tuple[str, str, str]]:
        worker = Worker(settings, chosen, ())
        try:
            await require_schema(worker.engine)
            worker.kafka.start()
            pollers = [poller for one in chosen for poller in worker.pollers(one)]
            ends = await asyncio.gather(*(poller.poll_once() for poller in pollers), return_exceptions=True)
            return [
                (poller.account, poller.stream, _said(end, more=poller.is_behind))
                for poller, end in zip(pollers, ends, strict=True)
            ]
        finally:
            await worker.stop()

    try:
        rows = asyncio.run(run())
    except (DBAPIError, OSError, SchemaMismatchError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        console.say(f"cannot poll: {reason}. Run: ordersync doctor")
        return 1
    table = Table("account", "list", "rows", box=None)
    for row in rows:
        table.add_row(*(Text(safe(cell)) for cell in row))
    console.print(table)
    return 1 if any(said.startswith("failed") for _, _, said in rows) else 0


def _said(end: int | BaseException | None, *, more: bool) -> str:
    if end is None:
        return "another process polls it"
    if isinstance(end, MarketplaceError | NotDurableError):
        return f"failed: {type(end).__name__}: {end}"
    if isinstance(end, BaseException):
        raise end
    return f"{end} (more is left for the next time)" if more else str(end)
