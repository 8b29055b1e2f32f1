"""`ordersync doctor` finds what is wrong, says what to do about it in one line each, and changes nothing."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from tests.cli.conftest import SECRET, Command, Said, write_accounts
from tests.cli.test_migrate import newer_migrations
from tests.conftest import CreateTopics
from tests.infrastructure import TOPICS, administer
from worker.embedded import EmbeddedPostgres
from worker.sandbox import SandboxConfig, SandboxServer
from worker.storage import schema

PARTITIONS = dict.fromkeys(TOPICS, 6)


@pytest.fixture(scope="module")
async def marketplace() -> AsyncIterator[str]:
    """A sandbox that knows the test's account."""
    config = SandboxConfig(
        orders=1, access_key="5a4db0c0ffee4000a000000000000001", access_secret=SECRET, user_id="2100000000001"
    )
    async with SandboxServer(config) as server:
        yield server.url


def lines(said: Said) -> dict[str, tuple[str, str]]:
    """What was looked at → the verdict, and what to do."""
    found = {}
    for line in said.out.splitlines():
        verdict, what = line[:5].strip(), line[6:30].strip()
        found[what] = (verdict, line[31:])
    return found


async def examined(ordersync: Command) -> Said:
    """Run the doctor beside this loop, on which the sandbox lives."""
    return await asyncio.to_thread(ordersync, "doctor")


@pytest.fixture
def healthy(
    place: pytest.MonkeyPatch, database: str, kafka_bootstrap: str, topic_prefix: str, marketplace: str
) -> pytest.MonkeyPatch:
    """Everything is there but the topics."""
    place.setenv("ORDERSYNC_DATABASE_URL", database)
    place.setenv("ORDERSYNC_KAFKA_BOOTSTRAP_SERVERS", kafka_bootstrap)
    place.setenv("ORDERSYNC_TOPIC_PREFIX", topic_prefix)
    write_accounts(marketplace)
    return place


async def test_where_everything_is_right_it_says_so(
    healthy: pytest.MonkeyPatch, ordersync: Command, create_topics: CreateTopics, topic_prefix: str
) -> None:
    await create_topics(PARTITIONS)
    said = await examined(ordersync)
    assert said.status == 0, said.out
    assert all(line.startswith("ok    ") for line in said.out.splitlines())
    for what in ("settings", "database", "schema", "kafka", "account main"):
        assert what in lines(said)
    for name in TOPICS:
        assert f"ok    topic {topic_prefix}{name} \n" in said.out


async def test_missing_topics_are_found_and_not_made_by_looking(
    healthy: pytest.MonkeyPatch, ordersync: Command, kafka_bootstrap: str, topic_prefix: str
) -> None:
    """To ask most brokers about a topic makes it, with their own number of partitions."""
    for _ in range(2):
        said = await examined(ordersync)
        assert said.status == 1
        for name in TOPICS:
            assert f"wrong topic {topic_prefix}{name} Run: ordersync topics\n" in said.out
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    try:
        assert not [name for name in await admin.list_topics() if name.startswith(topic_prefix)]
    finally:
        await admin.close()


async def test_topics_with_another_number_of_partitions_are_named(
    healthy: pytest.MonkeyPatch, ordersync: Command, create_topics: CreateTopics, topic_prefix: str
) -> None:
    await create_topics(PARTITIONS | {"orders.price.v1": 4})
    said = await examined(ordersync)
    assert said.status == 1
    wrong = [line for line in said.out.splitlines() if line.startswith("wrong")]
    assert wrong == [
        f"wrong topic {topic_prefix}orders.price.v1 4 partitions instead of 6; set ORDERSYNC_TOPIC_PARTITIONS"
    ]


PERSON = '[[operators]]\nname = "{name}"\nroles = ["approver"]\ntoken_sha256_env = "{name}"\n'


def test_who_may_decide_is_said_and_whether_they_are_enough(ordersync: Command, place: pytest.MonkeyPatch) -> None:
    assert lines(ordersync("doctor"))["operators"][1].startswith("nobody may decide; set ORDERSYNC_OPERATORS_FILE")
    accounts = Path("accounts.toml").read_text()
    Path("accounts.toml").write_text(accounts + '[accounts.policy]\nfour_eyes_above = "1000.00"\n')
    place.setenv("ORDERSYNC_OPERATORS_FILE", "operators.toml")
    verdict, text = lines(ordersync("doctor"))["operators"]
    assert (verdict, "operators.toml: cannot be read" in text) == ("wrong", True)
    for name in ("ann", "bob"):
        place.setenv(name, hashlib.sha256(name.encode()).hexdigest())
    Path("operators.toml").write_text(PERSON.format(name="ann"))
    text = "four_eyes_above of main needs 2 approvers; 1 in the operators file"
    assert lines(ordersync("doctor"))["operators"] == ("wrong", text)
    Path("operators.toml").write_text(PERSON.format(name="ann") + PERSON.format(name="bob"))
    assert lines(ordersync("doctor"))["operators"] == ("ok", "0 operator(s), 2 approver(s)")


async def test_without_any_server_each_is_named_with_its_variable(ordersync: Command) -> None:
    said = await examined(ordersync)
    assert said.status == 1
    found = lines(said)
    assert [*found] == ["settings", "operators", "database", "kafka", "account main"]
    assert found["settings"][0] == "ok"
    assert found["database"][1].endswith("Is ORDERSYNC_DATABASE_URL right and the server up?")
    assert found["kafka"][1].startswith("no broker answers at 127.0.0.1:1")
    assert found["kafka"][1].endswith("Is ORDERSYNC_KAFKA_BOOTSTRAP_SERVERS right?")
    assert found["account main"][1].endswith("Is base_url right and reachable?")


async def test_an_sslmode_is_understood_as_everywhere(
    healthy: pytest.MonkeyPatch, ordersync: Command, database: str
) -> None:
    for mode, verdict in (("disable", "ok"), ("prefer", "ok"), ("require", "wrong")):  # the server speaks no TLS
        healthy.setenv("ORDERSYNC_DATABASE_URL", f"{database}?sslmode={mode}")
        assert lines(await examined(ordersync))["database"][0] == verdict


async def test_a_wrong_password_or_a_database_that_does_not_exist_is_said(
    healthy: pytest.MonkeyPatch, ordersync: Command, postgres: EmbeddedPostgres
) -> None:
    password = postgres.dsn().split(":")[2].split("@")[0]
    for dsn, reason in (
        (postgres.dsn("nowhere"), 'database "nowhere" does not exist'),
        (postgres.dsn().replace(password, "wrong-password-1f"), "password authentication failed"),
    ):
        healthy.setenv("ORDERSYNC_DATABASE_URL", dsn)
        said = await examined(ordersync)
        verdict, text = lines(said)["database"]
        assert (said.status, verdict) == (1, "wrong")
        assert reason in text
        assert "wrong-password-1f" not in said.all
        assert password not in said.all


async def test_a_database_without_a_schema_needs_migrate(
    healthy: pytest.MonkeyPatch, ordersync: Command, postgres: EmbeddedPostgres
) -> None:
    await administer(postgres, "CREATE DATABASE cli_empty")
    try:
        healthy.setenv("ORDERSYNC_DATABASE_URL", postgres.dsn("cli_empty"))
        want = schema.expected_revision()
        text = f"the database has no schema; expected {want}. Run: ordersync migrate"
        assert lines(await examined(ordersync))["schema"] == ("wrong", text)
    finally:
        await administer(postgres, "DROP DATABASE cli_empty WITH (FORCE)")


async def test_an_older_schema_needs_migrate(healthy: pytest.MonkeyPatch, ordersync: Command, tmp_path: Path) -> None:
    have = schema.expected_revision()
    healthy.setattr(schema, "_MIGRATIONS", newer_migrations(tmp_path))
    text = f"the database has the older schema {have}; expected 9001. Run: ordersync migrate"
    assert lines(await examined(ordersync))["schema"] == ("wrong", text)


async def test_a_newer_schema_needs_the_version_that_made_it(
    healthy: pytest.MonkeyPatch, ordersync: Command, database: str
) -> None:
    connection = await asyncpg.connect(database)
    try:
        await connection.execute("UPDATE alembic_version SET version_num = '9999'")
    finally:
        await connection.close()
    verdict, text = lines(await examined(ordersync))["schema"]
    assert verdict == "wrong"
    assert text.startswith("the database has schema 9999, which this version does not know")
    assert text.endswith(f"ordersync migrate --to {schema.expected_revision()}")


async def test_a_wrong_secret_is_found_by_a_signed_read(healthy: pytest.MonkeyPatch, ordersync: Command) -> None:
    healthy.setenv("CLI_SECRET", "another-secret-5c")
    said = await examined(ordersync)
    verdict, text = lines(said)["account main"]
    assert verdict == "wrong"
    assert text.endswith("Check access_key, the secret, user_id and this machine's clock")
    assert "another-secret-5c" not in said.all


async def test_an_account_whose_lists_nobody_knows_is_no_mistake(ordersync: Command) -> None:
    write_accounts("https://www.xportcn.com/api", dialect="xport")
    verdict, text = lines(await examined(ordersync))["account main"]
    assert verdict == "ok"
    assert "no list has a known path" in text


def test_wrong_settings_are_listed_one_a_line_and_word_by_word(place: pytest.MonkeyPatch, ordersync: Command) -> None:
    place.setenv("ORDERSYNC_HTTP_PORT", "x")
    place.setenv("ORDERSYNC_DATABASE_URL", "mysql://me:a-password@db")
    Path("accounts.toml").write_text("")
    said = ordersync("doctor")
    assert said.status == 1
    assert [line[31:] for line in said.out.splitlines()] == [
        "ORDERSYNC_DATABASE_URL: expected postgresql://user:password@host:port/database",
        "ORDERSYNC_HTTP_PORT: Input should be a valid integer, unable to parse string as an integer",
        "accounts.toml: no [[accounts]] in it; expected at least one",
    ]
    assert "a-password" not in said.all
