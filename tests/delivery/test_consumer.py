"""Kafka is told last: a batch counts as taken once its handler returned, and never before."""

import asyncio
from collections import Counter

import pytest

from tests.conftest import CreateTopics
from tests.delivery.offsets import committed, consuming, no_pause, numbers, produce
from tests.waiting import until
from worker.broker.consumer import Records, StopConsumingError

GROUP = "group"


@pytest.fixture
async def topic(create_topics: CreateTopics) -> str:
    return (await create_topics({"numbers": 1}))["numbers"]


@pytest.fixture
def group(topic_prefix: str) -> str:
    return topic_prefix + GROUP


async def test_nothing_is_committed_before_the_handler_has_returned(
    kafka_bootstrap: str, topic: str, group: str
) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def handle(_records: Records) -> None:
        begun.set()
        await go_on.wait()

    await produce(kafka_bootstrap, topic, range(5))
    async with consuming(kafka_bootstrap, [topic], group, handle):
        await asyncio.wait_for(begun.wait(), 20)
        assert await committed(kafka_bootstrap, group, topic) == [0]
        go_on.set()

        async def all_committed() -> bool:
            return await committed(kafka_bootstrap, group, topic) == [5]

        await until(all_committed)


async def test_it_consumes_through_any_of_several_addresses(kafka_bootstrap: str, topic: str, group: str) -> None:
    seen: list[int] = []

    async def handle(records: Records) -> None:
        seen.extend(numbers(records))

    await produce(kafka_bootstrap, topic, range(5))
    async with consuming(f"127.0.0.1:1,{kafka_bootstrap}", [topic], group, handle):
        await until(lambda: len(seen) >= 5, 20)
    assert seen == list(range(5))


async def test_a_batch_whose_handler_fails_comes_again_whole_and_in_order(
    kafka_bootstrap: str, topic: str, group: str
) -> None:
    seen: list[list[int]] = []
    pauses = 0

    async def handle(records: Records) -> None:
        seen.append(numbers(records))
        if len(seen) <= 3:
            raise OSError("the database is away")

    async def pause() -> None:
        nonlocal pauses
        pauses += 1
        assert await committed(kafka_bootstrap, group, topic) == [0]

    await produce(kafka_bootstrap, topic, range(25))
    async with consuming(kafka_bootstrap, [topic], group, handle, pause=pause):
        await until(lambda: seen and seen[-1][-1] == 24, 30)
    assert pauses == 3
    assert seen[0] == seen[1] == seen[2] == seen[3] == list(range(10))
    assert [number for batch in seen[3:] for number in batch] == list(range(25))
    assert await committed(kafka_bootstrap, group, topic) == [25]


async def test_a_failure_in_the_middle_skips_nothing_of_any_partition(
    kafka_bootstrap: str, create_topics: CreateTopics, group: str
) -> None:
    topics = await create_topics({"one": 2, "two": 2})
    handled: Counter[tuple[str, int]] = Counter()
    tries = 0

    async def handle(records: Records) -> None:
        nonlocal tries
        tries += 1
        if tries % 3 == 2:
            raise OSError("now and then")
        handled.update((record.topic, int(record.value)) for record in records)

    for topic in topics.values():
        await produce(kafka_bootstrap, topic, range(40), partitions=2)
    async with consuming(kafka_bootstrap, topics.values(), group, handle, max_records=7):
        await until(lambda: len(handled) == 80, 30)
    assert set(handled) == {(topic, number) for topic in topics.values() for number in range(40)}
    for topic in topics.values():
        assert await committed(kafka_bootstrap, group, topic, 2) == [20, 20]


async def test_the_next_member_goes_on_where_the_last_one_committed(
    kafka_bootstrap: str, topic: str, group: str
) -> None:
    first: list[int] = []
    second: list[int] = []

    async def handle_some(records: Records) -> None:
        if len(first) >= 20:
            raise OSError("from here on nothing works")
        first.extend(numbers(records))

    async def handle_rest(records: Records) -> None:
        second.extend(numbers(records))

    await produce(kafka_bootstrap, topic, range(50))
    failed = asyncio.Event()

    async def pause() -> None:
        failed.set()
        await no_pause()

    async with consuming(kafka_bootstrap, [topic], group, handle_some, pause=pause):
        await asyncio.wait_for(failed.wait(), 30)
    assert await committed(kafka_bootstrap, group, topic) == [len(first)]
    async with consuming(kafka_bootstrap, [topic], group, handle_rest):
        await until(lambda: len(first) + len(second) >= 50, 30)
    assert first + second == list(range(50))


async def test_a_handler_that_stops_consumption_leaves_everything_to_the_next_start(
    kafka_bootstrap: str, topic: str, group: str
) -> None:
    tried: list[int] = []

    async def refuse(records: Records) -> None:
        tried.extend(numbers(records))
        raise StopConsumingError("5 records in a row failed")

    await produce(kafka_bootstrap, topic, range(15))
    async with consuming(kafka_bootstrap, [topic], group, refuse) as consumer:
        await until(lambda: not consumer.running, 30)
    assert tried == list(range(10)), "not one batch more"
    assert await committed(kafka_bootstrap, group, topic) == [0]
    taken: list[int] = []

    async def take(records: Records) -> None:
        taken.extend(numbers(records))

    async with consuming(kafka_bootstrap, [topic], group, take):
        await until(lambda: len(taken) == 15, 30)
    assert taken == list(range(15))


async def test_stopping_finishes_the_batch_under_way(kafka_bootstrap: str, topic: str, group: str) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()
    done: list[int] = []

    async def handle(records: Records) -> None:
        begun.set()
        await go_on.wait()
        done.extend(numbers(records))

    await produce(kafka_bootstrap, topic, range(5))
    async with consuming(kafka_bootstrap, [topic], group, handle) as consumer:
        await asyncio.wait_for(begun.wait(), 20)
        stopping = asyncio.create_task(consumer.stop())
        await asyncio.wait([stopping], timeout=0.2)
        go_on.set()
        await asyncio.wait_for(stopping, 20)
    assert done == list(range(5))
    assert await committed(kafka_bootstrap, group, topic) == [5]


async def test_where_it_stands_is_asked_of_the_brokers(kafka_bootstrap: str, topic: str, group: str) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def handle(_records: Records) -> None:
        begun.set()
        await go_on.wait()

    await produce(kafka_bootstrap, topic, range(25))
    async with consuming(kafka_bootstrap, [topic], group, handle) as consumer:
        await asyncio.wait_for(begun.wait(), 20)
        standing = await consumer.look()
        assert standing.waiting == {f"{topic}/0": 15}
        go_on.set()
        await until(lambda: caught_up(consumer.look), 20)


async def caught_up(look: object) -> bool:
    standing = await look()  # type: ignore[operator]  # a method
    return not any(standing.waiting.values())


@pytest.mark.usefixtures("apache")
async def test_two_members_share_the_work_and_a_rebalance_loses_nothing(
    kafka_bootstrap: str, create_topics: CreateTopics, group: str
) -> None:
    topic = (await create_topics({"shared": 4}))["shared"]
    handled: dict[str, list[int]] = {"one": [], "two": []}

    async def one(records: Records) -> None:
        await asyncio.sleep(0)
        handled["one"] += numbers(records)

    async def two(records: Records) -> None:
        handled["two"] += numbers(records)

    def everything(until_number: int) -> bool:
        return {*handled["one"], *handled["two"]} == set(range(until_number))

    await produce(kafka_bootstrap, topic, range(200), 4)
    async with consuming(kafka_bootstrap, [topic], group, one):
        await until(lambda: len(handled["one"]) >= 50, 30)
        async with consuming(kafka_bootstrap, [topic], group, two):
            await produce(kafka_bootstrap, topic, range(200, 400), 4)
            await until(lambda: everything(400), 30)
            await produce(kafka_bootstrap, topic, range(400, 600), 4)
            await until(lambda: everything(600), 30)
        await produce(kafka_bootstrap, topic, range(600, 640), 4)
        await until(lambda: everything(640), 30)
    assert handled["two"], "the second member got a share"
    assert await committed(kafka_bootstrap, group, topic, 4) == [160] * 4
