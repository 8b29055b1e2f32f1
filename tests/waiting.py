"""Waiting in tests: for a condition, never for a time."""

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any

LOOK_EVERY_S = 0.02


async def until(condition: Callable[[], Any], seconds: float = 10.0, *, what: str = "") -> Any:
    """Return what `condition` (a coroutine function, too) returns once it is true; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if inspect.isawaitable(found):
            found = await found
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what or condition}; the last answer was {found!r}")
        await asyncio.sleep(LOOK_EVERY_S)
