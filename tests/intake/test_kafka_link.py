"""The link to Kafka heals itself where the client library does not."""

import asyncio

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from structlog.testing import capture_logs

from tests.infrastructure import Kind
from tests.waiting import until
from worker.broker.envelope import Event
from worker.broker.producer import KafkaLink, KafkaUnavailableError
from worker.broker.topics import STATUS, TopicNames

TIMEOUT_S = 10.0


def event(size: int) -> Event:
    return Event(STATUS, "main/1688/1", {"ce_id": "1"}, b"x" * size)


async def took(link: KafkaLink, size: int) -> bool:
    try:
        await link.send(event(size), TIMEOUT_S)
    except KafkaUnavailableError:
        return False
    return True


async def test_a_batch_that_the_broker_refuses_does_not_spoil_its_partition_for_ever(
    kafka_kind: Kind, kafka_bootstrap: str, topic_prefix: str
) -> None:
    """The refused batch has used up a sequence number, and aiokafka would go on counting behind it."""
    if kafka_kind != "apache":
        pytest.skip("the embedded broker checks no sequence numbers")
    names = TopicNames(topic_prefix)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    try:
        small = NewTopic(names.of(STATUS), 1, 1, topic_configs={"max.message.bytes": "1000"})
        assert [code for _, code, _ in (await admin.create_topics([small])).topic_errors] == [0]
    finally:
        await admin.close()
    link = KafkaLink(kafka_bootstrap, names)
    link.start()
    try:
        await link.wait_connected()
        await until(lambda: took(link, 10), seconds=30, what="the topic can be written")
        with capture_logs() as lines:
            assert not await took(link, 5_000)
        assert "MessageSizeTooLargeError" in str(lines)
        await until(lambda: took(link, 10), seconds=30, what="the partition can be written again")
    finally:
        await link.stop()


async def test_a_link_is_stopped_while_it_still_looks_for_a_broker() -> None:
    link = KafkaLink("127.0.0.1:1", TopicNames())
    link.start()
    await asyncio.sleep(0)
    await link.stop()
    with pytest.raises(KafkaUnavailableError, match="not connected"):
        await link.send(event(1), TIMEOUT_S)
    with pytest.raises(KafkaUnavailableError, match="not connected"):
        await link.send_all([event(1)], TIMEOUT_S)
