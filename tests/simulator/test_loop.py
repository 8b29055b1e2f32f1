"""Virtual time: nobody waits, machines are interleaved by the seed, and a frozen one stands still."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.simulator.stage import Name, Small, as_machine
from worker.simulator.loop import StuckError


def test_an_hour_passes_at_once() -> None:
    small = Small()

    async def main() -> float:
        began = small.loop.time()
        await asyncio.sleep(3_600)
        return small.loop.time() - began

    started = time.monotonic()
    assert small.run(main()) == pytest.approx(3_600)
    assert time.monotonic() - started < 5


def test_timeouts_run_on_virtual_time() -> None:
    small = Small()

    async def main() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(50):
                await small.loop.create_future()
        return small.loop.time()

    assert small.run(main()) == pytest.approx(1_050)


def test_where_everybody_waits_for_everybody_it_says_so() -> None:
    small = Small()

    async def main() -> None:
        await small.loop.create_future()

    with pytest.raises(StuckError):
        small.run(main())


def _order_of_steps(seed: int) -> list[str]:
    small = Small(seed)
    seen: list[str] = []

    async def steps(name: str) -> None:
        for number in range(4):
            seen.append(f"{name}{number}")
            await asyncio.sleep(0)

    async def main() -> None:
        await asyncio.gather(
            *(asyncio.create_task(as_machine(small.machine(name), lambda name=name: steps(name))) for name in "ab")  # type: ignore[misc]
        )

    small.run(main())
    return seen


def test_the_seed_decides_who_goes_first_and_nothing_else() -> None:
    runs = [_order_of_steps(seed) for seed in range(12)]
    assert runs == [_order_of_steps(seed) for seed in range(12)]
    assert len({tuple(run) for run in runs}) > 1
    for run in runs:
        assert [step for step in run if step[0] == "a"] == ["a0", "a1", "a2", "a3"]


def test_a_frozen_machine_stands_still_and_finds_its_time_gone() -> None:
    small = Small()
    machine = Name("a", small.loop)
    seen: list[float] = []

    async def ticks() -> None:
        while len(seen) < 4:
            await asyncio.sleep(10)
            seen.append(small.loop.time())

    async def main() -> None:
        ticking = asyncio.create_task(as_machine(machine, ticks))
        await asyncio.sleep(15)
        small.loop.freeze(machine)
        await asyncio.sleep(100)
        assert len(seen) == 1
        small.loop.thaw(machine)
        await ticking

    small.run(main())
    assert seen == pytest.approx([1_010, 1_115, 1_125, 1_135])
