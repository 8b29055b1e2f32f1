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
from worker.domain.clock import Clock
from worker.marketplaces.alibaba1688.envelope import opened
from worker.marketplaces.alibaba1688.signing import call_signature
from worker.marketplaces.caller import Request
from worker.marketplaces.http import HttpCore
from worker.marketplaces.port import MarketplaceError, UnreadableError
from worker.marketplaces.values import text

_FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}
_sent: ContextVar[str] = ContextVar("sent", default="")
"""The token of this task's last call: it is the one that was refused, whatever others send meanwhile."""
_log = structlog.get_logger()


class AppKeys(msgspec.Struct, frozen=True):
    """The app's keys and the buyer's tokens. `__repr__` keeps them to itself.

    Without a refresh token the access token is one that the console issued; when it ends, a person must act.
    """

    app_key: str
    app_secret: str
    access_token: str
    refresh_token: str = ""

    def __repr__(self) -> str:
        return f"AppKeys(app_key={self.app_key!r})"


class AopWire:
    """Implements `worker.marketplaces.caller.Wire`.

    A token is renewed when the platform refuses it, once for all calls that were refused with it. An effect needs no
    renewal of its own: the read before it has met an expired token already.
    """

    def __init__(self, keys: AppKeys, http: HttpCore, clock: Clock, *, timestamped: bool = True) -> None:
        self._keys = keys
        self._http = http
        self._clock = clock
        self._timestamped = timestamped
        self._token = keys.access_token
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
        """Get a new access token, unless another call has got one meanwhile; False if that cannot be done."""
        async with self._renewing:
            if self._token != _sent.get():
                return True
            if not self._keys.refresh_token:
                return False
            operation = find(Dialect.ALIBABA1688, "auth.token.refresh")
            question = {"grant_type": "refresh_token", "refresh_token": self._keys.refresh_token}
            request = self.request(operation, operation.paths["aop"], question)
            try:
                status, answer = await self._http.exchange(request, effect=False, operation=operation)
                token = text(opened(operation, status, answer).get("access_token"))
                if token is None:
                    raise UnreadableError("auth.token.refresh: no access_token in the answer")
            except MarketplaceError as error:
                _log.warning("the access token could not be renewed", error=type(error).__name__)
                return False
            self._token = token
            _log.info("the access token was renewed")
            return True


def as_parameter(value: Any) -> str:
    """Return a value as the form wants it: text as it is, booleans as words, objects and lists as JSON text."""
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()
