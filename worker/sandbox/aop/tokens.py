"""Codes, access tokens and refresh tokens, each with its end (documented: sysAuth)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from worker.sandbox.agenda import NowMs
from worker.sandbox.aop.config import DAY_S, AopConfig
from worker.sandbox.aop.refusals import GatewayRefusal, no_user

POSTPONED_BELOW_S = 30 * DAY_S
"""Documented: a refresh token is only extended when less than this is left of it."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A pair of tokens, as an exchange of a code gives it. Times are Unix milliseconds."""

    access_token: str
    refresh_token: str
    refresh_ends: int


class Tokens:
    """What the gateway has given out. `scaled_ms` turns the marketplace's seconds into real milliseconds."""

    def __init__(self, config: AopConfig, now_ms: NowMs, scaled_ms: Callable[[float], int], seed: int) -> None:
        self._config = config
        self._now_ms = now_ms
        self._scaled_ms = scaled_ms
        self._seed = seed
        self._given = 0
        self.access_token_s = config.access_token_s
        """How long an access token lives from now on; can be set while the sandbox runs."""
        self._codes: dict[str, tuple[str, int]] = {}
        self._access = {config.access_token: self._after(config.access_token_s)}
        self._refresh = {config.refresh_token: self._after(config.refresh_token_s)}
        self.refreshed = 0

    def check(self, token: str | None) -> None:
        """Let the bearer of a valid access token through. Raises GatewayRefusal (HTTP 401)."""
        if token is None or self._access.get(token, 0) <= self._now_ms():
            raise no_user()

    def expire(self) -> None:
        """End every access token now."""
        self._access.clear()

    def shorten_refresh(self, token: str, seconds: float) -> bool:
        """Leave a refresh token so many seconds of the marketplace's time; False if there is none of that name."""
        if token not in self._refresh:
            return False
        self._refresh[token] = min(self._refresh[token], self._after(seconds))
        return True

    def issue_code(self, redirect_uri: str) -> str:
        """Return a code, as a person who agrees sends it to the app's address."""
        code = self._word("code")
        self._codes[code] = (redirect_uri, self._after(self._config.code_s))
        return code

    def exchange(self, code: str, redirect_uri: str) -> Grant:
        """Return the tokens of a code: good once, for two minutes, for the address that it was given to."""
        given_to, ends = self._codes.pop(code, ("", 0))
        if ends <= self._now_ms() or given_to != redirect_uri:
            raise GatewayRefusal("400", "code is invalid or expired")
        refresh_token, refresh_ends = self._word("refresh"), self._after(self._config.refresh_token_s)
        self._refresh[refresh_token] = refresh_ends
        return Grant(self._new_access(), refresh_token, refresh_ends)

    def refresh(self, refresh_token: str) -> str:
        """Return a new access token; the refresh token stays as it is (documented)."""
        if self._refresh.get(refresh_token, 0) <= self._now_ms():
            raise GatewayRefusal("401", "refresh_token is invalid or expired", 401)
        if self._config.refresh_revokes:
            self._access.clear()
        self.refreshed += 1
        return self._new_access()

    def postpone(self, refresh_token: str, access_token: str) -> Grant:
        """Return a new pair and end the old refresh token; refused while 30 days or more are left of it."""
        self.check(access_token)
        now_ms = self._now_ms()
        ends = self._refresh.get(refresh_token, 0)
        if ends <= now_ms:
            raise GatewayRefusal("401", "refresh_token is invalid or expired", 401)
        if ends - now_ms >= self._scaled_ms(POSTPONED_BELOW_S):
            raise GatewayRefusal("400", "refresh_token has 30 days or more left")
        del self._refresh[refresh_token]
        renewed, renewed_ends = self._word("refresh"), self._after(self._config.refresh_token_s)
        self._refresh[renewed] = renewed_ends
        return Grant(self._new_access(), renewed, renewed_ends)

    def _new_access(self) -> str:
        token = self._word("access")
        self._access[token] = self._after(self.access_token_s)
        return token

    def _after(self, seconds: float) -> int:
        return self._now_ms() + self._scaled_ms(seconds)

    def _word(self, kind: str) -> str:
        self._given += 1
        name = f"{self._seed}:{kind}:{self._given}"
        return hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()
