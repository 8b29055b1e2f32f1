"""How often one app key may call, whoever calls with it."""

from __future__ import annotations

from typing import Protocol


class Limiter(Protocol):
    """The pace of one app key, kept for all processes together (`worker.storage.rate_store`).

    `throttled` and `eased` never raise: they follow an answer, and must not spoil it.
    """

    async def acquire(self) -> None:
        """Wait for this call's turn.

        Raises:
            ThrottledError: it would come too late; nothing was booked.
            RetryableError: nobody knows the pace now.
        """
        ...

    async def throttled(self) -> None:
        """The marketplace said that we ask too much: everybody pauses, longer each time."""
        ...

    async def eased(self) -> None:
        """A call went well: the next pause is a short one again."""
        ...


class NoLimit:
    """No pace at all: for single calls of the command line and for tests."""

    async def acquire(self) -> None:
        """Go at once."""

    async def throttled(self) -> None:
        """Nothing to widen."""

    async def eased(self) -> None:
        """Nothing to shorten."""
