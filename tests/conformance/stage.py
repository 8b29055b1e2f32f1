"""A suite against an API on this machine, and a sandbox whose orders stand in every status."""

from __future__ import annotations

from typing import Any

import httpx2 as httpx

from tests.sandbox.stage import DAY_S, HOUR_S, Clock, Stage
from worker.accounts import Account
from worker.catalogue.operation import Dialect
from worker.conformance.findings import Finding, Report
from worker.conformance.suite import Plan, Suite
from worker.domain.clock import Millis, SystemClock
from worker.marketplaces.build import build_wire
from worker.marketplaces.caller import Routes
from worker.marketplaces.http import HttpCore
from worker.sandbox import SandboxConfig, create_app
from worker.sandbox.aop.config import AopConfig

DAYS = 12
SECRETS = {"SECRET": "sandbox-secret", "ACCESS": AopConfig().access_token, "REFRESH": AopConfig().refresh_token}


class ByHand:
    """The stage's clock, as the clients want it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def now_ms(self) -> Millis:
        return self._clock()


def account(dialect: Dialect, url: str, **more: Any) -> Account:
    config = SandboxConfig()
    given: dict[str, Any] = {
        "name": "main",
        "dialect": dialect.value,
        "base_url": url,
        "access_key": config.access_key,
        "access_secret_env": "SECRET",
        "user_id": config.user_id,
        "callback_auth": "none",
    }
    if dialect is Dialect.ALIBABA1688:
        given |= {"access_token_env": "ACCESS", "refresh_token_env": "REFRESH"}
    made = Account.model_validate(given | more)
    assert list(made.resolve_secrets(SECRETS)) == []
    return made


async def asked(
    one: Account, *, paths: dict[str, str] | None = None, stage: Stage | None = None, **plan: Any
) -> Report:
    """Run the suite: over the network, or against the stage's sandbox under the stage's clock."""
    transport = None if stage is None else httpx.ASGITransport(create_app(stage.sandbox))
    http = HttpCore(one.base_url, timeout_s=5.0, transport=transport)
    clock = SystemClock() if stage is None else ByHand(stage.clock)
    suite = Suite(
        one,
        Routes(Dialect(one.dialect), one.api_version, paths or {}),
        http,
        build_wire(one, http, clock),
        build_wire(one, http, clock, secret="another-secret"),
        plan=Plan(throttle_pause_s=0.0, **plan),
        clock=clock,
        sleep=_at_once,
    )
    try:
        return await suite.run()
    finally:
        await http.close()


async def _at_once(_seconds: float) -> None:
    return


def finding(report: Report, name: str) -> Finding:
    return next(one for one in report.findings if one.operation == name)


def lived_in(dialect: Dialect) -> Stage:
    """A sandbox after twelve days with new orders every day, two of three paid, and no callback that ever arrived."""
    stage = Stage(
        receiver=lambda _push: 500,
        orders=0,
        person_share=0.0,
        settle_s=0.0,
        push="alibaba1688" if dialect is Dialect.ALIBABA1688 else "pandapon",
        aop=AopConfig(cancel_after_s=0, access_token_s=100 * DAY_S),
    )
    for _ in range(DAYS):
        stage.sandbox.world.add_orders(6)
        if dialect is not Dialect.ALIBABA1688:
            stage.sandbox.taobao.add_orders(4)
        stage.advance(HOUR_S)
        for purchase in stage.sandbox.taobao.orders.values():
            if purchase.payable and purchase.life.number % 3:
                stage.sandbox.taobao.pay(purchase, "agreement")
        for order in stage.orders:
            if order.payable and order.life.number % 3:
                stage.sandbox.world.pay(order, "agreement")
        stage.advance(DAY_S - HOUR_S)
    stage.sandbox.world.add_orders(6)
    if dialect is not Dialect.ALIBABA1688:
        stage.sandbox.taobao.add_orders(6)
    stage.advance(60)
    return stage
