"""What commands about the database share: one connection, one way to say what went wrong, one set of exit codes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from worker.cli.output import SafeConsole
from worker.domain.operators import RefusedError
from worker.logs import configure_logging
from worker.settings import Settings
from worker.storage.engine import create_engine
from worker.storage.read_store import DatabaseAwayError
from worker.storage.schema import SchemaMismatchError, require_schema

OK, FAILED, REFUSED = 0, 1, 2
"""Done; could not be done (the database is away, or there is no such thing); refused, and nothing was changed."""
Run = Callable[[AsyncEngine, SafeConsole], Awaitable[int]]


def with_database(settings: Settings, run: Run, *, what: str) -> int:
    """Run a command's work; return the exit status. `what` cannot be read if the database is away."""
    configure_logging("error")
    console = SafeConsole()

    async def opened() -> int:
        engine = create_engine(settings.dsn, application="cli", pool_size=1)
        try:
            await require_schema(engine)
            return await run(engine, console)
        finally:
            await engine.dispose()

    try:
        return asyncio.run(opened())
    except RefusedError as error:
        console.say(f"refused: {error}")
        return REFUSED
    except (DBAPIError, OSError, SchemaMismatchError, DatabaseAwayError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        console.say(f"{what} cannot be read: {reason}. Run: ordersync doctor")
        return FAILED


def print_json(value: Any) -> None:
    """Print what programs read."""
    print(msgspec.json.encode(value).decode())  # noqa: T201 - the command's output
