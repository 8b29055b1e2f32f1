"""The simulated Kafka keeps what delivery hangs on: order, offsets, generations, and confirmations that get lost."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError

from tests.simulator.stage import Name, Small, as_machine
from worker.broker.consumer import ConsumerOptions
from worker.broker.envelope import Event
from worker.broker.producer import KafkaLink, KafkaUnavailableError
from worker.broker.topics import TopicNames
from worker.simulator.consumers import SimulatedConsumer
from worker.simulator.producers import Producer

TOPIC = "orders.status.v1"
OPTIONS = ConsumerOptions("group", 10, 200)


def event(key: str, number: int) -> Event:
    return Event(TOPIC, key, {"ce_id": f"{key}/{number}"}, str(number).encode())


def link(small: Small, name: str = "a") -> KafkaLink:
    machine = small.machine(name)
    return KafkaLink(
        "simulated:1", TopicNames(), make_producer=lambda **options: Producer(small.cluster, machine, **options)
    )


def values(small: Small, key: str) -> list[int]:
    return [
        int(record.value or b"") for log in small.cluster.logs.values() for record in log if record.key == key.encode()
    ]


class Group:
    """Consumers of one group, and what each of them was given."""

    def __init__(self, small: Small) -> None:
        self.small = small
        self.seen: list[tuple[str, int]] = []
        self.fail_next = 0

    def member(self, name: str, holds_s: float = 0.0, machine: Name | None = None) -> SimulatedConsumer:
        async def handle(records: Any) -> None:
            await asyncio.sleep(holds_s)
            if self.fail_next:
                self.fail_next -= 1
                raise ConnectionError("the database is away")
            self.seen += [(name, int(record.value)) for record in records]

        async def pause() -> None:
            await asyncio.sleep(1)

        return SimulatedConsumer(
            self.small.cluster, machine or self.small.machine(name), (TOPIC,), OPTIONS, handle, pause
        )


async def connected(made: KafkaLink) -> KafkaLink:
    made.start()
    await made.wait_connected()
    return made


def test_what_is_sent_in_order_is_stored_in_order() -> None:
    small = Small()

    async def main() -> None:
        made = await connected(link(small))
        await made.send_all([event("k", number) for number in range(50)], 5)
        await made.stop()

    small.run(main())
    assert values(small, "k") == list(range(50))


def test_a_confirmation_that_is_lost_fails_and_the_record_is_there_all_the_same() -> None:
    small = Small(shares={"confirmation lost": 1.0})

    async def main() -> None:
        made = await connected(link(small))
        with pytest.raises(KafkaUnavailableError):
            await made.send(event("k", 1), 0.35)
        await asyncio.sleep(20)
        await made.stop()

    small.run(main())
    assert values(small, "k") == [1]


def test_a_batch_that_fails_comes_again_and_is_committed_once_it_was_handled() -> None:
    small = Small()
    group = Group(small)

    async def main() -> None:
        made = await connected(link(small))
        await made.send_all([event("k", number) for number in range(3)], 5)
        consumer = group.member("a")
        group.fail_next = 2
        await consumer.start()
        await asyncio.sleep(15)
        assert small.cluster.waiting("group") == 0
        await consumer.stop()
        await made.stop()

    small.run(main())
    assert group.seen == [("a", 0), ("a", 1), ("a", 2)]


def test_what_is_still_ours_of_a_batch_is_committed_though_another_partition_was_revoked() -> None:
    small = Small()
    group = Group(small)

    async def main() -> None:
        made = await connected(link(small))
        consumer = group.member("a", holds_s=2)
        await consumer.start()
        await asyncio.sleep(5)
        await made.send_all([event(key, number) for number, key in enumerate("abcdefgh")], 5)
        await asyncio.sleep(1)  # it works on them
        held = [partition for partition, at in consumer._positions.items() if at]
        assert len(held) > 1
        del consumer._positions[held[0]]
        await asyncio.sleep(5)
        committed = small.cluster.groups["group"].committed
        assert committed == {partition: len(small.cluster.logs[partition]) for partition in held[1:]}
        await consumer.stop()
        await made.stop()

    small.run(main())


def test_a_member_of_the_past_commits_nothing_and_another_one_goes_on() -> None:
    """Frozen for longer than its session, it finishes its batch and is told that it is no member any more."""
    small = Small()
    group = Group(small)
    frozen = small.machine("slow")

    async def main() -> None:
        made = await connected(link(small))
        slow = group.member("slow", holds_s=2, machine=frozen)
        await asyncio.create_task(as_machine(frozen, slow.start))
        await asyncio.sleep(5)
        await made.send(event("k", 1), 5)
        await asyncio.sleep(1)
        small.loop.freeze(frozen)
        other = group.member("other")
        await other.start()
        await asyncio.sleep(60)
        assert group.seen == [("other", 1)]
        assert small.cluster.waiting("group") == 0
        small.loop.thaw(frozen)
        await asyncio.sleep(10)
        await asyncio.create_task(as_machine(frozen, slow.stop))
        await other.stop()
        await made.stop()

    small.run(main())
    assert group.seen == [("other", 1), ("slow", 1)]
    assert small.trace.counts["member expelled"] == 1
    assert small.trace.counts["commit refused"] >= 1


def test_a_consumer_hears_of_a_record_when_it_arrives_and_waits_meanwhile() -> None:
    small = Small()
    group = Group(small)

    async def main() -> None:
        made = await connected(link(small))
        consumer = group.member("a")
        await consumer.start()
        await asyncio.sleep(60)
        begun = small.loop.steps
        await asyncio.sleep(300)
        assert small.loop.steps - begun < 1_000, "a look every 5 s and a heartbeat every 3, of a few steps each"
        await made.send(event("k", 1), 5)
        await asyncio.sleep(0.5)
        assert group.seen == [("a", 1)]
        await consumer.stop()
        await made.stop()

    small.run(main())


def test_while_the_brokers_are_away_nothing_is_written_and_nobody_joins() -> None:
    small = Small()

    async def main() -> None:
        made = await connected(link(small))
        small.cluster.is_away = True
        with pytest.raises(KafkaUnavailableError):
            await made.send(event("k", 1), 0.35)
        with pytest.raises(KafkaConnectionError):
            await Group(small).member("a").start()
        with pytest.raises(KafkaConnectionError):
            small.cluster.append(TopicPartition(TOPIC, 0), [])
        await made.stop()

    small.run(main())
    assert values(small, "k") == []
