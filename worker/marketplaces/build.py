"""From an account to its client."""

from __future__ import annotations

from typing import Protocol

from worker.domain.clock import Clock
from worker.domain.identity import Platform
from worker.marketplaces.http import HttpCore
from worker.marketplaces.pandapon.client import Credentials, PandaPonClient
from worker.marketplaces.port import Marketplace


class AccountSettings(Protocol):
    """What a client needs to know of an account."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def dialect(self) -> str: ...  # noqa: D102
    @property
    def base_url(self) -> str: ...  # noqa: D102
    @property
    def access_key(self) -> str: ...  # noqa: D102
    @property
    def access_secret(self) -> str: ...  # noqa: D102
    @property
    def user_id(self) -> str: ...  # noqa: D102
    @property
    def timestamp_in_seconds(self) -> bool: ...  # noqa: D102


def callable_platforms(dialect: str) -> frozenset[Platform]:
    """Return the platforms whose orders we can read and pay through this dialect so far."""
    return frozenset({Platform.ALIBABA_1688}) if dialect == "pandapon" else frozenset()


def build_marketplace(account: AccountSettings, clock: Clock, timeout_s: float) -> Marketplace | None:
    """Return the client of an account; None for a dialect whose calls are not built yet (its callbacks are taken)."""
    if not callable_platforms(account.dialect):
        return None
    return PandaPonClient(
        account.name,
        HttpCore(account.base_url, timeout_s=timeout_s),
        Credentials(account.access_key, account.access_secret, account.user_id),
        clock,
        timestamp_in_seconds=account.timestamp_in_seconds,
    )
