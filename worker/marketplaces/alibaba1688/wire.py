"""How the open platform wants to be asked: one signed form per call (documented; the sorting as in its own SDKs)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any
from urllib.parse import urlencode

import msgspec
import structlog

from worker.catalogue.operation import Auth, Dialect, Operation
from worker.catalogue.tables import find
from worker.domain.clock import SECOND, Clock, Millis
from worker.marketplaces.alibaba1688.envelope import opened
from worker.marketplaces.alibaba1688.signing import call_signature
from worker.marketplaces.alibaba1688.vault import RefreshTokenFile
from worker.marketplaces.caller import Request
from worker.marketplaces.http import RETRYABLE, HttpCore, retried_reads
from worker.marketplaces.port import (
    AmbiguousError,
    Credential,
    MarketplaceError,
    NotSentError,
    RejectedError,
    RetryableError,
    UnauthorisedError,
    UnreadableError,
    UnsupportedError,
)
from worker.marketplaces.values import instant, small_int, text

_FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}
_NOT_NOW: tuple[type[MarketplaceError], ...] = (*RETRYABLE, NotSentError)
_sent: ContextVar[str] = ContextVar("sent", default="")
"""The token of this task's last call: it is the one that was refused, whatever others send meanwhile."""
_log = structlog.get_logger()


class AppKeys(msgspec.Struct, frozen=True):
    """The app's keys and the buyer's tokens. `__repr__` keeps them to itself.

    Without a refresh token the access token is one that the console issued; when it ends, a person must act. When the
    tokens end is only known as far as somebody said so.
    """

    app_key: str
    app_secret: str
    access_token: str
    refresh_token: str = ""
    access_ends: Millis | None = None
    refresh_ends: Millis | None = None

    def __repr__(self) -> str:
        return f"AppKeys(app_key={self.app_key!r})"


class AopWire:
    """Implements `worker.marketplaces.caller.Wire`.

    A token is renewed when the platform refuses it, once for all calls that were refused with it. An effect needs no
    renewal of its own: the read before it has met an expired token already.

    `vault`: where the refresh token is kept, if this process may extend it.
    """

    def __init__(
        self,
        keys: AppKeys,
        http: HttpCore,
        clock: Clock,
        *,
        timestamped: bool = True,
        vault: RefreshTokenFile | None = None,
    ) -> None:
        self._keys = keys
        self._http = http
        self._clock = clock
        self._timestamped = timestamped
        self._token, self._token_ends = keys.access_token, keys.access_ends
        self._refresh_token, self._refresh_ends = keys.refresh_token, keys.refresh_ends
        self._vault = vault
        self._renewing = asyncio.Lock()

    def request(self, operation: Operation, path: str, question: Mapping[str, Any]) -> Request:
        """Return the signed form."""
        params = {name: as_parameter(value) for name, value in question.items() if value is not None}
        path = f"{path}/{self._keys.app_key}"
        if operation.auth is Auth.CLIENT_SECRET:
            params |= {"client_id": self._keys.app_key, "client_secret": self._keys.app_secret}
        else:
            if operation.auth is Auth.AOP_TOKEN:
                params["access_token"] = self._token
                _sent.set(self._token)
            if self._timestamped:
                params["_aop_timestamp"] = str(self._clock.now_ms())
            signed_path = path.removeprefix("/openapi/")
            params["_aop_signature"] = call_signature(signed_path, params.items(), self._keys.app_secret)
        return Request(operation.method, path, dict(_FORM), {}, urlencode(params).encode())

    def open(self, operation: Operation, status: int, answer: Any) -> Any:
        """Return the whole answer if it is a success: where the data stands differs by operation."""
        return opened(operation, status, answer)

    async def renew(self) -> bool:
        """Get a new access token, unless another call has got one meanwhile; False if a person has to act.

        Raises:
            RetryableError: not now, e.g. the network is away. That says nothing about the credentials.
        """
        async with self._renewing:
            if self._token != _sent.get():
                return True
            try:
                await self._look_into_vault()
            except OSError as error:
                _log.warning("the refresh token's file cannot be read", error=type(error).__name__)
            if not self._refresh_token:
                return False
            try:
                await retried_reads()(_NOT_NOW, self._refresh)
            except _NOT_NOW as error:
                raise RetryableError(f"the access token cannot be renewed now: {error}") from error
            except MarketplaceError as error:
                _log.warning("the access token could not be renewed", error=type(error).__name__)
                return False
            _log.info("the access token was renewed")
            return True

    async def _refresh(self) -> None:
        """Ask for a new access token. Asking twice does no harm: the refresh token stays as it is (documented)."""
        operation = find(Dialect.ALIBABA1688, "auth.token.refresh")
        question = {"grant_type": "refresh_token", "refresh_token": self._refresh_token}
        request = self.request(operation, operation.paths["aop"], question)
        status, answer = await self._http.exchange(request, effect=False, operation=operation)
        granted = opened(operation, status, answer)
        token = text(granted.get("access_token"))
        if token is None:
            raise UnreadableError("auth.token.refresh: no access_token in the answer")
        self._take(token, granted)

    def credentials(self) -> tuple[Credential, ...]:
        """Return the tokens whose end is known."""
        found = []
        if self._token_ends is not None:
            found.append(Credential("access_token", self._token_ends, renews_itself=bool(self._refresh_token)))
        if self._refresh_token and self._refresh_ends is not None:
            found.append(Credential("refresh_token", self._refresh_ends, is_extendable=self._vault is not None))
        return tuple(found)

    async def extend(self) -> None:
        """Extend the refresh token, once, and keep the new one in the vault: the call ends the old one (documented).

        Raises:
            OSError: a new token could not be kept, so none was asked for, or it is only known to this process.
            AmbiguousError: the answer was lost; the old token may have ended. Then a person authorises anew.
        """
        if self._vault is None:
            raise UnsupportedError("postpone_refresh_token is not set for this account")
        async with self._renewing:
            if await self._look_into_vault():
                return  # another process has extended it
            await asyncio.to_thread(self._vault.check_writable)
            operation = find(Dialect.ALIBABA1688, "auth.token.postpone")
            question = {"refresh_token": self._refresh_token, "access_token": self._token}
            request = self.request(operation, operation.paths["aop"], question)
            try:
                status, answer = await self._http.exchange(request, effect=True, operation=operation)
                granted = opened(operation, status, answer)
            except (NotSentError, RejectedError, UnauthorisedError):
                raise
            except MarketplaceError as error:
                raise AmbiguousError(f"auth.token.postpone: {type(error).__name__}: {error}") from error
            token = text(granted.get("refresh_token"))
            if token is None:
                raise AmbiguousError("auth.token.postpone: no refresh_token in the answer")
            self._refresh_token, self._refresh_ends = token, instant(granted.get("refresh_token_timeout"))
            access = text(granted.get("access_token"))
            if access is not None:
                self._take(access, granted)
            await asyncio.to_thread(self._vault.write, token, self._refresh_ends)

    async def _look_into_vault(self) -> bool:
        """Take over a refresh token that another process, or a person, has put there; False if there is no other."""
        if self._vault is None:
            return False
        token, ends_at = await asyncio.to_thread(self._vault.read)
        changed = token != self._refresh_token
        if changed or ends_at is not None:
            self._refresh_token, self._refresh_ends = token, ends_at
        return changed

    def _take(self, token: str, granted: Mapping[str, Any]) -> None:
        lives_s = small_int(granted.get("expires_in"))
        self._token = token
        self._token_ends = None if lives_s is None else self._clock.now_ms() + lives_s * SECOND


def as_parameter(value: Any) -> str:
    """Return a value as the form wants it: text as it is, booleans as words, objects and lists as JSON text."""
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()
