"""No server outlives its owner, whatever ends the owner."""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.embedded.processes import first_line, linux_only, owner, watched_descendants
from worker.embedded import EmbeddedError
from worker.embedded.process import GuardedProcess, ServerOrder, StopStep

POSTGRES_OWNER = """
import sys
from worker.embedded import EmbeddedPostgres
with EmbeddedPostgres() as postgres:
    print(postgres._files.base, flush=True)
    sys.stdin.read()
"""
# Ignores the polite signal, says so once it does, and would run for ever.
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); signal.pause()"
PATIENT = "import signal; print('here', flush=True); signal.pause()"


def order(tmp_path: Path, argv: Sequence[str], *, seconds: float = 10.0) -> ServerOrder:
    return ServerOrder(
        argv=argv,
        log=tmp_path / "log",
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
        stop=(StopStep(signal.SIGTERM, seconds), StopStep(signal.SIGKILL, 10.0)),
    )


def running(tmp_path: Path, program: str, *, seconds: float = 10.0) -> GuardedProcess:
    """Start `program` and wait for its first words."""
    server = GuardedProcess(order(tmp_path, [sys.executable, "-c", program], seconds=seconds))
    while not server.wrote("\n") and server.poll() is None:
        pass
    return server


@linux_only
@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_owner_leaves_no_postgres_and_no_files(ending: signal.Signals) -> None:
    with owner(["-c", POSTGRES_OWNER]) as process:
        files = Path(first_line(process))
        assert (files / "data" / "postmaster.pid").exists()
        with watched_descendants(process.pid) as servers:
            assert len(servers) > 2  # the guard, the postmaster and its helpers
            process.send_signal(ending)
            process.wait(30)
            assert all(server.await_end() for server in servers)
        assert not files.exists()


@linux_only
def test_an_owner_killed_while_the_cluster_is_made_leaves_nothing_either(enterable: Path) -> None:
    with owner(["-c", POSTGRES_OWNER], TMPDIR=str(enterable)) as process:
        while not list(enterable.glob("*/data.unfinished")) and process.poll() is None:
            pass
        with watched_descendants(process.pid) as initdb:
            assert initdb
            process.kill()
            process.wait(30)
            assert all(program.await_end() for program in initdb)
    assert list(enterable.iterdir()) == []


@linux_only
def test_a_killed_guard_takes_its_server_along() -> None:
    with owner(["-c", POSTGRES_OWNER]) as process:
        files = Path(first_line(process))
        with watched_descendants(process.pid) as servers:
            os.kill(servers[0].pid, signal.SIGKILL)
            assert all(server.await_end() for server in servers)
        process.communicate(timeout=30)  # end of file: the owner leaves its block and cleans up what the guard cannot
        assert process.returncode == 0
        assert not files.exists()


def test_a_server_that_ignores_the_polite_signal_is_killed(tmp_path: Path) -> None:
    server = running(tmp_path, STUBBORN, seconds=0.1)
    assert server.stop() == 128 + signal.SIGKILL


def test_a_server_that_listens_is_not_killed(tmp_path: Path) -> None:
    server = running(tmp_path, PATIENT)
    assert server.stop() == 128 + signal.SIGTERM


def test_stopping_twice_tells_the_same_end(tmp_path: Path) -> None:
    server = running(tmp_path, PATIENT)
    assert server.stop() == server.stop()


def test_a_signal_to_the_guard_stops_the_server(tmp_path: Path) -> None:
    server = running(tmp_path, PATIENT)
    os.kill(server.guard_pid, signal.SIGTERM)
    assert server.wait(10) == 128 + signal.SIGTERM


def test_a_server_that_does_not_end_in_time_is_an_error_and_can_still_be_stopped(tmp_path: Path) -> None:
    server = running(tmp_path, PATIENT)
    with pytest.raises(EmbeddedError, match=r"still runs after 0\.01 s"):
        server.wait(0.01)
    assert server.stop() == 128 + signal.SIGTERM


def test_a_program_that_does_not_exist_is_named_in_the_log(tmp_path: Path) -> None:
    server = GuardedProcess(order(tmp_path, ["/no/such/program"]))
    assert server.wait(10) == 127
    assert "cannot start /no/such/program" in server.tail()
