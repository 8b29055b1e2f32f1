"""One call: looked up, paced, sent, judged. Reads come again within bounds, effects never."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.marketplaces.examples import RECEIVED_AT
from tests.marketplaces.servers import Answer, FixedClock, Scripted, envelope
from worker.catalogue.operation import Dialect, EffectClass, Operation
from worker.catalogue.tables import OPERATIONS
from worker.domain.clock import Clock
from worker.followups.executor import LEASE_S
from worker.marketplaces.breaker import Breaker, CircuitOpenError
from worker.marketplaces.caller import LEAVES_WITHIN_S, Caller, Routes
from worker.marketplaces.http import READ_ATTEMPTS, HttpCore
from worker.marketplaces.pandapon.wire import Credentials, PandaPonWire
from worker.marketplaces.port import (
    AmbiguousError,
    NotSentError,
    RejectedError,
    RetryableError,
    ThrottledError,
    UnauthorisedError,
    UnsupportedError,
)
from worker.storage.rate_store import LONGEST_WAIT_S

DETAIL = {"webSite": "1688", "orderId": "1"}


class Pace:
    """A limiter that does as it is told, and remembers."""

    def __init__(self, *failures: Exception | None) -> None:
        self.failures = list(failures)
        self.told: list[str] = []

    async def acquire(self) -> None:
        self.told.append("acquire")
        failure = self.failures.pop(0) if self.failures else None
        if failure is not None:
            raise failure

    async def throttled(self) -> None:
        self.told.append("throttled")

    async def eased(self) -> None:
        self.told.append("eased")


class Renewing(PandaPonWire):
    """A wire whose credentials can be renewed so often."""

    def __init__(self, times: int) -> None:
        super().__init__(Credentials("key", "secret", "1"), FixedClock(RECEIVED_AT))
        self.left = times

    async def renew(self) -> bool:
        self.left -= 1
        return self.left >= 0


Make = Callable[..., Caller]


@pytest.fixture
async def make(scripted: Scripted) -> Any:
    made: list[Caller] = []

    def build(
        *,
        pace: Pace | None = None,
        breaker: Breaker | None = None,
        renewals: int = 0,
        paths: dict[str, str] | None = None,
        clock: Clock | None = None,
        monotonic: Callable[[], float] = lambda: 0.0,
    ) -> Caller:
        caller = Caller(
            HttpCore(scripted.url, timeout_s=5.0),
            Renewing(renewals),
            clock or FixedClock(RECEIVED_AT),
            routes=Routes(Dialect.PANDAPON, "v1", paths or {}),
            limiter=pace or Pace(),
            breaker=breaker or Breaker(lambda: 0.0, threshold=1_000),
            monotonic=monotonic,
        )
        made.append(caller)
        return caller

    yield build
    for caller in made:
        await caller.close()


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if one.dialect is Dialect.PANDAPON and not one.paths])
async def test_an_operation_whose_path_nobody_knows_says_what_to_do(
    make: Make, scripted: Scripted, operation: Operation
) -> None:
    caller = make()
    assert not caller.supports(operation.name)
    call = caller.read if operation.effect is EffectClass.SAFE_READ else caller.effect
    with pytest.raises(UnsupportedError, match="give it in the account") as caught:
        await call(operation.name, {})
    assert operation.name in str(caught.value)
    assert operation.menu in str(caught.value)
    assert scripted.asked == []


async def test_a_path_from_the_account_is_called(make: Make, scripted: Scripted) -> None:
    scripted.says(envelope({"a": 1}))
    caller = make(paths={"taobao.order.detail": "/v2/taobao/order/detail"})
    assert caller.supports("taobao.order.detail")
    assert await caller.read("taobao.order.detail", {"id": "7"}) == {"a": 1}
    assert (scripted.asked[0].path, scripted.asked[0].query) == ("/v2/taobao/order/detail", "id=7")


async def test_another_dialects_operation_does_not_exist_here(make: Make) -> None:
    assert not make().supports("messages.failed.list")
    with pytest.raises(UnsupportedError, match="has no operation"):
        await make().read("messages.failed.list", {})


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if one.effect is not EffectClass.SAFE_READ])
async def test_nothing_with_an_effect_is_ever_called_as_a_read(
    make: Make, scripted: Scripted, operation: Operation
) -> None:
    if operation.dialect is Dialect.PANDAPON:
        with pytest.raises(ValueError, match="never called as a read"):
            await make().read(operation.name, {})
    assert scripted.asked == []


async def test_an_incomplete_question_is_not_sent(make: Make, scripted: Scripted) -> None:
    with pytest.raises(RejectedError, match="orderId is required"):
        await make().read("1688.order.detail", {"webSite": "1688"})
    assert scripted.asked == []


async def test_an_id_in_a_path_is_escaped(make: Make, scripted: Scripted) -> None:
    scripted.says(envelope({}))
    await make().effect("taobao.refund.cancel", {"refundId": "1/../2?x"})
    assert scripted.asked[0].path == "/open/order/refund/cancel/1/../2?x", "decoded by the server: one segment's text"
    assert scripted.asked[0].query == ""


async def test_every_try_of_a_read_takes_its_turn(make: Make, scripted: Scripted) -> None:
    scripted.says(Answer(502), envelope(code=42900), envelope({}))
    pace = Pace()
    await make(pace=pace).read("1688.order.detail", DETAIL)
    assert pace.told == ["acquire", "acquire", "throttled", "acquire", "eased"]


async def test_a_read_that_gets_no_slot_is_not_sent(make: Make, scripted: Scripted) -> None:
    pace = Pace(*[ThrottledError("no slot")] * READ_ATTEMPTS)
    with pytest.raises(ThrottledError):
        await make(pace=pace).read("1688.order.detail", DETAIL)
    assert scripted.asked == []


@pytest.mark.parametrize("failure", [ThrottledError("no slot"), RetryableError("Postgres is away")])
async def test_an_effect_that_gets_no_slot_was_not_sent(make: Make, scripted: Scripted, failure: Exception) -> None:
    with pytest.raises(NotSentError):
        await make(pace=Pace(failure)).effect("1688.order.pay", {"orderId": "1"})
    assert scripted.asked == []


class Frozen(Pace):
    """Its machine stands still for so many seconds while a call waits for its turn, or sleeps: then one clock stops."""

    def __init__(self, seconds: float, *, asleep: bool) -> None:
        super().__init__()
        self.seconds, self.asleep = seconds, asleep
        self.passed = 0.0

    async def acquire(self) -> None:
        self.passed += self.seconds

    def monotonic(self) -> float:
        return 0.0 if self.asleep else self.passed

    def now_ms(self) -> int:
        return RECEIVED_AT + (int(self.passed * 1_000) if self.asleep else 0)


@pytest.mark.parametrize("asleep", [False, True])
async def test_an_effect_that_was_held_up_before_its_turn_does_not_leave(
    make: Make, scripted: Scripted, *, asleep: bool
) -> None:
    """Its claim may be somebody else's by now."""
    late = Frozen(LEAVES_WITHIN_S + 1.0, asleep=asleep)
    with pytest.raises(NotSentError, match="held up"):
        await make(pace=late, clock=late, monotonic=late.monotonic).effect("1688.order.pay", {"orderId": "1"})
    assert scripted.asked == []


def test_whoever_waits_for_his_turn_as_long_as_anybody_may_still_leaves_in_time() -> None:
    assert LONGEST_WAIT_S < LEAVES_WITHIN_S < LEASE_S / 2


@pytest.mark.parametrize(
    "answer", [Answer(502), Answer(429), envelope(code=42900), Answer(200, b"<html>"), envelope(code=50010)]
)
async def test_an_effect_without_a_definite_answer_is_ambiguous_after_one_call(
    make: Make, scripted: Scripted, answer: Answer
) -> None:
    scripted.says(answer)
    with pytest.raises(AmbiguousError):
        await make(renewals=5).effect("1688.order.confirm_receipt", {"orderId": "1"})
    assert len(scripted.asked) == 1


async def test_a_refusal_of_an_effect_is_definite_and_final(make: Make, scripted: Scripted) -> None:
    scripted.says(envelope(code=40900))
    with pytest.raises(RejectedError):
        await make(renewals=5).effect("1688.order.confirm_receipt", {"orderId": "1"})
    assert len(scripted.asked) == 1


async def test_an_effect_is_not_sent_again_with_new_credentials(make: Make, scripted: Scripted) -> None:
    scripted.says(envelope(code=40100))
    with pytest.raises(UnauthorisedError):
        await make(renewals=5).effect("1688.order.pay", {"orderId": "1"})
    assert len(scripted.asked) == 1


async def test_a_read_is_tried_once_more_with_new_credentials(make: Make, scripted: Scripted) -> None:
    scripted.says(envelope(code=40100), envelope({"a": 1}))
    assert await make(renewals=1).read("1688.order.detail", DETAIL) == {"a": 1}
    scripted.says(envelope(code=40100))
    scripted.asked.clear()
    with pytest.raises(UnauthorisedError):
        await make(renewals=5).read("1688.order.detail", DETAIL)
    assert len(scripted.asked) == 2


async def test_an_open_circuit_lets_nothing_out(make: Make, scripted: Scripted) -> None:
    now = [0.0]
    breaker = Breaker(lambda: now[0], threshold=READ_ATTEMPTS, first_pause_s=5.0)
    caller = make(breaker=breaker)
    scripted.says(Answer(502))
    for order_id in ("1", "2", "3"):
        with pytest.raises(RetryableError):
            await caller.read("1688.order.detail", DETAIL | {"orderId": order_id})
    scripted.asked.clear()
    with pytest.raises(CircuitOpenError):
        await caller.read("1688.order.detail", DETAIL)
    with pytest.raises(NotSentError):
        await caller.effect("1688.order.pay", {"orderId": "1"})
    assert scripted.asked == []
    now[0] = 5.0
    scripted.says(envelope({}))
    await caller.read("1688.order.detail", DETAIL)
    assert not breaker.is_open


async def test_one_order_that_alone_fails_keeps_no_other_from_being_read(make: Make, scripted: Scripted) -> None:
    caller = make(breaker=Breaker(lambda: 0.0, threshold=READ_ATTEMPTS))
    scripted.says(Answer(502))
    for _ in range(5):
        with pytest.raises(RetryableError):
            await caller.read("1688.order.detail", DETAIL)
    scripted.says(envelope({}))
    await caller.read("1688.order.detail", DETAIL | {"orderId": "2"})


async def test_a_cancelled_call_ends_as_cancelled(make: Make, scripted: Scripted) -> None:
    scripted.says(envelope({}))
    calling = asyncio.create_task(make().effect("1688.order.pay", {"orderId": "1"}))
    await asyncio.sleep(0)
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
