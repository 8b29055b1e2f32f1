"""The client and the sandbox, written apart from each other, understand each other."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.marketplaces.servers import ACCESS_KEY, SECRET, USER_ID, client
from tests.sandbox.stage import always
from tests.waiting import until
from worker.domain.facts import Snapshot, Source, StatusSeen
from worker.domain.identity import Platform
from worker.marketplaces.http import READ_ATTEMPTS
from worker.marketplaces.pandapon.client import PandaPonClient
from worker.marketplaces.port import (
    EffectOutcome,
    RejectedError,
    RetryableError,
    Stream,
    ThrottledError,
    UnauthorisedError,
)
from worker.sandbox import Sandbox, SandboxConfig, SandboxServer
from worker.sandbox.faults import LEVELS, CallFaults, Fault

ORDERS = 45
HOUR_MS = 3_600_000
TIMEOUT_S = 1.0
HANG_S = 1.5


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[SandboxServer]:
    """A sandbox at the speed of reality: nothing happens to its orders during a test but what the test does."""
    config = SandboxConfig(
        seed=3,
        orders=ORDERS,
        arrival_s=0,
        speed=1,
        settle_s=0,
        hang_s=HANG_S,
        agreement_share=0.5,
        access_key=ACCESS_KEY,
        access_secret=SECRET,
        user_id=USER_ID,
    )
    async with SandboxServer(config) as running:
        running.sandbox.start()
        await until(lambda: len(running.sandbox.world.orders) == ORDERS)
        yield running


@pytest.fixture
def sandbox(server: SandboxServer) -> Sandbox:
    server.sandbox.faults = CallFaults(1, LEVELS["none"])
    server.sandbox.traffic.calls.clear()
    return server.sandbox


@pytest.fixture(scope="module")
async def twin(server: SandboxServer) -> AsyncIterator[PandaPonClient]:
    async with client(server.url, timeout_s=TIMEOUT_S) as made:
        yield made


@asynccontextmanager
async def failing(sandbox: Sandbox, fault: Fault) -> AsyncIterator[None]:
    sandbox.faults = CallFaults(1, always(fault))
    sandbox.traffic.calls.clear()
    yield
    sandbox.faults = CallFaults(1, LEVELS["none"])


def unpaid(sandbox: Sandbox, *, agreement: bool) -> str:
    """An order that waits for its payment."""
    return next(
        order_id
        for order_id, order in sandbox.world.orders.items()
        if order.payable and order.life.agreement is agreement and not sandbox.world.taken_fen(order)
    )


def window(sandbox: Sandbox) -> tuple[int, int]:
    return sandbox.now_ms() - HOUR_MS, sandbox.now_ms() + HOUR_MS


async def test_an_order_is_read_as_the_sandbox_has_it(sandbox: Sandbox, twin: PandaPonClient) -> None:
    for order_id, order in list(sandbox.world.orders.items())[:10]:
        fact = await twin.read_order(Platform.ALIBABA_1688, order_id, Source.RESPONSE)
        assert isinstance(fact.content, Snapshot)
        assert fact.content.lifecycle is not None
        assert fact.content.amounts is not None
        assert fact.content.lifecycle.word == order.status
        assert fact.content.lifecycle.modified_at == order.modified_ms
        assert fact.content.amounts.total == order.total_fen
        assert len(fact.content.lines or ()) == len(sandbox.world.shown(order)["productItems"])


async def test_an_order_that_is_not_there_is_rejected_at_once(sandbox: Sandbox, twin: PandaPonClient) -> None:
    with pytest.raises(RejectedError):
        await twin.read_order(Platform.ALIBABA_1688, "1", Source.RESPONSE)
    assert sandbox.traffic.calls["1688.order.detail"] == 1


async def test_the_pages_of_a_list_hold_every_order_once(sandbox: Sandbox, twin: PandaPonClient) -> None:
    pages = [await twin.list_modified(Stream.ORDERS_1688, *window(sandbox), page) for page in (1, 2, 3)]
    assert [page.total_pages for page in pages] == [3, 3, 3]
    assert [len(page.facts) for page in pages] == [20, 20, 5]
    assert {fact.key.order_id for page in pages for fact in page.facts} == set(sandbox.world.orders)
    for page in pages:
        assert page.unreadable == ()
        for fact in page.facts:
            order = sandbox.world.orders[fact.key.order_id]
            assert (fact.content, fact.provider_time) == (StatusSeen(order.status), order.modified_ms)


async def test_a_page_beyond_the_last_and_a_window_without_orders_are_empty(
    sandbox: Sandbox, twin: PandaPonClient
) -> None:
    since, until_ = window(sandbox)
    assert (await twin.list_modified(Stream.ORDERS_1688, since, until_, 4)).facts == ()
    nothing = await twin.list_modified(Stream.ORDERS_1688, since - 1000 * HOUR_MS, since - 999 * HOUR_MS, 1)
    assert (nothing.facts, nothing.total_pages) == ((), 1)


async def test_with_an_agreement_a_payment_takes_the_money_once(sandbox: Sandbox, twin: PandaPonClient) -> None:
    order_id = unpaid(sandbox, agreement=True)
    answers = [await twin.pay(Platform.ALIBABA_1688, order_id, 1), await twin.pay(Platform.ALIBABA_1688, order_id, 1)]
    assert [answer.outcome for answer in answers] == [EffectOutcome.DONE, EffectOutcome.UNCLEAR]
    assert [row.order_id for row in sandbox.world.ledger].count(order_id) == 1
    assert sandbox.world.double_payments == 0


async def test_without_one_a_person_gets_the_link(sandbox: Sandbox, twin: PandaPonClient) -> None:
    order_id = unpaid(sandbox, agreement=False)
    answer = await twin.pay(Platform.ALIBABA_1688, order_id, 1)
    assert answer.outcome is EffectOutcome.NEEDS_PERSON
    assert answer.pay_url is not None
    assert order_id in answer.pay_url
    assert order_id not in [row.order_id for row in sandbox.world.ledger]


@pytest.mark.parametrize("wrong", [{"secret": "x"}, {"user_id": "9"}, {"now": 1_767_233_100_000}])
async def test_wrong_credentials_or_a_wrong_clock_are_said_after_one_call(
    server: SandboxServer, sandbox: Sandbox, wrong: dict[str, object]
) -> None:
    async with client(server.url, **wrong) as other:  # type: ignore[arg-type]  # a table's values
        with pytest.raises(UnauthorisedError):
            await other.list_modified(Stream.ORDERS_1688, *window(sandbox), 1)
    assert sandbox.traffic.calls["1688.order.list"] == 1


async def test_a_timestamp_in_seconds_is_signed_right(server: SandboxServer, sandbox: Sandbox) -> None:
    async with client(server.url, seconds=True) as other:
        assert (await other.list_modified(Stream.ORDERS_1688, *window(sandbox), 1)).total_pages == 3


READ_FAULTS = [
    (Fault.ERROR, RetryableError),
    (Fault.THROTTLED, ThrottledError),
    (Fault.THROTTLED_429, ThrottledError),
    (Fault.DROPPED, RetryableError),
]


@pytest.mark.parametrize(("fault", "error"), READ_FAULTS)
async def test_a_read_is_tried_three_times_and_then_given_up(
    sandbox: Sandbox, twin: PandaPonClient, fault: Fault, error: type[Exception]
) -> None:
    order_id = next(iter(sandbox.world.orders))
    async with failing(sandbox, fault):
        with pytest.raises(error):
            await twin.read_order(Platform.ALIBABA_1688, order_id, Source.RESPONSE)
        assert sandbox.traffic.calls["1688.order.detail"] == READ_ATTEMPTS
        await twin.read_order(
            Platform.ALIBABA_1688, order_id, Source.RESPONSE
        )  # the sandbox lets the fourth call through


PAY_FAULTS = [
    (Fault.ERROR, 0),
    (Fault.THROTTLED, 0),
    (Fault.THROTTLED_429, 0),
    (Fault.DROPPED, 0),
    (Fault.LATE_ERROR, 1),
    (Fault.LATE_REFUSAL, 1),
    (Fault.LATE_DROP, 1),
    (Fault.LATE_HANG, 1),
]


@pytest.mark.parametrize(("fault", "taken"), PAY_FAULTS)
async def test_a_payment_that_meets_a_fault_is_unclear_whether_the_money_was_taken_or_not(
    sandbox: Sandbox, twin: PandaPonClient, fault: Fault, taken: int
) -> None:
    order_id = unpaid(sandbox, agreement=True)
    async with failing(sandbox, fault):
        answer = await twin.pay(Platform.ALIBABA_1688, order_id, 1)
    assert answer.outcome is EffectOutcome.UNCLEAR
    assert sandbox.traffic.calls["1688.order.pay"] == 1
    assert [row.order_id for row in sandbox.world.ledger].count(order_id) == taken
