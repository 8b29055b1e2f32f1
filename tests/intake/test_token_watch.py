"""People hear of a token's end while there is time; what can be extended is extended, by one process at a time."""

import random
from dataclasses import dataclass, field

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.bare_marketplace import BareMarketplace
from tests.intake.stage import NOW, Clock
from tests.intake.test_poller import Ended
from tests.storage.database import connected, rows
from worker.domain.clock import DAY
from worker.intake.polling import only_poller
from worker.intake.token_watch import (
    ACCESS_WARNED,
    CRITICAL,
    EXTENDABLE,
    EXTENDED_WARNED,
    INTERVAL_S,
    REFRESH_WARNED,
    TOKENS,
    TokenWatch,
)
from worker.marketplaces.port import AmbiguousError, Credential, RejectedError

ACCESS, REFRESH = "access_token", "refresh_token"


@dataclass
class WithTokens(BareMarketplace):
    """Has tokens that end; extends the refresh token by half a year, or fails."""

    held: dict[str, Credential] = field(default_factory=dict)
    failure: Exception | None = None
    extended: int = 0

    def credentials(self) -> tuple[Credential, ...]:
        return tuple(self.held.values())

    async def extend_credentials(self) -> None:
        self.extended += 1
        if self.failure is not None:
            raise self.failure
        self.held[REFRESH] = Credential(REFRESH, NOW + 180 * DAY, is_extendable=True)


def holding(*credentials: Credential) -> WithTokens:
    return WithTokens(held={one.kind: one for one in credentials})


def watch(engine: AsyncEngine, marketplace: WithTokens, sleeps: list[float] | None = None) -> TokenWatch:
    async def sleep(seconds: float) -> None:
        (sleeps if sleeps is not None else []).append(seconds)
        raise Ended

    jitter = random.Random(1)  # noqa: S311 - pauses
    return TokenWatch("main", marketplace, engine, Clock(), sleep=sleep, jitter=jitter)


async def alerts(engine: AsyncEngine) -> list[tuple[str, str]]:
    found = await rows(engine, "SELECT cause, severity FROM alerts WHERE resolved_at IS NULL ORDER BY cause")
    return [(row["cause"].removeprefix("token_expiring:main:"), row["severity"]) for row in found]


@pytest.mark.parametrize(
    ("credential", "warned"),
    [
        (Credential(ACCESS, NOW + ACCESS_WARNED), None),
        (Credential(ACCESS, NOW + ACCESS_WARNED - 1), "critical"),
        (Credential(ACCESS, NOW + DAY, renews_itself=True), None),
        (Credential(ACCESS, NOW - 1, renews_itself=True), "critical"),
        (Credential(REFRESH, NOW + REFRESH_WARNED), None),
        (Credential(REFRESH, NOW + REFRESH_WARNED - 1), "warning"),
        (Credential(REFRESH, NOW + CRITICAL - 1), "critical"),
        (Credential(REFRESH, NOW - DAY), "critical"),
    ],
)
async def test_a_token_is_warned_of_while_there_is_time(
    engine: AsyncEngine, credential: Credential, warned: str | None
) -> None:
    await watch(engine, holding(credential)).look()
    assert await alerts(engine) == ([] if warned is None else [(credential.kind, warned)])


async def test_a_new_token_takes_the_warning_back(engine: AsyncEngine) -> None:
    marketplace = holding(Credential(REFRESH, NOW + DAY), Credential(ACCESS, NOW + DAY))
    for _ in range(3):
        await watch(engine, marketplace).look()
    assert await alerts(engine) == [(ACCESS, "critical"), (REFRESH, "critical")]
    assert len(await rows(engine, "SELECT id FROM alert_notices")) == 2, "told once"
    marketplace.held = {REFRESH: Credential(REFRESH, NOW + 90 * DAY), ACCESS: Credential(ACCESS, NOW + 90 * DAY)}
    await watch(engine, marketplace).look()
    assert await alerts(engine) == []


async def test_a_refresh_token_is_extended_in_its_last_days(engine: AsyncEngine) -> None:
    marketplace = holding(Credential(REFRESH, NOW + EXTENDABLE, is_extendable=True))
    await watch(engine, marketplace).look()
    assert marketplace.extended == 0
    marketplace.held[REFRESH] = Credential(REFRESH, NOW + EXTENDABLE - 1, is_extendable=True)
    await watch(engine, marketplace).look()
    await watch(engine, marketplace).look()
    assert marketplace.extended == 1
    assert await alerts(engine) == []


@pytest.mark.parametrize(
    "failure", [AmbiguousError("the answer was lost"), RejectedError("no"), PermissionError("read-only")]
)
async def test_an_extension_that_fails_is_told_with_its_reason(engine: AsyncEngine, failure: Exception) -> None:
    marketplace = holding(Credential(REFRESH, NOW + EXTENDED_WARNED + DAY, is_extendable=True))
    marketplace.failure = failure
    await watch(engine, marketplace).look()
    assert await alerts(engine) == [(REFRESH, "warning")]
    (row,) = await rows(engine, "SELECT details FROM alerts")
    assert type(failure).__name__ in row["details"]["trouble"]


async def test_a_token_that_has_ended_is_not_extended_any_more(engine: AsyncEngine) -> None:
    marketplace = holding(Credential(REFRESH, NOW, is_extendable=True))
    await watch(engine, marketplace).look()
    assert marketplace.extended == 0
    assert await alerts(engine) == [(REFRESH, "critical")]


async def test_two_processes_never_extend_at_the_same_time(engine: AsyncEngine) -> None:
    marketplace = holding(Credential(REFRESH, NOW + DAY, is_extendable=True))
    async with only_poller(engine, "main", TOKENS):
        await watch(engine, marketplace).look()
    assert marketplace.extended == 0
    assert await alerts(engine) == []


async def test_the_loop_looks_every_hour_and_outlives_its_database(engine: AsyncEngine) -> None:
    sleeps: list[float] = []
    async with connected("postgresql://nobody@127.0.0.1:1/none") as away:
        for place in (engine, away):
            with pytest.raises(Ended):
                await watch(place, holding(Credential(REFRESH, NOW + DAY)), sleeps).run()
    assert len(sleeps) == 2
    assert all(0.8 * INTERVAL_S < pause < 1.2 * INTERVAL_S for pause in sleeps)
    assert await alerts(engine) == [(REFRESH, "critical")]
