"""People and programs are told of an alert once when it opens and once when it is over, and no secret is told."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import msgspec
import pytest
import structlog
from aiokafka import AIOKafkaConsumer
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.conftest import CreateTopics
from tests.outbound.topic import linked
from tests.storage.database import connected, execute, rows
from worker.broker.envelope import Event
from worker.broker.producer import KafkaLink, KafkaUnavailableError
from worker.broker.topics import ALERTS, TopicNames
from worker.domain.alerts import Alert, AlertKind, Severity
from worker.domain.clock import SystemClock
from worker.operations.notifier import BATCH, LONGEST_PAUSE_S, MAX_ATTEMPTS, Notifier, Tell, apprise_teller
from worker.storage import alert_store
from worker.storage.engine import transaction
from worker.storage.wakeup import Wakeups

# Apprise loads all of its plugins with the first address; one of them imports a module that Python will drop.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
SECRET = "s3cr3t"
CAUSE = "refund_opened:main/1688/1:TQ1"


class KafkaAtTheEdge(KafkaLink):
    """Kafka as far as the notifier sees it: there, or away."""

    def __init__(self) -> None:
        super().__init__("127.0.0.1:1", TopicNames())
        self.away = False
        self.sent: list[Event] = []

    async def send(self, event: Event, timeout_s: float) -> None:  # noqa: ARG002 - the link's signature
        if self.away:
            raise KafkaUnavailableError("not connected to Kafka yet")
        self.sent.append(event)

    @property
    def told(self) -> list[str]:
        return [str(msgspec.json.decode(event.value)["action"]) for event in self.sent]


class People:
    """Those who are told."""

    def __init__(self) -> None:
        self.reachable = True
        self.told: list[tuple[str, str]] = []

    async def tell(self, title: str, text: str) -> bool:
        if self.reachable:
            self.told.append((title, text))
        return self.reachable


class Stage:
    def __init__(self, engine: AsyncEngine, kafka: KafkaLink | None = None, tell: Tell | None = None) -> None:
        self.engine = engine
        self.kafka = KafkaAtTheEdge()
        self.people = People()
        jitter = random.Random(1)  # noqa: S311 - pauses
        wakeups = Wakeups("postgresql://unused")
        self.notifier = Notifier(
            engine, kafka or self.kafka, wakeups, SystemClock(), jitter, tell=tell or self.people.tell, idle_s=0.02
        )

    async def open(self, cause: str = CAUSE, title: str = "Refund TQ1 of 40.00 CNY is open") -> None:
        alert = Alert(cause, AlertKind.REFUND_OPENED, Severity.WARNING, title, details={"refund_id": "TQ1"})
        async with transaction(self.engine) as connection:
            await alert_store.open_alerts(connection, [alert], {}, {})

    async def resolve(self, cause: str = CAUSE) -> None:
        async with transaction(self.engine) as connection:
            await alert_store.resolve_cause(connection, cause)

    async def round(self) -> int:
        """Let all pauses be over, and send what waits."""
        await execute(self.engine, "UPDATE alert_notices SET due_at = now()")
        return await self.notifier.send_once()


@pytest.fixture
async def engine(database: str) -> AsyncIterator[AsyncEngine]:
    async with connected(database) as engine:
        yield engine


@pytest.fixture
async def stage(engine: AsyncEngine) -> Stage:
    return Stage(engine)


async def test_an_alert_is_told_once_when_it_opens_and_once_when_it_is_over(stage: Stage) -> None:
    for _ in range(3):
        await stage.open()
        await stage.round()
    await stage.resolve()
    for _ in range(3):
        await stage.resolve()
        await stage.round()
    assert stage.kafka.told == ["opened", "resolved"]
    assert stage.people.told == [
        ("[warning] refund_opened opened", "Refund TQ1 of 40.00 CNY is open"),
        ("[warning] refund_opened resolved", "Refund TQ1 of 40.00 CNY is open"),
    ]


async def test_a_cause_that_comes_back_is_told_again(stage: Stage) -> None:
    for _ in range(2):
        await stage.open()
        await stage.resolve()
        await stage.round()
        await stage.round()
    assert stage.kafka.told == ["opened", "resolved"] * 2
    assert len(stage.people.told) == 4


async def test_while_kafka_is_away_people_are_told_all_the_same_and_only_once(stage: Stage) -> None:
    stage.kafka.away = True
    await stage.open()
    for _ in range(3):
        await stage.round()
    assert (stage.kafka.told, len(stage.people.told)) == ([], 1)
    stage.kafka.away = False
    await stage.round()
    await stage.round()
    assert (stage.kafka.told, len(stage.people.told)) == (["opened"], 1)


async def test_while_people_are_out_of_reach_programs_are_told_only_once(stage: Stage) -> None:
    stage.people.reachable = False
    await stage.open()
    for _ in range(3):
        await stage.round()
    stage.people.reachable = True
    await stage.round()
    await stage.round()
    assert (stage.kafka.told, len(stage.people.told)) == (["opened"], 1)


@pytest.mark.parametrize("broken", ["kafka", "people"])
async def test_nobody_is_told_that_it_is_over_before_being_told_that_it_began(stage: Stage, broken: str) -> None:
    await stage.open()
    stage.kafka.away, stage.people.reachable = broken == "kafka", broken != "people"
    await stage.round()
    await stage.resolve()
    stage.kafka.away, stage.people.reachable = False, True
    await execute(stage.engine, "UPDATE alert_notices SET due_at = now() + interval '1 hour' WHERE action = 'opened'")
    await stage.notifier.send_once()
    for _ in range(3):
        await stage.round()
    assert stage.kafka.told == ["opened", "resolved"]
    assert [title.rpartition(" ")[2] for title, _ in stage.people.told] == ["opened", "resolved"]


async def test_a_notice_that_never_goes_out_is_given_up_after_growing_pauses(stage: Stage) -> None:
    stage.kafka.away, stage.people.reachable = True, False
    await stage.open()
    pauses = []
    for _ in range(MAX_ATTEMPTS):
        assert await stage.round() == 1
        (notice,) = await rows(stage.engine, "SELECT due_at - now() AS pause FROM alert_notices")
        pauses.append(notice["pause"].total_seconds())
    assert await stage.round() == 0
    assert pauses[0] < 3
    assert 0.7 * LONGEST_PAUSE_S < max(pauses) < 1.3 * LONGEST_PAUSE_S
    assert await rows(stage.engine, "SELECT attempts FROM alert_notices") == [{"attempts": MAX_ATTEMPTS}]


async def test_before_its_pause_is_over_nothing_is_tried(stage: Stage) -> None:
    stage.kafka.away = True
    await stage.open()
    assert await stage.notifier.send_once() == 1
    assert await stage.notifier.send_once() == 0


async def test_several_notifiers_share_the_work(engine: AsyncEngine) -> None:
    stages = [Stage(engine) for _ in range(3)]
    for number in range(BATCH + 10):
        await stages[0].open(f"cause {number}")
    await asyncio.gather(*(stage.notifier.send_once() for stage in stages for _ in range(3)))
    keys = [event.key for stage in stages for event in stage.kafka.sent]
    assert len(keys) == len(set(keys)) == BATCH + 10
    assert sum(len(stage.people.told) for stage in stages) == BATCH + 10


async def test_one_notice_that_cannot_be_sent_does_not_hold_up_the_others(stage: Stage) -> None:
    async def tell(_title: str, text: str) -> bool:
        return "broken" not in text

    picky = Stage(stage.engine, tell=tell)
    await picky.open("a", "broken")
    await picky.open("b", "fine")
    await picky.round()
    found = await rows(stage.engine, "SELECT notified_at IS NOT NULL AS told FROM alert_notices ORDER BY id")
    assert [row["told"] for row in found] == [False, True]


async def test_the_event_on_the_topic_carries_the_alert(
    engine: AsyncEngine, kafka_bootstrap: str, topic_prefix: str, create_topics: CreateTopics
) -> None:
    topic = (await create_topics({ALERTS: 1}))[ALERTS]
    async with linked(kafka_bootstrap, topic_prefix) as link:
        stage = Stage(engine, link)
        await stage.open()
        await stage.round()
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=kafka_bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        record = await asyncio.wait_for(consumer.getone(), 10)
    finally:
        await consumer.stop()
    assert record.key.decode() == CAUSE
    headers = {name: value.decode() for name, value in record.headers}
    assert headers["ce_type"] == "ordersync.alert.opened.v1"
    data = msgspec.json.decode(record.value)
    assert (data["kind"], data["severity"], data["details"]) == ("refund_opened", "warning", {"refund_id": "TQ1"})


@asynccontextmanager
async def web_address(status: int = 200) -> AsyncIterator[tuple[str, list[bytes]]]:
    """An address that takes notices, and what it was told."""
    told: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        told.append(await reader.readexactly(length))
        writer.write(b"HTTP/1.1 %d x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n" % status)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"json://user:{SECRET}@127.0.0.1:{server.sockets[0].getsockname()[1]}/{SECRET}", told


async def test_a_broken_address_does_not_make_the_others_hear_everything_twice(engine: AsyncEngine) -> None:
    async with web_address() as (good, told), web_address(500) as (broken, refused):
        stage = Stage(engine, tell=apprise_teller([broken, good]))
        await stage.open()
        for _ in range(3):
            await stage.round()
        assert (len(told), len(refused)) == (1, 1)
        assert b"Refund TQ1" in told[0]


async def test_no_address_at_all_told_is_a_failure(engine: AsyncEngine) -> None:
    tell = apprise_teller([f"json://user:{SECRET}@127.0.0.1:1/{SECRET}"])
    assert tell is not None
    assert await tell("title", "text") is False


async def test_an_address_that_never_answers_is_not_waited_for_long() -> None:
    hanging = asyncio.Event()

    async def hang(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await hanging.wait()
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        tell = apprise_teller([f"json://127.0.0.1:{port}/?rto=1&cto=1"], timeout_s=0.3)
        assert tell is not None
        assert await tell("title", "text") is False
        hanging.set()


@pytest.mark.parametrize(
    "wrong", [SECRET, f"nosuch://user:{SECRET}@host", f"slack://{SECRET}", f"https//hooks.example/{SECRET}"]
)
def test_an_address_that_nobody_understands_is_named_by_its_number(
    wrong: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(ValueError, match="address number 2") as refused:
        apprise_teller(["json://127.0.0.1:1", wrong])
    assert SECRET not in str(refused.value)
    assert SECRET not in caplog.text


async def test_a_failure_to_tell_writes_no_secret_anywhere(
    engine: AsyncEngine, caplog: pytest.LogCaptureFixture, logged: Callable[[], str]
) -> None:
    with caplog.at_level(logging.INFO):
        stage = Stage(engine, tell=apprise_teller([f"json://user:{SECRET}@127.0.0.1:1/{SECRET}"]))
        stage.kafka.away = True
        await stage.open()
        for _ in range(MAX_ATTEMPTS):
            await stage.round()
    assert "notice given up" in logged()
    assert SECRET not in logged() + caplog.text


@pytest.fixture
def logged() -> Iterator[Callable[[], str]]:
    """What structlog was told so far, as text."""
    with structlog.testing.capture_logs() as entries:
        yield lambda: repr(entries)


def test_nobody_to_tell_is_no_failure() -> None:
    assert apprise_teller([]) is None
