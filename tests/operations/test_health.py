"""A loop that stands still is found out; a process that cannot work gets no requests; probes cannot be used to harm."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable

import pytest
from prometheus_client import REGISTRY

from worker.operations.health import Health, LoopState


class Watch:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds

    def now_ms(self) -> int:
        return int(self.seconds * 1_000)


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def health(watch: Watch) -> Health:
    return Health(watch, watch, check_timeout_s=0.01)


def answering(answer: bool, calls: list[str] | None = None) -> Callable[[], Awaitable[bool]]:  # noqa: FBT001 - a stub
    async def check() -> bool:
        if calls is not None:
            calls.append("asked")
        return answer

    return check


def test_a_loop_without_progress_for_longer_than_its_limit_is_not_live(health: Health, watch: Watch) -> None:
    health.loop("relay", stalled_after_s=60).progress()
    health.loop("reconcile", stalled_after_s=30)
    watch.seconds += 30.5
    report = health.live()
    assert not report.live
    assert report.reasons == ["the loop reconcile has made no progress for 30 s (limit 30 s)"]
    assert report.loops["reconcile"].state is LoopState.STALLED
    assert report.loops["reconcile"].age_s == 30.5
    assert report.loops["relay"].state is LoopState.RUNNING


def test_progress_keeps_a_loop_live(health: Health, watch: Watch) -> None:
    loop = health.loop("reconcile", stalled_after_s=30)
    for _ in range(3):
        watch.seconds += 30
        assert health.live().live
        loop.progress()


def test_a_loop_that_never_began_is_found_too(health: Health, watch: Watch) -> None:
    health.loop("reconcile", stalled_after_s=30)
    watch.seconds += 31
    assert not health.live().live


async def test_a_loop_that_was_stopped_takes_the_readiness_but_calls_for_no_restart(
    health: Health, watch: Watch
) -> None:
    loop = health.loop("reconcile", stalled_after_s=30)
    health.startup_finished()
    loop.mark_stopped("too many records failed")
    watch.seconds += 100
    assert health.live().live
    report = await health.ready()
    assert not report.ready
    assert report.reasons == ["the loop reconcile is stopped"]
    assert report.loops["reconcile"].reason == "too many records failed"


async def test_a_loop_that_was_started_again_is_ready_again(health: Health) -> None:
    loop = health.loop("reconcile", stalled_after_s=30)
    health.startup_finished()
    loop.mark_stopped("too many records failed")
    loop.progress()
    assert (await health.ready()).ready


def test_two_loops_of_one_name_are_a_mistake(health: Health) -> None:
    health.loop("reconcile", stalled_after_s=30)
    with pytest.raises(ValueError, match="reconcile is registered already"):
        health.loop("reconcile", stalled_after_s=30)


async def test_nothing_is_ready_before_the_startup_finished(health: Health) -> None:
    calls: list[str] = []
    health.check("database", answering(True, calls))
    report = await health.ready()
    assert (report.ready, report.reasons, calls) == (False, ["starting"], [])
    health.startup_finished()
    assert (await health.ready()).ready


async def test_a_process_that_drains_is_not_ready_and_is_left_alive(health: Health, watch: Watch) -> None:
    health.loop("reconcile", stalled_after_s=30)
    health.startup_finished()
    health.begin_shutdown()
    watch.seconds += 100
    assert (await health.ready()).reasons == ["shutting down"]
    assert health.live().live


async def hangs() -> bool:
    await asyncio.Event().wait()
    return True


async def breaks() -> bool:
    raise OSError("password of admin at 10.0.0.7 was refused")


@pytest.mark.parametrize("check", [answering(False), hangs, breaks])
async def test_a_check_that_fails_breaks_or_hangs_takes_the_readiness(
    health: Health, check: Callable[[], Awaitable[bool]]
) -> None:
    health.check("kafka", answering(True))
    health.check("database", check)
    health.startup_finished()
    report = await health.ready()
    assert not report.ready
    assert report.checks == {"kafka": True, "database": False}
    assert report.reasons == ["the check database fails"]  # and why stays in the log: anybody may read this


async def test_however_many_ask_the_checks_run_once_a_second(health: Health, watch: Watch) -> None:
    calls: list[str] = []
    health.check("database", answering(True, calls))
    health.startup_finished()
    await asyncio.gather(*(health.ready() for _ in range(50)))
    assert len(calls) == 1
    watch.seconds += 1
    await health.ready()
    assert len(calls) == 2


def test_the_last_progress_is_a_metric(health: Health, watch: Watch) -> None:
    name = f"loop-{uuid.uuid4().hex}"
    loop = health.loop(name, stalled_after_s=30)
    watch.seconds = 2_000.5
    loop.progress()
    assert REGISTRY.get_sample_value("ordersync_loop_last_progress_timestamp_seconds", {"loop": name}) == 2_000.5
