"""One pace for all processes: slots are counted, never timed; the server's clock decides."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.storage.database import connected, execute, value
from worker.storage.rate_store import PaceError, SharedPace

KEY = "https://api.example 58c0"


class Waits:
    """Remembers for how long it was told to sleep, and does not."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def pace(engine: AsyncEngine, waits: Waits, *, rate: float = 0.1, burst: int = 3, longest: float = 1_000) -> SharedPace:
    return SharedPace(engine, KEY, rate_per_s=rate, burst=burst, sleep=waits, longest_wait_s=longest)


@pytest.fixture
async def other_process(database: str) -> AsyncIterator[AsyncEngine]:
    async with connected(database) as engine:
        yield engine


async def test_two_processes_share_the_burst_and_then_queue_up(engine: AsyncEngine, other_process: AsyncEngine) -> None:
    """Ten seconds a slot: whatever this machine does in between, the first three go at once, the others line up."""
    waits = Waits()
    for _ in range(4):
        await pace(engine, waits).book()
        await pace(other_process, waits).book()
    assert len(waits.seconds) == 5
    assert all(10 * (place + 1) - 5 < seconds <= 10 * (place + 1) for place, seconds in enumerate(waits.seconds))


async def test_bookings_at_once_never_share_a_slot(engine: AsyncEngine, other_process: AsyncEngine) -> None:
    waits = Waits()
    paces = [pace(one, waits, burst=1) for one in (engine, other_process) for _ in range(10)]
    await asyncio.gather(*(one.book() for one in paces))
    steps = sorted(round(seconds / 10) for seconds in waits.seconds)
    assert steps == list(range(1, 20))


async def test_what_would_wait_too_long_is_not_booked(engine: AsyncEngine) -> None:
    waits = Waits()
    short = pace(engine, waits, burst=1, longest=15)
    await short.book()
    await short.book()
    for _ in range(5):
        with pytest.raises(PaceError) as caught:
            await short.book()
        assert not caught.value.unknown
    assert len(waits.seconds) == 1
    patient = pace(engine, waits, burst=1)
    await patient.book()
    assert 15 < waits.seconds[-1] <= 20, "the refused ones took no slot"


async def test_a_throttle_answer_pauses_everybody_and_is_counted_once(
    engine: AsyncEngine, other_process: AsyncEngine
) -> None:
    ours, theirs = pace(engine, Waits(), longest=5), pace(other_process, Waits(), longest=5)
    await ours.book()
    await asyncio.gather(ours.pause(), theirs.pause(), ours.pause())
    assert await value(engine, "SELECT pauses FROM rate_limits") == 1
    with pytest.raises(PaceError):
        await theirs.book()


async def over(engine: AsyncEngine) -> None:
    """The pause is over, as if it had been waited for."""
    await execute(engine, "UPDATE rate_limits SET paused_until = clock_timestamp()")


async def left(engine: AsyncEngine) -> float:
    return float(await value(engine, "SELECT extract(epoch FROM paused_until - clock_timestamp()) FROM rate_limits"))


async def test_a_throttle_of_two_minutes_is_sat_out_in_ever_longer_pauses(engine: AsyncEngine) -> None:
    ours = pace(engine, Waits())
    await ours.book()
    found = []
    for _ in range(6):
        await ours.pause()
        found.append(round(await left(engine) / 10) * 10)
        await over(engine)
    assert found == [10, 20, 40, 80, 120, 120]
    await ours.book()
    await ours.ease()
    await ours.pause()
    assert round(await left(engine) / 10) * 10 == 10, "after a success the pauses begin again"


async def test_after_a_pause_a_burst_goes_and_not_everybody(engine: AsyncEngine) -> None:
    waits = Waits()
    ours = pace(engine, waits, burst=3)
    await ours.book()
    await ours.pause()
    for _ in range(8):
        await ours.book()
    at_the_end = [seconds for seconds in waits.seconds if seconds <= 10]
    assert len(at_the_end) <= 3
    assert max(waits.seconds) > 50


async def test_a_database_that_is_away_is_no_free_pass(engine: AsyncEngine) -> None:
    await execute(engine, "ALTER TABLE rate_limits RENAME TO elsewhere")
    ours = pace(engine, Waits())
    with pytest.raises(PaceError) as caught:
        await ours.book()
    assert caught.value.unknown
    await ours.pause()  # follows an answer, which it must not spoil
    await ours.ease()


async def test_the_key_itself_is_not_stored(engine: AsyncEngine) -> None:
    await pace(engine, Waits()).book()
    stored = await value(engine, "SELECT key FROM rate_limits")
    assert len(stored) == 32
    assert "58c0" not in stored
