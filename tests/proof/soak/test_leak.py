"""The meters and the verdict together, on real processes: one that leaks is caught, the same one without is not."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from proof.soak.judge import LIMITS, Verdict, judge
from proof.soak.meters import read_process
from proof.soak.record import Record

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc is Linux's")
LEAKER = Path(__file__).with_name("leaker.py")
SAMPLES, EVERY_S, EVENTS = 180, 20.0, 4
SECONDS = SAMPLES * EVERY_S
MEMORY = next(limit for limit in LIMITS if limit.what == "memory")


@contextmanager
def leaker(bytes_an_event: int) -> Iterator["subprocess.Popen[bytes]"]:
    command = [sys.executable, str(LEAKER), str(bytes_an_event)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:  # noqa: S603 - our own
        try:
            yield process
        finally:
            process.kill()


def watched(bytes_an_event: int) -> Verdict:
    """An hour of the record, without the waiting: the process gets its events, and is read after every few."""
    record = Record()
    with leaker(bytes_an_event) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for sample in range(SAMPLES):
            for _ in range(EVENTS):
                process.stdin.write(b"\n")
                process.stdin.flush()
                process.stdout.readline()
            reading = read_process(process.pid)
            assert reading is not None
            values = {
                "steady.private_mib": reading.private_mib,
                "steady.open_files": float(reading.open_files),
                "steady.threads": float(reading.threads),
                "steady.connections": 3.0,
            }
            record.add(sample * EVERY_S, values)
    ended = {"lag_records": 0.0, "outbox_waiting": 0.0, "spool_waiting": 0.0}
    return judge(record, SECONDS, ended, [])


def test_a_process_that_keeps_16_kib_of_each_event_is_caught() -> None:
    verdict = watched(16 * 1024)
    memory = next(finding for finding in verdict.findings if finding.limit is MEMORY)
    assert memory.slope is not None
    expected = SAMPLES * EVENTS * 16 / 1024
    assert memory.slope.per_hour == pytest.approx(expected, rel=0.15)
    assert not memory.flat
    assert [wrong.split(" ")[0] for wrong in verdict.wrong] == ["memory"]


def test_the_same_process_that_keeps_nothing_is_flat() -> None:
    verdict = watched(0)
    assert verdict.wrong == []
    assert all(finding.flat for finding in verdict.findings)
