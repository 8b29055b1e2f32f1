"""A worker that dies at its n-th suspension: all its tasks at once, its connections cut.

Every task that a life begins belongs to it, and every time one of them waits for anything at all is a suspension.
"""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterator
from contextvars import Context, ContextVar
from typing import Any

_life: ContextVar["Life | None"] = ContextVar("life", default=None)


class Life:
    """`dies_at`: the suspension at which it ends, counted from 1 and from `begin_counting`; 0: it is not to die."""

    def __init__(self, dies_at: int) -> None:
        self.dies_at = dies_at
        self.suspensions = 0
        self.dead = False
        self.last_task = ""
        self.tasks: set[asyncio.Task[Any]] = set()
        self.cuts: list[Callable[[], None]] = []
        """What is done at the moment of death, before any of its own code runs again: its connections are cut."""
        self._counts = False

    def begin_counting(self) -> None:
        self._counts = True

    def suspended(self) -> None:
        if self.dead or not self._counts:
            return
        self.suspensions += 1
        if self.suspensions == self.dies_at:
            self.die()

    def die(self) -> None:
        self.dead = True
        for cut in self.cuts:
            cut()
        for task in self.tasks:
            task.cancel()

    async def run(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Let the worker do this until it is done or dead; then nothing of it is left."""
        context = Context()
        context.run(_life.set, self)
        main = asyncio.get_running_loop().create_task(work(), context=context)
        await asyncio.wait([main])
        for task in self.tasks:
            task.cancel()
        results = await asyncio.gather(*self.tasks, return_exceptions=True)
        if not self.dead:
            failed = [one for one in results if isinstance(one, Exception)]
            if failed:
                raise failed[0]


class _Walked(Coroutine[Any, Any, Any]):
    """A coroutine whose suspensions count."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], life: Life) -> None:
        self._coroutine = coroutine
        self._life = life

    def send(self, value: Any) -> Any:
        waits_for = self._coroutine.send(value)
        self._life.suspended()
        return waits_for

    def throw(self, *error: Any) -> Any:
        waits_for = self._coroutine.throw(*error)
        self._life.suspended()
        return waits_for

    def close(self) -> None:
        self._coroutine.close()

    def __await__(self) -> Any:
        return self._coroutine.__await__()


@contextlib.contextmanager
def walked() -> Iterator[None]:
    """Within the block, tasks that a life begins are counted."""
    loop = asyncio.get_running_loop()
    before = loop.get_task_factory()

    def make(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any], **options: Any) -> asyncio.Task[Any]:
        context: Context | None = options.get("context")
        life = _life.get() if context is None else context.get(_life)
        if life is None:
            return asyncio.Task(coroutine, loop=loop, **options)
        task: asyncio.Task[Any] = asyncio.Task(_Walked(coroutine, life), loop=loop, **options)
        if life.dead:
            task.cancel()
        life.tasks.add(task)
        return task

    loop.set_task_factory(make)  # type: ignore[arg-type]  # typeshed's factory knows no context
    try:
        yield
    finally:
        loop.set_task_factory(before)


def current_life() -> Life | None:
    """The life that the running code belongs to."""
    return _life.get()
