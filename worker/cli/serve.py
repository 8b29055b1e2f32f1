"""`ordersync run`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

from sqlalchemy.exc import DBAPIError

from worker.accounts import ConfigurationError
from worker.cli.loop import run_until_signalled
from worker.composition import ALL_ROLES, Role, Worker
from worker.domain.clock import Clock
from worker.logs import configure_logging
from worker.loopback import is_loopback
from worker.settings import load_configuration, operators_of
from worker.storage.schema import SchemaMismatchError
from worker.supervision import settle_memory

_EXIT_CONFIGURATION = 2


def serve(role_names: Sequence[str] | None, clock: Clock | None = None) -> int:
    """Run the worker until it is signalled; return the exit status. `clock`: another than the machine's, for proofs."""
    settings, accounts = load_configuration()
    operators = operators_of(settings)
    configure_logging(settings.log_level)
    if not is_loopback(settings.http_host) and any(account.callback_auth == "none" for account in accounts):
        raise ConfigurationError(
            ["ORDERSYNC_HTTP_HOST: an account has callback_auth = none, which is only served on loopback (127.0.0.1)"]
        )
    roles = tuple(Role(name) for name in role_names) if role_names else ALL_ROLES

    async def main(stop: asyncio.Event) -> int:
        worker = Worker(settings, accounts, roles, clock=clock, operators=operators)
        try:
            await worker.start()
            settle_memory()
            await stop.wait()
        except SchemaMismatchError as error:
            return _refuse(str(error))
        except (DBAPIError, OSError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            return _refuse(f"{reason}. Run: ordersync doctor")
        finally:
            await worker.stop()
        return 0

    return run_until_signalled(main)


def _refuse(text: str) -> int:
    print(f"ordersync cannot start: {text}", file=sys.stderr)  # noqa: T201 - a person reads it
    return _EXIT_CONFIGURATION
