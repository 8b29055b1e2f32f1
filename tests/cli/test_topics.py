"""`ordersync topics` makes what is missing with explicit settings, and never changes what is there."""

import asyncio
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from tests.cli.conftest import Command
from tests.conftest import CreateTopics
from tests.infrastructure import TOPICS, Kind

DAY_MS = 86_400_000


@pytest.fixture
def there(place: pytest.MonkeyPatch, kafka_bootstrap: str, topic_prefix: str) -> pytest.MonkeyPatch:
    """A Kafka, and names of this test's own."""
    place.setenv("ORDERSYNC_KAFKA_BOOTSTRAP_SERVERS", kafka_bootstrap)
    place.setenv("ORDERSYNC_TOPIC_PREFIX", topic_prefix)
    return place


@pytest.fixture
def apache(there: pytest.MonkeyPatch, kafka_kind: Kind) -> pytest.MonkeyPatch:
    if kafka_kind != "apache":
        pytest.skip("the embedded broker has no CreateTopics")
    return there


async def described(bootstrap: str, prefix: str) -> dict[str, dict[str, Any]]:
    """Topic → its number of partitions and its settings, as the cluster has them."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        names = sorted(name for name in await admin.list_topics() if name.startswith(prefix))
        if not names:
            return {}
        found = {
            topic["topic"].removeprefix(prefix): {"partitions": len(topic["partitions"])}
            for topic in await admin.describe_topics(names)
        }
        resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
        for answer in await admin.describe_configs(resources):
            for resource in answer.resources:
                settings = {entry[0]: entry[1] for entry in resource[4]}
                found[resource[3].removeprefix(prefix)] |= settings
        return found
    finally:
        await admin.close()


def test_looking_makes_nothing(there: pytest.MonkeyPatch, ordersync: Command, topic_prefix: str) -> None:
    for _ in range(2):
        said = ordersync("topics", "--check")
        assert said.status == 1
        assert said.out == "".join(f"{topic_prefix}{name}: missing\n" for name in TOPICS)


def test_missing_topics_are_made_once(apache: pytest.MonkeyPatch, ordersync: Command, topic_prefix: str) -> None:
    first = ordersync("topics")
    assert (first.status, first.out) == (0, "".join(f"{topic_prefix}{name}: created\n" for name in TOPICS))
    for words in (["topics"], ["topics", "--check"]):
        again = ordersync(*words)
        assert (again.status, again.out) == (0, "".join(f"{topic_prefix}{name}: present\n" for name in TOPICS))


async def test_a_topic_has_the_settings_that_delivery_rests_on(
    apache: pytest.MonkeyPatch, ordersync: Command, kafka_bootstrap: str, topic_prefix: str
) -> None:
    apache.setenv("ORDERSYNC_TOPIC_PARTITIONS", "3")
    assert (await asyncio.to_thread(ordersync, "topics")).status == 0
    found = await described(kafka_bootstrap, topic_prefix)
    assert set(found) == set(TOPICS)
    for name, settings in found.items():
        days = 30 if name in {"orders.changes.v1", "ops.alerts.v1"} else 14
        assert settings["partitions"] == 3
        assert settings["retention.ms"] == str(days * DAY_MS)
        assert settings["cleanup.policy"] == "delete"
        assert settings["min.insync.replicas"] == "1"
        assert settings["unclean.leader.election.enable"] == "false"
        assert settings["message.timestamp.type"] == "CreateTime"


async def test_a_topic_with_another_number_of_partitions_is_named_and_left_alone(
    there: pytest.MonkeyPatch, ordersync: Command, create_topics: CreateTopics, topic_prefix: str
) -> None:
    await create_topics(dict.fromkeys(TOPICS, 6) | {"orders.status.v1": 2})
    for words in (["topics", "--check"], ["topics"]):
        said = await asyncio.to_thread(ordersync, *words)
        assert said.status == 1
        assert f"{topic_prefix}orders.status.v1: differs 2 partitions instead of 6\n" in said.out
        assert f"{topic_prefix}orders.price.v1: present\n" in said.out


def test_more_replicas_than_brokers_are_refused_with_kafkas_reason(
    apache: pytest.MonkeyPatch, ordersync: Command, topic_prefix: str
) -> None:
    apache.setenv("ORDERSYNC_TOPIC_REPLICATION", "3")
    said = ordersync("topics")
    assert said.status == 1
    assert said.out.startswith(f"topics not checked: topic {topic_prefix}orders.status.v1 was not created: ")
    assert "Traceback" not in said.all


def test_without_a_broker_the_reason_is_one_line(ordersync: Command) -> None:
    said = ordersync("topics")
    assert said.status == 1
    assert said.out.startswith("topics not checked: ")
    assert said.out.count("\n") == 1
