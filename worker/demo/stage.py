"""The demo's stage: embedded Postgres and Kafka, the sandbox, and a worker with all its roles in this process."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
from pydantic import SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from worker.accounts import Account
from worker.broker import topics
from worker.cli.options import FaultLevel, PushDialect, SandboxOptions
from worker.cli.sandbox import WELL_KNOWN_SECRET
from worker.composition import Worker, running
from worker.demo.follower import Follower
from worker.demo.office import Office
from worker.demo.twin import Twin
from worker.embedded import EmbeddedKafka, EmbeddedPostgres
from worker.sandbox import AopConfig
from worker.settings import Settings
from worker.storage import schema
from worker.supervision import keep_running

ACCOUNT = "main"
AUTO_PAY_LIMIT = "5000.00"
PRICE_TOLERANCE = "0.10"
PARTITIONS = 6
DAILY_BUDGET_PER_ORDER = 300
"""Yuan. Less than the orders cost together, so that some payments have to wait until their orders close."""
FOLLOWED_TO_THE_END = {"pandapon": True, "alibaba1688": False}
"""Whether the worker confirms receipts; where it does not, the twin's buyer does."""
QUIET_S = 4.0
"""Longer than the twin's reads lag at their worst and its money settles, or a payment could be made twice."""
ACCESS_TOKEN_S = 160_000.0
"""Eight seconds at the twin's speed: a token ends several times while the demo plays."""


HANDOVER: dict[str, Any] = {
    "notify_warehouse": True,
    "confirm_receipt": True,
    "confirm_after_s": 0.5,
    "book_international": True,
    "freight_limit": "60.00",
    "freight_service": {"service_id": "SEA-STANDARD", "company": "Sandbox Sea", "category": "SEA"},
    "freight_receiver": {
        "name": "A Buyer",
        "country": "DE",
        "address": "1 Example Street",
        "city": "Berlin",
        "zip": "10115",
    },
}


class DemoOptions(msgspec.Struct, frozen=True):
    """What the command was asked for."""

    orders: int
    seed: int
    faults: FaultLevel
    lost_callbacks: float | None
    dialect: PushDialect = "pandapon"
    throttle_pause_s: float = 0.1
    """The first pause after a throttle answer: the twin's time runs fast."""
    speed: float = SandboxOptions.speed
    """How much faster than reality the twin's time runs."""


class DemoSettings(Settings):
    """Settings that look at nothing but what they are given: a demo must not meet a real installation's."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the library's signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Use the arguments alone."""
        return (init_settings,)


class Stage(msgspec.Struct, frozen=True):
    """Everything that runs."""

    postgres_dsn: str
    kafka: str
    twin: Any
    worker: Any
    follower: Any
    callback_url: str


@contextlib.asynccontextmanager
async def set_stage(options: DemoOptions, directory: Path) -> AsyncIterator[Stage]:
    """Start everything; stop it again at the end of the block, whatever happened in it."""
    import asyncio

    with EmbeddedPostgres() as postgres, EmbeddedKafka({spec.name: PARTITIONS for spec in topics.TOPICS}) as kafka:
        dsn = postgres.dsn()
        await asyncio.to_thread(schema.upgrade, dsn)
        twin_options = SandboxOptions(
            orders=options.orders,
            seed=options.seed,
            speed=options.speed,
            faults=options.faults,
            lost_callbacks=options.lost_callbacks,
            push=options.dialect,
            buyer_confirms=not FOLLOWED_TO_THE_END[options.dialect],
            access_token_s=ACCESS_TOKEN_S,
        )
        async with Twin(twin_options, directory) as twin:
            token = secrets.token_urlsafe(24)
            worker = Worker(_settings(dsn, kafka.bootstrap_servers), (_account(options, twin.url, token),))
            async with running(worker):
                follower = Follower(kafka.bootstrap_servers, topics.CHANGES)
                office = Office(worker.engine, worker.policy_of, twin)
                beside = [
                    asyncio.create_task(keep_running("follower", follower.run, worker.jitter)),
                    asyncio.create_task(keep_running("office", office.run, worker.jitter)),
                ]
                callback_url = f"http://127.0.0.1:{worker.http.port}/callbacks/{ACCOUNT}/{token}"
                try:
                    yield Stage(dsn, kafka.bootstrap_servers, twin, worker, follower, callback_url)
                finally:
                    for task in beside:
                        task.cancel()
                    await asyncio.gather(*beside, return_exceptions=True)


def _settings(dsn: str, kafka: str) -> Settings:
    return DemoSettings(
        database_url=SecretStr(dsn),
        kafka_bootstrap_servers=kafka,
        accounts_file=Path("unused"),
        http_port=0,
        topic_partitions=PARTITIONS,
        clock_skew_allowance_s=0.3,  # one machine, one clock
        call_timeout_s=3.0,
        unknown_first_pause_s=1.0,
        idle_poll_s=0.5,
        shutdown_timeout_s=8.0,
    )


def _account(options: DemoOptions, base_url: str, token: str) -> Account:
    budget = options.orders * DAILY_BUDGET_PER_ORDER
    row = account_row(options.dialect, base_url, daily_budget=budget, throttle_pause_s=options.throttle_pause_s)
    row["policy"] |= {"find_substitutes": True}
    account = Account.model_validate(row)
    keys = {"ACCESS": AopConfig().access_token, "REFRESH": AopConfig().refresh_token}
    mistakes = list(account.resolve_secrets({"SECRET": WELL_KNOWN_SECRET, "TOKEN": token} | keys))
    if mistakes:
        raise RuntimeError("; ".join(mistakes))
    return account


def account_row(
    dialect: PushDialect, base_url: str, *, daily_budget: int, throttle_pause_s: float = 0.1
) -> dict[str, Any]:
    """Return an account at the twin as the accounts file has it; `daily_budget` in yuan.

    Its secrets are expected in the variables SECRET, TOKEN (of callbacks), and ACCESS and REFRESH for `alibaba1688`.
    """
    tokens = {"access_token_env": "ACCESS", "refresh_token_env": "REFRESH"} if dialect == "alibaba1688" else {}
    policy: dict[str, Any] = {
        "auto_pay": True,
        "auto_pay_limit": AUTO_PAY_LIMIT,
        "price_tolerance": PRICE_TOLERANCE,
        "pay_margin_s": 0.0,
        "daily_budget": f"{daily_budget}.00",
        # Months pass in a minute here, and calls are lost on purpose: what would stop a real account is usual.
        "breakers": {"unknowns": 0, "hourly_factor": 0},
        "second_attempt": {"attempts": 3, "quiet_s": QUIET_S, "reads": 3},
    }
    return {
        "name": ACCOUNT,
        "dialect": dialect,
        "base_url": base_url,
        "access_key": SandboxOptions.access_key,
        "access_secret_env": "SECRET",
        "user_id": "2100000000001",
        "callback_token_env": "TOKEN",
        "poll_interval_s": 1.0,
        "poll_overlap_s": 15.0,
        "backfill_days": 1,
        "sweep_s": 4.0,
        "max_concurrent_reads": 8,
        "rate_per_s": 2_000.0,
        "burst": 200,
        "throttle_pause_s": throttle_pause_s,
        "policy": policy | (HANDOVER if FOLLOWED_TO_THE_END[dialect] else {}),
    } | tokens
