"""The marketplace of a run, and the account through which the workers look after its orders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import SecretStr

from worker.accounts import Account
from worker.demo.stage import HANDOVER, DemoSettings
from worker.sandbox import AopConfig, SandboxConfig
from worker.settings import Settings
from worker.simulator.profile import Profile

ACCOUNT = "main"
TOKEN = "simulated-callback-token"  # noqa: S105 - guards nothing: there is no network
PLAYED = SandboxConfig()
TOKENS = AopConfig()
DETAIL = {"pandapon": "/order/detail", "alibaba1688": "/alibaba.trade.get.buyerView"}
"""Where each dialect shows one order."""
ACCESS_TOKEN_S = 20.0
"""Virtual; the refresh token lasts."""
OVERLAP_S = 15.0
PROVEN_AFTER_S = 25.0
"""Longer than taken money may stay hidden: what reads show after this long is so."""
CONFIRM_AFTER_S = 0.5


def sandbox_config(profile: Profile) -> SandboxConfig:
    """Return the marketplace of a run. It protects nobody: what a worker must not do, it would let him."""
    return SandboxConfig(
        seed=profile.seed,
        orders=profile.orders,
        arrival_s=profile.arrival_s,
        faults=profile.level,  # type: ignore[arg-type]  # one of the sandbox's levels
        speed=profile.speed,
        lost_callbacks=profile.lost_callbacks,
        settle_s=profile.settle_s,
        pay_timeout_s=profile.unpaid_s * profile.speed,
        hang_s=15.0,
        push=profile.dialect,  # type: ignore[arg-type]  # one that the sandbox knows
        aop=AopConfig(access_token_s=ACCESS_TOKEN_S * profile.speed),
        buyer_confirms=not profile.followed,
        lenient_receipts=True,
    )


def settings(dsn: str) -> Settings:
    """Return the workers' settings: the product's defaults, except for pauses that would only be waited for."""
    return DemoSettings(
        database_url=SecretStr(dsn + "?sslmode=disable"),
        kafka_bootstrap_servers="simulated:1",
        accounts_file=Path("unused"),
        clock_skew_allowance_s=2.0,
        call_timeout_s=6.0,
        unknown_first_pause_s=2.0,
        recovery_interval_s=20.0,
        idle_poll_s=20.0,
        shutdown_timeout_s=5.0,
    )


def account(profile: Profile, token: str) -> Account:
    """Return the account that the workers look after."""
    keys = {"access_token_env": "ACCESS", "refresh_token_env": "REFRESH"} if profile.dialect == "alibaba1688" else {}
    made = Account.model_validate(
        {
            "name": ACCOUNT,
            "dialect": profile.dialect,
            "base_url": "http://127.0.0.1:9",
            "access_key": PLAYED.access_key,
            "access_secret_env": "SECRET",
            "user_id": PLAYED.user_id,
            "callback_token_env": "TOKEN",
            "poll_interval_s": 10.0,
            "poll_overlap_s": OVERLAP_S,
            "backfill_days": 1,
            "sweep_s": 86_400.0 if profile.lists_only else 60.0,
            "max_concurrent_reads": 3,
            "rate_per_s": 100.0,
            "burst": 50,
            "throttle_pause_s": 1.0,
            "policy": _policy(profile),
        }
        | keys
    )
    secrets = {"SECRET": PLAYED.access_secret, "TOKEN": token}
    secrets |= {"ACCESS": TOKENS.access_token, "REFRESH": TOKENS.refresh_token}
    mistakes = list(made.resolve_secrets(secrets))
    if mistakes:
        raise ValueError("; ".join(mistakes))
    return made


def _policy(profile: Profile) -> dict[str, Any]:
    rules: dict[str, Any] = {
        "auto_pay": True,
        "auto_pay_limit": profile.limit,
        "price_tolerance": "0.10",
        "pay_margin_s": 0.0,
        "four_eyes_above": profile.four_eyes_above,
        "daily_budget": profile.daily_budget,
        "second_attempt": {"attempts": profile.attempts, "quiet_s": PROVEN_AFTER_S, "reads": 2},
        "breakers": {"unknowns": profile.unknowns, "hourly_factor": 0},
    }
    if profile.followed:
        rules |= HANDOVER | {"confirm_after_s": CONFIRM_AFTER_S, "freight_limit": profile.freight_limit}
    return rules
