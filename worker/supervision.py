"""Keeping loops alive: a loop that ends with an error is started again after a growing pause, and that is counted."""

from __future__ import annotations

import asyncio
import gc
import random
from collections.abc import Awaitable, Callable

import structlog
from prometheus_client import Counter

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
RESTARTS = Counter(
    "ordersync_loop_restarts_total", "Loops that ended with an error and were started again.", ["loop", "error"]
)
_log = structlog.get_logger()


def settle_memory() -> None:
    """Tell the garbage collector that what was made by the start stays, and to look for cycles less often.

    Under load thousands of requests are under way; by default every 700 new objects would have it walk over them, which
    is a sixth of a callback's cost. Counted are objects that are alive, so a leak of cycles is still found in time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 20)


async def keep_running(name: str, loop: Callable[[], Awaitable[None]], jitter: random.Random) -> None:
    """Run `loop` until it returns; after an error run it again, for ever, with bounded pauses."""
    pause = FIRST_PAUSE_S
    while True:
        started = asyncio.get_running_loop().time()
        try:
            await loop()
        except Exception as error:  # noqa: BLE001 - any error of a loop has the same answer
            RESTARTS.labels(name, type(error).__name__).inc()
            lasted = asyncio.get_running_loop().time() - started
            pause = FIRST_PAUSE_S if lasted > LONGEST_PAUSE_S else min(LONGEST_PAUSE_S, pause * 2)
            _log.error(
                "loop failed and starts again",
                loop=name,
                error=type(error).__name__,
                reason=str(error).splitlines()[0][:300] if str(error) else "",
                pause_s=pause,
            )
            await asyncio.sleep(pause * jitter.uniform(0.8, 1.2))
        else:
            return
