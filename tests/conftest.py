"""Fixtures that every test may ask for: a real Postgres and a Kafka. Nothing starts before a test asks for it.

`ORDERSYNC_TEST_KAFKA=apache|embedded|auto` (default auto) chooses the Kafka; the header of the run says which it is.
"""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping

import pytest

from tests.infrastructure import (
    KafkaChoice,
    Kind,
    NoKafkaError,
    SessionKafka,
    administer,
    chosen_kafka,
    make_topics,
    migrate,
    running_kafka,
)
from worker.embedded import EmbeddedPostgres

CreateTopics = Callable[[Mapping[str, int]], Awaitable[dict[str, str]]]

_TEMPLATE = "ordersync_template"
_choice = pytest.StashKey[KafkaChoice]()
_used = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    try:
        config.stash[_choice] = chosen_kafka()
    except NoKafkaError as error:
        raise pytest.UsageError(str(error)) from error


def pytest_report_header(config: pytest.Config) -> str:
    choice = config.stash[_choice]
    return f"kafka: {choice.kind} ({choice.reason})"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what really ran: the jars may have been out of reach after the header was printed."""
    if _used in config.stash:
        terminalreporter.write_line(config.stash[_used])


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """Postgres 18 for the session. A test that stops or kills a server starts one of its own."""
    with EmbeddedPostgres() as server:
        yield server


@pytest.fixture(scope="session")
async def template_database(postgres: EmbeddedPostgres) -> str:
    """The name of a database with the newest schema and no rows; nobody connects to it."""
    await administer(postgres, f"CREATE DATABASE {_TEMPLATE}")
    await migrate(postgres.dsn(_TEMPLATE))
    return _TEMPLATE


@pytest.fixture
async def database(postgres: EmbeddedPostgres, template_database: str) -> AsyncIterator[str]:
    """The DSN of a migrated, empty database of this test alone."""
    name = f"test_{uuid.uuid4().hex}"
    await administer(postgres, f"CREATE DATABASE {name} TEMPLATE {template_database}")
    yield postgres.dsn(name)
    await administer(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def kafka_broker(pytestconfig: pytest.Config) -> Iterator[SessionKafka]:
    """The Kafka of the session: see `tests.infrastructure.choose_kafka`."""
    with running_kafka(pytestconfig.stash[_choice]) as kafka:
        pytestconfig.stash[_used] = f"kafka used: {kafka.kind} ({kafka.reason})"
        yield kafka


@pytest.fixture(scope="session")
def kafka_bootstrap(kafka_broker: SessionKafka) -> str:
    """The bootstrap servers of the session's Kafka."""
    return kafka_broker.bootstrap_servers


@pytest.fixture(scope="session")
def kafka_kind(kafka_broker: SessionKafka) -> Kind:
    """Which Kafka it is: "embedded" has the limits listed in `worker.embedded.kafka`."""
    return kafka_broker.kind


@pytest.fixture
def topic_prefix() -> str:
    """A prefix for the topics and groups of this test alone: all tests share one Kafka."""
    return f"t{uuid.uuid4().hex[:12]}."


@pytest.fixture
def create_topics(kafka_broker: SessionKafka, topic_prefix: str) -> CreateTopics:
    """Create topics, name to number of partitions; returns name to the name with this test's prefix."""

    async def create(topics: Mapping[str, int]) -> dict[str, str]:
        names = {name: topic_prefix + name for name in topics}
        await make_topics(kafka_broker, {names[name]: partitions for name, partitions in topics.items()})
        return names

    return create
