"""Watch processes that are not our children end, without sleeping: the kernel tells (Linux)."""

import os
import select
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

linux_only = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs pidfd and /proc")
PATIENCE_SECONDS = 30.0


class Watched:
    """A hold on one process, taken while it lives: its number cannot be mistaken for that of a later process."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._handle = os.pidfd_open(pid)

    def await_end(self) -> bool:
        """Return whether the process ends within 30 s."""
        readable, _, _ = select.select([self._handle], [], [], PATIENCE_SECONDS)
        return bool(readable)

    def close(self) -> None:
        os.close(self._handle)


@contextmanager
def watched_descendants(pid: int) -> Iterator[list[Watched]]:
    """Hold every process below `pid` (guard, server, the server's own children)."""
    held = [Watched(descendant) for descendant in descendants(pid)]
    try:
        yield held
    finally:
        for process in held:
            process.close()


def descendants(pid: int) -> list[int]:
    """Return the children of every thread of `pid`, and theirs."""
    children = [int(word) for file in Path(f"/proc/{pid}/task").glob("*/children") for word in file.read_text().split()]
    return children + [below for child in children for below in descendants(child)]


@contextmanager
def owner(command: Sequence[str], **environment: str) -> Iterator[subprocess.Popen[str]]:
    """Run a Python program that owns servers; it says one line once they run and waits to be ended."""
    process = subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, **environment},
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=PATIENCE_SECONDS)


def first_line(process: subprocess.Popen[str]) -> str:
    """Wait for the owner's first line."""
    assert process.stdout is not None
    return process.stdout.readline().strip()
