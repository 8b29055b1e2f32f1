"""What the kernel knows of one process: memory, open files, threads, connections. Linux only."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

PROC = Path("/proc")
_KIB = 1 / 1024
_LINE = re.compile(r"^(\w+):\s+(\d+) kB$", re.MULTILINE)
_SOCKET = re.compile(r"socket:\[(\d+)\]")
_REMOTE, _STATE, _INODE = 2, 3, 9
"""Columns of /proc/net/tcp."""
_ESTABLISHED = "01"
_PRESSURE = re.compile(r"^some avg10=([\d.]+)", re.MULTILINE)
_THREADS = re.compile(r"^Threads:\s+(\d+)$", re.MULTILINE)


class Reading(msgspec.Struct, frozen=True):
    """One process at one moment; memory in MiB.

    `private` (USS) is what its end would give back: pages that it shares with nobody. It is what is judged, since a
    leak is private, and `resident` (RSS) moves with libraries that other processes load, too.
    """

    resident_mib: float
    private_mib: float
    open_files: int
    threads: int


def read_process(pid: int, proc: Path = PROC) -> Reading | None:
    """Read a process; None if it is gone."""
    home = proc / str(pid)
    try:
        rollup, status = (home / "smaps_rollup").read_text("ascii"), (home / "status").read_text("utf-8", "replace")
        open_files = sum(1 for _ in (home / "fd").iterdir())
    except (FileNotFoundError, ProcessLookupError):
        return None
    sizes = kibibytes(rollup)
    threads = _THREADS.search(status)
    if threads is None or "Rss" not in sizes:  # a zombie has no memory any more
        return None
    private = sizes["Private_Clean"] + sizes["Private_Dirty"] + sizes.get("Private_Hugetlb", 0)
    return Reading(sizes["Rss"] * _KIB, private * _KIB, open_files, int(threads[1]))


def connections_to(pid: int, port: int, proc: Path = PROC) -> int | None:
    """Count a process's established TCP connections to a port of this machine; None if the process is gone."""
    home = proc / str(pid)
    try:
        inodes = {found[1] for found in map(_SOCKET.fullmatch, _links(home / "fd")) if found}
        rows = [line.split() for line in (home / "net" / "tcp").read_text("ascii").splitlines()[1:]]
    except (FileNotFoundError, ProcessLookupError):
        return None
    return sum(
        row[_STATE] == _ESTABLISHED and int(row[_REMOTE].partition(":")[2], 16) == port and row[_INODE] in inodes
        for row in rows
    )


def _links(directory: Path) -> Iterator[str]:
    for path in directory.iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            yield str(path.readlink())


def waiting_for_cpu(proc: Path = PROC) -> float | None:
    """Return the percentage of the last 10 s in which some process of the machine waited for a CPU; None if unknown.

    Latencies of a run are its own only where this is low: a machine that others use, too, makes everybody wait.
    """
    try:
        found = _PRESSURE.search((proc / "pressure" / "cpu").read_text("ascii"))
    except OSError:  # a kernel without pressure stall information
        return None
    return float(found[1]) if found else None


def kibibytes(rollup: str) -> dict[str, int]:
    """Return the lines of `smaps_rollup` by name, in KiB."""
    return {name: int(size) for name, size in _LINE.findall(rollup)}


def child_of(pid: int, proc: Path = PROC) -> int | None:
    """Return the first child of a process, such as the server of a guard; None if it has none."""
    try:
        children = (proc / str(pid) / "task" / str(pid) / "children").read_text("ascii").split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(children[0]) if children else None
