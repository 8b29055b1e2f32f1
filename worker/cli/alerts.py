"""`ordersync alerts`: what is open, and the word of a person that a cause is dealt with."""

from __future__ import annotations

import asyncio

from sqlalchemy.exc import DBAPIError

from worker.cli.output import SafeConsole, safe
from worker.logs import configure_logging
from worker.settings import Settings, load_settings
from worker.storage import alert_store
from worker.storage.engine import create_engine, transaction
from worker.storage.wakeup import Work, notify

MAX_SHOWN = 500


def alerts(resolve: str | None) -> int:
    """List open alerts, or resolve one; return the exit status."""
    settings = load_settings()
    configure_logging(settings.log_level)
    console = SafeConsole()
    try:
        return asyncio.run(_list(settings, console) if resolve is None else _resolve(settings, console, resolve))
    except (DBAPIError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        console.say(f"alerts cannot be read: {reason}. Run: ordersync doctor")
        return 1


async def _list(settings: Settings, console: SafeConsole) -> int:
    engine = create_engine(settings.dsn, application="cli", pool_size=1)
    try:
        async with engine.connect() as connection:
            rows = await alert_store.open_causes(connection, MAX_SHOWN)
    finally:
        await engine.dispose()
    for row in rows:
        opened = row["opened_at"].isoformat(timespec="seconds")
        console.say(f"{opened} {row['severity']} x{row['occurrences']} {safe(row['cause'])}\n    {safe(row['title'])}")
    console.say(f"{len(rows)} open" + (f" (the first {MAX_SHOWN})" if len(rows) == MAX_SHOWN else ""))
    return 0


async def _resolve(settings: Settings, console: SafeConsole, cause: str) -> int:
    engine = create_engine(settings.dsn, application="cli", pool_size=1)
    try:
        async with transaction(engine) as connection:
            resolved = await alert_store.resolve_cause(connection, cause)
            await notify(connection, Work.ALERTS)
    finally:
        await engine.dispose()
    console.say(f"resolved {cause}" if resolved else f"no open alert has the cause {cause}")
    return 0 if resolved else 1
