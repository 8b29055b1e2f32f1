"""The real thing: `ordersync run` against Kafka and a Postgres, the sandbox as the marketplace, and two power cuts."""

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.conftest import CreateTopics
from tests.delivery.programs import STOPS_WITHIN_S, TOKEN, Program, program, worker_env
from tests.outbound.topic import published, seen_by_consumer
from tests.storage.database import execute, rows, value
from tests.waiting import until
from worker.broker.topics import CHANGES, TOPICS
from worker.demo.compare import Comparison, compare
from worker.demo.verdict import UNDER_WAY
from worker.embedded.ports import free_port

ORDERS = 30
SPEED = 12_000
"""Lives of up to six days after payment are over in about 43 s. An order can be paid for 36 s: so long that those which
wait for the third start are still there, also on a machine that has other work."""
LIMIT_FEN = 500_000
TOLERATED = 1.1
CUTS = (4, 12)
"""After so many payments the worker is killed."""


class Sandbox:
    """What the twin tells of its truth."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client

    async def get(self, path: str) -> Any:
        answer = await self._client.get(f"/_sandbox/{path}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def paid_at_least(self, count: int) -> bool:
        return bool((await self.get("stats"))["payments_accepted"] >= count)

    async def quiet(self) -> bool:
        return bool((await self.get("stats"))["quiet"])

    async def truth(self) -> AsyncIterator[dict[str, Any]]:
        for told in (await self.get("truth"))["orders"]:
            yield told


async def compared(engine: AsyncEngine, sandbox: Sandbox) -> Comparison:
    async with engine.connect() as connection:
        return await compare(connection, sandbox.truth())


async def at_rest(engine: AsyncEngine, sandbox: Sandbox) -> bool:
    """Nothing is under way, everything is published, and every order is as it really is."""
    async with engine.connect() as connection:
        if (await connection.execute(UNDER_WAY)).scalar_one():
            return False
    if await value(engine, "SELECT count(*) FROM outbox WHERE published_at IS NULL"):
        return False
    comparison = await compared(engine, sandbox)
    return comparison.converged == comparison.orders == ORDERS


async def cut(worker: Program, engine: AsyncEngine) -> None:
    """A power cut; the minute after which the lease of a call under way is over goes by at once."""
    await worker.kill()
    await execute(engine, "UPDATE follow_ups SET claimed_until = now() WHERE claimed_until IS NOT NULL")


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("apache")
async def test_killed_twice_in_the_middle_it_converges_and_pays_nothing_twice(
    engine: AsyncEngine,
    database: str,
    kafka_bootstrap: str,
    topic_prefix: str,
    create_topics: CreateTopics,
    tmp_path: Path,
) -> None:
    topics = await create_topics({spec.name: 2 for spec in TOPICS})
    port = free_port()
    callbacks = f"http://127.0.0.1:{port}/callbacks/main/{TOKEN}"
    arguments = ["--orders", f"{ORDERS}", "--seed", "11", "--faults", "usual", "--speed", f"{SPEED}", "--port", "0"]
    async with program(tmp_path / "sandbox.log", "sandbox", *arguments, "--callback-url", callbacks) as twin:
        address = (await twin.wrote("sandbox at ")).rpartition(" ")[2]
        env = worker_env(
            tmp_path, database, kafka_bootstrap, topic_prefix=topic_prefix, http_port=port, base_url=address
        )
        async with httpx2.AsyncClient(base_url=address, timeout=10.0, trust_env=False) as client:
            sandbox = Sandbox(client)
            for payments in CUTS:
                async with program(tmp_path / "worker.log", "run", env=env) as worker:
                    await until(lambda least=payments: sandbox.paid_at_least(least), 60)  # type: ignore[misc]  # mypy sees no default
                    assert not await sandbox.quiet(), "it was killed in the middle"
                    await cut(worker, engine)
            async with program(tmp_path / "worker.log", "run", env=env) as worker:
                await until(sandbox.quiet, 180, what="the lives to end")
                try:
                    await until(lambda: at_rest(engine, sandbox), 60)
                except AssertionError:
                    differences = (await compared(engine, sandbox)).differences
                    raise AssertionError(f"{differences[:10]}\n{worker.text[-3_000:]}") from None
                await judge_money(engine, (await sandbox.get("ledger"))["payments"])
                status, seconds = await worker.terminate()
        assert (status, seconds < STOPS_WITHIN_S) == (0, True)
        assert (await twin.terminate())[0] == 0
    made = {row["key"]: row["n"] for row in await rows(engine, "SELECT key, count(*) AS n FROM outbox GROUP BY key")}
    seen = seen_by_consumer(await published(kafka_bootstrap, topics[CHANGES]))
    assert seen == {key: list(range(1, count + 1)) for key, count in made.items()}


async def judge_money(engine: AsyncEngine, ledger: list[dict[str, Any]]) -> None:
    """Hold our ledger against the marketplace's."""
    attempts = await rows(
        engine,
        "SELECT o.order_id, f.state, a.amount_minor, a.outcome FROM follow_up_attempts a"
        " JOIN follow_ups f ON f.id = a.follow_up_id JOIN orders o ON o.id = f.order_ref",
    )
    sent = Counter(row["order_id"] for row in attempts if row["outcome"] != "not_sent")
    assert set(sent.values()) == {1}, "one call per order"
    assert set(Counter(payment["order_id"] for payment in ledger).values()) == {1}, "one payment per order"
    approved = {row["order_id"]: row["amount_minor"] for row in attempts}
    for payment in ledger:
        assert payment["amount_fen"] <= min(LIMIT_FEN, approved[payment["order_id"]] * TOLERATED)
    paid = {payment["order_id"] for payment in ledger}
    for row in attempts:
        if row["state"] in {"succeeded", "rejected"}:
            assert (row["order_id"] in paid) == (row["state"] == "succeeded"), row
    assert len(paid) > max(CUTS)
