"""Many small requests as few large ones: everybody hears what became of theirs, and nobody waits for ever."""

import asyncio
from collections.abc import Sequence

import pytest

from tests.bare_marketplace import BareMarketplace
from worker.domain.identity import Platform
from worker.followups.actions.pay import PayTogether
from worker.followups.batcher import Batcher
from worker.followups.perform import SEND_WITHIN_S
from worker.marketplaces.port import EffectAnswer, EffectOutcome, NotSentError

PAID = EffectAnswer(EffectOutcome.DONE, "paid")


class Flushes:
    """Doubles numbers; waits at the first flush until it may go on."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.begun, self.go_on = asyncio.Event(), asyncio.Event()
        self.error: Exception | None = None
        self.short = False

    async def __call__(self, items: Sequence[int]) -> list[int]:
        self.batches.append(list(items))
        self.begun.set()
        await self.go_on.wait()
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        return [] if self.short else [2 * item for item in items]


async def test_what_arrives_while_one_is_under_way_goes_with_the_next_up_to_the_limit() -> None:
    flushes = Flushes()
    batcher: Batcher[int, int] = Batcher(flushes, most=3)
    first = asyncio.create_task(batcher.submit(1))
    await flushes.begun.wait()
    others = [asyncio.create_task(batcher.submit(number)) for number in range(2, 7)]
    await asyncio.sleep(0)
    flushes.go_on.set()
    assert await asyncio.gather(first, *others) == [2, 4, 6, 8, 10, 12]
    assert flushes.batches == [[1], [2, 3, 4], [5, 6]]


async def test_a_flush_that_fails_fails_for_all_of_its_items_and_for_no_other() -> None:
    flushes = Flushes()
    flushes.error = OSError("the database is away")
    batcher: Batcher[int, int] = Batcher(flushes, most=2)
    asked = [asyncio.create_task(batcher.submit(number)) for number in range(3)]
    flushes.go_on.set()
    answers = await asyncio.wait_for(asyncio.gather(*asked, return_exceptions=True), 10)
    assert [type(answer) for answer in answers] == [OSError, OSError, int]


async def test_a_flush_that_answers_too_little_is_an_error_and_no_endless_wait() -> None:
    flushes = Flushes()
    flushes.short = True
    flushes.go_on.set()
    batcher: Batcher[int, int] = Batcher(flushes, most=2)
    with pytest.raises(ValueError, match="shorter"):
        await asyncio.wait_for(batcher.submit(1), 10)


async def test_a_linger_that_fails_is_an_error_and_no_endless_wait() -> None:
    async def linger() -> None:
        raise RuntimeError("no event loop")

    batcher: Batcher[int, int] = Batcher(Flushes(), most=2, linger=linger)
    with pytest.raises(RuntimeError):
        await asyncio.wait_for(batcher.submit(1), 10)


@pytest.mark.parametrize("kept", [False, True])
async def test_what_nobody_waits_for_any_more_is_only_flushed_where_it_has_to_be(*, kept: bool) -> None:
    flushes = Flushes()
    batcher: Batcher[int, int] = Batcher(flushes, most=5, keep_abandoned=kept)
    first = asyncio.create_task(batcher.submit(1))
    await flushes.begun.wait()
    abandoned, waiting = (asyncio.create_task(batcher.submit(number)) for number in (2, 3))
    await asyncio.sleep(0)
    abandoned.cancel()
    await asyncio.wait([abandoned])
    flushes.go_on.set()
    assert [await first, await waiting] == [2, 6]
    assert flushes.batches == [[1], [2, 3] if kept else [3]]


class BatchMarketplace(BareMarketplace):
    """Takes two payments at once; each submission waits until it may go on."""

    pay_batch_size = 2

    def __init__(self) -> None:
        self.submitted: list[list[str]] = []
        self.begun, self.go_on = asyncio.Event(), asyncio.Event()

    async def pay_many(self, _platform: Platform, order_ids: Sequence[str]) -> dict[str, EffectAnswer]:
        self.submitted.append(list(order_ids))
        self.begun.set()
        await self.go_on.wait()
        return {order_id: PAID for order_id in order_ids if order_id != "silent"}


async def never() -> bool:
    return False


async def test_a_payment_held_up_behind_a_slow_batch_is_not_sent() -> None:
    """Its claim may have ended meanwhile, and somebody else may have paid."""
    market, now = BatchMarketplace(), [0.0]
    together = PayTogether(market, lambda: asyncio.sleep(0), is_paused=never, monotonic=lambda: now[0])
    first = asyncio.create_task(together.pay(Platform.ALIBABA_1688, "1"))
    await market.begun.wait()
    late = asyncio.create_task(together.pay(Platform.ALIBABA_1688, "2"))
    await asyncio.sleep(0)
    now[0] = SEND_WITHIN_S + 0.1
    timely = asyncio.create_task(together.pay(Platform.ALIBABA_1688, "3"))
    await asyncio.sleep(0)
    market.go_on.set()
    assert (await first, await timely) == (PAID, PAID)
    with pytest.raises(NotSentError, match="held up"):
        await late
    assert market.submitted == [["1"], ["3"]]


async def test_an_order_that_the_batchs_answer_does_not_mention_is_unclear() -> None:
    market = BatchMarketplace()
    market.go_on.set()
    together = PayTogether(market, lambda: asyncio.sleep(0), is_paused=never, monotonic=lambda: 0.0)
    asked = (together.pay(Platform.ALIBABA_1688, order_id) for order_id in ("silent", "1"))
    silent, paid = await asyncio.gather(*asked)
    assert (silent.outcome, paid) == (EffectOutcome.UNCLEAR, PAID)
    assert market.submitted == [["silent", "1"]]


@pytest.mark.parametrize("fails", [False, True], ids=["the switch is pulled", "the switch cannot be read"])
async def test_what_waits_behind_a_batch_is_not_sent_once_payments_are_paused(*, fails: bool) -> None:
    """Both were written down as sent before; what has left goes on, what has not stays."""
    market, pulled = BatchMarketplace(), [False]

    async def is_paused() -> bool:
        if pulled[0] and fails:
            raise OSError("the database is away")
        return pulled[0]

    together = PayTogether(market, lambda: asyncio.sleep(0), is_paused=is_paused, monotonic=lambda: 0.0)
    first = asyncio.create_task(together.pay(Platform.ALIBABA_1688, "1"))
    await market.begun.wait()
    second = asyncio.create_task(together.pay(Platform.ALIBABA_1688, "2"))
    await asyncio.sleep(0)
    pulled[0] = True
    market.go_on.set()
    assert await first == PAID
    with pytest.raises(NotSentError, match="paused"):
        await second
    assert market.submitted == [["1"]]
