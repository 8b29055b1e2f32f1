"""Ties the clients' pace to the one that is kept in Postgres: neither room knows the other."""

from __future__ import annotations

import asyncio

from sqlalchemy.ext.asyncio import AsyncEngine

from worker.accounts import Account
from worker.marketplaces.port import RetryableError, ThrottledError
from worker.storage.rate_store import PaceError, SharedPace


class SharedLimiter:
    """Implements `worker.marketplaces.limits.Limiter` for one account; accounts with the same key share one pace."""

    def __init__(self, engine: AsyncEngine, account: Account) -> None:
        self._pace = SharedPace(
            engine,
            f"{account.base_url} {account.access_key}",
            rate_per_s=account.rate_per_s,
            burst=account.burst,
            sleep=asyncio.sleep,
            first_pause_s=account.throttle_pause_s,
        )

    async def acquire(self) -> None:
        """Wait for this call's turn."""
        try:
            await self._pace.book()
        except PaceError as error:
            raise (RetryableError if error.unknown else ThrottledError)(str(error)) from error

    async def throttled(self) -> None:
        """Everybody pauses."""
        await self._pace.pause()

    async def eased(self) -> None:
        """The next pause is a short one again."""
        await self._pace.ease()
