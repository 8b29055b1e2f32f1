"""From an account to its client."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import httpx2 as httpx
import msgspec

from worker.catalogue.operation import Dialect
from worker.domain.clock import Clock, from_datetime
from worker.marketplaces.alibaba1688.client import Alibaba1688Client
from worker.marketplaces.alibaba1688.vault import RefreshTokenFile
from worker.marketplaces.alibaba1688.wire import AopWire, AppKeys
from worker.marketplaces.breaker import Breaker
from worker.marketplaces.caller import Caller, Routes, Wire
from worker.marketplaces.http import HttpCore
from worker.marketplaces.images import ImageFetcher
from worker.marketplaces.limits import Limiter
from worker.marketplaces.pandapon.client import PandaPonClient
from worker.marketplaces.pandapon.wire import Credentials, PandaPonWire
from worker.marketplaces.paylinks import PayLinks
from worker.marketplaces.port import Marketplace
from worker.marketplaces.recording import Recorder

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


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
    @property
    def access_token(self) -> str: ...  # noqa: D102
    @property
    def refresh_token(self) -> str: ...  # noqa: D102
    @property
    def access_token_ends_at(self) -> datetime | None: ...  # noqa: D102
    @property
    def refresh_token_ends_at(self) -> datetime | None: ...  # noqa: D102
    @property
    def refresh_token_file(self) -> Path | None: ...  # noqa: D102
    @property
    def postpone_refresh_token(self) -> bool: ...  # noqa: D102
    @property
    def timestamped(self) -> bool: ...  # noqa: D102
    @property
    def api_version(self) -> str: ...  # noqa: D102
    @property
    def paths(self) -> dict[str, str]: ...  # noqa: D102
    @property
    def refund_list(self) -> bool: ...  # noqa: D102
    @property
    def image_hosts(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def pay_hosts(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def pay_batch_size(self) -> int: ...  # noqa: D102
    @property
    def definite_refusals(self) -> bool: ...  # noqa: D102


class Network(msgspec.Struct, frozen=True):
    """What a client reaches its marketplace through; the default is the machine's own network and clock, unrecorded."""

    monotonic: Callable[[], float] = time.monotonic
    transport: httpx.AsyncBaseTransport | None = None
    recorder: Recorder | None = None


OWN_NETWORK = Network()


def build_caller(
    account: AccountSettings, clock: Clock, timeout_s: float, limiter: Limiter, network: Network = OWN_NETWORK
) -> Caller:
    """Return what calls an account's operations."""
    dialect = Dialect(account.dialect)
    http = HttpCore(account.base_url, timeout_s=timeout_s, transport=network.transport, recorder=network.recorder)
    wire = build_wire(account, http, clock)
    routes = Routes(dialect, account.api_version, account.paths)
    breaker = Breaker(network.monotonic)
    return Caller(http, wire, clock, routes=routes, limiter=limiter, breaker=breaker, monotonic=network.monotonic)


def build_wire(account: AccountSettings, http: HttpCore, clock: Clock, *, secret: str | None = None) -> Wire:
    """Return how an account's questions are signed and its answers opened. `secret`: another one than the account's."""
    secret = account.access_secret if secret is None else secret
    if Dialect(account.dialect) is Dialect.ALIBABA1688:
        file = RefreshTokenFile(account.refresh_token_file) if account.refresh_token_file else None
        vault = file if account.postpone_refresh_token else None
        return AopWire(_keys(account, secret, file), http, clock, timestamped=account.timestamped, vault=vault)
    credentials = Credentials(account.access_key, secret, account.user_id)
    return PandaPonWire(credentials, clock, timestamp_in_seconds=account.timestamp_in_seconds)


def _keys(account: AccountSettings, secret: str, file: RefreshTokenFile | None) -> AppKeys:
    """Return the keys. When an extended refresh token ends stands beside it; the account names the first one's end."""
    access_ends, refresh_ends = (
        None if moment is None else from_datetime(moment)
        for moment in (account.access_token_ends_at, account.refresh_token_ends_at)
    )
    if file is not None:
        with contextlib.suppress(OSError):  # the account has read it; what is beside it may be missing
            refresh_ends = file.read()[1] or refresh_ends
    return AppKeys(
        account.access_key,
        secret,
        account.access_token,
        account.refresh_token,
        access_ends,
        refresh_ends,
    )


def build_marketplace(
    account: AccountSettings, clock: Clock, timeout_s: float, limiter: Limiter, network: Network = OWN_NETWORK
) -> Marketplace:
    """Return the client of an account."""
    caller = build_caller(account, clock, timeout_s, limiter, network)
    base = urlsplit(account.base_url)
    local = (base.netloc,) if base.hostname in _LOOPBACK else ()  # a twin has pictures and a cashier, too
    images, links = ImageFetcher(account.image_hosts, local), PayLinks(account.pay_hosts, local)
    dialect = Dialect(account.dialect)
    if dialect is Dialect.ALIBABA1688:
        return Alibaba1688Client(account.name, caller, images, clock.now_ms, links)
    return PandaPonClient(
        account.name,
        caller,
        images,
        links,
        dialect=dialect,
        refund_list=account.refund_list,
        pay_batch_size=account.pay_batch_size,
        definite_refusals=account.definite_refusals,
    )
