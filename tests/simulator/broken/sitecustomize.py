"""Python imports this by itself where it stands in PYTHONPATH: every effect is called twice, in all processes."""

from __future__ import annotations

from typing import Any

from worker.marketplaces.caller import Caller

once = Caller.effect


async def effect(self: Caller, name: str, question: Any) -> Any:
    """Call it, and call it again."""
    try:
        return await once(self, name, question)
    finally:
        await once(self, name, question)


Caller.effect = effect  # type: ignore[method-assign]
