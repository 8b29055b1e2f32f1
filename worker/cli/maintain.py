"""`ordersync migrate` and `ordersync topics`."""

from __future__ import annotations

import asyncio

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from alembic.util import CommandError
from rich.console import Console
from rich.markup import escape
from sqlalchemy.exc import DBAPIError

from worker.broker.topics import TopicNames, TopicReport, ensure_topics
from worker.logs import configure_logging
from worker.settings import Settings, load_settings
from worker.storage import schema

_console = Console(highlight=False, soft_wrap=True)


def migrate(to: str | None) -> int:
    """Run or undo migrations; return the exit status."""
    settings = load_settings()
    configure_logging(settings.log_level)
    try:
        if to is None:
            schema.upgrade(settings.dsn)
        else:
            schema.downgrade(settings.dsn, to)
    except CommandError as error:  # the way between the two schemas is not known
        _console.print(f"[red]not migrated:[/red] {escape(str(error))}. What is wrong says: ordersync doctor")
        return 1
    except (schema.SchemaMismatchError, DBAPIError, OSError) as error:
        _console.print(f"[red]not migrated:[/red] {escape(str(error).splitlines()[0])}")
        return 1
    _console.print(f"the database has schema {to or schema.expected_revision()}")
    return 0


def topics(*, create: bool) -> int:
    """Create or check the topics; return 0 if all are there as they should be."""
    settings = load_settings()
    configure_logging(settings.log_level)
    try:
        reports = asyncio.run(look_at_topics(settings, create=create))
    except (KafkaError, RuntimeError, OSError) as error:
        _console.print(f"[red]topics not checked:[/red] {escape(str(error) or type(error).__name__)}")
        return 1
    for report in reports:
        _console.print(f"{report.name}: {report.state} {report.detail}".rstrip(), markup=False)
    return 0 if all(report.state in {"present", "created"} for report in reports) else 1


async def look_at_topics(settings: Settings, *, create: bool) -> list[TopicReport]:
    """Return the state of every topic. Raises KafkaError if no broker answers."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers, request_timeout_ms=10_000)
    try:
        await admin.start()
        return await ensure_topics(
            admin,
            TopicNames(settings.topic_prefix),
            partitions=settings.topic_partitions,
            replication=settings.topic_replication,
            create=create,
        )
    finally:
        await admin.close()
