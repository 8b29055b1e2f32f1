"""The meters, on processes that we know: ourselves, and one that is gone."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from proof.soak.meters import Reading, child_of, connections_to, kibibytes, read_process, waiting_for_cpu

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc is Linux's")


def ours() -> Reading:
    reading = read_process(os.getpid())
    assert reading is not None
    return reading


def test_what_is_opened_and_allocated_is_seen(tmp_path: Path) -> None:
    before = ours()
    streams = [(tmp_path / "file").open("w") for _ in range(5)]
    block = bytearray(os.urandom(32 * 1024 * 1024))
    during = ours()
    assert during.open_files == before.open_files + 5
    assert 31 < during.private_mib - before.private_mib < 34
    assert during.resident_mib >= during.private_mib > len(block) / 1024 / 1024
    assert during.threads >= 1
    for stream in streams:
        stream.close()
    assert ours().open_files == before.open_files


def test_connections_are_counted_by_the_port_that_they_lead_to() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_server(("127.0.0.1", 0)) as other:
        port = server.getsockname()[1]
        assert connections_to(os.getpid(), port) == 0
        clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(3)]
        elsewhere = socket.create_connection(other.getsockname())
        assert connections_to(os.getpid(), port) == 3
        for client in [*clients, elsewhere]:
            client.close()
        assert connections_to(os.getpid(), port) == 0


def test_a_process_that_is_gone_has_no_figures(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert read_process(ended.pid) is None
    assert connections_to(ended.pid, 80) is None
    assert child_of(ended.pid) is None


def test_a_zombie_has_no_figures(tmp_path: Path) -> None:
    """Its directory is still there, its memory is not."""
    home = tmp_path / "7"
    (home / "fd").mkdir(parents=True)
    (home / "smaps_rollup").write_text("")
    (home / "status").write_text("Name:\tpython\nState:\tZ (zombie)\nThreads:\t1\n")
    assert read_process(7, tmp_path) is None


def test_the_server_of_a_guard_is_its_child() -> None:
    waits = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'print(1, flush=True); input()'])"
    command = [sys.executable, "-c", waits]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as guard:  # noqa: S603 - our own
        assert guard.stdout is not None
        guard.stdout.readline()
        child = child_of(guard.pid)
        assert child not in {None, guard.pid}
        guard.communicate(b"\n", timeout=10)


def test_the_wait_for_a_cpu_is_the_machine_s_of_the_last_seconds(tmp_path: Path) -> None:
    (tmp_path / "pressure").mkdir()
    (tmp_path / "pressure" / "cpu").write_text(
        "some avg10=12.50 avg60=3.00 avg300=1.00 total=5\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"
    )
    assert waiting_for_cpu(tmp_path) == 12.5
    assert waiting_for_cpu(tmp_path / "none") is None


def test_the_kernel_s_lines_are_read_by_name() -> None:
    text = "55d0-7ffe ---p 00000000 00:00 0   [rollup]\nRss:      1676 kB\nPrivate_Dirty:       116 kB\n"
    assert kibibytes(text) == {"Rss": 1676, "Private_Dirty": 116}
