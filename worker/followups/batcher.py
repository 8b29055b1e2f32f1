"""Many small requests of many tasks as few large ones: what arrives while one is under way goes with the next."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
Flush = Callable[[Sequence[Item]], Awaitable[Sequence[Result]]]


class Batcher(Generic[Item, Result]):
    """Collects items and flushes up to `most` of them together; one flush is under way at a time.

    `linger`: awaited before a flush, to let more items arrive. A flush that fails fails for all of its items.
    `keep_abandoned`: also flush what its caller no longer waits for, since it was cancelled.
    """

    def __init__(
        self,
        flush: Flush[Item, Result],
        *,
        most: int,
        linger: Callable[[], Awaitable[None]] | None = None,
        keep_abandoned: bool = False,
    ) -> None:
        self._flush = flush
        self._most = most
        self._linger = linger
        self._keep_abandoned = keep_abandoned
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._task: asyncio.Task[None] | None = None

    async def submit(self, item: Item) -> Result:
        """Return the item's result. Cancelled, the caller stops waiting; an item under way goes on all the same."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="batcher")
        return await future

    async def _run(self) -> None:
        while self._waiting:
            batch: list[tuple[Item, asyncio.Future[Result]]] = []
            try:
                if self._linger is not None:
                    await self._linger()
                batch = self._next_batch()
                results = await self._flush([item for item, _ in batch]) if batch else ()
                for (_, future), result in zip(batch, results, strict=True):
                    if not future.done():
                        future.set_result(result)
            except asyncio.CancelledError:
                for _, future in (*batch, *self._waiting):
                    future.cancel()
                self._waiting.clear()
                raise
            except Exception as error:  # noqa: BLE001 - every one of them has to hear of it
                for _, future in batch or self._next_batch():
                    if not future.done():
                        future.set_exception(error)

    def _next_batch(self) -> list[tuple[Item, asyncio.Future[Result]]]:
        if not self._keep_abandoned:
            self._waiting = [waiting for waiting in self._waiting if not waiting[1].done()]
        batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
        return batch
