"""Server time and tokens; every value of a token's answer is text (documented)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from worker.sandbox.aop.form import Form
from worker.sandbox.aop.gateway import Action
from worker.sandbox.aop.refusals import GatewayRefusal
from worker.sandbox.aop.tokens import Grant
from worker.sandbox.goods import invent_party
from worker.sandbox.sandbox import Sandbox
from worker.sandbox.seeded import stream
from worker.sandbox.timetext import stamp


def server_time(sandbox: Sandbox, _form: Form) -> int:
    """Unix milliseconds, as a bare number (inferred)."""
    return sandbox.now_ms()


def exchange(sandbox: Sandbox, form: Form) -> dict[str, Any]:
    """A code for a pair of tokens."""
    _check_grant(form, "authorization_code")
    grant = sandbox.open_platform.tokens.exchange(form.text("code"), form.text("redirect_uri"))
    wanted = form.text("need_refresh_token", "false") == "true"
    return _granted(sandbox, grant) if wanted else _without_refresh(_granted(sandbox, grant))


def refresh(sandbox: Sandbox, form: Form) -> dict[str, Any]:
    """A new access token; no new refresh token."""
    _check_grant(form, "refresh_token")
    token = sandbox.open_platform.tokens.refresh(form.text("refresh_token"))
    return _without_refresh(_granted(sandbox, Grant(token, "", 0)))


def postpone(sandbox: Sandbox, form: Form) -> dict[str, Any]:
    """A new pair for an old refresh token that ends soon."""
    tokens = sandbox.open_platform.tokens
    return _granted(sandbox, tokens.postpone(form.text("refresh_token"), form.text("access_token")))


def _check_grant(form: Form, wanted: str) -> None:
    if form.text("grant_type") != wanted:
        raise GatewayRefusal("400", f"grant_type {form.text('grant_type')} is not supported")


def _granted(sandbox: Sandbox, grant: Grant) -> dict[str, str]:
    buyer = invent_party(stream(sandbox.config.seed, "buyer"), "买")
    lives_s = sandbox.config.scaled_ms(sandbox.open_platform.tokens.access_token_s) // 1000
    return {
        "access_token": grant.access_token,
        "expires_in": str(max(1, lives_s)),
        "refresh_token": grant.refresh_token,
        "refresh_token_timeout": stamp(grant.refresh_ends),
        "aliId": buyer.member_id.removeprefix("b2b-"),
        "resource_owner": buyer.login_id,
        "memberId": buyer.member_id,
    }


def _without_refresh(granted: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in granted.items() if not name.startswith("refresh_")}


ACTIONS: Mapping[str, Action] = {
    "system.time": server_time,
    "auth.token.exchange": exchange,
    "auth.token.refresh": refresh,
    "auth.token.postpone": postpone,
}
