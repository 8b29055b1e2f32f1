"""Two processes with the same accounts: one of them polls, and together they keep the pace of the app key.

Measured in the sandbox's own log of calls, which knows nothing of ours.
"""

import re
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.conftest import CreateTopics
from tests.delivery.programs import ACCESS_KEY, SECRET, USER, Program, program, started, worker_env
from tests.storage.database import value
from tests.waiting import until
from worker.broker.topics import TOPICS
from worker.sandbox import SandboxConfig, SandboxServer
from worker.sandbox.traffic import OUTCOME_THROTTLED, LoggedCall

INTERVAL_S = 1.0
WATCHED_S = 8.0
RATE, BURST = 10, 5
ORDERS = 60
JITTER_MS = 150
"""How late a call that was sent in time may arrive on a busy machine, and so seem to come with the next ones."""
ACCOUNT = """
[[accounts]]
name = "main"
dialect = "pandapon"
base_url = "{url}"
access_key = "{key}"
access_secret_env = "MAIN_SECRET"
user_id = "{user}"
callback_token_env = "MAIN_TOKEN"
poll_interval_s = {interval}
sweep_s = 3600
rate_per_s = {rate}
burst = {burst}
backfill_days = 1
max_concurrent_reads = 8
"""


@asynccontextmanager
async def twin(orders: int) -> AsyncIterator[SandboxServer]:
    """A sandbox in which nothing happens by itself, and which throttles whoever is just a little too fast."""
    config = SandboxConfig(
        orders=orders,
        arrival_s=0,
        speed=1,
        access_key=ACCESS_KEY,
        access_secret=SECRET,
        user_id=USER,
        rate_per_s=RATE * 1.05,
        burst=BURST + 3,
    )
    async with SandboxServer(config) as server:
        server.sandbox.start()
        await until(lambda: len(server.sandbox.world.orders) == orders)
        yield server


def environment(directory: Path, dsn: str, kafka: str, url: str, prefix: str) -> dict[str, str]:
    env = worker_env(directory, dsn, kafka, topic_prefix=prefix, base_url=url)
    (directory / "accounts.toml").write_text(
        ACCOUNT.format(url=url, key=ACCESS_KEY, user=USER, interval=INTERVAL_S, rate=RATE, burst=BURST)
    )
    return env


def listed(server: SandboxServer, since_ms: int, until_ms: int) -> int:
    return sum(
        call.operation == "1688.order.list" and since_ms <= call.at < until_ms for call in server.sandbox.traffic.log
    )


async def test_of_two_processes_one_polls_a_list_and_the_other_takes_over_when_it_dies(
    database: str, kafka_bootstrap: str, topic_prefix: str, create_topics: CreateTopics, tmp_path: Path
) -> None:
    await create_topics({spec.name: 1 for spec in TOPICS})
    async with twin(5) as server:
        env = environment(tmp_path, database, kafka_bootstrap, server.url, topic_prefix)
        role = ("run", "--role", "intake")
        async with (
            program(tmp_path / "one.log", *role, env=env) as one,
            program(tmp_path / "two.log", *role, env=env) as two,
        ):
            await started(one)
            await started(two)
            await until(lambda: listed(server, 0, 2**62) >= 3)
            began = server.sandbox.now_ms()
            end = began + round(WATCHED_S * 1000)
            await until(lambda: server.sandbox.now_ms() >= end, WATCHED_S + 10)
            polls = listed(server, began, end)
            # Five orders are one page, so a poll is one call. Two pollers would make twice as many.
            assert WATCHED_S / INTERVAL_S / 2 <= polls <= WATCHED_S / INTERVAL_S * 1.25 + 2
            await one.kill()
            after = server.sandbox.now_ms()
            await until(lambda: listed(server, after + 1_000, 2**62) >= 3, 20, what="the other to take over")


async def test_together_they_keep_the_pace_of_the_app_key(
    engine: AsyncEngine,
    database: str,
    kafka_bootstrap: str,
    topic_prefix: str,
    create_topics: CreateTopics,
    tmp_path: Path,
) -> None:
    await create_topics({spec.name: 1 for spec in TOPICS})
    async with twin(ORDERS) as server:
        env = environment(tmp_path, database, kafka_bootstrap, server.url, topic_prefix)
        busy = ("run", "--role", "intake", "--role", "followups")
        async with (
            program(tmp_path / "reconcile.log", "run", "--role", "reconcile", env=env),
            program(tmp_path / "one.log", *busy, env=env) as one,
            program(tmp_path / "two.log", *busy, env=env) as two,
        ):
            await until(lambda: all_read(engine), 60, what="every order to be read")
            read = [await reads_of(worker) for worker in (one, two)]
    log = list(server.sandbox.traffic.log)
    assert min(read) > 0, "both of them called"
    outcomes = Counter(call.outcome for call in log)
    assert outcomes[OUTCOME_THROTTLED] == 0, outcomes
    assert most_within(log, 1_000) <= BURST + RATE * (1_000 + JITTER_MS) / 1000
    assert most_within(log, 3_000) <= BURST + RATE * (3_000 + JITTER_MS) / 1000
    assert len(log) >= ORDERS


async def all_read(engine: AsyncEngine) -> bool:
    read = "SELECT count(*) FROM orders WHERE NOT unconfirmed AND total_minor IS NOT NULL"
    return bool(await value(engine, read) == ORDERS)


async def reads_of(worker: Program) -> float:
    """How many reads this process made, by its own count."""
    async with httpx2.AsyncClient(trust_env=False) as client:
        text = (await client.get(f"http://127.0.0.1:{await started(worker)}/metrics")).text
    return sum(
        map(float, re.findall(r'^ordersync_follow_ups_total\{[^}]*effect="refresh"[^}]*\} (\S+)$', text, re.MULTILINE))
    )


def most_within(log: list[LoggedCall], window_ms: int) -> int:
    """The most calls that arrived within any window of this length."""
    at = sorted(call.at for call in log)
    return max(sum(first <= other < first + window_ms for other in at[place:]) for place, first in enumerate(at))


def test_the_measure_itself() -> None:
    now = time.time_ns() // 1_000_000
    log = [LoggedCall(now + offset, "a", "-", "ok") for offset in (0, 10, 900, 1_000, 1_005, 5_000)]
    assert most_within(log, 1_000) == 4
    assert most_within(log, 100) == 2
