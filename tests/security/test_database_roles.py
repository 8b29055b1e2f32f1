"""Each stage does its work under a database role of its own, which can do nothing else."""

import contextlib
import uuid
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import httpx2
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from tests.conftest import CreateTopics
from tests.dead_letters.stage import ANN, all_of, ask, good, poisoned, reconciler, resent, states
from tests.delivery.programs import TOKEN, program, worker_env
from tests.delivery.test_whole_worker import Sandbox, compared
from tests.infrastructure import ROOT, administer
from tests.reconcile.stage import Topic
from tests.storage.database import connected, value
from tests.waiting import until
from worker.broker.topics import TOPICS
from worker.composition import Role, Worker
from worker.composition.worker import running
from worker.demo.verdict import UNDER_WAY
from worker.embedded import EmbeddedPostgres
from worker.embedded.ports import free_port
from worker.operations.dead_letters import service
from worker.settings import load_configuration
from worker.storage.dead_letter_replays import Selection

SQL = (ROOT / "deploy" / "roles.sql").read_text(encoding="utf-8")
STAGES = ("intake", "reconcile", "followups", "outbound", "operations")
HISTORY = ("orders", "facts", "follow_ups", "follow_up_attempts", "outbox", "dead_letters", "audit_log", "alerts")
PASSWORD = "of-the-tests-0123"


async def run(dsn: str, sql: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


@pytest.fixture
async def roles(postgres: EmbeddedPostgres, template_database: str) -> AsyncIterator[Mapping[str, str]]:
    """A migrated database with the roles; the DSN of each, and of the `owner`."""
    name = f"roles_{uuid.uuid4().hex}"
    await administer(postgres, f"CREATE DATABASE {name} TEMPLATE {template_database}")
    owner = postgres.dsn(name)
    for _ in range(2):  # as often as anybody likes
        await run(owner, SQL)
    found = {"owner": owner}
    for stage in (*STAGES, "worker"):
        await run(owner, f"ALTER ROLE ordersync_{stage} LOGIN PASSWORD '{PASSWORD}'")
        parts = urlsplit(owner)
        found[stage] = urlunsplit(parts._replace(netloc=f"ordersync_{stage}:{PASSWORD}@{parts.hostname}:{parts.port}"))
    yield found
    await administer(postgres, f"DROP DATABASE {name} WITH (FORCE)")


async def refused(dsn: str, statement: str) -> bool:
    try:
        await run(dsn, statement)
    except asyncpg.InsufficientPrivilegeError:
        return True
    return False


FORBIDDEN = {
    "intake": ["UPDATE orders SET paid = true", "SELECT 1 FROM facts", "SELECT 1 FROM follow_up_attempts",
               "INSERT INTO approvals DEFAULT VALUES", "SELECT 1 FROM spendings", "SELECT 1 FROM outbox"],
    "reconcile": ["SELECT 1 FROM spool", "INSERT INTO follow_up_attempts DEFAULT VALUES", "SELECT 1 FROM audit_log",
                  "INSERT INTO approvals DEFAULT VALUES", "UPDATE outbox SET published_at = now()",
                  "INSERT INTO spendings DEFAULT VALUES", "UPDATE plans SET version = 0"],
    "followups": ["UPDATE orders SET paid = true", "INSERT INTO facts DEFAULT VALUES", "SELECT 1 FROM dead_letters",
                  "INSERT INTO approvals DEFAULT VALUES", "UPDATE plans SET version = 0", "SELECT 1 FROM outbox"],
    "outbound": ["SELECT 1 FROM orders", "SELECT 1 FROM dead_letters", "UPDATE outbox SET payload = '{}'",
                 "SELECT 1 FROM follow_ups", "SELECT 1 FROM audit_log", "INSERT INTO outbox DEFAULT VALUES"],
    "operations": ["UPDATE orders SET paid = true", "INSERT INTO facts DEFAULT VALUES", "DELETE FROM spool",
                   "INSERT INTO follow_up_attempts DEFAULT VALUES", "INSERT INTO spendings DEFAULT VALUES"],
    "worker": [],
}  # fmt: skip


@pytest.mark.parametrize("stage", FORBIDDEN)
async def test_a_role_cannot_do_what_is_not_its_work(roles: Mapping[str, str], stage: str) -> None:
    everywhere = [f"DELETE FROM {table}" for table in HISTORY]  # noqa: S608 - our own names
    everywhere += [f"TRUNCATE {table}" for table in (*HISTORY, "spool")]
    everywhere += ["CREATE TABLE mine (id int)", "DROP TABLE orders CASCADE", "ALTER TABLE facts ADD x int",
                   "ALTER TABLE audit_log DISABLE TRIGGER ALL", "CREATE ROLE mine", "UPDATE audit_log SET actor = 'x'",
                   "UPDATE alembic_version SET version_num = 'x'", "SET ROLE pg_database_owner",
                   "COPY orders TO PROGRAM 'true'"]  # fmt: skip
    for statement in (*everywhere, *FORBIDDEN[stage]):
        assert await refused(roles[stage], statement), statement
    if stage == "followups":
        with pytest.raises(asyncpg.GeneratedAlwaysError):
            await run(roles[stage], "UPDATE orders SET id = 1")
    assert not await refused(roles["owner"], "DELETE FROM facts"), "the owner may: the refusals above mean something"


async def test_no_role_owns_anything_or_is_more_than_a_role(roles: Mapping[str, str]) -> None:
    connection = await asyncpg.connect(roles["owner"])
    try:
        found = await connection.fetch(
            "SELECT rolname, rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls AS mighty,"
            " EXISTS (SELECT FROM pg_class c WHERE c.relowner = r.oid) AS owns"
            " FROM pg_roles r WHERE rolname LIKE 'ordersync\\_%'"
        )
    finally:
        await connection.close()
    assert len(found) == len(STAGES) + 1
    assert not any(row["mighty"] or row["owns"] for row in found)


async def test_letters_are_set_aside_replayed_and_discarded_under_the_roles(roles: Mapping[str, str]) -> None:
    topic = Topic()
    async with connected(roles["reconcile"]) as reconcile, connected(roles["operations"]) as operations:
        await reconciler(reconcile).handle(all_of(topic, poisoned(good(1), good(2))))
        await ask(operations, reason_contains="envelope")
        await reconciler(reconcile).handle(await resent(operations, topic))
        report = await service.discard(operations, ANN, Selection(reason_contains="envelope"), reason="a test")
        assert report.taken == 2
        assert await states(operations) == ["discarded"] * 2


@pytest.mark.timeout(300)
async def test_five_workers_of_one_stage_each_bring_orders_to_their_end_under_five_roles(
    roles: Mapping[str, str],
    kafka_bootstrap: str,
    topic_prefix: str,
    create_topics: CreateTopics,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In one process, as far as Python goes; each has its connections, and none can do another's work."""
    await create_topics({spec.name: 2 for spec in TOPICS})
    port = free_port()
    callbacks = f"http://127.0.0.1:{port}/callbacks/main/{TOKEN}"
    twin_port = free_port()
    address = f"http://127.0.0.1:{twin_port}"
    twin = ["sandbox", "--orders", "20", "--seed", "11", "--faults", "usual", "--speed", "20000"]
    async with contextlib.AsyncExitStack() as stack:
        enter = stack.enter_async_context
        logs = enter_logs(stack)
        workers = {}
        for stage in STAGES:
            env = worker_env(
                tmp_path, roles[stage], kafka_bootstrap, topic_prefix=topic_prefix, base_url=address,
                http_port=port if stage == "intake" else 0,
            )  # fmt: skip
            for name, held in env.items():
                monkeypatch.setenv(name, held)
            workers[stage] = await enter(running(Worker(*load_configuration(), (Role(stage),))))
        words = [*twin, "--port", f"{twin_port}", "--callback-url", callbacks]
        await (await enter(program(tmp_path / "sandbox.log", *words))).wrote("sandbox at ")
        client = await enter(httpx2.AsyncClient(base_url=address, timeout=10.0, trust_env=False))
        engine: AsyncEngine = await enter(connected(roles["owner"]))
        sandbox = Sandbox(client)
        try:
            await until(sandbox.quiet, 120, what="the lives to end")
            await until(lambda: all_at_rest(engine, sandbox), 90)
        finally:
            failed = [line for line in logs if line["event"] in {"follow-up failed", "loop failed and starts again"}]
            failed += [line for line in logs if "rivilege" in str(line) or "permission" in str(line)]
            assert failed == []
        assert await value(engine, "SELECT count(*) FROM follow_ups WHERE effect = 'pay' AND state = 'succeeded'") > 0
        operations = f"http://127.0.0.1:{workers['operations'].http.port}"
        api = await enter(httpx2.AsyncClient(base_url=operations, trust_env=False))
        for path in ("orders", "alerts", "dead-letters", "audit-log", "follow-ups"):
            answer = await api.get(f"/api/v1/{path}")
            assert answer.status_code == 200, answer.text


async def all_at_rest(engine: AsyncEngine, sandbox: Sandbox) -> bool:
    """Nothing is under way, and every order is as it really is."""
    async with engine.connect() as connection:
        if (await connection.execute(UNDER_WAY)).scalar_one():
            return False
    comparison = await compared(engine, sandbox)
    return comparison.converged == comparison.orders > 0


def enter_logs(stack: contextlib.AsyncExitStack) -> list[Any]:
    """What is logged from now on."""
    return stack.enter_context(capture_logs())
